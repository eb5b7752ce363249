//! The tokio runtime that contenders run on.

use std::thread;

use tokio::runtime::{Builder, Runtime};

/// The number of workers that the figures are stated for.
const WORKERS: usize = 2;

/// A multi-threaded runtime of two workers, or of one where the process may use one core only.
pub(crate) fn multi_thread() -> Runtime {
    let cores = thread::available_parallelism().map_or(WORKERS, usize::from);
    Builder::new_multi_thread()
        .worker_threads(WORKERS.min(cores))
        .enable_all()
        .build()
        .expect("a runtime needs only threads and an epoll handle")
}
