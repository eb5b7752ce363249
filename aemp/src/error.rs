//! Errors, one small enum for each operation.

use std::fmt;

use aemp_codec::{DecodeError, EncodeError, IdError, PortId};
use thiserror::Error;

use crate::{Reason, config::ConfigError, inspect::SeedInfo};

/// Why a message was not sent.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum SendError {
    /// A value cannot be put on the wire, such as a float that is not a number.
    #[error("cannot be encoded: {0}")]
    Encode(EncodeError),
    /// The port is dead. Only senders that wait for room are told.
    #[error("the port is dead")]
    Dead,
    /// There cannot be a node of that name.
    #[error("{name:?} names no node: {problem}")]
    NoNode {
        /// As given.
        name: String,
        /// Why it is no node ID.
        problem: IdError,
    },
    /// That is a node's own port. It serves requests in the name of the node that sends them, so neither answers nor messages of ports
    /// go there.
    #[error("{0} is a node port: it takes requests of nodes, and no messages of ports")]
    NodePort(PortId),
    /// That is a port of another node, which runs no code of this one.
    #[error("{0} is a port of another node, where no code of this one can run")]
    Remote(PortId),
    /// A reply list that does not begin with a port.
    #[error("a reply list begins with a port: {0}")]
    NoPort(String),
}

impl From<EncodeError> for SendError {
    fn from(error: EncodeError) -> Self {
        Self::Encode(error)
    }
}

/// Why a message was not sent at once.
#[derive(Clone, Error)]
#[non_exhaustive]
pub enum TrySendError<M> {
    /// The port has no room for the message, which is handed back.
    #[error("the port has no room")]
    Full(M),
    /// The message is lost, as it would have been in [`Handle::send`](crate::Handle::send).
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

/// Why a call has no answer.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The called port died, does not exist, or its node was lost.
    #[error("the port died: {0}")]
    Died(Reason),
    /// The time that the caller allowed is over.
    #[error("no answer in time")]
    Timeout,
    /// The port is alive, but has dropped the reply. Never because a node was lost or stopped, which is [`Died`](Self::Died).
    /// Perl nodes do not tell: such a call ends with its time, or when the port dies.
    #[error("the port did not answer")]
    NoReply,
    /// The port is alive, but does not know the message, or not with such arguments: it may be of another version. The text says
    /// what it does not know. Ports that are [strict](macro@crate::port#options) die of that instead, as untyped ones and those of Perl nodes do.
    #[error("the call was not understood: {0}")]
    Refused(String),
    /// An argument cannot be put on the wire.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The answer is not what the caller expects, or reading it panics, or the port's node could not put it on the wire.
    #[error("the answer cannot be understood: {0}")]
    Answer(DecodeError),
}

impl CallError {
    /// The reason with which the called port died, if that is why there is no answer.
    #[must_use]
    pub fn reason(&self) -> Option<&Reason> {
        match self {
            Self::Died(reason) => Some(reason),
            _ => None,
        }
    }
}

/// Why handlers could not be set.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum RcvError {
    /// The port lives on another node; handlers are set where it lives.
    #[error("{0} is a port of another node: handlers can only be set on its own")]
    Remote(PortId),
    /// The port is typed: its handlers are those of its `#[port]` block.
    #[error("{0} is a typed port: its handlers are those of its `#[port]` block")]
    Typed(PortId),
    /// There is no such port.
    #[error("{0}: no such port")]
    Dead(PortId),
}

/// Why a port ID could not be made into a handle.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum HandleError {
    /// The text is no port ID.
    #[error(transparent)]
    Id(#[from] IdError),
    /// A handle was deserialised outside of any node.
    #[error(
        "a handle can only be read from a message; read a `PortId` and ask a node for its handle"
    )]
    NoNode,
}

/// Why a node could not be started.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum StartError {
    /// No tokio runtime: nodes are started within one.
    #[error("a node needs a tokio runtime to run on")]
    NoRuntime,
    /// The node ID cannot be one.
    #[error("node ID: {0}")]
    NodeId(#[from] IdError),
    /// Init functions that cannot be registered: every fault, with both places of a duplicate.
    #[error("{0}")]
    Registry(String),
    /// An address to listen on cannot be used.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// As configured, and the one that it stands for, if that is another.
        address: String,
        /// The system's word.
        source: std::io::Error,
    },
    /// The configuration file, or a setting in it, in the environment or in the program.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A service cannot be run.
    #[error("service {name:?}: {problem}")]
    Service {
        /// As configured.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A setting is out of its range.
    #[error("{setting}: {problem}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has no entropy to draw nonces from.
    #[error("no entropy: {0}")]
    Entropy(String),
}

/// Why a node is not part of the network ([`Node::joined`](crate::Node::joined)).
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum JoinError {
    /// The node was started without a network.
    #[error("this node has no network")]
    NoNetwork,
    /// The node has ended.
    #[error("this node has ended")]
    Ended,
    /// Each seed has failed in a way that trying again does not mend: another secret, for example.
    #[error("cannot join the network: {}", each(.0))]
    Refused(Vec<SeedInfo>),
    /// No seed could be reached so far.
    #[error("has not joined the network yet: {}", each(.0))]
    Unreached(Vec<SeedInfo>),
}

/// The failure at each seed.
fn each(seeds: &[SeedInfo]) -> String {
    let each = seeds.iter().map(|seed| match &seed.failure {
        Some(failure) => format!("{}: {}", seed.address, failure.text),
        None => format!("{}: nothing is heard from there yet", seed.address),
    });
    each.collect::<Vec<_>>().join("; ")
}

/// What became of a plain send: nothing to wait for, and nothing that must be looked at.
///
/// Sending never blocks. All that can fail at once is the encoding of a message that leaves the node, and the name of its node, if
/// there cannot be one of that name; that is logged, and [`check`](Self::check) tells it to a sender who asks. Whether the message arrives is the business of
/// monitors.
#[derive(Debug, Clone)]
pub struct Sent(Option<SendError>);

impl Sent {
    /// What went wrong at once, if anything.
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] if the message could not be put on the wire, [`SendError::NoNode`] if its destination is none.
    pub fn check(self) -> Result<(), SendError> {
        self.0.map_or(Ok(()), Err)
    }

    pub(crate) fn ok() -> Self {
        Self(None)
    }

    /// Logs the error of a message that nobody else will hear of.
    pub(crate) fn log(&self, what: &str, to: &PortId) {
        if let Some(error) = &self.0 {
            crate::log::error!(to: to, "{what} to {to} was not sent: {error}");
        }
    }
}

impl<E: Into<SendError>> From<Result<(), E>> for Sent {
    fn from(result: Result<(), E>) -> Self {
        Self(result.err().map(Into::into))
    }
}
