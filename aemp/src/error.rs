//! Errors, one small enum for each operation.
//!
//! An error prints its cause as part of its text, and [`source`](std::error::Error::source) does not return this cause.
//! So a report of a whole chain of causes has each text once.

mod start;

use std::fmt;

use aemp_codec::{DecodeError, EncodeError, IdError, PortId};
use thiserror::Error;

pub use self::start::{
    CertError, FunctionKind, RegistryError, ServiceError, SettingError, StartError,
};
use crate::{Reason, inspect::SeedInfo};

/// The error of a message that was not sent.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A value cannot be put on the wire, such as a float that is not a number.
    #[error("cannot be encoded: {0}")]
    Encode(EncodeError),
    /// The port is dead. Only senders that wait for room get this error.
    #[error("the port is dead")]
    Dead,
    /// The name is not a valid node ID.
    #[error("{name:?} names no node: {problem}")]
    NoNode {
        /// The name as it was given.
        name: String,
        /// The reason why it is not a node ID.
        problem: IdError,
    },
    /// The destination is the port of a node itself. It serves requests in the name of the sending node, so messages
    /// of ports and answers are not sent to it.
    #[error("{0} is a node port, which accepts requests of nodes and no messages of ports")]
    NodePort(PortId),
    /// The port belongs to another node, so code of this node cannot run in it.
    #[error("{0} is a port of another node, and code of this node cannot run there")]
    Remote(PortId),
    /// A reply list does not begin with a port.
    #[error("a reply list begins with a port: {0}")]
    NoPort(String),
}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// The error of a message that was not sent at once.
#[derive(Clone, Error)]
#[non_exhaustive]
pub enum TrySendError<M> {
    /// The port has no room for the message, which is handed back.
    #[error("the port has no room")]
    Full(M),
    /// The message is lost, with the error that [`Handle::send`](crate::Handle::send) would have returned.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl<M> fmt::Debug for TrySendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(_) => f.write_str("Full(..)"),
            Self::Send(error) => f.debug_tuple("Send").field(error).finish(),
        }
    }
}

/// The error of a call that has no answer.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The called port died, does not exist, or its node was lost.
    #[error("the port died: {0}")]
    Died(Reason),
    /// The time limit of the call is over.
    #[error("no answer in time")]
    Timeout,
    /// The port is alive, but has dropped the reply. If the port's node was lost or stopped, the error is
    /// [`Died`](Self::Died). Perl nodes do not report a dropped reply: such a call ends at its time limit, or when
    /// the port dies.
    #[error("the port did not answer")]
    NoReply,
    /// The port is alive, but does not know the message, or does not accept such arguments: it may have another
    /// version. The text describes the part that it does not know. Ports that are
    /// [strict](macro@crate::port#options), untyped ports and ports of Perl nodes die in this case.
    #[error("the call was not understood: {0}")]
    Refused(String),
    /// Some ports of this node wait for each other's answers, so that none of them would ever come. The text names the
    /// ports and their handlers. See the [handbook](crate::handbook::calls#circles).
    #[error("the ports wait for each other: {0}")]
    Circle(String),
    /// An argument cannot be put on the wire.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The answer does not have the expected type, or its `Deserialize` panicked, or the port's node could not encode
    /// it.
    #[error("the answer cannot be understood: {0}")]
    Answer(DecodeError),
}

impl CallError {
    /// The reason of the called port's death, if the port has died.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Died(reason) => Some(reason),
            _ => None,
        }
    }
}

/// The error of setting handlers.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum RcvError {
    /// The port belongs to another node; handlers can only be set there.
    #[error("{0} is a port of another node: handlers can only be set on its own")]
    Remote(PortId),
    /// The port is typed. Its handlers are those of its `#[port]` block.
    #[error("{0} is a typed port: its handlers are those of its `#[port]` block")]
    Typed(PortId),
    /// The port does not exist.
    #[error("{0}: no such port")]
    Dead(PortId),
}

/// The error of making a handle from a port ID.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The text is not a port ID.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A handle was deserialised outside of the decoding of a message.
    #[error(
        "a handle can only be read from a message; read a `PortId` and ask a node for its handle"
    )]
    NoNode,
}

