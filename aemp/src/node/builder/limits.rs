//! The limits of strangers and other nodes, as methods of the builder.

use std::time::Duration;

use aemp_codec::Limits;

use super::NodeBuilder;

/// What strangers and each other node may cost the node; see [`limits`](crate::limits). All of these can stand in the
/// configuration file as well.
impl NodeBuilder {
    /// How long a handshake may take. Default: [`monitor_timeout`](Self::monitor_timeout).
    pub fn handshake_timeout(self, timeout: Duration) -> Self {
        self.setting("handshake_timeout", timeout.as_secs_f64())
    }

    /// How many connections that others have opened may be unauthenticated at one time. Default: 1024.
    pub fn max_strangers(self, most: usize) -> Self {
        self.limit("max_strangers", most)
    }

    /// How many of these may come from one address; of IPv6, from one network of 64 bits. Default: 256.
    pub fn max_strangers_per_address(self, most: usize) -> Self {
        self.limit("max_strangers_per_address", most)
    }

    /// How many bytes a connection may have sent ahead before its handshake is over. Default: 64 KiB.
    pub fn max_handshake_bytes(self, bytes: usize) -> Self {
        self.limit("max_handshake_bytes", bytes)
    }

    /// The largest packet, in bytes. A connection that brings a larger one is ended, and none is sent. Default: 64 MiB.
    pub fn max_packet_bytes(self, bytes: usize) -> Self {
        self.limit("max_packet_bytes", bytes)
    }

    /// The deepest nesting of a packet, which is the first level itself. A connection that brings a deeper one is ended, and
    /// none is sent. Default: 512.
    pub fn max_packet_depth(self, levels: usize) -> Self {
        self.limit("max_packet_depth", levels)
    }

    /// How many values one packet may become when it is read: each text, key, list, map, and whatever has a type that can be anything, but not numbers
    /// that are asked for as numbers ([`Limits::max_values`]). A connection that brings more is ended. Default: 1,048,576.
    pub fn max_packet_values(self, values: usize) -> Self {
        self.limit("max_packet_values", values)
    }

    /// [`max_packet_bytes`](Self::max_packet_bytes), [`max_packet_depth`](Self::max_packet_depth) and
    /// [`max_packet_values`](Self::max_packet_values) at once.
    pub fn packet_limits(self, limits: Limits) -> Self {
        self.max_packet_bytes(limits.max_packet)
            .max_packet_depth(limits.max_depth)
            .max_packet_values(limits.max_values)
    }

    /// How many bytes may wait to be written to one other node. Above it the connection is given up, which its
    /// monitors hear. Default: 64 MiB.
    pub fn max_queue_bytes(self, bytes: usize) -> Self {
        self.limit("max_queue_bytes", bytes)
    }

    /// How many requests to the node port of this node one other node may make per second; a second's worth may come at
    /// once. Who makes more is not read from until there is room. Default: 100,000.
    pub fn max_requests_per_second(self, most: usize) -> Self {
        self.limit("max_requests_per_second", most)
    }

    /// How many living ports one other node may have spawned here. Default: 100,000.
    pub fn max_spawned_ports(self, most: usize) -> Self {
        self.limit("max_spawned_ports", most)
    }

    /// How many ports of this node one other node may monitor; on a global node also, how many families. Default: 100,000.
    pub fn max_monitors(self, most: usize) -> Self {
        self.limit("max_monitors", most)
    }

    /// How many messages may wait for one port of this node when another node sends it one more; looked at once in 1024
    /// messages. Default: 1,000,000.
    pub fn max_port_queue(self, most: usize) -> Self {
        self.limit("max_port_queue", most)
    }

    /// How many entries of the database a global node keeps for one other node. Default: 1,000,000.
    pub fn max_db_keys(self, most: usize) -> Self {
        self.limit("max_db_keys", most)
    }

    /// How many bytes of entries, keys and values, a global node keeps for one other node. Default: 256 MiB.
    pub fn max_db_bytes(self, bytes: usize) -> Self {
        self.limit("max_db_bytes", bytes)
    }

    fn limit(self, key: &str, limit: usize) -> Self {
        self.setting(key, limit as u64)
    }
}
