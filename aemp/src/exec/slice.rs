//! The length of a task's turn, before the other tasks of its worker run.
//!
//! Waiting for a readable socket does not count against tokio's budget of a task. A flooded connection would never
//! give way, and two of them would occupy two workers. So a link, and a drainer, rests after about 100 us until the
//! other tasks of its worker, and the sockets, have been looked at. The measure is time and not a number of packets,
//! because a request may cost a hundred times as much as a message. In a simulation time does not pass within a turn,
//! so a number counts there.
//!
//! With more flooded connections than workers, a message on another connection waits for a turn of each of them.

use std::{future::poll_fn, task::Poll, time::Duration};

use tokio::time::Instant;

/// About as long as it takes others to notice that they had to wait at all: a call between two machines takes as long.
const LENGTH: Duration = Duration::from_micros(100);
/// How much is done between two looks at the clock, which take as long as a message or two.
const LOOK: u32 = 16;
/// Where there is no clock to go by, as in a simulation.
const MOST: u32 = 1024;

/// Lets the others of the worker run: goes to the end of its queue, from where any other worker may take the task,
/// should this one block. The runtime's own yield keeps it for its worker, and looks at the sockets before.
pub(crate) async fn give_way() {
    let mut first = true;
    poll_fn(|task| {
        if std::mem::take(&mut first) {
            task.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    })
    .await;
}

/// A task's time on its worker. It is measured, because what peers ask for may take a hundred times as long as
/// another message.
pub(crate) struct Slice {
    /// `None` where no time passes.
    began: Option<Instant>,
    done: u32,
    looked: u32,
    over: bool,
}

impl Slice {
    pub(crate) fn begin(timeless: bool) -> Self {
        Self {
            began: (!timeless).then(Instant::now),
            done: 0,
            looked: 0,
            over: false,
        }
    }

    /// Something has been done that costs about as much as so many messages.
    pub(crate) fn did(&mut self, messages: u32) {
        self.done += messages;
        if self.done - self.looked >= LOOK {
            self.look();
        }
    }

    /// Something has been done that may have taken any time.
    pub(crate) fn look(&mut self) {
        self.looked = self.done;
        let too_long = |began: Instant| began.elapsed() >= LENGTH;
        self.over |= self.done >= MOST || self.began.is_some_and(too_long);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slice_ends_with_its_time_or_when_much_has_been_done() {
        for timeless in [false, true] {
            let mut slice = Slice::begin(timeless);
            (1..MOST).for_each(|_| slice.did(1));
            assert!(!slice.is_over());
            slice.did(LOOK);
            assert!(slice.is_over());
        }
        let mut slice = Slice::begin(false);
        tokio::time::advance(LENGTH).await;
        (1..LOOK).for_each(|_| slice.did(1));
        assert!(!slice.is_over());
        slice.did(1);
        assert!(slice.is_over());
        let mut slice = Slice::begin(true);
        tokio::time::advance(LENGTH).await;
        slice.look();
        assert!(!slice.is_over());
    }
}
