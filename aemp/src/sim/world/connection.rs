//! One connection of a machine.

use aemp_codec::{Format, NodeId};

use crate::sim::End;
use aemp_proto::{Time, link::Link};

/// One connection of a machine.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) way: Way,
    /// Bytes that the network has not taken yet.
    pub(super) out: Vec<u8>,
    pub(super) line: Option<Line>,
}

/// The carrier of a connection's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Way {
    Socket(End),
    /// Another connection, to a relay.
    Tunnel,
}

/// The state of a connection after its handshake.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) node: NodeId,
    pub(super) recv: Format,
    pub(super) link: Link,
    /// The time at which the link is called next.
    pub(super) due: Option<Time>,
}

impl Connection {
    pub(super) fn new(way: Way) -> Self {
        Self {
            way,
            out: Vec::new(),
            line: None,
        }
    }
}
