//! The answers of an inspected node.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::InitFunction;

/// The details of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NodeInfo {
    /// The node's ID; empty for a node without a network.
    pub id: String,
    /// The node's implementation and its version, as in its greeting.
    pub provider: String,
    /// The version of the `aemp` crate in the node's program.
    pub version: String,
    /// The time since the node's start, in seconds.
    pub uptime: f64,
    /// The addresses on which the node listens.
    pub listeners: Vec<String>,
    /// The seeds of the node.
    pub seeds: Vec<SeedInfo>,
    /// The node's role in the network ([protocol](aemp_proto::protocol::global#roles)); `None` from a node that does not report it.
    pub role: Option<Role>,
    /// The global node that keeps the database for this node, unless it does so itself.
    pub master: Option<String>,
    /// True if the node refuses spawns and calls.
    pub secure: bool,
    /// The number of live ports.
    pub ports: u64,
    /// The number of calls that were not [handled](crate::handbook::calls#work-without-a-waiting-caller), because no caller waited for
    /// them any more.
    pub unwanted_calls: u64,
    /// The process ID.
    pub process: u32,
    /// The operating system and the architecture.
    pub os: String,
    /// The memory that the process uses, in bytes, on systems that report it (Linux).
    pub memory: Option<u64>,
}

/// The role of a node in the network ([protocol](aemp_proto::protocol::global#roles)).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// The node keeps the database, for itself and for other nodes.
    Global,
    /// A global node keeps the database for the node.
    Slave,
    /// The node is looking for a global node.
    Searching,
    /// The node knows no global node, and keeps its own entries.
    Alone,
    /// A role that this version does not know.
    #[serde(other)]
    Other,
}

/// A seed of a node: an address that it stays connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SeedInfo {
    /// `host:port`, as configured.
    pub address: String,
    /// The node that was last found at the address.
    pub node: Option<String>,
    /// True if that node is connected.
    pub connected: bool,
    /// The last failure, since the last connection.
    pub failure: Option<SeedFailure>,
}

/// The failure of an attempt to connect to a seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SeedFailure {
    /// The kind of the failure.
    pub kind: SeedFailureKind,
    /// The text of the failure, as it is logged.
    pub text: String,
}

/// The kind of a failure to connect to a seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SeedFailureKind {
    /// No connection could be made.
    Unreachable,
    /// The peer sent too little for too long.
    Silent,
    /// The peer closed the connection without a message.
    Closed,
    /// The peer sent its greeting, and then ended the handshake.
    TurnedAway,
    /// The peer is not a node.
    NoNode,
    /// Authentication failed, for example because the secrets differ. A retry does not help.
    Refused,
    /// A kind that this version does not know.
    #[serde(other)]
    Other,
}

/// The connections of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Connections {
    /// The number of connections.
    pub total: u64,
    /// The connections with the most queued bytes, ordered by node ID. All of them, unless there are too many.
    pub connections: Vec<ConnectionInfo>,
}

/// One connection, as seen from one of its ends.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The node at the other end.
    pub node: String,
    /// The implementation that the other node's greeting names.
    pub provider: Option<String>,
    /// The socket address of the other end.
    pub address: Option<String>,
    /// The end that opened the connection.
    pub direction: Option<Direction>,
    /// The age of the connection, in seconds.
    pub up: f64,
    /// The format of received packets.
    pub format_in: Option<String>,
    /// The format of sent packets.
    pub format_out: Option<String>,
    /// The version and the cipher suite of TLS; with ` (secret)` behind them if the shared secret, and not a
    /// certificate, authenticates it. `None` without TLS.
    pub tls: Option<String>,
    /// The received traffic.
    pub received: Traffic,
    /// The sent traffic. Packets include those that are queued; bytes do not.
    pub sent: Traffic,
    /// The number of queued bytes.
    pub queued: u64,
    /// The number of monitors of this end on ports of the other.
    pub monitors: u64,
    /// The number of ports of this end that the other monitors.
    pub monitored: u64,
}

/// The direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Direction {
    /// The other end opened it.
    In,
    /// This end opened it.
    Out,
    /// A direction that this version does not know.
    #[serde(other)]
    Other,
}

/// The traffic of a connection in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Traffic {
    /// The number of packets, including keepalives.
    pub packets: u64,
    /// The number of bytes of packets.
    pub bytes: u64,
}

/// The ports of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Ports {
    /// The number of ports.
    pub total: u64,
    /// The number of queued messages of all ports.
    pub queued: u64,
    /// The number of ports of each type, in descending order; at most [`MOST`](super::MOST) types.
    pub types: Vec<PortTypeInfo>,
    /// The ports with the longest queues, in descending order.
    pub ports: Vec<PortInfo>,
}

/// The number of ports of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PortTypeInfo {
    /// The type of the ports' state, `untyped`, or `reply` for ports of running calls.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of ports.
    pub count: u64,
    /// The number of queued messages of these ports.
    pub queued: u64,
}

/// One port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PortInfo {
    /// The port's ID.
    pub id: String,
    /// The type of the port's state, `untyped`, or `reply` for the port of a running call.
    #[serde(rename = "type")]
    pub kind: String,
    /// The number of messages in the port's queue, without the batch that a running port is handling.
    pub queued: u64,
    /// The number of monitors on the port.
    pub monitors: u64,
}

/// The families of the distributed database that a node knows. A global node knows all families; any other node knows
/// those in which it has entries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Families {
    /// The number of families.
    pub total: u64,
    /// The families with the most keys, in descending order.
    pub families: Vec<FamilyInfo>,
}

/// One family of the distributed database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FamilyInfo {
    /// The family's name.
    pub name: String,
    /// The number of its keys.
    pub keys: u64,
}

/// The owners of the keys of one family: the nodes that have set the visible values. A global node knows all keys; those
/// of another global node's slaves count as that node's. Any other node knows its own keys.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Owners {
    /// The keys, by the IDs of their owners.
    pub owners: BTreeMap<String, Vec<String>>,
}

/// The functions that a node runs for other nodes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Functions {
    /// The init functions, by name.
    pub init: Vec<InitFunction>,
    /// The names of the callable functions.
    pub callable: Vec<String>,
}
