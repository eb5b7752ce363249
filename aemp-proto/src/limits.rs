//! The limits of strangers and peers: their settings, and the means to enforce them.
//!
//! `aemp/src/docs/limits.md` tells users the meaning and the effect of each limit. The decisions behind them:
//!
//! - The peer that reaches a limit bears it, and no other. Where the peer can wait, it waits (requests, bytes sent
//!   ahead of a handshake): reading stops, so that TCP holds the peer back and nothing is lost. Where waiting would not
//!   help, the request is refused in a way that fires the peer's monitors. Only bytes that cannot be a packet, and a
//!   queue that is not taken, end the connection.
//! - A budget ([`Budget`]) may be overdrawn. The cost of a read's requests is known when they are done; then the
//!   connection is not read until that is paid for. So messages to ports, the hot path, have no check at all, and
//!   requests an addition. A pause begins with a read and is at most a quarter of `monitor_timeout`, so that neither
//!   end takes the other for dead.
//! - Accounts belong to the node, not to the connection (`node/peer/account.rs`), so reconnecting gains nothing. The
//!   ports that a node has spawned hold their spawner in the map of names, which exists for such ports alone. A local
//!   port pays nothing.
//! - Costs at third nodes count. A relay to a node that is not connected costs a hundred requests, because it makes an
//!   entry and dials. Relays into a queue that is half full cost a tenth of a second, and are dropped from three
//!   quarters on.
//! - Logs are limited: one line for each node and limit in ten seconds ([`Notices`]), and the malformed requests of
//!   each node, and of all nodes together, by [`Measure`](crate::Measure).
//!
//! # Everything that a peer can make grow, and its bound
//!
//! | data | grown by | bound |
//! | --- | --- | --- |
//! | `mesh.conns`, `mesh.strangers`, tasks and sockets of connections in handshake | strangers | `max_strangers`, `max_strangers_per_address`, `handshake_timeout` |
//! | `LineBuffer` of a handshake | strangers | a line of 4096 octets; with a proof, but held back: `max_handshake_bytes`, then no reading |
//! | `Streams.expected`, with its timers and arguments | nodes that open streams (`_expect`) | `stream::MOST_STREAMS` for each node, until the function returns; 64 KiB of arguments each; an announcement ends after an hour |
//! | connections back that are dialled, and their tasks | nodes that announce streams and ask for them (`_connect`) | 8 addresses of each stream that is expected, each once; they end with the announcement |
//! | tasks of data connections in their beginning | nodes | as many as are expected, 30 s each; those that this node has dialled end with the announcement |
//! | `Pending.leftover` (proof given, monitors still firing) | nodes | `max_handshake_bytes`, then no reading |
//! | `mesh.nodes` (claims), `Arbiter.waiting` | strangers | the number of strangers |
//! | `mesh.notices`, `global.notices` | any peer | 1000 entries |
//! | `Exchange.sessions` of a relay | ends of relayed connections | `relay::MOST_SESSIONS` for each node; octets: `relay::WINDOW` for each direction, and none from half of `max_queue_bytes` on |
//! | `Tunnel.inbox` | the relay and the other end | `relay::WINDOW`, then the tunnel ends; `relay::MOST_SESSIONS` tunnels that one relay has opened |
//! | `Tunnels.asking` | dials of this node | one for each, until the dial's deadline |
//! | `Link.buffer` | a node | `max_packet_bytes`, and 256 KiB for a read |
//! | `Spare` | nodes | 1 MiB for each thread that reads |
//! | values of a packet | a node | `max_packet_values`, counted by the readers of the formats; large packets are read two at a time (`net/large.rs`) |
//! | `Peer` output and queue | senders to a node | `max_queue_bytes`; relays stop at three quarters |
//! | `Remotes`, and their `Account`s | IDs in messages and relays | idle ones are forgotten every 5 s, and whenever there are twice as many as were left; those being looked for: their cost of 100 requests |
//! | `mesh` dials, `pending` `g_find`s | relays to nodes that are not connected | the same, for `connect_interval` each |
//! | `node.spawned`, ports | spawns | `max_spawned_ports`; names at most 255 bytes; a supervised one (`Aemp::supervised`) keeps a monitor of its spawner |
//! | `Stillborn` | spawns that fail | 256 a node, 4 KiB each, replaced by later ones (spawns of the node itself: 65,536, 16 MiB together) |
//! | `Remote.watched`, `Extras.monitors` | `mon1` | `max_monitors` |
//! | tasks that wait for room in ports | `Aemp::room` | 1000 a node, one for each port; they outlive connections |
//! | `Bound.promises` | `Aemp::room` | connected nodes; forgotten after two seconds |
//! | tasks of `inspect` for ports | `inspect` | 8 a node, one at work at a time; answers list 10,000 |
//! | `shards`, owners' keys, `dirty` of each receiver, `stale`, `orphans` | `g_slave`, `g_set`, `g_upd` | `max_db_keys`, `max_db_bytes` (memory, measured by `global/tests/memory.rs`); names of families count for each owner |
//! | `lent`: entries that calls have set | `Node::db_set_for` | the same, together with these; they go with the node |
//! | `keep` (global nodes to reach) | entries of `'g` | 1000 for each owner |
//! | `monitors`, `known.monitors` | `g_mon1` | `max_monitors` families, and their names in `max_db_bytes` |
//! | `known.messages` | `g_find`, `g_db_*` | answered at once, into the queue; families cost by their size |
//! | addresses of a node (`'l`, `g_found`) | owners, the master | the packet; one is dialled at a time and for `connect_interval` |
//! | `watches.known` | the master (`g_chg1`, `g_chg2`) | the packet only: the master is one of the node's own seeds |
//! | ports that catch the log, lines for them | calls of the log catcher | 16 of a node, 256 together; 1024 lines and 1 MiB each, the oldest are lost (`logs/hub.rs`) |
//! | taps, packets for them | calls of `Aemp::tap` | 16 of a node, 64 together; 1024 packets and 1 MiB each, the oldest are lost (`tap/taps.rs`) |
//! | packets of taps that are read | tapped nodes | 8192 packets and 4 MiB for each tap of ours, the oldest are lost (`tap/stream.rs`) |
//! | lines that were caught | nodes that pass on lines | 8192 lines and 4 MiB, the oldest are lost (`logs/stream.rs`); one port for each node of the family `'l` |
//! | messages for a topic | publishing nodes | the queue of a port; 32 more wait for the task (`topic/wire.rs`), and the queues of subscribers have their own bounds |
//! | sources of a topic's messages | publishing nodes | 8 of each node, with one retained message each; 1024 of lost nodes (`topic/sources.rs`) |
//! | routes of a publisher, with a task and a queue each | entries in the family of a topic | 8 for each node that the keys name, 10,000 together; at most 4096 messages and 16 MiB wait in each (`topic/route.rs`) |
//! | members that a watcher keeps | entries in the family of members | `max_db_keys`, `max_db_bytes` |
//! | jobs of a dispatcher | submitters | its capacity and `max_bytes`; 64 of each submitter wait to be accepted (`work/machine.rs`), each at most a packet |
//! | submitters and workers of a dispatcher | nodes that submit and offer | 16,384 of each (`work/dispatcher.rs`); a monitor each |
//! | attempts that are with workers | workers | 16,384 for each worker (`work/machine.rs`) |
//! | attempts that wait at a worker | dispatchers that it has asked | 16,384 (`work/worker.rs`); further ones fail |
//! | claims of a name that a claimant or a follower keeps | entries in the family of the name | `max_db_keys`, `max_db_bytes` |
//! | a port's queue | senders | from other nodes `max_port_queue`; locally none: `port/bound.rs` is for senders that wait |
//! | messages that wait for a place of a concurrent handler | senders | `max_port_queue`, also locally |
//! | unread bytes of an inline stream | the other end of a stream in a message that this node has offered or uses | 64 KiB, in one buffer; then the stream ends (`stream/inline/flow.rs`) |
//! | offers of a connection for an inline stream | its other end | one for each stream, which ends with it, or after 30 seconds |
//! | `Arrived.packets` of a consumer | the sender of a stream of items | the consumer's window, in items of at most a packet; then the stream ends (`streamed/receive.rs`) |
//! | the credit of a sender | the consumer of a stream of items | one number, which does not wrap; items wait in the sink's window whatever it is, and for room in the queue for the node |
//! | the mailbox of a process | senders | `max_port_queue`, also locally |
//!
//! A new request that keeps data must be charged or counted here. A relay that bypasses `passes_on` can cost third
//! nodes their connections. If one global node leaves out an entry and another keeps it, their views differ: the global
//! nodes of a network should have equal limits.

