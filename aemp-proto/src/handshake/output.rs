//! The outputs of a handshake.

use std::{fmt, time::Duration};

use aemp_codec::{Format, NodeId};

use super::{HandshakeError, Keys};

/// What comes out of a [`Handshake`](super::Handshake).
pub enum HandshakeOutput {
    /// Write these bytes.
    Transmit(Vec<u8>),
    /// The peer has said who it is; whether that is true is not known. Drop the handshake here to refuse.
    Greeted {
        /// The node that it claims to be.
        node: NodeId,
        /// Whether it arbitrates between two connections (see `mesh::arbiter`).
        arbitrates: bool,
    },
    /// Both ends want TLS: what is sent and received from here on goes through it, and the handshake sees only what is
    /// within. When it is up, call [`secured`](super::Handshake::secured) if it is made with certificates, and
    /// [`bound`](super::Handshake::bound) otherwise.
    StartTls(StartTls),
    /// Both lines of the peer's greeting are here and fit, and TLS is up if there is any: [`proceed`](super::Handshake::proceed) will have an effect.
    Ready,
    /// The peer has our own node ID: it may be this node itself if the nonce is that of one of its own handshakes, which
    /// [`meet_myself`](super::Handshake::meet_myself) has proved; it is another node otherwise, and the handshake is over.
    Namesake {
        /// The peer's nonce.
        nonce: Vec<u8>,
    },
    /// Both ends have sent their authentication line, and the other end is this node itself, as far as this end can tell.
    Myself {
        /// The peer's nonce.
        nonce: Vec<u8>,
    },
    /// The peer has proved that it knows the secret.
    Verified,
    /// Both ends have sent their authentication line, and ours has been transmitted.
    Established(Established),
    /// The connection has to be closed.
    Failed(HandshakeError),
}

/// How TLS begins (PROTOCOL.md section 2.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StartTls {
    /// Its keys.
    pub keys: Keys,
    /// Whether this end is the TLS client, whoever opened the connection.
    pub client: bool,
    /// The node that the peer claims to be.
    pub node: NodeId,
    /// What the peer has sent behind its second line.
    pub leftover: Vec<u8>,
}

/// The result of a handshake.
#[derive(Debug)]
pub struct Established {
    /// The node at the other end.
    pub node: NodeId,
    /// The format in which we send.
    pub send: Format,
    /// The format in which the peer sends.
    pub recv: Format,
    /// What the peer has sent behind its authentication line.
    pub leftover: Vec<u8>,
    /// How often the peer promises to send something.
    pub peer_keepalive: Option<Duration>,
    /// Whether the peer has proved that its greeting is its own, as it does with every method but `tls_anon`.
    pub trusted: bool,
    /// What the peer says of its implementation.
    pub provider: Option<String>,
    /// Whether the peer is a node of this project, by what its greeting says.
    pub ours: bool,
    /// True if the peer answers who asks for room.
    pub credit: bool,
}

impl fmt::Debug for HandshakeOutput {
    // With the method `cleartext` the secret is among the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transmit(bytes) => write!(f, "Transmit({} bytes)", bytes.len()),
            Self::Greeted { node, arbitrates } => f
                .debug_struct("Greeted")
                .field("node", node)
                .field("arbitrates", arbitrates)
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
