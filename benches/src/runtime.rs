//! The tokio runtime that contenders run on.

use std::thread;

use tokio::runtime::{Builder, Runtime};

/// The number of workers that the figures are stated for.
const WORKERS: usize = 2;

/// Two, or one where the process may use one core only.
pub(crate) fn usual_workers() -> usize {
    let cores = thread::available_parallelism().map_or(WORKERS, usize::from);
    WORKERS.min(cores)
}

/// A multi-threaded runtime with the usual number of workers.
pub(crate) fn multi_thread() -> Runtime {
    of_workers(usual_workers())
}

/// A multi-threaded runtime with this many workers, on however many cores.
pub(crate) fn of_workers(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime needs only threads and an epoll handle")
}
