//! Taps: the messages of one port, or of all connections of a node, live.
//!
//! [`Node::tap`](crate::Node::tap) asks a node of this project for a copy of the packets that it exchanges with other nodes. Typed arguments
//! arrive as values. The command `aemp tap` prints them.
//!
//! ```
//! use aemp::{Node, tap::TapEvent};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::builder().node_id("watcher").secret("s3cret").bind("127.0.0.1:0").start().await?;
//! let mut tap = node.tap(&"green#counter".parse()?, Some("add"));
//! # let stop = node.clone(); tokio::spawn(async move { stop.stop().await });
//! while let Some(event) = tap.next().await {
//!     if let TapEvent::Packet(packet) = event {
//!         println!("{packet}");
//!     }
//! }
//! # Ok(()) }
//! ```
//!
//! **Semantics.** A tap sees a packet where a connection of the tapped node takes it: packets that arrive, and packets that
//! are written, each once and in the order of the wire. It changes nothing for senders and receivers. A tap of a port sees
//! the packets that are addressed to it: on its own node those that arrive. A tap of a node sees all its connections, with
//! the requests of nodes to each other, but no keepalives. Messages between ports of one node are never encoded, so a tap
//! does not see them. The tap ends when it is dropped, or when the node is lost.
//!
//! **Permission.** To tap is to call the function `Aemp::tap`, which [`allow`](crate::NodeBuilder::allow) permits or
//! refuses like any other, and [`secure`](crate::NodeBuilder::secure) refuses. A node with neither setting can be tapped by
//! every node that knows the secret. A refused call is logged there and not
//! answered, so that no [`TapEvent::Open`] arrives.
//!
//! **Limits.** Up to 1024 packets and 1 MiB wait for a slow tap at the tapped node, and 8192 packets and 4 MiB at the
//! reader. Then the oldest ones are lost, and [`TapEvent::Lost`] gives their number. A packet of more than 64 KiB arrives
//! as a text with its size. One node may have 16 taps of a node, and all together 64. The messages of taps are not tapped.
// # Design
//
// The hooks are those of message traces (`node/trace.rs`): a read or a write looks at one more flag. A tapped packet is
// decoded once for all taps, and queued for each of them under one lock; `passing` sends. Two nodes that tap each other
// would never end. So a node taps neither packets to the ports of taps, nor packets to the ports at which it reads taps
// itself, and with this rule no cycle of taps has an end at which it grows.
//
// Left out: messages within a node, for which each queue would need a hook and each message type a copy.

mod serve;
mod stream;
mod taps;

use std::{fmt, str::FromStr};

use aemp_codec::{NodeId, Value};
use serde::Serialize;

pub use self::stream::Tap;
pub(crate) use self::{serve::built_in, taps::Taps};
use crate::Shown;

/// The function by which a node asks another for its packets.
pub const TAP: &str = "Aemp::tap";

/// The direction of a packet, from the point of view of the tapped node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Direction {
    /// The node has sent it.
    Snd,
    /// The node has received it.
    Rcv,
}

impl Direction {
    /// The name in traces: `SND` or `RCV`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Snd => "SND",
            Self::Rcv => "RCV",
        }
    }
}

impl FromStr for Direction {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        let known = [Self::Snd, Self::Rcv].into_iter();
        { known }.find(|known| known.name() == name).ok_or(())
    }
}

/// A packet that a tap has seen.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct TappedPacket {
    /// The time at which it was seen, in seconds since 1970, by the clock of the tapped node.
    pub time: f64,
    /// The direction from the point of view of the tapped node.
    pub direction: Direction,
    /// The other node.
    pub node: NodeId,
    /// The name of the receiving port; empty for a request to the node.
    pub port: String,
    /// The message, tag first.
    pub message: Vec<Value>,
}

/// The packet on one line, with text of peers as [`Shown`].
impl fmt::Display for TappedPacket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let message = Value::from(self.message.clone());
        let (way, node, port) = (self.direction.name(), Shown(&self.node), Shown(&self.port));
        write!(f, "{way} {node} {port} {}", Shown(message))
    }
}

/// News of a [`Tap`].
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum TapEvent {
    /// The node has opened the tap: packets follow.
    Open,
    /// The node has not opened the tap, for this reason.
    Refused(String),
    /// A packet.
    Packet(TappedPacket),
    /// This number of packets was lost here, because they came too fast.
    Lost(u64),
}
