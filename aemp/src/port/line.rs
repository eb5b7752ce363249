//! The senders that wait for room in a bounded queue, in the order of their calls.
//!
//! Room wakes one sender, the first. When it has sent and there is still room, or when it has given up, it wakes the next
//! one. So a message that is handled costs one wake-up however many wait. A sender that finds no room, because a plain
//! send was quicker, keeps its place. None is woken in vain: while it is on its way, a later one could be woken for the
//! room and take it, and so on for ever. Other nodes that wait are few, and are all told: their share of the room is
//! another (`credit`).
//!
//! Dangers: a sender that was woken, and whose future is kept without being polled, holds the others up until there is
//! room again, as with the channels of tokio.

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use tokio::sync::Notify;

use crate::{guard, lock::Lock};

/// Everything that waits for room in one queue.
#[derive(Default)]
pub(crate) struct Line {
    senders: Lock<Senders>,
    /// Tasks on behalf of other nodes.
    pub(crate) nodes: Notify,
}

#[derive(Default)]
struct Senders {
    last: u64,
    waiting: BTreeMap<u64, Waker>,
}

impl Line {
    /// There may be room. The port's lock must be free, as wakers are foreign code.
    pub(crate) fn wake(&self) {
        self.wake_first();
        guard::shielded(|| self.nodes.notify_waiters());
    }

    fn wake_first(&self) {
        let first = self.senders.lock().waiting.pop_first();
        if let Some((_, waker)) = first {
            guard::wake(waker);
        }
    }

    /// The bound has changed, or the port has died.
    pub(crate) fn wake_all(&self) {
        let all = std::mem::take(&mut self.senders.lock().waiting);
        all.into_values().for_each(guard::wake);
        guard::shielded(|| self.nodes.notify_waiters());
    }
}

/// The place of one sender.
pub(super) struct Place {
    line: Arc<Line>,
    number: u64,
    is_waiting: bool,
}

impl Place {
    pub(super) fn new(line: Arc<Line>) -> Self {
        let mut senders = line.senders.lock();
        senders.last += 1;
        let number = senders.last;
        drop(senders);
        Self {
            line,
            number,
            is_waiting: false,
        }
    }

    /// Ready when there may be room. `has_room` is asked after the waker is noted, so that no room is missed.
    pub(super) fn poll(&mut self, task: &Context<'_>, has_room: impl Fn() -> bool) -> Poll<()> {
        let waker = task.waker().clone();
        let mut senders = self.line.senders.lock();
        if self.is_waiting && !senders.waiting.contains_key(&self.number) {
            drop(senders);
            guard::discard(waker);
            self.is_waiting = false;
            return Poll::Ready(());
        }
        let before = senders.waiting.insert(self.number, waker);
        drop(senders);
        guard::discard(before);
        self.is_waiting = true;
        if has_room() {
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

impl Place {
    /// The message has been sent. If there is still room, it is the next one's turn. `has_room` is asked when this place is
    /// no longer in the line: room that comes before may have woken this sender, and room that comes later wakes the next
    /// one.
    pub(super) fn leave(mut self, has_room: impl FnOnce() -> bool) {
        if self.remove() || has_room() {
            self.line.wake_first();
        }
    }

    /// True if it was woken, and nothing has come of that.
    fn remove(&mut self) -> bool {
        let own = self.line.senders.lock().waiting.remove(&self.number);
        let was_woken = self.is_waiting && own.is_none();
        guard::discard(own);
        self.is_waiting = false;
        was_woken
    }
}

impl Drop for Place {
    /// A sender that was woken and gives up passes the room on.
    fn drop(&mut self) {
        if self.remove() {
            self.line.wake_first();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::Relaxed},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Relaxed);
        }
    }

    /// A sender of the line, and the number of times that it was woken.
    struct Sender(Place, Arc<Count>);

    impl Sender {
        fn new(line: &Arc<Line>) -> Self {
            Self(Place::new(Arc::clone(line)), Arc::default())
        }

        fn is_ready(&mut self, has_room: bool) -> bool {
            let waker = Waker::from(Arc::clone(&self.1));
            let polled = self.0.poll(&Context::from_waker(&waker), || has_room);
            polled.is_ready()
        }

        fn woken(&self) -> usize {
            self.1.0.load(Relaxed)
        }
    }

    #[test]
    fn room_wakes_the_first_one() {
        let line = Arc::default();
        let [mut first, mut second] = [(); 2].map(|()| Sender::new(&line));
        assert!(!second.is_ready(false) && !first.is_ready(false));
        line.wake();
        assert_eq!((first.woken(), second.woken()), (1, 0));
        // Another message was quicker: it keeps its place.
        assert!(first.is_ready(false) && !first.is_ready(false));
        line.wake();
        assert_eq!((first.woken(), second.woken()), (2, 0));
        assert!(first.is_ready(true));
        first.0.leave(|| true);
        assert_eq!(second.woken(), 1);
    }

    #[test]
    fn a_sender_that_gives_up_passes_the_room_on() {
        let line = Arc::default();
        let [mut first, mut second, mut third] = [(); 3].map(|()| Sender::new(&line));
        for sender in [&mut first, &mut second, &mut third] {
            assert!(!sender.is_ready(false));
        }
        drop(first);
        assert_eq!(second.woken(), 0, "there was no room yet");
        line.wake();
        drop(second);
        assert_eq!(third.woken(), 1);
    }

    /// The room that it had found is full with its own message, and free again before it leaves.
    #[test]
    fn room_that_wakes_a_sender_that_has_sent_is_passed_on() {
        let line = Arc::default();
        let [mut first, mut second] = [(); 2].map(|()| Sender::new(&line));
        assert!(!second.is_ready(false));
        assert!(first.is_ready(true));
        line.wake();
        first.0.leave(|| false);
        assert_eq!(second.woken(), 1);
    }
}
