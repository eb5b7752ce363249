//! The tokio runtime of the contenders.

use std::thread;

use tokio::runtime::{Builder, Runtime};

/// The number of workers for the figures.
const WORKERS: usize = 2;

/// Two; one, if the process may use one core only.
pub(crate) fn usual_workers() -> usize {
    let cores = thread::available_parallelism().map_or(WORKERS, usize::from);
    WORKERS.min(cores)
}

/// A multi-threaded runtime with the usual number of workers.
pub(crate) fn multi_thread() -> Runtime {
    of_workers(usual_workers())
}

/// A multi-threaded runtime with this number of workers, independent of the number of cores.
pub(crate) fn of_workers(workers: usize) -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(workers)
        .enable_all()
        .build()
        .expect("a runtime needs only threads and an epoll handle")
}
