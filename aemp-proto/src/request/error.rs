//! Errors of requests.

use aemp_codec::{DecodeError, IdError};

/// Why a request has no effect. It is logged and does not end the connection, unless it is
/// [malformed](Self::is_malformed).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The packet breaks the rules of its format.
    #[error(transparent)]
    Malformed(DecodeError),
    /// The request's name is an array or a map, or not Unicode.
    #[error("the request is no text")]
    Name,
    /// An argument is not there.
    #[error("{request}: no {argument}")]
    Missing {
        /// The request.
        request: String,
        /// What is missing.
        argument: &'static str,
    },
    /// An argument is an array or a map, or not Unicode.
    #[error("{request}: the {argument} is no text")]
    NotText {
        /// The request.
        request: String,
        /// Which.
        argument: &'static str,
    },
    /// The name of a request, a port or a function is longer than
    /// [`LONGEST_NAME`](crate::global::LONGEST_NAME): there is none of that name.
    #[error("{request}: the {argument} has {length} bytes, and names have at most 255")]
    TooLong {
        /// The request; empty if it is the name of the request.
        request: String,
        /// Which.
        argument: &'static str,
        /// How long it is.
        length: usize,
    },
    /// An argument is something that no value can hold.
    #[error("{request}: {source}")]
    Value {
        /// The request.
        request: String,
        /// Why.
        source: DecodeError,
    },
    /// An argument is no port ID.
    #[error("{request}: the {argument}: {source}")]
    PortId {
        /// The request.
        request: String,
        /// Which.
        argument: &'static str,
        /// Why.
        source: IdError,
    },
}

impl RequestError {
    /// Whether the packet breaks the rules of its format, so that the connection has to be closed.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }
}
