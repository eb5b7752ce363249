//! One connection, as the mesh sees it.

use aemp_codec::NodeId;

use crate::{Time, handshake::Handshake};

/// A connection.
#[derive(Debug)]
pub(super) struct Conn {
    /// For the log: `host:port` as dialled, or the peer's socket address.
    pub(super) addr: String,
    pub(super) purpose: Purpose,
    pub(super) phase: Phase,
}

/// Why there is a connection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Purpose {
    /// Somebody else wanted it.
    Accepted,
    /// It was dialled for the seed at its address.
    Seed,
    /// It was dialled to reach that node.
    Node(NodeId),
}

/// How far a connection is.
#[derive(Debug)]
pub(super) enum Phase {
    Dialing {
        deadline: Time,
    },
    Handshake(Box<Handshaking>),
    /// Authenticated; the node's last connection is still being mourned.
    Pending(NodeId),
    Up(NodeId),
}

#[derive(Debug)]
pub(super) struct Handshaking {
    pub(super) handshake: Handshake,
    pub(super) who: Who,
}

/// The peer, as far as it is known.
#[derive(Debug, Default)]
pub(super) enum Who {
    /// It has not said so, or has our own ID.
    #[default]
    Unknown,
    /// It claims to be another node.
    Claims(Claim),
    /// It says that it is this node itself, the other end of a connection of our own.
    Doubtful,
    /// It has proved that to this end.
    Myself,
}

#[derive(Clone, Debug)]
pub(super) struct Claim {
    pub(super) node: NodeId,
    /// Whether it is this end that chooses between connections to that node.
    pub(super) we_arbitrate: bool,
}

impl Conn {
    pub(super) fn new(addr: &str, purpose: Purpose, phase: Phase) -> Self {
        Self {
            addr: addr.into(),
            purpose,
            phase,
        }
    }

    /// Whether its handshake has sent that nonce.
    pub(super) fn sent_nonce(&self, nonce: &[u8]) -> bool {
        match &self.phase {
            Phase::Handshake(handshaking) => handshaking.handshake.nonce() == nonce,
            _ => false,
        }
    }

    pub(super) fn claim(&self) -> Option<&Claim> {
        match &self.phase {
            Phase::Handshake(handshaking) => match &handshaking.who {
                Who::Claims(claim) => Some(claim),
                Who::Unknown | Who::Doubtful | Who::Myself => None,
            },
            _ => None,
        }
    }

    /// True if it says no more than that it is this node itself.
    pub(super) fn is_doubtful(&self) -> bool {
        matches!(&self.phase, Phase::Handshake(handshaking) if matches!(handshaking.who, Who::Doubtful | Who::Myself))
    }

    /// True if this node itself has proved to be at the other end.
    pub(super) fn met_myself(&self) -> bool {
        matches!(&self.phase, Phase::Handshake(handshaking) if matches!(handshaking.who, Who::Myself))
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
            who: Who::Unknown,
        }))
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        match self {
            Self::Dialing { deadline } => Some(*deadline),
            Self::Handshake(handshaking) => Some(handshaking.handshake.deadline()),
            Self::Pending(_) | Self::Up(_) => None,
        }
    }
}
