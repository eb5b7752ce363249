//! The errors of an inspection.

use aemp_codec::{DecodeError, IdError};
use thiserror::Error;

use crate::CallError;

/// Why a node could not be looked into.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum InspectError {
    /// The text is no node ID.
    #[error("{node:?} is no node ID: {source}")]
    NodeId {
        /// The text.
        node: String,
        /// Why.
        source: IdError,
    },
    /// The node is a reference node, or of a version that cannot be looked into.
    #[error("{node} does not know this request (provider {})", provider.as_deref().unwrap_or("unknown"))]
    Unknown {
        /// The node.
        node: String,
        /// What it says of its implementation, if anything.
        provider: Option<String>,
    },
    /// The node has answered with an error.
    #[error("{node}: {text}")]
    Refused {
        /// The node.
        node: String,
        /// Its words.
        text: String,
    },
    /// The node cannot be reached, or was lost meanwhile.
    #[error("{node}: {source}")]
    Call {
        /// The node.
        node: String,
        /// What has become of the call of its node port.
        source: CallError,
    },
    /// The answer is not what was asked for.
    #[error("{node}: the answer cannot be understood: {source}")]
    Answer {
        /// The node.
        node: String,
        /// Why.
        source: DecodeError,
    },
}
