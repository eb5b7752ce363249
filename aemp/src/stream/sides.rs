//! The two tasks that may use one stream: one reads and one writes, each with a half of
//! [`split`](tokio::io::split).
//!
//! A socket that writes, and a channel, keep one waker. When both tasks wait for the same thing, the waker of the later
//! one would replace that of the other, which then sleeps for ever. So both wait with one waker, which wakes both.

use std::{
    mem,
    sync::Arc,
    task::{Context, Wake, Waker},
};

use crate::{guard, lock::Lock};

/// The task that waits.
#[derive(Clone, Copy)]
pub(super) enum Side {
    Reader,
    Writer,
}

/// The wakers of both tasks, and the waker that wakes both.
pub(super) struct Sides {
    waiting: Arc<Waiting>,
    both: Waker,
}

#[derive(Default)]
struct Waiting(Lock<[Option<Waker>; 2]>);

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        let wakers = mem::take(&mut *self.0.lock());
        wakers.into_iter().flatten().for_each(guard::wake);
    }
}

impl Default for Sides {
    fn default() -> Self {
        let waiting = Arc::<Waiting>::default();
        let both = Arc::clone(&waiting).into();
        Self { waiting, both }
    }
}

impl Sides {
    /// The context in which a task waits for something for which the other one may wait as well.
    pub(super) fn wait(&self, side: Side, task: &Context<'_>) -> Context<'_> {
        let waker = task.waker().clone();
        let before = self.waiting.0.lock()[side as usize].replace(waker);
        guard::discard(before);
        Context::from_waker(&self.both)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counter(AtomicUsize);

    impl Wake for Counter {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn both_tasks_are_woken_once() {
        let [reader, writer] = [Arc::<Counter>::default(), Arc::default()];
        let sides = Sides::default();
        for (side, counter) in [(Side::Reader, &reader), (Side::Writer, &writer)] {
            let waker = Waker::from(Arc::clone(counter));
            // Waiting twice counts once.
            sides.wait(side, &Context::from_waker(&waker));
            let waker = sides
                .wait(side, &Context::from_waker(&waker))
                .waker()
                .clone();
            if matches!(side, Side::Writer) {
                waker.wake_by_ref();
                waker.wake();
            }
        }
        let woken = [reader, writer].map(|counter| counter.0.load(Ordering::Relaxed));
        assert_eq!(woken, [1, 1]);
    }
}
