//! One connection, as the mesh sees it.

use aemp_codec::NodeId;

use crate::{Time, handshake::Handshake};

/// A connection.
#[derive(Debug)]
pub(super) struct Connection {
    /// The address for the log: `host:port` as dialled, or the peer's socket address.
    pub(super) addr: String,
    pub(super) purpose: Purpose,
    pub(super) phase: Phase,
}

/// The reason why a connection exists.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Purpose {
    /// The peer dialled it.
    Accepted,
    /// This node dialled it for the seed at its address.
    Seed,
    /// This node dialled it to reach a node.
    Node(NodeId),
    /// This node dialled it for a stream to a node.
    Stream { node: NodeId, id: String },
}

/// The progress of a connection.
#[derive(Debug)]
pub(super) enum Phase {
    Dialing {
        deadline: Time,
    },
    /// Waits until the relay is connected, or has opened a session to the node.
    Asking {
        deadline: Time,
        relay: NodeId,
        node: NodeId,
    },
    Handshake(Box<Handshaking>),
    /// Authenticated, but the monitors of the node's last loss are still firing.
    Pending(NodeId),
    Up(NodeId),
}

#[derive(Debug)]
pub(super) struct Handshaking {
    pub(super) handshake: Handshake,
    pub(super) identity: Identity,
}

/// The identity of the peer, as far as it is known.
#[derive(Debug, Default)]
pub(super) enum Identity {
    /// The peer has not greeted, or has our own ID.
    #[default]
    Unknown,
    /// The peer claims to be another node.
    Claims(Claim),
    /// The connection is a data connection, for which a node may have any number.
    Stream,
    /// The peer claims to be this node: the other end of one of our own connections.
    Doubtful,
    /// The peer has proved to be this node.
    Myself,
}

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) node: NodeId,
    /// True if this end chooses between connections to that node.
    pub(super) we_arbitrate: bool,
}

impl Connection {
    pub(super) fn new(addr: &str, purpose: Purpose, phase: Phase) -> Self {
        Self {
            addr: addr.into(),
            purpose,
            phase,
        }
    }

    /// True if our end of the handshake has sent this nonce.
    pub(super) fn sent_nonce(&self, nonce: &[u8]) -> bool {
        match &self.phase {
            Phase::Handshake(handshaking) => handshaking.handshake.nonce() == nonce,
            _ => false,
        }
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        match &self.phase {
            Phase::Handshake(handshaking) => match &handshaking.identity {
                Identity::Claims(claim) => Some(claim),
                Identity::Unknown | Identity::Stream | Identity::Doubtful | Identity::Myself => {
                    None
                }
            },
            _ => None,
        }
    }

    /// True if the greetings say that the connection is a data connection.
    pub(super) fn is_stream(&self) -> bool {
        matches!(&self.phase, Phase::Handshake(handshaking) if matches!(handshaking.identity, Identity::Stream))
    }

    /// True if the peer claims to be this node, with or without a proof.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(&self.phase, Phase::Handshake(handshaking) if matches!(handshaking.identity, Identity::Doubtful | Identity::Myself))
    }

    /// True if the peer has proved to be this node.
    pub(super) fn met_myself(&self) -> bool {
        matches!(&self.phase, Phase::Handshake(handshaking) if matches!(handshaking.identity, Identity::Myself))
    }

    pub(super) fn handshaking(&mut self) -> Option<&mut Handshaking> {
        match &mut self.phase {
            Phase::Handshake(handshaking) => Some(handshaking),
            _ => None,
        }
    }
}

impl Phase {
    pub(super) fn handshake(handshake: Handshake) -> Self {
        Self::Handshake(Box::new(Handshaking {
            handshake,
            identity: Identity::Unknown,
        }))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Self::Dialing { deadline } | Self::Asking { deadline, .. } => Some(*deadline),
            Self::Handshake(handshaking) => Some(handshaking.handshake.deadline()),
            Self::Pending(_) | Self::Up(_) => None,
        }
    }
}
