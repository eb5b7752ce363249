//! The figures of a dispatcher.

use serde::{Deserialize, Serialize};

/// The figures of a dispatcher: its [`stats`](super::DispatcherRef::stats).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stats {
    /// Accepted jobs that are not with a worker. Those that rest after a failure are among them.
    pub waiting: u64,
    /// Jobs that wait to be accepted, because the queue is full.
    pub unaccepted: u64,
    /// Attempts that are with workers.
    pub running: u64,
    /// Workers.
    pub workers: u64,
    /// Submitters.
    pub submitters: u64,
    /// Jobs that have been done since the start.
    pub done: u64,
    /// Jobs that have failed for good, or were dropped, since the start.
    pub dead: u64,
    /// Attempts since the start that were not the first of their job.
    pub repeated: u64,
}
