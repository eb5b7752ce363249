//! The port that this thread is running. A port that kills itself is recognised by it.

use std::cell::{Cell, RefCell};

use tracing::{Span, level_filters::LevelFilter};

use crate::{Reason, guard, port::any::AnyPort};

thread_local! {
    static PORT: Cell<usize> = const { Cell::new(0) };
    /// Whether there is anything in `KILLED`: asked after every message, so it must cost next to nothing.
    static ANY_KILLED: Cell<bool> = const { Cell::new(false) };
    static KILLED: RefCell<Option<Reason>> = const { RefCell::new(None) };
}

/// A port's address tells it from all others for as long as it is being run.
fn key(port: &dyn AnyPort) -> usize {
    std::ptr::from_ref(port).addr()
}

/// For as long as this lives, the thread runs that port.
pub(crate) struct Scope {
    before: usize,
    /// What the port that ran before has noted: a waiting handler that calls another port may run it in place.
    killed: Option<Reason>,
}

impl Scope {
    pub(crate) fn enter(port: &dyn AnyPort) -> Self {
        Self {
            before: PORT.replace(key(port)),
            killed: take_killed(),
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        PORT.set(self.before);
        // A port that has killed itself too late, when it was ending already, leaves a note that is nobody else's.
        take_killed();
        if let Some(killed) = self.killed.take() {
            note(killed);
        }
    }
}

/// True if this thread is running a port.
pub(crate) fn runs_port() -> bool {
    PORT.get() != 0
}

/// If the port is the one that this thread is running, notes that it ends when its handler returns.
pub(crate) fn kill_if_running(port: &dyn AnyPort, reason: &Reason) -> bool {
    if PORT.get() != key(port) {
        return false;
    }
    note(reason.clone());
    true
}

/// Whether the task that this thread runs is within a span of `tracing`, which must not become that of a port.
pub(crate) fn has_span() -> bool {
    // Without a subscriber, which is then nobody's code, there is none.
    LevelFilter::current() != LevelFilter::OFF
        && guard::run(|| !Span::current().is_none()).unwrap_or(true)
}

/// The first reason counts.
fn note(reason: Reason) {
    ANY_KILLED.set(true);
    KILLED.with_borrow_mut(|killed| {
        killed.get_or_insert(reason);
    });
}

/// What the handler that has just returned noted of its own end.
#[inline]
pub(crate) fn take_killed() -> Option<Reason> {
    if !ANY_KILLED.replace(false) {
        return None;
    }
    KILLED.with_borrow_mut(Option::take)
}
