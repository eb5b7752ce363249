//! The outputs of the mesh: the actions that its caller performs.

use std::{fmt, time::Duration};

use aemp_codec::{Format, NodeId};

use crate::{
    global::{Answer, QueryId, WatchId, Watched},
    handshake::StartTls,
    mesh::LookUpId,
    peer::{ConnId, LossId, MonitorId},
};

/// What the caller of a [`Mesh`](super::Mesh) has to do, in the order in which it is handed out.
///
/// The list is closed: a caller that leaves one out does not compile.
pub enum Output {
    /// Connect to `addr` and report with [`dialed`](super::Mesh::dialed).
    Dial {
        /// The connection's number from now on.
        conn: ConnId,
        /// `host:port`, as configured: the host may be a name.
        addr: String,
    },
    /// Find out the addresses that a seed stands for now, and report with [`looked_up`](super::Mesh::looked_up).
    LookUp {
        /// Which look-up.
        look_up: LookUpId,
        /// The seed, as in [`MeshConfig::names`](super::MeshConfig::names).
        seed: String,
    },
    /// Something has become of a seed: see [`joining`](super::Mesh::joining).
    SeedsChanged,
    /// Write these bytes, behind those of earlier ones.
    Transmit {
        /// Where.
        conn: ConnId,
        /// Some lines of a handshake.
        bytes: Vec<u8>,
    },
    /// Close the connection, or give up connecting; what is to be written first is written. The mesh has forgotten
    /// it: nothing about it need be reported.
    Close {
        /// Which.
        conn: ConnId,
    },
    /// TLS begins on the connection. Until [`secured`](super::Mesh::secured) or [`tls_failed`](super::Mesh::tls_failed) is
    /// called, what arrives is none of the mesh's; afterwards, it gets and gives what is within.
    StartTls {
        /// Which.
        conn: ConnId,
        /// How.
        start: StartTls,
    },
    /// The connection is the node's from now on. Its bytes go to a [`Link`](crate::link::Link), and
    /// what is to be written comes from its [`Peer`](crate::peer::Peer).
    Established {
        /// Which.
        conn: ConnId,
        /// Whose.
        node: NodeId,
        /// The format in which packets arrive.
        recv: Format,
        /// What has arrived behind the authentication line.
        leftover: Vec<u8>,
        /// How often the other end promises to send something.
        peer_keepalive: Option<Duration>,
        /// Whether the other end has proved that its greeting is its own.
        trusted: bool,
        /// What the other end says of its implementation.
        provider: Option<String>,
        /// Whether the peer is a node of this project.
        ours: bool,
        /// True if the peer answers who asks for room.
        credit: bool,
    },
    /// The node's connection has something to write.
    WakeWriter {
        /// Which node.
        node: NodeId,
    },
    /// Fire these monitors with `transport_error`, the node and that text, in this order, each behind
    /// [`Peer::begun`](crate::peer::Peer::begun); then call [`fired`](super::Mesh::fired).
    Fire {
        /// The node that was lost or could not be reached.
        node: NodeId,
        /// Which loss that is. No other of that node is handed out before this one has been answered.
        loss: LossId,
        /// The monitors; they are forgotten already.
        monitors: Vec<MonitorId>,
        /// Why.
        text: String,
    },
    /// Tell observers that a node is connected.
    NodeUp(NodeId),
    /// Tell observers that a node is no longer connected, and why.
    NodeDown(NodeId, String),
    /// Call [`written`](super::Mesh::written) as soon as what is queued for the node by now has been handed to the system,
    /// whatever has been queued behind it meanwhile.
    TellWritten {
        /// Which node.
        node: NodeId,
    },
    /// A query of the database is answered.
    Answer {
        /// Which.
        query: QueryId,
        /// The answer, or why the master's made no sense.
        answer: Result<Answer, String>,
    },
    /// A watch of a family has something to tell.
    Watched {
        /// Which.
        watch: WatchId,
        /// What it is.
        told: Watched,
    },
    /// Log a text.
    Log {
        /// How urgent it is.
        level: Level,
        /// The text.
        text: String,
    },
}

/// How urgent a log message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Something is broken.
    Error,
    /// Somebody should know.
    Warn,
    /// Nodes come and go.
    Info,
    /// Attempts fail.
    Debug,
}

impl fmt::Debug for Output {
    // With the method `cleartext` the secret is among what is transmitted; messages of others are nobody's business either.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dial { conn, addr } => write!(f, "Dial({conn:?}, {addr:?})"),
            Self::LookUp { look_up, seed } => write!(f, "LookUp({look_up:?}, {seed:?})"),
            Self::SeedsChanged => f.write_str("SeedsChanged"),
            Self::Transmit { conn, bytes } => {
                write!(f, "Transmit({conn:?}, {} bytes)", bytes.len())
            }
            Self::Close { conn } => write!(f, "Close({conn:?})"),
            Self::StartTls { conn, start } => {
                write!(f, "StartTls({conn:?}, {:?})", start.node)
            }
            Self::Established { conn, node, .. } => write!(f, "Established({conn:?}, {node:?})"),
            Self::WakeWriter { node } => write!(f, "WakeWriter({node:?})"),
            Self::Fire {
                node,
                loss,
                monitors,
                text,
            } => write!(f, "Fire({node:?}, {loss:?}, {monitors:?}, {text:?})"),
            Self::NodeUp(node) => write!(f, "NodeUp({node:?})"),
            Self::NodeDown(node, why) => write!(f, "NodeDown({node:?}, {why:?})"),
            Self::TellWritten { node } => write!(f, "TellWritten({node:?})"),
            Self::Answer { query, answer } => write!(f, "Answer({query:?}, {answer:?})"),
            Self::Watched { watch, told } => write!(f, "Watched({watch:?}, {told:?})"),
            Self::Log { level, text } => write!(f, "Log({level:?}, {text:?})"),
        }
    }
}
