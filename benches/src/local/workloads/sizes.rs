//! The sizes of the workloads.

use std::time::Duration;

use crate::local::workloads::Workload;

/// The sizes of the workloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub(super) messages: u64,
    pub(super) calls: u64,
    pub(super) calls_in_flight: u64,
    pub(super) round_trips: u64,
    pub(super) ring_actors: u64,
    pub(super) ring_hops: u64,
    pub(super) spawns: u64,
    pub(crate) idle_actors: u64,
    pub(super) visited: u64,
    pub(super) tree_depth: u32,
    pub(super) long_jobs: u32,
    pub(super) short_jobs: u32,
    pub(super) slow_calls: u32,
    pub(super) slow_call: Duration,
    pub(super) busy_jobs: u32,
}

impl Sizes {
    pub(crate) const FULL: Self = Self {
        messages: 1_000_000,
        calls: 300_000,
        calls_in_flight: 500_000,
        round_trips: 300_000,
        ring_actors: 503,
        ring_hops: 1_000_000,
        spawns: 100_000,
        idle_actors: 1_000_000,
        visited: 100_000,
        tree_depth: 5,
        long_jobs: 64,
        short_jobs: 1_000,
        slow_calls: 3,
        slow_call: Duration::from_millis(200),
        busy_jobs: 100,
    };

    pub(crate) const SMOKE: Self = Self {
        messages: 1_000,
        calls: 200,
        calls_in_flight: 640,
        round_trips: 100,
        ring_actors: 7,
        ring_hops: 100,
        spawns: 100,
        idle_actors: 1_000,
        visited: 100,
        tree_depth: 2,
        long_jobs: 4,
        short_jobs: 20,
        slow_calls: 1,
        slow_call: Duration::from_millis(30),
        busy_jobs: 3,
    };

    /// The counts of a workload that all contenders have, for contenders that are no Rust. `None` for the others.
    pub(crate) fn counts(&self, workload: Workload) -> Option<Vec<u64>> {
        Some(match workload {
            Workload::OneWay | Workload::FanIn => vec![self.messages],
            Workload::Call => vec![self.calls],
            Workload::CallsInFlight => vec![self.calls_in_flight],
            Workload::PingPong => vec![self.round_trips],
            Workload::Ring => vec![self.ring_actors, self.ring_hops],
            Workload::SpawnStop => vec![self.spawns],
            Workload::Memory => vec![self.idle_actors],
            Workload::Visit => vec![self.visited],
            Workload::Tree => vec![u64::from(self.tree_depth)],
            Workload::Blocking(_) => return None,
        })
    }
}