mod budget;
mod notices;
mod source;

use std::time::Duration;

use aemp_codec::Limits;

pub use self::{budget::Budget, notices::Notices, source::Source};
use super::peer::PeerLimits;

/// The limits on the costs that unauthenticated connections and each other node may cause.
///
/// The fields have the names of the configuration's keys. The [module](crate::limits) has the effect of each limit.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct NodeLimits {
    /// The number of incoming connections that are not authenticated yet: 1024.
    pub max_strangers: usize,
    /// The number of such connections from one address: 256.
    pub max_strangers_per_address: usize,
    /// The bytes that a connection may send ahead before it is up: 64 KiB.
    pub max_handshake_bytes: usize,
    /// The longest time of a handshake. `None` means `monitor_timeout`.
    pub handshake_timeout: Option<Duration>,
    /// The size of the largest packet, in bytes: 64 MiB.
    pub max_packet_bytes: usize,
    /// The deepest nesting of a packet, where the packet itself is the first level: 512.
    pub max_packet_depth: usize,
    /// The number of values that a packet may contain when it is read: 1,048,576.
    pub max_packet_values: usize,
    /// The bytes that may wait to be written to one node: 64 MiB.
    pub max_queue_bytes: usize,
    /// The number of requests to the node port that one node may send in a second: 100,000.
    pub max_requests_per_second: usize,
    /// The number of live ports that one node may have spawned here: 100,000.
    pub max_spawned_ports: usize,
    /// The number of ports of this node that one node may monitor, and the same number of database families: 100,000.
    pub max_monitors: usize,
    /// The number of messages that may wait in a port's queue when another node sends it one more: 1,000,000.
    pub max_port_queue: usize,
    /// The number of entries that one node may have in the database of a global node: 1,000,000.
    pub max_db_keys: usize,
    /// The bytes of these entries, keys and values together: 256 MiB.
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

    /// The limits of the queue for one node.
    #[must_use]
    pub fn peer(&self) -> PeerLimits {
        PeerLimits {
            max_queue_bytes: self.max_queue_bytes,
            packet: self.packet(),
        }
    }
}
