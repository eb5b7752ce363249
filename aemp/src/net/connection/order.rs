//! Orders of the mesh to the task of a connection, and the data that its stages pass on.

use std::time::Duration;

use aemp_codec::{Format, NodeId};
use tokio::sync::mpsc::UnboundedReceiver;

use aemp_proto::handshake::StartTls;
#[cfg(feature = "net")]
use aemp_proto::handshake::StreamStart;

/// The origin of a connection, with the socket address of its other end.
pub(in crate::net) enum Made {
    Dialed(String),
    Accepted(String),
}

/// An order to the task of a connection.
#[derive(Debug)]
pub(in crate::net) enum Order {
    Transmit(Vec<u8>),
    Close,
    /// Boxed, because a channel reserves room for many orders, and most connections of strangers never get here.
    Established(Box<Established>),
    StartTls(Box<StartTls>),
    /// The connection carries a stream from now on.
    #[cfg(feature = "net")]
    Stream(Box<StreamReady>),
}

impl Order {
    /// True if the mesh releases the connection with this order. Bytes that arrive later are not for the mesh.
    pub(in crate::net) fn detaches(&self) -> bool {
        match self {
            Self::Established(_) | Self::StartTls(_) => true,
            #[cfg(feature = "net")]
            Self::Stream(_) => true,
            Self::Transmit(_) | Self::Close => false,
        }
    }
}

/// A data connection whose handshake is over.
#[cfg(feature = "net")]
#[derive(Debug)]
pub(crate) struct StreamReady {
    /// The node at the other end.
    pub(crate) node: NodeId,
    pub(crate) start: StreamStart,
    /// The bytes that have arrived behind the handshake.
    pub(crate) leftover: Vec<u8>,
}

pub(in crate::net) type Orders = UnboundedReceiver<Order>;

/// The result of the handshake, with which the link begins.
#[derive(Debug)]
pub(in crate::net) struct Established {
    pub(in crate::net) node: NodeId,
    pub(in crate::net) recv: Format,
    pub(in crate::net) leftover: Vec<u8>,
    pub(in crate::net) peer_keepalive: Option<Duration>,
    pub(in crate::net) trusted: bool,
    pub(in crate::net) provider: Option<String>,
    pub(in crate::net) ours: bool,
    pub(in crate::net) credit: bool,
    pub(in crate::net) deadlines: bool,
}

/// The result of passing a handshake's bytes to the mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::net) enum Received {
    Taken,
    /// The bytes are taken. Nothing more should be read before the connection is established.
    Enough,
    /// The handshake has ended: the bytes belong to the part after it.
    Late,
}
