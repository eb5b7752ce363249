//! The notices of a stream that is no socket: of a tunnel, or of a connection of the simulated network.

use std::sync::Arc;
#[cfg(feature = "net")]
use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::sync::Notify;

use crate::guard;

/// Wakes the reader and the writer of a stream. Each of them is one task, whose waker may be foreign code.
#[derive(Default)]
pub(crate) struct Stir {
    pub(crate) read: Notify,
    pub(crate) write: Notify,
}

impl Stir {
    pub(crate) fn wake(&self) {
        guard::shielded(|| self.read.notify_one());
        guard::shielded(|| self.write.notify_one());
    }
}

/// The next notice of a change. A poll that is not ready must leave its waker behind.
#[cfg(feature = "net")]
type Notice = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

#[cfg(feature = "net")]
impl Stir {
    fn reads(self: &Arc<Self>) -> Notice {
        let stir = Arc::clone(self);
        Box::pin(async move { stir.read.notified().await })
    }

    fn writes(self: &Arc<Self>) -> Notice {
        let stir = Arc::clone(self);
        Box::pin(async move { stir.write.notified().await })
    }
}

/// The notices that the one reader and the one writer of a stream wait for.
#[cfg(feature = "net")]
#[derive(Default)]
pub(crate) struct Notices {
    reading: Option<Notice>,
    writing: Option<Notice>,
}

/// A stream that is no socket. Its owner stirs it after each change, and both conditions are asked again.
pub(crate) trait Stirred: Sync {
    fn stir(&self) -> &Arc<Stir>;

    /// True if there may be something to read.
    fn is_readable(&self) -> bool;

    /// True if something may be written.
    fn is_writable(&self) -> bool;

    #[cfg(feature = "net")]
    fn notices(&mut self) -> &mut Notices;

    /// Waits until there may be something to read.
    fn readable(&self) -> impl Future<Output = ()> + Send {
        async {
            while !self.is_readable() {
                self.stir().read.notified().await;
            }
        }
    }

    /// Waits until something may be written.
    fn writable(&self) -> impl Future<Output = ()> + Send {
        async {
            while !self.is_writable() {
                self.stir().write.notified().await;
            }
        }
    }

    /// As [`readable`](Self::readable), for the one task that reads.
    #[cfg(feature = "net")]
    fn poll_readable(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let mut notice = self.notices().reading.take();
        let next = || self.stir().reads();
        let polled = poll_until(|| self.is_readable(), next, &mut notice, task);
        self.notices().reading = notice;
        polled
    }

    /// As [`writable`](Self::writable), for the one task that writes.
    #[cfg(feature = "net")]
    fn poll_writable(&mut self, task: &mut Context<'_>) -> Poll<()> {
        let mut notice = self.notices().writing.take();
        let next = || self.stir().writes();
        let polled = poll_until(|| self.is_writable(), next, &mut notice, task);
        self.notices().writing = notice;
        polled
    }
}

/// Ready when the condition holds. It is asked again after each notice.
#[cfg(feature = "net")]
fn poll_until(
    is_ready: impl Fn() -> bool,
    next: impl Fn() -> Notice,
    notice: &mut Option<Notice>,
    task: &mut Context<'_>,
) -> Poll<()> {
    while !is_ready() {
        ready!(notice.get_or_insert_with(&next).as_mut().poll(task));
        *notice = None;
    }
    Poll::Ready(())
}
