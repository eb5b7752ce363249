//! The executor's present work, for observers and metrics.

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
    /// The handlers that the stall detector has seen at two looks, the longest first.
    pub(crate) lasting: Vec<Lasting>,
}

/// A handler that has been running for some milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lasting {
    /// The number of its port.
    pub(crate) port: u64,
    pub(crate) handler: u32,
    /// True if its thread is one for blocking ports.
    pub(crate) blocking: bool,
    /// The time since the stall detector has first seen it.
    pub(crate) time: Duration,
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
            occupancy.lasting.extend(seat.lasting(running, now));
        }
        occupancy
            .lasting
            .sort_unstable_by_key(|lasting| std::cmp::Reverse(lasting.time));
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
    /// The run, if the stall detector has seen it at two looks.
    fn lasting(&self, running: Running, now: Instant) -> Option<Lasting> {
        let seen = self.seen.lock();
        let is_same = seen.running == Some(running) && seen.looks > 0;
        let since = seen.since.filter(|_| is_same)?;
        Some(Lasting {
            port: running.port,
            handler: running.handler,
            blocking: running.blocking,
            time: now.saturating_duration_since(since),
        })
    }
}
