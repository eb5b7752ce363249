//! The errors of an inspection.

use aemp_codec::{DecodeError, IdError};
use thiserror::Error;

use crate::CallError;

/// The error of an inspection.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The text is not a node ID.
    #[error("{node:?} is not a node ID: {error}")]
    NodeId {
        /// The text.
        node: String,
        /// The cause.
        error: IdError,
    },
    /// The node is a Perl node, or has a version without inspection.
    #[error("{node} does not know this request (provider {})", provider.as_deref().unwrap_or("unknown"))]
    Unknown {
        /// The node.
        node: String,
        /// The implementation that the node's greeting names, if any.
        provider: Option<String>,
    },
    /// The node has answered with an error.
    #[error("{node}: {text}")]
    Refused {
        /// The node.
        node: String,
        /// The node's error text.
        text: String,
    },
    /// The node cannot be reached, or was lost before it answered.
    #[error("{node}: {error}")]
    Call {
        /// The node.
        node: String,
        /// The error of the call of its node port.
        error: CallError,
    },
    /// The answer is invalid.
    #[error("{node}: the answer cannot be understood: {error}")]
    Answer {
        /// The node.
        node: String,
        /// The cause.
        error: DecodeError,
    },
}
