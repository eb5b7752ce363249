//! The arguments and results of a [`Peer`](super::Peer)'s methods.

use aemp_codec::Limits;

/// A monitor, by a number that the caller chooses. No two monitors of a node may have the same at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonitorId(pub u64);

/// A connection, by the number that the [mesh](crate::mesh) gave it. No two connections ever have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId(pub u64);

/// A loss of everything that was on its way to a node, by a number. No two losses of one node that have to be told apart have
/// the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LossId(pub u64);

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
    pub(crate) fn overflow(&self) -> String {
        format!("more than {} bytes queued", self.max_queue_bytes)
    }
}

/// What the caller of a [`Peer`](super::Peer) has to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Urge {
    /// Nothing.
    None,
    /// Tell the mesh to connect to the node ([`Mesh::connect`](crate::mesh::Mesh::connect)).
    Connect,
    /// Wake the connection's writer: there was nothing to write, and now there is.
    Write,
    /// Tell the mesh that the node has to be given up ([`Mesh::overflow`](crate::mesh::Mesh::overflow)), because
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
    /// The connection is lost or could not be made, and not all monitors have fired.
    Draining,
}

/// Monitors that a loss has handed out. They are forgotten already; they are to be fired in this order, and then
/// [`Peer::fired`](super::Peer::fired) is to be called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Loss {
    /// Which loss.
    pub id: LossId,
    /// At least one.
    pub monitors: Vec<MonitorId>,
}

/// What has become of a node of which something is said to be lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Lost {
    /// Nothing: it was not so, or is not so any more.
    Not,
    /// The node is down. Nothing was monitored there.
    Down,
    /// All monitors are to be fired.
    Fire(Loss),
}

/// What has become of a node that a sender has wanted to be [given up](Urge::Overflow).
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum GivenUp {
    /// Nothing: that is settled by now.
    Not,
    /// It will be, for that reason, as soon as the monitors of the loss before have fired.
    Later(String),
    /// It is.
    Now {
        /// The connection that it had, which is to be closed.
        conn: Option<ConnId>,
        /// Why.
        text: String,
        /// What follows from it.
        lost: Lost,
    },
}

/// What has become of a connection that is ready for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum LinkUp {
    /// It is the node's. What was queued is written.
    Up(Urge),
    /// It has to wait until the monitors of that loss have fired.
    Mourning(LossId),
    /// What was queued is lost, for that reason. The connection may be the node's when that is over.
    Lost(Lost, String),
}

/// What follows when the monitors of a loss have fired.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub enum Fired {
    /// Nothing: it is not that loss that is being mourned.
    Not,
    /// What was to follow is lost as well, for that reason: more monitors are to be fired.
    Again(Loss, String),
    /// The node is down.
    Down,
    /// The node is down, and somebody wants it to be connected.
    Connecting,
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
