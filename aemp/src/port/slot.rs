//! The slot that receives the answer of a call.

use std::{
    mem,
    sync::{Arc, OnceLock},
    task::{Context, Poll, Waker},
};

use aemp_codec::{DecodeError, KeptPacket, PacketReader};
use tokio::time::Instant;

use crate::{CallError, Node, Reason, exec::seat, guard, lock::Lock};

/// Holds one answer until the caller takes it, and shows the answering port whether the caller still waits.
///
/// Wakers and answers are foreign code. They are cloned, woken and dropped outside of the lock.
pub(crate) struct Slot<T> {
    state: Lock<State<T>>,
    /// The time at which the caller gives up, if it has said so.
    deadline: OnceLock<Instant>,
}

enum State<T> {
    Empty,
    Waiting(Waker),
    /// The answering port wants to be woken when the caller leaves. Boxed because it is rare, and every call makes a
    /// slot.
    Watched(Box<Watched>),
    Done(Outcome<T>),
    /// The caller no longer waits.
    Gone,
}

struct Watched {
    caller: Option<Waker>,
    replier: Waker,
}

/// The outcome of a call.
pub(crate) enum Outcome<T> {
    Answer(T),
    /// An answer that is not decoded yet.
    Raw(Box<Raw<T>>),
    Failed(CallError),
    /// The reply was dropped without an answer: the port died, or its handler chose not to answer.
    Abandoned,
}

/// Decodes the answer that a reply port has received.
pub(crate) type Read<T> = for<'a, 'p> fn(&'a mut PacketReader<'p>) -> Result<T, DecodeError>;

/// An encoded answer. The caller decodes it, because its type and the cost of its decoding are the caller's.
pub(crate) struct Raw<T> {
    pub(crate) node: Node,
    pub(crate) packet: KeptPacket,
    pub(crate) read: Read<T>,
}

impl<T> Raw<T> {
    fn read(&self) -> Result<T, CallError> {
        let _scope = self.node.decoding();
        let read = guard::attempt(|| (self.read)(&mut self.packet.reader()?));
        let read = read.unwrap_or_else(|panic| Err(DecodeError::mismatch(panic)));
        read.map_err(CallError::Answer)
    }
}

impl<T> Outcome<T> {
    /// The result for the caller; `None` if it depends on why the reply was dropped.
    pub(crate) fn into_result(self) -> Option<Result<T, CallError>> {
        match self {
            Self::Answer(answer) => Some(Ok(answer)),
            Self::Raw(raw) => Some(raw.read()),
            Self::Failed(error) => Some(Err(error)),
            Self::Abandoned => None,
        }
    }
}

impl<T> State<T> {
    /// Wakes the tasks that wait for the end of the call. The lock must be free.
    fn over(self) {
        match self {
            Self::Waiting(caller) => seat::wake(caller),
            Self::Watched(watched) => {
                watched.caller.into_iter().for_each(seat::wake);
                seat::wake(watched.replier);
            }
            Self::Empty | Self::Gone => {}
            Self::Done(outcome) => guard::discard(outcome),
        }
    }
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self {
            state: Lock::new(State::Empty),
            deadline: OnceLock::new(),
        })
    }

    /// The time at which the caller gives up.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.deadline.get().copied()
    }

    /// Records when the caller gives up.
    pub(crate) fn set_deadline(&self, deadline: Instant) {
        let _ = self.deadline.set(deadline);
    }

    /// Sets the outcome. Only the first one counts.
    pub(crate) fn set(&self, outcome: Outcome<T>) {
        let mut state = self.state.lock();
        if matches!(*state, State::Done(_) | State::Gone) {
            drop(state);
            guard::discard(outcome);
            return;
        }
        let before = mem::replace(&mut *state, State::Done(outcome));
        drop(state);
        before.over();
    }

    pub(crate) fn fail(&self, error: CallError) {
        self.set(Outcome::Failed(error));
    }

    /// Takes the outcome. Afterwards the slot is empty again.
    #[inline]
    pub(crate) fn poll(&self, task: &Context<'_>) -> Poll<Outcome<T>> {
        let mut state = self.state.lock();
        if let State::Done(_) = *state
            && let State::Done(outcome) = mem::replace(&mut *state, State::Empty)
        {
            return Poll::Ready(outcome);
        }
        let waits = match &*state {
            State::Waiting(caller) => caller.will_wake(task.waker()),
            State::Watched(watched) => {
                let caller = watched.caller.as_ref();
                caller.is_some_and(|caller| caller.will_wake(task.waker()))
            }
            State::Empty | State::Done(_) | State::Gone => false,
        };
        drop(state);
        if waits {
            return Poll::Pending;
        }
        self.wait(task.waker().clone())
    }

    /// Registers the waker, unless the outcome has come meanwhile.
    fn wait(&self, waker: Waker) -> Poll<Outcome<T>> {
        let mut state = self.state.lock();
        let unused = match mem::replace(&mut *state, State::Empty) {
            State::Done(outcome) => {
                drop(state);
                guard::discard(waker);
                return Poll::Ready(outcome);
            }
            State::Waiting(before) => {
                *state = State::Waiting(waker);
                Some(before)
            }
            State::Watched(mut watched) => {
                let before = watched.caller.replace(waker);
                *state = State::Watched(watched);
                before
            }
            State::Empty | State::Gone => {
                *state = State::Waiting(waker);
                None
            }
        };
        drop(state);
        guard::discard(unused);
        Poll::Pending
    }

    /// Records that the caller no longer waits.
    pub(crate) fn leave(&self) {
        let before = mem::replace(&mut *self.state.lock(), State::Gone);
        match before {
            State::Watched(watched) => {
                guard::discard(watched.caller);
                seat::wake(watched.replier);
            }
            before => guard::discard(before),
        }
    }

    /// True if an answer would still be accepted.
    pub(crate) fn is_wanted(&self) -> bool {
        match *self.state.lock() {
            State::Empty | State::Waiting(_) | State::Watched(_) => true,
            State::Done(_) | State::Gone => false,
        }
    }

    /// True if the caller has left. A caller that never wanted an answer has not.
    pub(crate) fn is_left(&self) -> bool {
        matches!(
            *self.state.lock(),
            State::Gone | State::Done(Outcome::Failed(_))
        )
    }

    /// Ready when the caller has left.
    pub(crate) fn poll_left(&self, task: &Context<'_>) -> Poll<()> {
        if let State::Done(Outcome::Abandoned) = *self.state.lock() {
            return Poll::Pending;
        }
        self.poll_unwanted(task)
    }

    /// Ready when an answer would not be accepted any more.
    pub(crate) fn poll_unwanted(&self, task: &Context<'_>) -> Poll<()> {
        let replier = task.waker().clone();
        let mut state = self.state.lock();
        if let State::Done(_) | State::Gone = *state {
            drop(state);
            guard::discard(replier);
            return Poll::Ready(());
        }
        let (caller, before) = match mem::replace(&mut *state, State::Empty) {
            State::Waiting(caller) => (Some(caller), None),
            State::Watched(watched) => (watched.caller, Some(watched.replier)),
            State::Empty | State::Done(_) | State::Gone => (None, None),
        };
        *state = State::Watched(Box::new(Watched { caller, replier }));
        drop(state);
        guard::discard(before);
        Poll::Pending
    }
}

