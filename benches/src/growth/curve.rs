//! The curves.

use std::{pin::Pin, time::Duration};

use super::{connections, ports};

/// A curve: the cost of an operation against the number of things of one kind.
#[derive(Clone, Copy)]
pub(super) struct Curve {
    /// The name for `--only`, and of the files.
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    pub(super) unit: &'static str,
    /// The things of which there are more and more.
    pub(super) axis: &'static str,
    sizes: &'static [u64],
    /// The operations of each point, if there are no more things than that.
    operations: u64,
    /// True if the system lets a process have so many.
    pub(super) possible: fn(u64) -> bool,
    /// The time of all operations. Gets the number of things and of operations.
    pub(super) measure: fn(u64, u64) -> Measure,
    /// The largest size that is counted under callgrind, which takes fifty times as long.
    pub(super) counted: u64,
}

type Measure = Pin<Box<dyn Future<Output = Duration> + Send>>;

const MANY: &[u64] = &[1, 10, 100, 1_000, 10_000, 100_000, 1_000_000];

#[rustfmt::skip]
pub(super) const CURVES: [Curve; 9] = [
    Curve {
        name: "ports", title: "a message to each of many ports, in the order in which they were made",
        unit: "ns per message", axis: "ports", sizes: &[1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000],
        operations: 1_000_000, possible: |_| true, counted: 64_000,
        measure: |size, operations| Box::pin(ports::in_order(size, operations)),
    },
    Curve {
        name: "ports-shuffled", title: "a message to each of many ports, in no order",
        unit: "ns per message", axis: "ports", sizes: &[1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000],
        operations: 1_000_000, possible: |_| true, counted: 64_000,
        measure: |size, operations| Box::pin(ports::shuffled(size, operations)),
    },
    Curve {
        name: "memory-shuffled", title: "no ports: a lock taken twice in each of many allocations, in no order",
        unit: "ns per allocation", axis: "allocations", sizes: &[1_000, 4_000, 16_000, 64_000, 256_000, 1_000_000],
        operations: 4_000_000, possible: |_| true, counted: 64_000,
        measure: |size, operations| Box::pin(ports::memory(size, operations)),
    },
    Curve {
        name: "senders", title: "messages of many senders to one port",
        unit: "ns per message", axis: "senders", sizes: &[1, 2, 4, 8, 16, 32, 64],
        operations: 2_000_000, possible: |_| true, counted: 64,
        measure: |size, operations| Box::pin(ports::senders(size, operations)),
    },
    Curve {
        name: "connections", title: "messages of many nodes to one port, 100 at a time, both ends in one process",
        unit: "ns per message", axis: "connections", sizes: &[1, 4, 16, 64, 256, 1_024, 5_000],
        operations: 1_000_000, possible: connections::possible, counted: 64,
        measure: |size, operations| Box::pin(connections::bursts(size, operations)),
    },
    Curve {
        name: "queue", title: "a message through a queue that holds many",
        unit: "ns per message", axis: "messages", sizes: MANY,
        operations: 4_000_000, possible: |_| true, counted: 100_000,
        measure: |size, operations| Box::pin(ports::queue(size, operations)),
    },
    Curve {
        name: "monitors", title: "a monitor that is set on a port with many, and fires when the port dies",
        unit: "ns per monitor", axis: "monitors", sizes: &[1, 10, 100, 1_000, 10_000, 100_000],
        operations: 400_000, possible: |_| true, counted: 10_000,
        measure: |size, operations| Box::pin(ports::monitors_fire(size, operations)),
    },
    Curve {
        name: "monitors-dropped", title: "a monitor that is set on a port with many, and dropped",
        unit: "ns per monitor", axis: "monitors", sizes: &[1, 10, 100, 1_000, 10_000, 100_000],
        operations: 1_000_000, possible: |_| true, counted: 10_000,
        measure: |size, operations| Box::pin(ports::monitors_dropped(size, operations)),
    },
    Curve {
        name: "monitored", title: "a message to a port with many monitors",
        unit: "ns per message", axis: "monitors", sizes: &[1, 10, 100, 1_000, 10_000, 100_000],
        operations: 2_000_000, possible: |_| true, counted: 10_000,
        measure: |size, operations| Box::pin(ports::monitored(size, operations)),
    },
];

impl Curve {
    /// The sizes, and the least number of operations.
    pub(super) fn scale(&self, smoke: bool) -> (&'static [u64], u64) {
        if smoke {
            (&self.sizes[..2], 2_000)
        } else {
            (self.sizes, self.operations)
        }
    }
}