/// The error of a node that is not part of the network ([`Node::joined`](crate::Node::joined)).
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The node was started without a network.
    #[error("this node has no network")]
    NoNetwork,
    /// The node has ended.
    #[error("this node has ended")]
    Ended,
    /// Each seed has failed in a way that a retry does not mend, such as a different secret.
    #[error("cannot join the network: {}", each(.0))]
    Refused(Vec<SeedInfo>),
    /// No seed has been reached so far.
    #[error("has not joined the network yet: {}", each(.0))]
    Unreached(Vec<SeedInfo>),
}

/// The failures of all seeds, as one text.
fn each(seeds: &[SeedInfo]) -> String {
    let each = seeds.iter().map(|seed| match &seed.failure {
        Some(failure) => format!("{}: {}", seed.address, failure.text),
        None => format!("{}: nothing is heard from there yet", seed.address),
    });
    each.collect::<Vec<_>>().join("; ")
}

/// The result of a plain send. It is not a future, and may be ignored.
///
/// Sending never blocks. Two errors are known at once: a message that leaves the node cannot be encoded, or the name
/// of its node is invalid. Both are logged, and [`check`](Self::check) returns them. Monitors report whether messages
/// arrive.
#[derive(Debug, Clone)]
pub struct Sent(Option<SendError>);

impl Sent {
    /// The error, if the message could not be sent.
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] if the message could not be encoded, [`SendError::NoNode`] if its destination is not a
    /// valid node.
    pub fn check(self) -> Result<(), SendError> {
        self.0.map_or(Ok(()), Err)
    }

    pub(crate) fn ok() -> Self {
        Self(None)
    }

    /// Logs the error of a message that is not reported to any caller.
    pub(crate) fn log(&self, message: &str, to: &PortId) {
        if let Some(error) = &self.0 {
            crate::log::error!(to: to, "{message} to {to} was not sent: {error}");
        }
    }
}

impl<E: Into<SendError>> From<Result<(), E>> for Sent {
    fn from(result: Result<(), E>) -> Self {
        Self(result.err().map(Into::into))
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use aemp_proto::global::NameError;

    use super::*;
    use crate::{DbError, NodeId, config::ConfigError, inspect::InspectError};

    /// The number of texts in a chain of causes that contain `cause`.
    fn times(error: &dyn Error, cause: &str) -> usize {
        let (mut next, mut times) = (Some(error), 0);
        while let Some(error) = next {
            times += usize::from(error.to_string().contains(cause));
            next = error.source();
        }
        times
    }

    #[test]
    fn a_chain_of_causes_has_each_text_once() {
        let id = NodeId::new("").unwrap_err();
        let no_answer = CallError::Send(SendError::Encode(EncodeError::NotFinite));
        let answer = || InspectError::Call {
            node: "a".into(),
            error: no_answer.clone(),
        };
        let not_finite = EncodeError::NotFinite.to_string();
        let denied = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let denied_text = denied().to_string();
        let errors: [(Box<dyn Error>, &str); 12] = [
            (Box::new(StartError::from(id.clone())), &id.to_string()),
            (Box::new(HandleError::from(id.clone())), &id.to_string()),
            (Box::new(no_answer.clone()), &not_finite),
            (
                Box::new(TrySendError::<()>::from(SendError::Encode(
                    EncodeError::NotFinite,
                ))),
                &not_finite,
            ),
            (Box::new(answer()), &not_finite),
            (Box::new(DbError::from(NameError::NoFamily)), "family"),
            (
                Box::new(StartError::Bind {
                    address: "*:1".into(),
                    error: denied(),
                }),
                &denied_text,
            ),
            (
                Box::new(StartError::Config(ConfigError::NoPath)),
                "configuration file",
            ),
            (Box::new(StartError::Entropy(denied())), &denied_text),
            (
                Box::new(StartError::setting(
                    "seeds",
                    SettingError::Interfaces {
                        seed: "*:1".parse().unwrap(),
                        error: denied(),
                    },
                )),
                &denied_text,
            ),
            (
                Box::new(StartError::setting("cert", CertError::NoKey.into())),
                "no private key",
            ),
            (
                Box::new(StartError::Registry(vec![RegistryError::Unqualified {
                    kind: FunctionKind::Function,
                    name: "plain".into(),
                    position: None,
                }])),
                "must contain `::`",
            ),
        ];
        for (error, cause) in &errors {
            assert_eq!(times(&**error, cause), 1, "{error}");
        }
    }
}
