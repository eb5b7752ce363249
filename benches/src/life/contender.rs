//! The interface of a contender. A contender writes its actors as in its own documentation.

use std::time::Duration;

use crate::local::framework::Latch;

/// A framework with supervision and hooks.
pub(crate) trait Lives: 'static {
    type Nursery: Nursery;

    /// Ends a supervised actor by an error this many times, and calls it after each. The answer is that of the next
    /// incarnation. Nothing pauses a restart, and nothing limits their number. Returns the time of all.
    fn restarts(times: u64) -> impl Future<Output = Duration> + Send;

    /// Starts and stops this many actors that have hooks for both. The hook of the end drops the latch.
    fn hooked(count: u64, latch: Latch) -> impl Future<Output = ()> + Send;
}

/// A supervisor of dynamic children that are restarted when they fail.
pub(crate) trait Nursery: Send + Sync + Sized {
    fn open() -> impl Future<Output = Self> + Send;

    /// Starts children one after the other. Each keeps the latch in its state.
    fn start(&self, count: u64, latch: Latch) -> impl Future<Output = ()> + Send;

    /// Ends the supervisor and its children.
    fn close(self) -> impl Future<Output = ()> + Send;
}
