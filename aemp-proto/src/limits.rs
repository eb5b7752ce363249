//! What strangers and other nodes may cost a node: the settings, and the means to keep them.

mod budget;
mod notices;
mod source;

use std::time::Duration;

use aemp_codec::Limits;

pub use self::{budget::Budget, notices::Notices, source::Source};
use super::peer::PeerLimits;

/// What strangers and each other node may cost a node. The names are those of the configuration's keys; what reaching one
/// of them does is told by [`limits`](crate::limits).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeLimits {
    /// Connections that others have opened and that are not authenticated yet: 1024.
    pub max_strangers: usize,
    /// Of these, from one address: 256.
    pub max_strangers_per_address: usize,
    /// Bytes that one connection may have sent ahead while it is not up: 64 KiB.
    pub max_handshake_bytes: usize,
    /// How long a handshake may take; `monitor_timeout` unless set.
    pub handshake_timeout: Option<Duration>,
    /// The largest packet: 64 MiB.
    pub max_packet_bytes: usize,
    /// The deepest nesting of a packet, which is the first level itself: 512.
    pub max_packet_depth: usize,
    /// Values that one packet may become when it is read: 1,048,576.
    pub max_packet_values: usize,
    /// Bytes that may wait to be written to one node: 64 MiB.
    pub max_queue_bytes: usize,
    /// Requests to the node port from one node: 100,000.
    pub max_requests_per_second: usize,
    /// Ports that one node has spawned here and that are alive: 100,000.
    pub max_spawned_ports: usize,
    /// Ports of this node, and as many families of the database, that one node monitors: 100,000.
    pub max_monitors: usize,
    /// Messages that wait for one port, when a node sends it another: 1,000,000.
    pub max_port_queue: usize,
    /// Entries that one node has in the database of a global node: 1,000,000.
    pub max_db_keys: usize,
    /// Bytes of these entries, keys and values: 256 MiB.
    pub max_db_bytes: usize,
}

impl Default for NodeLimits {
    fn default() -> Self {
        let packet = Limits::default();
        Self {
            max_strangers: 1024,
            max_strangers_per_address: 256,
            max_handshake_bytes: 64 << 10,
            handshake_timeout: None,
            max_packet_bytes: packet.max_packet,
            max_packet_depth: packet.max_depth,
            max_packet_values: packet.max_values,
            max_queue_bytes: 64 << 20,
            max_requests_per_second: 100_000,
            max_spawned_ports: 100_000,
            max_monitors: 100_000,
            max_port_queue: 1_000_000,
            max_db_keys: 1_000_000,
            max_db_bytes: 256 << 20,
        }
    }
}

impl NodeLimits {
    /// The limits of single packets.
    #[must_use]
    pub fn packet(&self) -> Limits {
        Limits::default()
            .with_max_packet(self.max_packet_bytes)
            .with_max_depth(self.max_packet_depth)
            .with_max_values(self.max_packet_values)
    }

    /// How much may be queued for a node.
    #[must_use]
    pub fn peer(&self) -> PeerLimits {
        PeerLimits {
            max_queue_bytes: self.max_queue_bytes,
            packet: self.packet(),
        }
    }
}
