//! The handbook: the guarantees of the crate's parts, and its words, a page each.
//!
//! The guide is the place to begin: a tutorial in short chapters, whose programs are run by tests, and a page each for users of
//! AnyEvent::MP, Erlang, Akka, and actix, ractor or kameo. It is in the directory `docs/guide` of the repository.
//!
//! Further pages are those of the modules: [`supervisor`](crate::supervisor), [`db`](crate::db),
//! [`limits`](crate::limits), [`config`](crate::config), [`stream`](crate::stream),
//! [`streamed`](crate::streamed). The crate `aemp-cli` has a page about nodes as services: restarts
//! by a watchdog, systemd, containers ([`aemp_cli::service`](https://docs.rs/aemp-cli/latest/aemp_cli/service/)).

/// Calls: time limits and deadlines, callers that leave, work without a waiting caller, and ports that wait for each other.
pub mod calls {
    #![doc = include_str!("docs/calls.md")]
}

/// Encryption and authentication of connections: by the secret, or by certificates; the rights of a peer.
#[cfg(feature = "tls")]
pub mod encryption {
    #![doc = include_str!("docs/encryption.md")]
}

/// Where handlers run, the effects of blocking, and the means for handlers that take long.
pub mod execution {
    #![doc = include_str!("docs/execution.md")]
}

/// The life of a port and of a node: start, orderly ends, idle ports, and the fate of messages, handlers and calls.
pub mod lifecycle {
    #![doc = include_str!("docs/lifecycle.md")]
}

/// Names: of a node's own ports, unique ones in the network, and singletons; the effects of partitions on them.
pub mod names {
    #![doc = include_str!("docs/names.md")]
}

/// Ports whose body is one async function with a mailbox: selective receive, deaths as messages, limits.
pub mod processes {
    #![doc = include_str!("docs/processes.md")]
}

/// Tests of one's own actors: probes, mocks, virtual time, faults.
#[cfg(feature = "test")]
pub mod testing {
    #![doc = include_str!("docs/testing.md")]
}

/// The lines that the crates log, the log of the whole network in one place, and message traces.
pub mod logs {
    #![doc = include_str!("docs/logs.md")]
}

/// Metrics for Prometheus and others: the list of all of them, their costs and limits.
#[cfg(feature = "metrics")]
pub mod metrics {
    #![doc = include_str!("docs/metrics.md")]
}

/// Nodes that do not listen: how they reach each other through a third node.
pub mod relays {
    #![doc = include_str!("docs/relays.md")]
}

/// Topics: publish and subscribe over nodes, slow subscribers, retained messages; and presence.
pub mod topics {
    #![doc = include_str!("docs/topics.md")]
}

/// Traces: spans of handlers, their events, and the way of a context over nodes.
#[cfg(feature = "trace")]
pub mod traces {
    #![doc = include_str!("docs/traces.md")]
}

/// Urgent messages: before others, with a bound.
pub mod urgency {
    #![doc = include_str!("docs/urgency.md")]
}

/// Jobs for workers: at least once, in order by key, with retries; jobs lost or repeated with a node. Pools.
pub mod work {
    #![doc = include_str!("docs/work.md")]
}

/// The words of this crate, and those of AnyEvent::MP, Erlang, Akka, actix, ractor and kameo for the same things.
pub mod words {
    #![doc = include_str!("docs/words.md")]
}
