//! Orders of the mesh to the task of a connection, and the data that its stages pass on.

use std::time::Duration;

use aemp_codec::{Format, NodeId};
use tokio::sync::mpsc::UnboundedReceiver;

use aemp_proto::handshake::StartTls;

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
