//! The arguments and results of a [`Peer`](super::Peer)'s methods.

use aemp_codec::Limits;

/// A monitor, as a number that the caller chooses. No two monitors of a node may have the same number at the same time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorId(pub u64);

/// A connection, as a number that the [mesh](crate::mesh) gives it. No two connections ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A loss of everything that was on its way to a node, as a number. Two losses of one node that must be told apart
/// never have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LossId(pub u64);

/// The traffic of a connection in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The number of packets, with keepalives.
    pub packets: u64,
    /// The bytes of packets.
    pub bytes: u64,
}

/// The limits of the queue for one node.
#[derive(Clone, Copy, Debug)]
pub struct PeerLimits {
    /// The bytes that may wait to be sent. With more, the node is given up.
    pub max_queue_bytes: usize,
    /// The limits of a single packet.
    pub packet: Limits,
}

impl PeerLimits {
    /// The reason with which a node is given up when its queue overflows.
    pub(crate) fn overflow(&self) -> String {
        format!("more than {} bytes queued", self.max_queue_bytes)
    }
}

/// The next step for the caller of a [`Peer`](super::Peer).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Urge {
    /// Do nothing.
    None,
    /// Tell the mesh to connect to the node ([`Mesh::connect`](crate::mesh::Mesh::connect)).
    Connect,
    /// Wake the connection's writer: its buffer was empty and is no longer.
    Write,
    /// Tell the mesh to give up the node ([`Mesh::overflow`](crate::mesh::Mesh::overflow)): its queue is over its
    /// limit, or a queued packet cannot be written in the connection's format.
    Overflow,
}

/// The state of a [`Peer`](super::Peer), as far as the mesh has to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Not connected, and no connection is wanted.
    Down,
    /// Not connected, but a packet waits or a monitor is set.
    Connecting,
    /// Connected.
    Up(ConnId),
    /// To be given up, for this reason. A connection may have come up meanwhile.
    GivenUp(Option<ConnId>, String),
    /// The connection was lost or could not be made, and some monitors have not fired yet.
    Draining,
}

/// The monitors that a loss has handed out.
///
/// The peer has forgotten them. The caller fires them in this order and then calls [`Peer::fired`](super::Peer::fired).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Loss {
    /// The ID of the loss.
    pub id: LossId,
    /// The monitors to fire; at least one.
    pub monitors: Vec<MonitorId>,
}

/// The result of reporting a loss to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Lost {
    /// Nothing is lost: the report is wrong or outdated.
    Not,
    /// The node is down, and had no monitors.
    Down,
    /// The node is down, and these monitors must fire.
    Fire(Loss),
}

/// The result of [giving up](Urge::Overflow) a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum GivenUp {
    /// Nothing happens: the reason for it has passed.
    Not,
    /// The node is given up later, for this reason: as soon as the monitors of an earlier loss have fired.
    Later(String),
    /// The node is given up.
    Now {
        /// The connection to close, if there was one.
        conn: Option<ConnId>,
        /// The reason.
        text: String,
        /// The loss that follows.
        lost: Lost,
    },
}

/// The result of offering a connection to a peer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum LinkUp {
    /// The connection is the node's. All queued packets are written.
    Up(Urge),
    /// The connection must wait until the monitors of this loss have fired.
    Mourning(LossId),
    /// The queue is lost, for this reason. The connection may become the node's when the loss is over.
    Lost(Lost, String),
}

/// The result of reporting that the monitors of a loss have fired.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fired {
    /// Nothing happens: this loss is not the one that is being mourned.
    Not,
    /// The packets for the next connection are lost as well, for this reason. More monitors must fire.
    Again(Loss, String),
    /// The node is down.
    Down,
    /// The node is down, and a connection is wanted.
    Connecting,
}

impl Urge {
    /// The more urgent of the next steps after two actions.
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
