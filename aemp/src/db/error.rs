//! The errors of the database.

use aemp_codec::{DecodeError, EncodeError};
use thiserror::Error;

use aemp_proto::global::{LendError, NameError};

/// The error of an operation on the database.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum DbError {
    /// The name of a family or a key is not allowed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A value cannot be put on the wire, such as a float that is not a number, or is too large for a packet.
    #[error("database family {family:?}: the value of {key:?} cannot be encoded: {error}")]
    Value {
        /// The family.
        family: String,
        /// The key.
        key: String,
        /// The cause.
        error: EncodeError,
    },
    /// No answer arrived in time: there is no master, or the master does not answer.
    #[error("database family {0:?}: no answer in time")]
    Timeout(String),
    /// The master's answer is invalid.
    #[error("database family {family:?}: {text}")]
    Answer {
        /// The family.
        family: String,
        /// The problem, and the node that gave the answer.
        text: String,
    },
    /// The value of an entry does not have the type of the family.
    #[error("database family {family:?}: the value of {key:?} cannot be understood: {error}")]
    Entry {
        /// The family.
        family: String,
        /// The key.
        key: String,
        /// The cause.
        error: DecodeError,
    },
    /// An entry cannot be set for another node ([`Node::db_set_for`](crate::Node::db_set_for)).
    #[error("database family {family:?}: {key:?} is not set: {error}")]
    Lend {
        /// The family.
        family: String,
        /// The key.
        key: String,
        /// The cause.
        error: LendError,
    },
    /// The origin of the request is unknown, as for a message type that does not record its origin
    /// ([`Message::USES_ORIGIN`](crate::Message::USES_ORIGIN)).
    #[error("database family {0:?}: the node on whose behalf the entry is to be set is unknown")]
    Unknown(String),
    /// The node has been stopped.
    #[error("the node has stopped")]
    Stopped,
}
