//! Waking of a connection's writer when there is something to write.
//!
//! The writer lets the other tasks of its worker run first, so that one write carries their messages as well. A writer
//! that is woken at the end of a port's turn need not do so, nor one whose last write carried one packet: a lone caller
//! would pay for it with another worker that is woken, and with a turn of the sockets, at each call.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

use super::slice::give_way;

/// The notification of one writer.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    notify: Notify,
    /// True if the senders have already sent everything that they will send for now.
    gathered: AtomicBool,
}

impl Writer {
    /// Reports that there is something to write, and perhaps more soon.
    pub(crate) fn wake(&self) {
        self.notify.notify_one();
    }

    /// Reports that everything has been queued that a port sends in its turn.
    pub(crate) fn wake_gathered(&self) {
        self.gathered.store(true, Ordering::Relaxed);
        self.notify.notify_one();
    }

    /// Ready after a report. The caller must call [`gather`](Self::gather) next.
    ///
    /// # Cancel safety
    ///
    /// No report is lost.
    pub(crate) async fn notified(&self) {
        self.notify.notified().await;
    }

    /// Lets tasks that are ready to send run before the next write, unless everything has been queued, or the last write
    /// carried no more than one packet. So one write carries many messages.
    pub(crate) async fn gather(&self, last: u64) {
        if !self.gathered.swap(false, Ordering::Relaxed) && last > 1 {
            give_way().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Waker},
    };

    use super::*;

    fn gathers(writer: &Writer, last: u64) -> bool {
        let task = &mut Context::from_waker(Waker::noop());
        pin!(writer.gather(last)).poll(task).is_pending()
    }

    #[test]
    fn a_writer_lets_others_send_if_they_sent_much_before() {
        let writer = Writer::default();
        assert_eq!(
            [0, 1, 2].map(|last| gathers(&writer, last)),
            [false, false, true]
        );
        writer.wake_gathered();
        assert_eq!([2, 2].map(|last| gathers(&writer, last)), [false, true]);
    }
}
