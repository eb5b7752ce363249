//! The errors of the database.

use aemp_codec::{DecodeError, EncodeError};
use thiserror::Error;

use aemp_proto::global::{LendError, NameError};

/// Why something could not be done with the database.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum DbError {
    /// The name of a family or a key is not allowed.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A value cannot be put on the wire, such as a float that is not a number, or is too large for a packet.
    #[error("database family {family:?}: the value of {key:?} cannot be encoded: {source}")]
    Value {
        /// The family.
        family: String,
        /// The key.
        key: String,
        /// Why.
        source: EncodeError,
    },
    /// No answer has come in the time allowed: there is no master, or it does not answer.
    #[error("database family {0:?}: no answer in time")]
    Timeout(String),
    /// The master's answer makes no sense.
    #[error("database family {family:?}: {text}")]
    Answer {
        /// The family.
        family: String,
        /// What is wrong with the answer, and who gave it.
        text: String,
    },
    /// An entry is not what the program expects of its family.
    #[error("database family {family:?}: the value of {key:?} cannot be understood: {source}")]
    Entry {
        /// The family.
        family: String,
        /// The key.
        key: String,
        /// Why.
        source: DecodeError,
    },
    /// An entry cannot be set for another node ([`Node::db_set_for`](crate::Node::db_set_for)).
    #[error("database family {family:?}: {key:?} is not set: {source}")]
    Lend {
        /// The family.
        family: String,
        /// The key.
        key: String,
        /// Why.
        source: LendError,
    },
    /// It is not known for whom an entry is to be set: a message whose type does not ask has no origin.
    #[error("database family {0:?}: it is not known for whom an entry is to be set")]
    Unknown(String),
    /// The node has been stopped.
    #[error("the node has stopped")]
    Stopped,
}
