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

/// A delay of this length goes unnoticed: a call between two machines takes as long.
const LENGTH: Duration = Duration::from_micros(100);
/// The size in bytes from which a packet is large: to decode it takes longer than a slice.
pub(crate) const LARGE: usize = 128 << 10;
/// The longest time for which other large packets wait for one. User code that decodes or handles it may take any time.
pub(crate) const LARGE_TURN: Duration = Duration::from_secs(1);
/// The number of messages between two reads of the clock. One read takes as long as a message or two.
const LOOK: u32 = 16;
/// The number of messages in a slice if no time passes, as in a simulation.
const MOST: u32 = 1024;

/// Lets the other tasks of the worker run. The task goes to the end of the worker's queue, from where any other
/// worker may take it if this one blocks. The runtime's own yield would keep it for its worker.
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

/// The time slice of a task. It is measured in time, because a request of a peer may take a hundred times as long as
/// a message.
pub(crate) struct Slice {
    /// `None` if no time passes.
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

    /// Counts work that costs about as much as this number of messages.
    pub(crate) fn did(&mut self, messages: u32) {
        self.done += messages;
        if self.done - self.looked >= LOOK {
            self.read_clock();
        }
    }

    /// Reads the clock, after work that may have taken any time.
    pub(crate) fn read_clock(&mut self) {
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
        slice.read_clock();
        assert!(!slice.is_over());
    }
}
