//! The outputs of the mesh: the actions that its caller performs.

use std::{fmt, time::Duration};

use aemp_codec::{Format, NodeId};

use crate::{
    Level,
    global::{Answer, QueryId, WatchId, Watched},
    handshake::{StartTls, StreamStart},
    mesh::LookUpId,
    peer::{ConnId, LossId, MonitorId},
};

/// A command of a [`Mesh`](super::Mesh) to its caller. Commands are carried out in order.
///
/// The enum is closed, so that a caller that does not handle a command does not compile.
pub enum Output {
    /// Connect to `addr` and report with [`dialed`](super::Mesh::dialed).
    Dial {
        /// The number of the new connection.
        conn: ConnId,
        /// The address (`host:port`), as configured: the host may be a name.
        addr: String,
    },
    /// Look up the present addresses of a seed, and report with [`looked_up`](super::Mesh::looked_up).
    LookUp {
        /// The ID of the look-up.
        look_up: LookUpId,
        /// The seed, as in [`MeshConfig::names`](super::MeshConfig::names).
        seed: String,
    },
    /// The state of a seed has changed: see [`joining`](super::Mesh::joining).
    SeedsChanged,
    /// Write these bytes, behind earlier ones.
    Transmit {
        /// The connection.
        conn: ConnId,
        /// Some lines of a handshake.
        bytes: Vec<u8>,
    },
    /// Close the connection, or give up connecting. Bytes that are to be written are written first. The mesh has
    /// forgotten the connection, so nothing about it need be reported.
    Close {
        /// The connection.
        conn: ConnId,
    },
    /// Start TLS on the connection. Pass no received bytes to the mesh until [`secured`](super::Mesh::secured),
    /// [`bound`](super::Mesh::bound) or [`tls_failed`](super::Mesh::tls_failed) is called. Afterwards, the mesh gets
    /// and returns the plaintext.
    StartTls {
        /// The connection.
        conn: ConnId,
        /// The parameters of TLS.
        start: StartTls,
    },
    /// The connection is the node's from now on. Pass its bytes to a [`Link`](crate::link::Link), and write the bytes
    /// of its [`Peer`](crate::peer::Peer).
    Established {
        /// The connection.
        conn: ConnId,
        /// The node.
        node: NodeId,
        /// The format of packets that arrive.
        recv: Format,
        /// The bytes that have arrived behind the authentication line.
        leftover: Vec<u8>,
        /// The longest pause between two sends that the other end promises.
        peer_keepalive: Option<Duration>,
        /// True if the other end has proved that its greeting is its own.
        trusted: bool,
        /// The implementation of the other end, as its greeting names it.
        provider: Option<String>,
        /// True if the peer is a node of this project.
        ours: bool,
        /// True if the peer answers requests for room.
        credit: bool,
        /// True if the peer reads the time limits of calls.
        deadlines: bool,
        /// True if contexts of spans travel with messages.
        traces: bool,
    },
    /// A connection through a relay begins. Run its handshake and its link over [`tunnel_read`] and
    /// [`tunnel_write`], and call [`drop_tunnel`] at its end.
    ///
    /// [`tunnel_read`]: super::Mesh::tunnel_read
    /// [`tunnel_write`]: super::Mesh::tunnel_write
    /// [`drop_tunnel`]: super::Mesh::drop_tunnel
    Tunnel {
        /// The number of the new connection.
        conn: ConnId,
        /// Stands for the socket address of the other end: `via RELAY`.
        addr: String,
        /// True if this node has opened the connection.
        dialed: bool,
    },
    /// Octets, credit or the end have arrived for a tunnel.
    TunnelStirred {
        /// The connection.
        conn: ConnId,
    },
    /// The connection carries a stream from now on. The mesh has forgotten it.
    Stream {
        /// The connection.
        conn: ConnId,
        /// The node at the other end.
        node: NodeId,
        /// The parameters of the stream.
        start: StreamStart,
        /// The bytes that have arrived behind the authentication line.
        leftover: Vec<u8>,
    },
    /// A connection that was opened for a stream has ended before it was established.
    StreamFailed {
        /// The node that it was for.
        node: NodeId,
        /// The ID of the stream.
        id: String,
        /// The reason.
        text: String,
    },
    /// The node's connection has bytes to write.
    WakeWriter {
        /// The node.
        node: NodeId,
    },
    /// Fire these monitors with the reason `transport_error`, the node and the text, in this order. Call
    /// [`Peer::begun`](crate::peer::Peer::begun) before each, and [`fired`](super::Mesh::fired) after the last.
    Fire {
        /// The node that was lost or could not be reached.
        node: NodeId,
        /// The ID of the loss. The node has no other loss before this one is answered.
        loss: LossId,
        /// The monitors. The mesh has forgotten them.
        monitors: Vec<MonitorId>,
        /// The text of the reason.
        text: String,
    },
    /// Tell observers that a node is connected.
    NodeUp(NodeId),
    /// Tell observers that a node is no longer connected, with the reason.
    NodeDown(NodeId, String),
    /// Call [`written`](super::Mesh::written) as soon as everything that is queued for the node now has been handed to
    /// the system, even if more has been queued behind it.
    TellWritten {
        /// The node.
        node: NodeId,
    },
    /// Deliver the answer to a query of the database.
    Answer {
        /// The query.
        query: QueryId,
        /// The answer, or why the master's answer could not be understood.
        answer: Result<Answer, String>,
    },
    /// Deliver an event of a watch.
    Watched {
        /// The watch.
        watch: WatchId,
        /// The event.
        told: Watched,
    },
    /// Log a text.
    Log {
        /// The level of the line.
        level: Level,
        /// The text.
        text: String,
    },
}

impl fmt::Debug for Output {
    // With the method `cleartext`, transmitted bytes contain the secret. Messages are private, too.
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
            Self::Tunnel { conn, addr, .. } => write!(f, "Tunnel({conn:?}, {addr:?})"),
            Self::TunnelStirred { conn } => write!(f, "TunnelStirred({conn:?})"),
            Self::Stream {
                conn, node, start, ..
            } => write!(f, "Stream({conn:?}, {node:?}, {:?})", start.id),
            Self::StreamFailed { node, id, text } => {
                write!(f, "StreamFailed({node:?}, {id:?}, {text:?})")
            }
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
