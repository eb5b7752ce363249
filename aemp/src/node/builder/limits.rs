//! The limits of strangers and other nodes, as methods of the builder.

use std::time::Duration;

use aemp_codec::Limits;

use super::NodeBuilder;

/// The limits of strangers, and of each other node; see [`limits`](crate::limits). The configuration file can contain
/// all of them.
impl NodeBuilder {
    /// The time limit of a handshake. Default: [`monitor_timeout`](Self::monitor_timeout).
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.setting("handshake_timeout", timeout.as_secs_f64())
    }

    /// The number of unauthenticated connections that peers have opened. Default: 1024.
    pub fn max_strangers(self, most: usize) -> Self {
        self.limit("max_strangers", most)
    }

    /// The number of these from one address, or from one IPv6 network of 64 bits. Default: 256.
    pub fn max_strangers_per_address(self, most: usize) -> Self {
        self.limit("max_strangers_per_address", most)
    }

    /// The number of bytes that a connection may send before the end of its handshake. Default: 64 KiB.
    pub fn max_handshake_bytes(self, bytes: usize) -> Self {
        self.limit("max_handshake_bytes", bytes)
    }

    /// The size of the largest packet, in bytes. A connection that receives a larger one is closed. A larger one
    /// cannot be sent. Default: 64 MiB.
    pub fn max_packet_bytes(self, bytes: usize) -> Self {
        self.limit("max_packet_bytes", bytes)
    }

    /// The deepest nesting of a packet; the packet itself is the first level. A connection that receives a deeper one
    /// is closed. A deeper one cannot be sent. Default: 512.
    pub fn max_packet_depth(self, levels: usize) -> Self {
        self.limit("max_packet_depth", levels)
    }

    /// The number of values that one packet may contain: texts, keys, lists, maps, and everything that is read into
    /// an untyped value, but not numbers where a number is expected ([`Limits::max_values`]). A connection that
    /// receives more is closed. Default: 1,048,576.
    pub fn max_packet_values(self, values: usize) -> Self {
        self.limit("max_packet_values", values)
    }

    /// Sets [`max_packet_bytes`](Self::max_packet_bytes), [`max_packet_depth`](Self::max_packet_depth) and
    /// [`max_packet_values`](Self::max_packet_values) together.
    pub fn packet_limits(self, limits: Limits) -> Self {
        self.max_packet_bytes(limits.max_packet)
            .max_packet_depth(limits.max_depth)
            .max_packet_values(limits.max_values)
    }

    /// The number of bytes that may wait to be written to one other node. Above it the connection is closed, and its
    /// monitors fire. Default: 64 MiB.
    pub fn max_queue_bytes(self, bytes: usize) -> Self {
        self.limit("max_queue_bytes", bytes)
    }

    /// The number of requests per second that one other node may send to this node's port. A second's worth may come
    /// at once. A node that sends more is not read until it is within the rate again. Default: 100,000.
    pub fn max_requests_per_second(self, most: usize) -> Self {
        self.limit("max_requests_per_second", most)
    }

    /// The number of living ports that one other node may have spawned here. Default: 100,000.
    pub fn max_spawned_ports(self, most: usize) -> Self {
        self.limit("max_spawned_ports", most)
    }

    /// The number of ports of this node that one other node may monitor; on a global node also the number of
    /// families. Default: 100,000.
    pub fn max_monitors(self, most: usize) -> Self {
        self.limit("max_monitors", most)
    }

    /// The number of messages that may wait for one port of this node when another node sends one more. It is checked
    /// once in 1024 messages. Default: 1,000,000.
    pub fn max_port_queue(self, most: usize) -> Self {
        self.limit("max_port_queue", most)
    }

    /// The number of entries of the database that a global node keeps for one other node. Default: 1,000,000.
    pub fn max_db_keys(self, most: usize) -> Self {
        self.limit("max_db_keys", most)
    }

    /// The memory of entries, keys and values that a global node keeps for one other node, in bytes. Default: 256 MiB.
    pub fn max_db_bytes(self, bytes: usize) -> Self {
        self.limit("max_db_bytes", bytes)
    }

    fn limit(self, key: &str, limit: usize) -> Self {
        self.setting(key, limit as u64)
    }
}
