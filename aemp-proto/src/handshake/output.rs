//! The outputs of a handshake.

use std::{fmt, time::Duration};

use aemp_codec::{Format, NodeId};

use super::{HandshakeError, Keys};

/// An output of a [`Handshake`](super::Handshake).
pub enum HandshakeOutput {
    /// Write these bytes.
    Transmit(Vec<u8>),
    /// The peer has named its node, without proof so far. Drop the handshake here to refuse the connection.
    Greeted {
        /// The node that it claims to be.
        node: NodeId,
        /// True if the peer arbitrates between two connections (see `mesh::arbiter`).
        arbitrates: bool,
        /// True if the connection is a data connection, so that it does not become the node's connection.
        stream: bool,
    },
    /// Both ends want TLS: everything that is sent and received from here on goes through it, and the handshake sees
    /// only its content. When TLS is up, call [`secured`](super::Handshake::secured) if it uses certificates, and
    /// [`bound`](super::Handshake::bound) otherwise.
    StartTls(StartTls),
    /// Both lines of the peer's greeting are valid, and TLS, if any, is up. Call [`proceed`](super::Handshake::proceed)
    /// to continue.
    Ready,
    /// The peer has our own node ID.
    ///
    /// If the nonce belongs to another handshake of this node, the peer may be this node itself, which
    /// [`meet_myself`](super::Handshake::meet_myself) finds out. Otherwise it is another node, and the handshake is
    /// over.
    Namesake {
        /// The peer's nonce.
        nonce: Vec<u8>,
    },
    /// Both ends have sent their authentication line, and this end has verified that the other end is this node itself.
    Myself {
        /// The peer's nonce.
        nonce: Vec<u8>,
    },
    /// The peer has proved that it knows the secret.
    Verified,
    /// Both ends have sent their authentication lines, and ours has been transmitted.
    Established(Established),
    /// The handshake has failed, and the connection must be closed.
    Failed(HandshakeError),
}

/// The parameters of a TLS session that begins ([protocol](crate::protocol::handshake#tls)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTls {
    /// The keys that protect the session.
    pub keys: Keys,
    /// True if this end is the TLS client. That does not depend on which end opened the connection.
    pub client: bool,
    /// The node that the peer claims to be.
    pub node: NodeId,
    /// The bytes that the peer has sent behind its second line.
    pub leftover: Vec<u8>,
}

/// The result of a handshake.
#[derive(Debug)]
pub struct Established {
    /// The node at the other end.
    pub node: NodeId,
    /// The format in which this node sends.
    pub send: Format,
    /// The format in which the peer sends.
    pub recv: Format,
    /// The bytes that the peer has sent behind its authentication line.
    pub leftover: Vec<u8>,
    /// The longest pause between two sends that the peer promises.
    pub peer_keepalive: Option<Duration>,
    /// True if the peer has proved that its greeting is its own. Every method but `tls_anon` proves that.
    pub trusted: bool,
    /// The peer's implementation, as its greeting names it.
    pub provider: Option<String>,
    /// True if the peer's greeting says that it is a node of this project.
    pub ours: bool,
    /// True if the peer answers requests for room.
    pub credit: bool,
    /// True if the peer knows relayed connections.
    pub relay: bool,
    /// True if the peer reads the time limits of calls.
    pub deadlines: bool,
    /// True if contexts of spans travel with messages, because both ends have offered it.
    pub traces: bool,
    /// The stream that the connection carries from now on, if it is a data connection.
    pub stream: Option<StreamStart>,
}

/// The parameters of a data connection ([protocol](crate::protocol::services#data-connections)).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamStart {
    /// The ID by which the two nodes have announced the stream.
    pub id: String,
    /// True if both ends mark the end of their side, and the end that has accepted the connection says that it has
    /// taken the stream.
    pub ends: bool,
    /// True if this end has opened the connection.
    pub dialed: bool,
}

impl fmt::Debug for HandshakeOutput {
    // With the method `cleartext` the bytes contain the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit(bytes) => write!(f, "Transmit({} bytes)", bytes.len()),
            Self::Greeted {
                node,
                arbitrates,
                stream,
            } => f
                .debug_struct("Greeted")
                .field("node", node)
                .field("arbitrates", arbitrates)
                .field("stream", stream)
                .finish(),
            Self::StartTls(start) => f.debug_tuple("StartTls").field(start).finish(),
            Self::Ready => f.write_str("Ready"),
            Self::Namesake { .. } => f.write_str("Namesake"),
            Self::Myself { .. } => f.write_str("Myself"),
            Self::Verified => f.write_str("Verified"),
            Self::Established(established) => {
                f.debug_tuple("Established").field(established).finish()
            }
            Self::Failed(error) => f.debug_tuple("Failed").field(error).finish(),
        }
    }
}
