//! Observations of a world.

use aemp_codec::{NodeId, PortId, Value};

use super::Member;
use aemp_proto::{
    global::{Answer, QueryId, WatchId, Watched},
    mesh::Level,
    peer::MonitorId,
};

/// Something that a node has experienced.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Observation {
    /// A message has arrived at a port.
    Received {
        /// The port's node.
        at: Member,
        /// The sender's node.
        from: NodeId,
        /// The port.
        port: PortId,
        /// The message.
        message: Vec<Value>,
    },
    /// A node has sent a numbered message; see [`World::speak`](super::World::speak).
    Said {
        /// The sender's node.
        at: Member,
        /// Where it goes.
        port: PortId,
        /// The number; no other message of that node has it.
        number: u64,
    },
    /// Whoever sends numbered messages to a port has set a monitor there, before the first of them.
    Monitored {
        /// Whose.
        at: Member,
        /// The port.
        port: PortId,
        /// The monitor.
        monitor: MonitorId,
    },
    /// A monitor has fired.
    Fired {
        /// Whose.
        at: Member,
        /// Which.
        monitor: MonitorId,
        /// Why.
        reason: Vec<Value>,
    },
    /// Another node is connected.
    Up {
        /// Who says so.
        at: Member,
        /// The other node.
        node: NodeId,
    },
    /// Another node is no longer connected.
    Down {
        /// Who says so.
        at: Member,
        /// The other node.
        node: NodeId,
        /// Why.
        text: String,
    },
    /// A query of the database is answered.
    Answered {
        /// Whose.
        at: Member,
        /// Which.
        query: QueryId,
        /// The answer, or why the master's made no sense.
        answer: Result<Answer, String>,
    },
    /// A watch of a family tells something.
    Watched {
        /// Whose.
        at: Member,
        /// Which.
        watch: WatchId,
        /// What it is.
        told: Watched,
    },
    /// A node would log something; see [`World::set_logging`](super::World::set_logging).
    Logged {
        /// Who.
        at: Member,
        /// How urgent it is.
        level: Level,
        /// What.
        text: String,
    },
}
