//! A caller of which the answering port knows only the reply port.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use crate::{guard, lock::Lock};

/// True if a caller on another node still waits, as far as this node has heard.
#[derive(Default)]
pub(crate) struct FarCaller(Lock<State>);

#[derive(Default)]
enum State {
    #[default]
    Waits,
    /// The caller waits, and the waker is woken when it leaves.
    Watched(Waker),
    Gone,
}

impl FarCaller {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Records that the caller no longer waits.
    pub(crate) fn leave(&self) {
        let before = std::mem::replace(&mut *self.0.lock(), State::Gone);
        if let State::Watched(waker) = before {
            guard::wake(waker);
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.0.lock(), State::Gone)
    }

    pub(super) fn poll_gone(&self, task: &Context<'_>) -> Poll<()> {
        let waker = task.waker().clone();
        let mut state = self.0.lock();
        if let State::Gone = *state {
            drop(state);
            guard::discard(waker);
            return Poll::Ready(());
        }
        let before = std::mem::replace(&mut *state, State::Watched(waker));
        drop(state);
        guard::discard(before);
        Poll::Pending
    }
}
