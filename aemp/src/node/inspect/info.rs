//! The answers of an inspected node.

use serde::{Deserialize, Serialize};

use crate::InitFunction;

/// What a node is, and how it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct NodeInfo {
    /// Its ID; empty for a node without a network.
    pub id: String,
    /// Its implementation and that one's version, as in its greeting.
    pub provider: String,
    /// The version of the `aemp` crate that it is made with.
    pub version: String,
    /// For how many seconds it has been running.
    pub uptime: f64,
    /// The addresses that it listens on.
    pub listeners: Vec<String>,
    /// The nodes that it stays connected to, by their addresses.
    pub seeds: Vec<SeedInfo>,
    /// Its part in the network (PROTOCOL.md section 9); `None` from a node that does not say.
    pub role: Option<Role>,
    /// The global node that keeps the database for it, if there is one beside itself.
    pub master: Option<String>,
    /// Whether it refuses spawns and calls.
    pub secure: bool,
    /// How many ports are alive.
    pub ports: u64,
    /// The number of its process.
    pub process: u32,
    /// Operating system and architecture.
    pub os: String,
    /// How many bytes of memory its process has in use, where the system tells (Linux).
    pub memory: Option<u64>,
}

/// A node's part in the network (PROTOCOL.md section 9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Role {
    /// It keeps the database, for itself and for others.
    Global,
    /// A global node keeps the database for it.
    Slave,
    /// It looks for a global node that does.
    Searching,
    /// It knows no other node that could, so it is its own.
    Alone,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// A node that another one stays connected to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct SeedInfo {
    /// `host:port`, as configured.
    pub address: String,
    /// The node that was found there last.
    pub node: Option<String>,
    /// Whether that node is connected.
    pub connected: bool,
    /// What went wrong last, since that node was connected.
    pub failure: Option<SeedFailure>,
}

/// What came of an attempt to connect to a seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct SeedFailure {
    /// How it ended.
    pub kind: SeedFailureKind,
    /// Why, as it is logged.
    pub text: String,
}

/// How an attempt to connect to a seed ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SeedFailureKind {
    /// Nobody took the connection.
    Unreachable,
    /// The other end said too little for too long.
    Silent,
    /// The other end closed the connection without a word.
    Closed,
    /// The node there has said who it is, and ended the handshake.
    TurnedAway,
    /// The other end is no node.
    NoNode,
    /// The node refused the other end, which has another secret, for example: trying again does not mend that.
    Refused,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// The nodes that a node is connected to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Connections {
    /// How many there are.
    pub total: u64,
    /// Those with the most bytes queued, in the order of their IDs; all, if there are not too many.
    pub connections: Vec<ConnectionInfo>,
}

/// One connection, as the node at one end of it sees it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// The node at the other end.
    pub node: String,
    /// What that one says of its implementation.
    pub provider: Option<String>,
    /// The socket address of the other end.
    pub address: Option<String>,
    /// Which end has opened it.
    pub direction: Option<Direction>,
    /// For how many seconds it has been up.
    pub up: f64,
    /// The format in which packets arrive.
    pub format_in: Option<String>,
    /// The format in which packets are sent.
    pub format_out: Option<String>,
    /// Version and cipher suite of TLS, with ` (secret)` behind them if it is by the secret and not by certificates; `None` if the
    /// connection is in clear.
    pub tls: Option<String>,
    /// What has arrived.
    pub received: Traffic,
    /// What has been sent: packets with those that wait, bytes without.
    pub sent: Traffic,
    /// How many bytes wait to be sent.
    pub queued: u64,
    /// How many monitors this end has on ports of the other.
    pub monitors: u64,
    /// How many ports of this end the other monitors.
    pub monitored: u64,
}

/// Who has opened a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Direction {
    /// The other end.
    In,
    /// This end.
    Out,
    /// Something that this version does not know.
    #[serde(other)]
    Other,
}

/// How much has gone over a connection in one direction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Traffic {
    /// Packets, keepalives included.
    pub packets: u64,
    /// Bytes of packets.
    pub bytes: u64,
}

/// The ports of a node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Ports {
    /// How many there are.
    pub total: u64,
    /// How many messages wait for all of them together.
    pub queued: u64,
    /// How many there are of each type, the most numerous first; at most [`MOST`](super::MOST) types.
    pub types: Vec<PortTypeInfo>,
    /// Those with the longest queues, the longest first.
    pub ports: Vec<PortInfo>,
}

/// How many ports there are of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PortTypeInfo {
    /// The type of the ports' state, `untyped`, or `reply` for ports of running calls.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many there are.
    pub count: u64,
    /// How many messages wait for all of them together.
    pub queued: u64,
}

/// One port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PortInfo {
    /// Its ID.
    pub id: String,
    /// The type of its state, `untyped`, or `reply` for the port of a running call.
    #[serde(rename = "type")]
    pub kind: String,
    /// How many messages wait in its queue. A port that is running has taken some into its hands, which do not count.
    pub queued: u64,
    /// How many monitors are set on it.
    pub monitors: u64,
}

/// The families of the distributed database, as far as a node knows them: a global node all, any other those in which it has
/// set something itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Families {
    /// How many there are.
    pub total: u64,
    /// Those with the most keys, the most first.
    pub families: Vec<FamilyInfo>,
}

/// One family of the distributed database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct FamilyInfo {
    /// Its name.
    pub name: String,
    /// How many keys it has.
    pub keys: u64,
}

/// What a node runs for others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Functions {
    /// What can be spawned, by name.
    pub init: Vec<InitFunction>,
    /// What can be called, by name.
    pub callable: Vec<String>,
}
