//! A service of a node.

use crate::Args;

/// A service: an init function that is run when a node starts.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    /// The function's fully-qualified name.
    pub name: String,
    /// The function's arguments.
    pub args: Args,
}
