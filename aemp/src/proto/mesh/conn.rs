//! One connection, as the mesh sees it.

use aemp_codec::NodeId;

use crate::proto::{Time, handshake::Handshake};

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
    /// Who the peer claims to be, once it has said so.
    pub(super) claim: Option<Claim>,
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
            claim: None,
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