/// A call that waits for an answer of any type.
pub(crate) trait Caller: Send + Sync {
    fn port_died(&self, reason: &Reason);

    /// Ends the call with an error.
    fn refuse(&self, error: CallError);

    /// True if the call has no outcome yet, and its outcome will wake the waker with this data.
    fn is_awaited_by(&self, waker: *const ()) -> bool;
}

impl<T: Send> Caller for Slot<T> {
    fn port_died(&self, reason: &Reason) {
        self.fail(CallError::Died(reason.clone()));
    }

    fn refuse(&self, error: CallError) {
        self.fail(error);
    }

    fn is_awaited_by(&self, waker: *const ()) -> bool {
        let state = self.state.lock();
        let caller = match &*state {
            State::Waiting(caller) => Some(caller),
            State::Watched(watched) => watched.caller.as_ref(),
            State::Empty | State::Done(_) | State::Gone => None,
        };
        caller.is_some_and(|caller| std::ptr::eq(caller.data(), waker))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    /// A waker that locks its slot in each of its operations. Under the slot's lock, that would be a deadlock.
    struct Nosy(Arc<Slot<u8>>, AtomicUsize);

    impl Wake for Nosy {
        fn wake(self: Arc<Self>) {
            assert!(!self.0.is_wanted());
            self.1.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Drop for Nosy {
        fn drop(&mut self) {
            self.0.is_wanted();
            panic!("in a waker's drop");
        }
    }

    fn nosy(slot: &Arc<Slot<u8>>) -> Waker {
        Waker::from(Arc::new(Nosy(Arc::clone(slot), AtomicUsize::new(0))))
    }

    #[test]
    fn wakers_are_foreign_code() {
        let slot = Slot::new();
        for _ in 0..2 {
            // The second waker replaces the first, which is dropped.
            let waker = nosy(&slot);
            assert!(slot.poll(&Context::from_waker(&waker)).is_pending());
            mem::forget(waker);
        }
        let waker = nosy(&slot);
        assert!(
            slot.poll_unwanted(&Context::from_waker(&waker))
                .is_pending()
        );
        mem::forget(waker);
        slot.set(Outcome::Answer(1));
        assert!(!slot.is_wanted());
        let taken = slot.poll(&Context::from_waker(Waker::noop()));
        assert!(matches!(taken, Poll::Ready(Outcome::Answer(1))));
    }

    #[test]
    fn a_dropped_call_wants_no_answer() {
        let slot = Slot::<u8>::new();
        let task = Context::from_waker(Waker::noop());
        assert!(slot.is_wanted() && slot.poll_unwanted(&task).is_pending());
        assert!(slot.poll(&task).is_pending());
        slot.leave();
        assert!(!slot.is_wanted() && slot.poll_unwanted(&task).is_ready());
        slot.set(Outcome::Answer(1));
        assert!(slot.poll(&task).is_pending());
    }
}
