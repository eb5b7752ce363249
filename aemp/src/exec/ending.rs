//! The end of a port that has a `#[stop]` method.
//!
//! The port is dying first: messages to it vanish, and its queue is dropped, so that callers in it hear of the end at
//! once. Then the method runs, with the state and the reason, at most for its time. Then the state and everything bound
//! to the port is dropped, and its monitors fire. The first poll is made in place, where a blocking port may block; a
//! method that waits continues in a task.
//!
//! Dangers: a method that blocks its thread cannot be ended. Its monitors wait for it, as for a `Drop` of
//! the state. If the runtime goes away, the method is dropped, and the monitors fire on the thread that drops it. Left
//! out: a port that perishes (its node has waited long enough, its queue has reached its limit) does not run the
//! method, because its state may be in a handler that never returns.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use super::{current, drainer::Occupied, pace::CLOSURE};
use crate::{
    Cx, Reason, guard,
    message::Port,
    node::life::Counted,
    port::{
        any::AnyPort,
        cell::{Cell, Queued},
        death::{self, Parts},
    },
};

/// Ends the port. The state is intact, so its `#[stop]` method runs, if it has one.
#[cold]
pub(super) fn end<P: Port>(cell: &Arc<Cell<P>>, state: P, taken: Queued<P>, reason: Reason) {
    let Some(limit) = P::STOPS else {
        return death::die(cell, Some(state), taken, &reason);
    };
    let counted = cell.node().life().stops.count();
    let Some(mut parts) = death::begin(cell, taken, &reason) else {
        // It has perished meanwhile.
        return guard::discard(state);
    };
    parts.end_concurrent();
    let ending = Ending {
        cell: Arc::clone(cell),
        rest: Some((state, parts)),
        reason,
        _counted: counted,
    };
    let mut stopping = Box::pin(run(ending, limit));
    let task = &mut Context::from_waker(Waker::noop());
    if stopping.as_mut().poll(task).is_pending() {
        cell.node().scheduler().spawn(stopping);
    }
}

/// A port that is dying and whose monitors have not fired yet. They fire at the latest when this is dropped.
struct Ending<P: Port> {
    cell: Arc<Cell<P>>,
    rest: Option<(P, Parts<P>)>,
    reason: Reason,
    _counted: Counted,
}

impl<P: Port> Drop for Ending<P> {
    fn drop(&mut self) {
        // A node that has crashed in a simulation does nothing more.
        if let Some((state, parts)) = self.rest.take()
            && !self.cell.node().scheduler().is_over()
        {
            let _scope = current::Scope::enter(&*self.cell);
            death::finish(&self.cell, Some(state), parts, &self.reason);
        }
    }
}

/// Runs the `#[stop]` method. The port is dead afterwards.
async fn run<P: Port>(mut ending: Ending<P>, limit: Duration) {
    let Ending {
        cell, rest, reason, ..
    } = &mut ending;
    let Some((state, _)) = rest else { return };
    let mut cx = Cx::of(cell, None);
    let mut method = pin!(Some(state.stopping(&mut cx, reason)));
    let mut done = pin!(poll_fn(|task| {
        let _occupied = Occupied::enter(&**cell, CLOSURE);
        let _scope = current::Scope::enter(&**cell);
        guard::poll(|| match method.as_mut().as_pin_mut() {
            Some(method) => method.poll(task),
            None => Poll::Ready(Ok(())),
        })
    }));
    // A runtime without a clock must be able to end a port whose method does not wait.
    let first = poll_fn(|task| Poll::Ready(done.as_mut().poll(task))).await;
    let done = match first {
        Poll::Ready(done) => done.and_then(|done| done),
        Poll::Pending => {
            moved().await;
            let done = tokio::time::timeout(limit, done).await;
            let late = || Reason::die(format_args!("it did not return within {limit:?}"));
            done.unwrap_or_else(|_| Ok(Err(late())))
                .and_then(|done| done)
        }
    };
    // The rest of a method that has not returned in time is dropped here.
    guard::shielded(|| method.set(None));
    if let Err(error) = done {
        let port = cell.node().local_port_id(&**cell);
        let text = format_args!("the `#[stop]` method of {port} failed: {error}");
        cell.node().complain(&port, text);
    }
}

/// Ready at the second poll, which the task makes.
async fn moved() {
    let mut polled = false;
    poll_fn(|_| {
        if std::mem::replace(&mut polled, true) {
            return Poll::Ready(());
        }
        Poll::Pending
    })
    .await;
}
