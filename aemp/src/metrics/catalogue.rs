//! The descriptions of all metrics. A test compares them with the handbook's page, and with the collected metrics.

use super::{Description, Kind::*};

macro_rules! catalogue {
    ($($constant:ident = $kind:ident $name:literal [$($label:literal),*] $help:literal;)*) => {
        $(
            pub(super) static $constant: Description = Description {
                name: $name,
                kind: $kind,
                labels: &[$($label),*],
                help: $help,
            };
        )*

        static ALL: &[&Description] = &[$(&$constant),*];
    };
}

/// The descriptions of all metrics.
///
/// ```
/// for metric in aemp::metrics::catalogue() {
///     println!("{} ({}): {}", metric.name, metric.kind.name(), metric.help);
/// }
/// ```
pub fn catalogue() -> impl Iterator<Item = &'static Description> {
    ALL.iter().copied()
}

catalogue! {
    NODE = Gauge "aemp_node_info" ["node", "version", "role"] "Always 1: the node's ID, the version of the crate, and its role in the network";
    UPTIME = Gauge "aemp_uptime_seconds" [] "The time since the node's start";
    READY = Gauge "aemp_ready" [] "1 if the node takes work, otherwise 0";
    MEMORY = Gauge "aemp_process_memory_bytes" [] "The resident memory of the process, on systems that report it";
    PORTS = Gauge "aemp_ports" ["type"] "Live ports";
    SPAWNED = Counter "aemp_ports_spawned_total" [] "Ports that were made, without reply ports of calls";
    DIED = Counter "aemp_ports_died_total" ["reason"] "Ports that have died, by the kind of the reason";
    RESTARTS = Counter "aemp_restarts_total" [] "Restarts of children by the node's supervisors";
    MESSAGES = Counter "aemp_messages_total" ["type", "handler"] "Messages that handlers have begun to handle";
    HANDLER = Histogram "aemp_handler_seconds" ["type", "handler"] "The times of handlers; those of quick ones are estimated from each 128th message";
    UNWANTED = Counter "aemp_unwanted_calls_total" ["type", "handler"] "Calls that were not handled, because no caller waited for them any more";
    QUEUED = Gauge "aemp_queued_messages" ["type"] "Messages in the queues of ports";
    LONGEST_QUEUE = Gauge "aemp_longest_queue_messages" ["type"] "The length of the longest queue";
    QUEUES = Histogram "aemp_queue_messages" ["type"] "The lengths of queues; each collection adds one observation for each port";
    CALLS = Counter "aemp_calls_total" ["target", "outcome"] "Calls that have ended, to ports of this node (local) and of others (remote)";
    CALL = Histogram "aemp_call_seconds" ["target", "outcome"] "The times of calls; those of quick local ones are estimated from each 128th call";
    WORKERS = Gauge "aemp_workers" [] "Worker threads of the node's runtime";
    BUSY = Gauge "aemp_busy_threads" ["kind"] "Threads that run a handler: workers, and threads for blocking ports";
    WAITING = Gauge "aemp_ready_ports" [] "Ports with messages that wait for a worker";
    LONGEST = Gauge "aemp_longest_handler_seconds" [] "The time of the handler that runs longest at present";
    SLOW = Counter "aemp_slow_handlers_total" [] "Handlers that have kept a worker for some milliseconds";
    UP = Counter "aemp_nodes_up_total" [] "Nodes that have been connected";
    LOST = Counter "aemp_nodes_lost_total" [] "Nodes that were lost";
    STRANGERS = Gauge "aemp_strangers" [] "Connections that have not proved to know the secret";
    CONNECTIONS = Gauge "aemp_connections" [] "Connected nodes";
    CONNECTED = Counter "aemp_peer_connections_total" ["peer"] "Connections that there have been to a node; all but the first are reconnections";
    RECEIVED_BYTES = Counter "aemp_peer_received_bytes_total" ["peer"] "Bytes of packets received from a node";
    RECEIVED = Counter "aemp_peer_received_packets_total" ["peer"] "Packets received from a node, with keepalives";
    SENT_BYTES = Counter "aemp_peer_sent_bytes_total" ["peer"] "Bytes of packets sent to a node";
    SENT = Counter "aemp_peer_sent_packets_total" ["peer"] "Packets sent to a node, with keepalives and with those that are queued";
    QUEUED_BYTES = Gauge "aemp_peer_queued_bytes" ["peer"] "Bytes that wait to be sent to a node";
    FAMILIES = Gauge "aemp_database_families" [] "Families of the database that the node knows: all on a global node, otherwise its own";
    KEYS = Gauge "aemp_database_keys" ["family"] "Keys of these families";
    DATABASE = Gauge "aemp_database_bytes" [] "The memory of all entries on a global node, otherwise 0";
    CHANGES = Counter "aemp_database_changes_total" [] "Changes of entries: of all on a global node, otherwise of the node's own";
    LIMITS = Counter "aemp_limits_reached_total" ["limit"] "Times that a stranger or a node has reached a limit";
    COLLECTION = Gauge "aemp_collection_seconds" [] "The cost of this collection";
}
