//! The problems of values.

use std::fmt;

use aemp_codec::IdError;
use aemp_proto::handshake::auth::Method;

use super::super::{Address, AddressError, PermitError, SeedError};

/// The problem of a value ([`ConfigError::Value`](super::ConfigError::Value)).
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ValueError {
    /// The value is of another kind, or out of its range.
    #[error("expected {expected}, found {found}")]
    Unexpected {
        /// The values that the key may have.
        expected: Expected,
        /// The beginning of the value, or the kind of one that is long or secret.
        found: String,
    },
    /// A secret has characters that reference nodes do not know.
    #[error("expected characters up to U+00FF only, as reference nodes do")]
    WideSecret,
    /// The text is no node ID, with its variable parts replaced.
    #[error("{text:?} is not a node ID: {error}")]
    NodeId {
        /// The text, as configured.
        text: String,
        /// The mistake in it.
        error: IdError,
    },
    /// The number of seconds cannot be used.
    #[error("the number is out of range")]
    OutOfRange,
    /// An element of a list is empty where an address is expected.
    #[error("an address is missing: the text is empty")]
    NoAddress,
    /// A text is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// A text is no seed.
    #[error(transparent)]
    Seed(#[from] SeedError),
    /// A text is no permit.
    #[error(transparent)]
    Permit(#[from] PermitError),
    /// An address stands for many, and cannot be announced to other nodes.
    #[error("other nodes cannot connect to {0}")]
    Unreachable(Address),
    /// There is no such authentication method.
    #[error("unknown authentication method {0:?}; known are {known}", known = Method::ACCEPTED.map(Method::name).join(", "))]
    UnknownMethod(String),
    /// The name of a service's function is empty.
    #[error("the name of the function is empty")]
    NoFunction,
    /// An element of a list has a problem.
    #[error("element {number}: {error}")]
    Element {
        /// The number of the element. The first one is 1.
        number: usize,
        /// The problem.
        error: Box<Self>,
    },
    /// An element was to be added to a key that has no list.
    #[error("it is not a list")]
    NoList,
    /// The place of an object has something else.
    #[error("it is not an object")]
    NoObject,
    /// The top level was to have a parent.
    #[error("only profiles have parents; the top level is the parent of all")]
    ParentOfTopLevel,
    /// The shared file has a key for other programs, and the node is [strict](crate::NodeBuilder::strict).
    #[error("the key is unknown")]
    ForeignKey,
    /// The shared file has an authentication method of other programs, and the node is [strict](crate::NodeBuilder::strict).
    #[error("the authentication method {0:?} is unknown")]
    ForeignMethod(String),
    /// The shared file has a format of other programs, and the node is [strict](crate::NodeBuilder::strict).
    #[error("the format {0:?} is unknown")]
    ForeignFormat(String),
}

/// The values that a key may have ([`ValueError::Unexpected`]).
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Expected {
    /// A text.
    Text,
    /// A number of seconds, at least this.
    Seconds(f64),
    /// A number of seconds, at most this.
    FewerSeconds(f64),
    /// A whole number, at least this.
    Count(u64),
    /// A whole number of bytes, at least this, perhaps with a unit.
    Bytes(u64),
    /// 1 or 0.
    Flag,
    /// A list.
    List,
    /// One of the words of `encrypt`.
    Encrypt,
    /// An array that begins with the name of a function.
    FunctionFirst,
    /// The name of a function, or an array of name and arguments.
    Function,
    /// An object.
    Object,
    /// An object of profiles.
    Profiles,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::Seconds(least) => return write!(f, "a number of seconds, at least {least}"),
            Self::FewerSeconds(most) => return write!(f, "a number of seconds, at most {most}"),
            Self::Count(least) => return write!(f, "a whole number, at least {least}"),
            Self::Bytes(least) => {
                return write!(
                    f,
                    "a whole number, at least {least}, perhaps with K, M or G"
                );
            }
            Self::Text => "a text",
            Self::Flag => "1 or 0",
            Self::List => "a list",
            Self::Encrypt => "auto, always or never",
            Self::FunctionFirst => "the name of a function first in the array",
            Self::Function => "the name of a function, or an array of name and arguments",
            Self::Object => "an object",
            Self::Profiles => "an object of profiles",
        };
        f.write_str(text)
    }
}
