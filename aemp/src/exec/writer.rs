//! Waking a connection's writer when there is something to write.
//!
//! The writer lets the other tasks of its worker run first, so that one write carries what they send as well. A writer
//! that is woken at the end of a port's turn need not do so.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::slice::give_way;

/// Tells one writer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    notify: Notify,
    /// True if those who send now have sent all that they do.
    gathered: AtomicBool,
}

impl Writer {
    /// There is something to write, and perhaps soon more.
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    /// There is something to write: all that a port has sent in its turn.
    pub(crate) fn wake_gathered(&self) {
        self.gathered.store(true, Ordering::Relaxed);
        self.notify.notify_one();
    }

    /// Ready when it has been told. [`gather`](Self::gather) is to follow.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn told(&self) {
        self.notify.notified().await;
    }

    /// Lets tasks that are ready to send do so before the next write, unless that is done: one write for many messages.
    pub(crate) async fn gather(&self) {
        if !self.gathered.swap(false, Ordering::Relaxed) {
            give_way().await;
        }
    }
}
