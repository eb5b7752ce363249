//! A caller that is known only by its reply port, seen from the answering port.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::guard;

/// Whether a caller elsewhere still waits, as far as this node has heard.
#[derive(Default)]
pub(crate) struct FarCaller(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    Waits,
    /// Somebody wants to know when it does not wait any more.
    Watched(Waker),
    Gone,
}

impl FarCaller {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It waits no more.
    pub(crate) fn leave(&self) {
        let before = std::mem::replace(&mut *self.lock(), State::Gone);
        if let State::Watched(waker) = before {
            guard::wake(waker);
        }
    }

    pub(super) fn is_gone(&self) -> bool {
        matches!(*self.lock(), State::Gone)
    }

    pub(super) fn poll_gone(&self, task: &Context<'_>) -> Poll<()> {
        let waker = task.waker().clone();
        let mut state = self.lock();
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
