//! What callers of a [`Peer`](super::Peer) tell it and learn from it.

use aemp_codec::Limits;

/// A monitor, by a number that the caller chooses. No two monitors of a node may have the same at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorId(pub u64);

/// A connection, by the number that the [mesh](crate::proto::mesh) gave it. No two connections ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// How much has gone over a connection in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Packets, keepalives included.
    pub packets: u64,
    /// Bytes of packets.
    pub bytes: u64,
}

/// How much may be queued for a node.
#[derive(Clone, Copy, Debug)]
pub struct PeerLimits {
    /// How many bytes may wait to be sent before the node is given up.
    pub max_queue_bytes: usize,
    /// How large and deep a packet may be.
    pub packet: Limits,
}

impl PeerLimits {
    /// The text with which a node is given up for which too much is queued.
    pub(in crate::proto) fn overflow(&self) -> String {
        format!("more than {} bytes queued", self.max_queue_bytes)
    }
}

/// What the caller of a [`Peer`](super::Peer) has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Urge {
    /// Nothing.
    None,
    /// Tell the mesh to connect to the node ([`Mesh::connect`](crate::proto::mesh::Mesh::connect)).
    Connect,
    /// Wake the connection's writer: there was nothing to write, and now there is.
    Write,
    /// Tell the mesh that the node has to be given up ([`Mesh::overflow`](crate::proto::mesh::Mesh::overflow)), because
    /// more is queued than allowed, or something queued cannot be put into the connection's format.
    Overflow,
}

/// What the mesh has to know of a [`Peer`](super::Peer).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not connected, and nobody wants it to be.
    Down,
    /// Not connected, and something waits to be sent or is monitored.
    Connecting,
    /// Connected.
    Up(ConnId),
    /// To be given up, for that reason; by then perhaps connected.
    GivenUp(Option<ConnId>, String),
    /// The connection is lost, and not all monitors have fired.
    Draining,
}

impl Urge {
    /// What is left to do after two steps: the more urgent of the two.
    pub fn and(self, then: Self) -> Self {
        let rank = |urge| match urge {
            Self::None => 0,
            Self::Write => 1,
            Self::Connect => 2,
            Self::Overflow => 3,
        };
        if rank(then) > rank(self) { then } else { self }
    }
}
