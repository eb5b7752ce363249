//! Errors of requests.

use aemp_codec::{DecodeError, IdError};

/// The reason why a request has no effect.
///
/// It is logged. It does not end the connection, unless it is [malformed](Self::is_malformed).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The packet breaks the rules of its format.
    #[error(transparent)]
    Malformed(DecodeError),
    /// The request's name is an array or a map, or not Unicode.
    #[error("the request's name is not text")]
    Name,
    /// An argument is missing.
    #[error("{request}: no {argument}")]
    Missing {
        /// The name of the request.
        request: String,
        /// The name of the argument.
        argument: &'static str,
    },
    /// An argument is an array or a map, or not Unicode.
    #[error("{request}: the {argument} is not text")]
    NotText {
        /// The name of the request.
        request: String,
        /// The name of the argument.
        argument: &'static str,
    },
    /// The name of a request, port or function is longer than [`LONGEST_NAME`](crate::global::LONGEST_NAME), so nothing
    /// has that name.
    #[error("{request}: the {argument} has {length} bytes, and names have at most 255")]
    TooLong {
        /// The name of the request; empty if that is the name that is too long.
        request: String,
        /// The name of the argument.
        argument: &'static str,
        /// The length in bytes.
        length: usize,
    },
    /// An argument cannot be held by any [`Value`](aemp_codec::Value).
    #[error("{request}: {error}")]
    Value {
        /// The name of the request.
        request: String,
        /// The cause.
        error: DecodeError,
    },
    /// An argument is not a valid port ID.
    #[error("{request}: the {argument}: {error}")]
    PortId {
        /// The name of the request.
        request: String,
        /// The name of the argument.
        argument: &'static str,
        /// The cause.
        error: IdError,
    },
}

impl RequestError {
    /// True if the packet breaks the rules of its format, so that the connection must be closed.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::Malformed(_))
    }
}
