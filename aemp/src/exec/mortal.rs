//! Tasks of a simulated node, which can be ended without warning, as in a crash.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::lock::Lock;
use tokio::task::AbortHandle;

/// The tasks of a node that may crash.
#[derive(Default)]
pub(super) struct Mortal {
    ended: AtomicBool,
    tasks: Lock<Vec<AbortHandle>>,
}

impl Mortal {
    pub(super) fn is_over(&self) -> bool {
        self.ended.load(Ordering::Relaxed)
    }

    pub(super) fn own(&self, task: AbortHandle) {
        if self.is_over() {
            return task.abort();
        }
        let mut tasks = self.tasks.lock();
        // Ended tasks are forgotten when the list is full.
        if tasks.len() == tasks.capacity() {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(task);
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut *self.tasks.lock());
        tasks.iter().for_each(AbortHandle::abort);
    }
}
