//! The executor's present work, for metrics.

use std::time::{Duration, Instant};

use tokio::runtime::RuntimeFlavor;

use super::{
    scheduler::Scheduler,
    seat::{Running, Seat},
};

/// The threads and ports of a node at one time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Occupancy {
    /// Workers that run a handler.
    pub(crate) workers: usize,
    /// Threads that run handlers of blocking ports.
    pub(crate) blocking: usize,
    /// Ports that wait for a worker.
    pub(crate) waiting: usize,
    /// The time of the handler that runs longest, as far as the stall detector has seen it.
    pub(crate) longest: Duration,
}

impl Scheduler {
    pub(crate) fn occupancy(&self) -> Occupancy {
        let mut occupancy = Occupancy {
            waiting: self.ready(),
            ..Occupancy::default()
        };
        let now = Instant::now();
        for seat in self.seats() {
            occupancy.waiting += seat.stealer().len();
            let Some(running) = seat.running() else {
                continue;
            };
            match running.blocking {
                true => occupancy.blocking += 1,
                false => occupancy.workers += 1,
            }
            occupancy.longest = occupancy.longest.max(seat.ran_for(running, now));
        }
        occupancy
    }

    /// The number of workers of the runtime.
    pub(crate) fn workers(&self) -> usize {
        match self.runtime().runtime_flavor() {
            RuntimeFlavor::CurrentThread => 1,
            _ => self.runtime().metrics().num_workers(),
        }
    }
}

impl Seat {
    /// The time since the stall detector has first seen this run.
    fn ran_for(&self, running: Running, now: Instant) -> Duration {
        let seen = self.seen.lock();
        let since = seen.since.filter(|_| seen.running == Some(running));
        since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}
