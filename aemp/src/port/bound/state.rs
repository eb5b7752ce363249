//! Bound code that has the port's state: timers, continuations of futures, and streams.
//!
//! Such code is a job of the port's queue like other bound code, and gets the state from the worker that runs the port.
//! So it comes between two messages, and waits while an async handler has the state. The closure says the type of the
//! state. It is compared with the port's when the code is bound, so a wrong type is a panic at the place of the
//! mistake.
//!
//! A closure that runs repeatedly is taken out of the port while it runs, as that of an interval.
//!
//! Dangers: a panic in a closure may leave the state half changed. It is not caught here, so it counts as a
//! panic of a handler. Left out: closures that are async; a handler that a closure sends to may be.

use std::{
    any::Any,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use super::{
    forget, keep, lend, start, take_back, take_kept,
    timer::{LONGEST, SHORTEST, Timer, due},
};
use crate::{
    Cx, Reason,
    exec::scheduler,
    guard::{self, Held},
    message::{Outcome, Port},
    port::{
        any::AnyPort,
        extras::{Act, Content},
        queue::Pushed,
    },
};

/// A closure with the port's state that runs repeatedly.
pub(super) type Often<A> =
    Box<dyn FnMut(&mut dyn Any, &mut Cx<'_>, A) -> Result<(), Reason> + Send>;

pub(super) fn act_in(port: Arc<dyn AnyPort>, act: Act) {
    if port.act(act) == Pushed::Wake {
        scheduler::schedule(port);
    }
}

/// Runs user code with the state, which is of this type.
pub(super) fn with<P: Port, O: Outcome>(
    state: &mut dyn Any,
    cx: &mut Cx<'_>,
    run: impl FnOnce(&mut P, &mut Cx<'_>) -> O,
) -> Result<(), Reason> {
    match state.downcast_mut() {
        Some(state) => cx.of_this_node(|cx| run(state, cx)).outcome(),
        None => unreachable!("the type was compared when the code was bound"),
    }
}

/// Runs the closure with this number once, unless it was cancelled.
fn run_once(state: &mut dyn Any, cx: &mut Cx<'_>, id: u64) -> Result<(), Reason> {
    match take_kept(cx.port(), id).map(|kept| kept.content) {
        Some(Content::Act(act)) => act(state, cx),
        _ => Ok(()),
    }
}

/// Runs the closure with this number, unless it was cancelled. A panic unwinds to the worker, and the closure is
/// dropped on the way.
pub(super) fn run_often<A: 'static>(
    state: &mut dyn Any,
    cx: &mut Cx<'_>,
    id: u64,
    argument: A,
) -> Result<(), Reason> {
    let Some(closure) = lend::<Often<A>>(cx.port(), id) else {
        guard::discard(argument);
        return Ok(());
    };
    let mut closure = Held::new(closure);
    let done = match closure.get_mut() {
        Some(closure) => closure(state, cx, argument),
        None => Ok(()),
    };
    if let Some(closure) = closure.take() {
        take_back(cx.port(), id, closure);
    }
    done
}

/// Panics if `P` is not the type of the port's state.
#[track_caller]
pub(super) fn check<P: Port>(cx: &Cx<'_>) {
    let port = cx.port();
    assert!(
        port.is_of::<P>(),
        "the closure takes the state of a {}, and this port is a {}",
        std::any::type_name::<P>(),
        port.type_name(),
    );
}

/// Keeps a closure that runs after the delay.
fn after(cx: &Cx<'_>, delay: Duration, act: Act) -> Option<u64> {
    let port = cx.arc();
    let id = keep(&*port, Content::Act(act))?;
    let (due, weak) = (due(port.node(), delay), Arc::downgrade(&port));
    start(&port, id, async move {
        tokio::time::sleep_until(due).await;
        if let Some(port) = weak.upgrade() {
            act_in(port, Box::new(move |state, cx| run_once(state, cx, id)));
        }
    });
    Some(id)
}

impl Cx<'_> {
    /// Runs `run` with the port's state after a delay. The closure names the type of the state:
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Cx, Node, port};
    ///
    /// struct Session { open: bool }
    ///
    /// #[port]
    /// impl Session {
    ///     #[rcv]
    ///     fn close(&mut self, cx: &mut Cx<'_>) {
    ///         cx.after_with(Duration::from_millis(10), |me: &mut Self, _| me.open = false);
    ///     }
    ///
    ///     #[rcv]
    ///     fn is_open(&self) -> bool { self.open }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let session = Node::local()?.port(Session { open: true });
    /// session.close();
    /// assert!(session.is_open().await?);
    /// tokio::time::sleep(Duration::from_millis(50)).await;
    /// assert!(!session.is_open().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// *Semantics.* The closure runs between two messages, behind those that are queued when the time has come. If it
    /// returns an error or panics, the port dies as of a handler. It is dropped with the port.
    ///
    /// *Limits.* It waits while an async handler runs, as messages do. A queued kill or stop comes before it.
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state. In a handler, the port dies with the text.
    #[track_caller]
    pub fn after_with<P: Port, O: Outcome>(
        &self,
        delay: Duration,
        run: impl FnOnce(&mut P, &mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        check::<P>(self);
        let act: Act = Box::new(move |state, cx| with(state, cx, run));
        Timer::of_port(&self.arc(), after(self, delay, act))
    }

    /// Runs `run` with the port's state once in each `period`, for the first time after one period. While a run is
    /// still queued, no further run is added. See [`after_with`](Self::after_with).
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state.
    #[track_caller]
    pub fn every_with<P: Port, O: Outcome>(
        &self,
        period: Duration,
        mut run: impl FnMut(&mut P, &mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        check::<P>(self);
        let often: Often<()> = Box::new(move |state, cx, ()| with(state, cx, &mut run));
        let port = self.arc();
        let Some(id) = keep(&*port, Content::Value(Box::new(often))) else {
            return Timer::of_port(&port, None);
        };
        let period = period.clamp(SHORTEST, LONGEST);
        let (first, weak) = (due(port.node(), period), Arc::downgrade(&port));
        start(&port, id, async move {
            let mut ticks = tokio::time::interval_at(first, period);
            let queued = Arc::new(AtomicBool::new(false));
            loop {
                ticks.tick().await;
                let Some(port) = weak.upgrade() else { return };
                if queued.swap(true, Ordering::Relaxed) {
                    continue;
                }
                let queued = Arc::clone(&queued);
                let act: Act = Box::new(move |state, cx| {
                    queued.store(false, Ordering::Relaxed);
                    run_often(state, cx, id, ())
                });
                act_in(port, act);
            }
        });
        Timer::of_port(&port, Some(id))
    }

    /// Sets the timer of this name: `run` gets the port's state after a delay. A timer of the same name that has not
    /// run yet is replaced. See [`after_with`](Self::after_with).
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Cx, port};
    ///
    /// struct Draft { text: String }
    ///
    /// #[port]
    /// impl Draft {
    ///     #[rcv]
    ///     fn edit(&mut self, cx: &mut Cx<'_>, text: String) {
    ///         self.text = text;
    ///         // Saved when there was no change for a second.
    ///         cx.timer("save", Duration::from_secs(1), |me: &mut Self, _| println!("{}", me.text));
    ///     }
    ///
    ///     #[rcv]
    ///     fn discard(&mut self, cx: &mut Cx<'_>) { cx.cancel_timer("save"); }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state.
    #[doc(alias = "debounce")]
    #[track_caller]
    pub fn timer<P: Port, O: Outcome>(
        &self,
        name: &str,
        delay: Duration,
        run: impl FnOnce(&mut P, &mut Cx<'_>) -> O + Send + 'static,
    ) {
        check::<P>(self);
        self.cancel_timer(name);
        let named: Box<str> = name.into();
        let act: Act = Box::new(move |state, cx| {
            // Only the timer that the name means can run.
            cx.port().extras(|extras| extras.take_name(&named));
            with(state, cx, run)
        });
        if let Some(id) = after(self, delay, act) {
            self.port().extras(|extras| extras.name(name, id));
        }
    }

    /// Cancels the timer of this name. Returns true if there was one that had not run.
    pub fn cancel_timer(&self, name: &str) -> bool {
        let id = self.port().extras(|extras| extras.take_name(name));
        let id = id.flatten();
        if let Some(id) = id {
            forget(self.port(), id);
        }
        id.is_some()
    }
}
