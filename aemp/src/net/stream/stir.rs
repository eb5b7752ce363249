//! The notices of a stream that is no socket: of a tunnel, or of a connection of the simulated network.

#[cfg(feature = "net")]
use std::{
    pin::Pin,
    sync::Arc,
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
pub(crate) type Notice = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

#[cfg(feature = "net")]
impl Stir {
    pub(crate) fn reads(self: &Arc<Self>) -> Notice {
        let stir = Arc::clone(self);
        Box::pin(async move { stir.read.notified().await })
    }

    pub(crate) fn writes(self: &Arc<Self>) -> Notice {
        let stir = Arc::clone(self);
        Box::pin(async move { stir.write.notified().await })
    }
}

/// Ready when the condition holds. It is asked again after each notice.
#[cfg(feature = "net")]
pub(crate) fn poll_until(
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
