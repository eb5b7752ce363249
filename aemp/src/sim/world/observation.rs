//! Observations of a world.

use aemp_codec::{NodeId, PortId, Value};

use super::Member;
use aemp_proto::{
    global::{Answer, QueryId, WatchId, Watched},
    mesh::Level,
    peer::MonitorId,
};

/// An event at a node of a [`World`](super::World).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Observation {
    /// A message has arrived at a port.
    Received {
        /// The node of the port.
        at: Member,
        /// The node of the sender.
        from: NodeId,
        /// The port.
        port: PortId,
        /// The message.
        message: Vec<Value>,
    },
    /// A node has sent a numbered message; see [`World::speak`](super::World::speak).
    Said {
        /// The node of the sender.
        at: Member,
        /// The port that the message is for.
        port: PortId,
        /// The number. The node's other messages have other numbers.
        number: u64,
    },
    /// The sender of numbered messages to a port has set a monitor there, before the first of them.
    Monitored {
        /// The node that has set it.
        at: Member,
        /// The port.
        port: PortId,
        /// The monitor.
        monitor: MonitorId,
    },
    /// A monitor has fired.
    Fired {
        /// The node that has set it.
        at: Member,
        /// The monitor.
        monitor: MonitorId,
        /// The reason.
        reason: Vec<Value>,
    },
    /// A node is connected to another node.
    Up {
        /// The node that reports this.
        at: Member,
        /// The other node.
        node: NodeId,
    },
    /// A node is no longer connected to another node.
    Down {
        /// The node that reports this.
        at: Member,
        /// The other node.
        node: NodeId,
        /// The text of the reason.
        text: String,
    },
    /// A query of the database is answered.
    Answered {
        /// The node that has asked.
        at: Member,
        /// The query.
        query: QueryId,
        /// The answer, or why the master's answer could not be understood.
        answer: Result<Answer, String>,
    },
    /// A watch of a family has an event.
    Watched {
        /// The node that watches.
        at: Member,
        /// The watch.
        watch: WatchId,
        /// The event.
        told: Watched,
    },
    /// A node has logged a line; see [`World::set_logging`](super::World::set_logging).
    Logged {
        /// The node.
        at: Member,
        /// The level of the line.
        level: Level,
        /// The line.
        text: String,
    },
}
