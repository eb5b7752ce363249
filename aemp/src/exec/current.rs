//! The port that this thread is running. It serves to recognise a port that kills itself.

use std::cell::{Cell, RefCell};

use tracing::{Span, level_filters::LevelFilter};

use super::spans::Hidden;
use crate::{Reason, guard, port::any::AnyPort};

thread_local! {
    static PORT: Cell<usize> = const { Cell::new(0) };
    /// True if `KILLED` holds anything. It is read after every message, so it must cost next to nothing.
    static ANY_KILLED: Cell<bool> = const { Cell::new(false) };
    static KILLED: RefCell<Option<Reason>> = const { RefCell::new(None) };
}

/// The address of a port, which identifies it while it is being run.
fn key(port: &dyn AnyPort) -> usize {
    std::ptr::from_ref(port).addr()
}

/// While this value lives, the thread is running that port.
pub(crate) struct Scope {
    before: usize,
    /// The note of the port that was running before: a waiting handler that calls another port may run it in place.
    killed: Option<Reason>,
    /// The span of the code that runs the port is none of the port.
    _spans: Hidden,
}

impl Scope {
    pub(crate) fn enter(port: &dyn AnyPort) -> Self {
        Self {
            before: PORT.replace(key(port)),
            killed: take_killed(),
            _spans: Hidden::enter(),
        }
    }
}

impl Drop for Scope {
    fn drop(&mut self) {
        PORT.set(self.before);
        // A port that killed itself while it was ending leaves a note, which must not reach another port.
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

/// True if this thread is running the port.
#[inline]
pub(super) fn is_running(port: &dyn AnyPort) -> bool {
    PORT.get() == key(port)
}

/// If this thread is running the port, notes that it ends when its handler returns. Returns true if it did.
pub(crate) fn kill_if_running(port: &dyn AnyPort, reason: &Reason) -> bool {
    if !is_running(port) {
        return false;
    }
    note(reason.clone());
    true
}

/// True if the current task is within a span of `tracing`, which must not become the span of a port.
pub(crate) fn has_span() -> bool {
    // Without a subscriber there is no span.
    LevelFilter::current() != LevelFilter::OFF
        && guard::run(|| !Span::current().is_none()).unwrap_or(true)
}

/// Notes a reason. The first one counts.
fn note(reason: Reason) {
    ANY_KILLED.set(true);
    KILLED.with_borrow_mut(|killed| {
        killed.get_or_insert(reason);
    });
}

/// The reason that the last handler noted for its own port.
#[inline]
pub(crate) fn take_killed() -> Option<Reason> {
    if !ANY_KILLED.replace(false) {
        return None;
    }
    KILLED.with_borrow_mut(Option::take)
}
