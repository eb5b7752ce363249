//! A count, and waiting until it is zero.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use crate::guard;

/// The number of things whose end is waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count(Arc<Counting>);

#[derive(Debug, Default)]
struct Counting {
    number: AtomicUsize,
    /// Notified when one has ended and the node is ending.
    fewer: Notify,
}

/// One of the counted things, for as long as it lives.
#[derive(Debug)]
pub(crate) struct Counted(Count);

impl Count {
    pub(crate) fn count(&self) -> Counted {
        self.0.number.fetch_add(1, Ordering::AcqRel);
        Counted(self.clone())
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.0.number.load(Ordering::Acquire) == 0
    }

    /// Wakes the waiters after a change.
    pub(crate) fn notify(&self) {
        guard::shielded(|| self.0.fewer.notify_waiters());
    }

    /// Ready when `done` returns true. It is called again after each change.
    pub(crate) async fn until(&self, done: impl Fn() -> bool) {
        loop {
            let mut fewer = pin!(self.0.fewer.notified());
            fewer.as_mut().enable();
            if done() {
                return;
            }
            fewer.await;
        }
    }

    pub(crate) async fn until_zero(&self) {
        self.until(|| self.is_zero()).await;
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.0.0.number.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.notify();
        }
    }
}
