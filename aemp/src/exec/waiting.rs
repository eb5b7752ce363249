//! Async handlers: polled once in place; one that has to wait moves, with the port's state, into a task.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use aemp_codec::NodeId;
use tokio::sync::Notify;

use super::{current, drainer::Occupied, held, pace, scheduler};
use crate::{
    Cx, Reason, guard,
    message::{Message, Port},
    port::{
        any::AnyPort,
        cell::{Cell, Queued},
        death,
        queue::Queue,
    },
};

/// The way in which an async handler has ended.
enum Ended {
    Returned,
    /// It was cancelled, because a kill was queued while it waited.
    Cancelled,
    Failed(Reason),
}

/// Starts the handler of `message`. If it finishes without waiting, returns state and queue. Otherwise a task
/// continues with the port.
pub(crate) fn start<P: Port>(
    cell: &Arc<Cell<P>>,
    state: P,
    rest: Queued<P>,
    origin: Option<NodeId>,
    message: P::Msg,
) -> Option<(P, Queued<P>)> {
    let cancel = Arc::new(Notify::new());
    let (room, dropped) = {
        // A kill can only see what is in the cell.
        let mut inner = cell.lock();
        if inner.queue.is_dead() {
            // The port has perished meanwhile.
            drop(inner);
            guard::discard(state);
            guard::discard(message);
            death::drop_queue(rest);
            return None;
        }
        let dropped = inner.put_back(rest);
        if inner.queued_kill().is_some() {
            cancel.notify_one();
        }
        inner.extras().waiting = Some(Arc::clone(&cancel));
        (inner.has_in_hand(1), dropped)
    };
    room.wake();
    death::drop_queue(dropped);
    let handler = message.handler();
    let unknown = !cell.node().scheduler().is_timeless()
        && pace::is_unknown(cell.pace(), P::record(), handler);
    let began = unknown.then(Instant::now);
    let port = Orphan(Some(Arc::clone(cell)));
    let mut handling = Box::pin(async move {
        let mut port = port;
        let mut state = state;
        let ended = drive(port.cell(), &mut state, origin, message, &cancel).await;
        port.resume(state, ended)
    });
    let polled = handling
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    if let Some(began) = began {
        pace::learn(cell.pace(), P::record(), handler, began.elapsed());
    }
    match polled {
        Poll::Ready(true) => held::begin(cell),
        Poll::Ready(false) => None,
        Poll::Pending => {
            let port: Arc<dyn AnyPort> = Arc::<Cell<P>>::clone(cell);
            // The poll above could not register for wake-ups. The task polls at once, which does.
            cell.node().scheduler().spawn(async move {
                if handling.await {
                    scheduler::schedule(port);
                }
            });
            None
        }
    }
}

/// A port whose state is in a task. If the runtime drops the task, the port dies.
struct Orphan<P: Port>(Option<Arc<Cell<P>>>);

impl<P: Port> Orphan<P> {
    fn cell(&self) -> &Arc<Cell<P>> {
        match &self.0 {
            Some(cell) => cell,
            None => unreachable!("the port is taken when its handler has ended"),
        }
    }

    /// Puts the state back, or ends the port. Returns whether the port lives.
    fn resume(&mut self, state: P, ended: Ended) -> bool {
        let Some(cell) = self.0.take() else {
            return false;
        };
        if let Ended::Failed(reason) = ended {
            death::die(&cell, Some(state), Queue::Empty, &reason);
            return false;
        }
        let mut inner = cell.lock();
        if inner.queue.is_dead() {
            drop(inner);
            guard::discard(state);
            return false;
        }
        inner.extras().waiting = None;
        inner.state = Some(state);
        let room = inner.has_in_hand(0);
        drop(inner);
        room.wake();
        true
    }
}

impl<P: Port> Drop for Orphan<P> {
    fn drop(&mut self) {
        let Some(cell) = self.0.take() else { return };
        if cell.node().scheduler().is_over() || cell.lock().queue.is_dead() {
            return;
        }
        let reason = Reason::die("its runtime is gone");
        death::die(&cell, None, Queue::Empty, &reason);
        cell.node().runtime_gone();
    }
}

async fn drive<P: Port>(
    cell: &Arc<Cell<P>>,
    state: &mut P,
    origin: Option<NodeId>,
    message: P::Msg,
    cancel: &Notify,
) -> Ended {
    let mut cx = Cx::new(cell, origin.as_ref());
    let mut killed = None;
    let number = message.handler();
    let ended = {
        let mut handler = pin!(Some(state.handle_async(&mut cx, message)));
        let mut cancelled = pin!(cancel.notified());
        let ended = poll_fn(|task| {
            let _occupied = Occupied::enter(&**cell, number);
            let _scope = current::Scope::enter(&**cell);
            let polled = guard::run(|| {
                handler
                    .as_mut()
                    .as_pin_mut()
                    .map(|handler| handler.poll(task))
            });
            killed = killed.take().or_else(current::take_killed);
            match polled.map(|polled| polled.unwrap_or(Poll::Ready(Ok(())))) {
                Ok(Poll::Ready(Ok(()))) => Poll::Ready(Ended::Returned),
                Ok(Poll::Pending) => cancelled.as_mut().poll(task).map(|()| Ended::Cancelled),
                Ok(Poll::Ready(Err(reason))) | Err(reason) => Poll::Ready(Ended::Failed(reason)),
            }
        })
        .await;
        // The state of a cancelled handler is dropped here.
        guard::shielded(|| handler.set(None));
        ended
    };
    match cx.take_ended().or(killed) {
        Some(reason) => Ended::Failed(reason),
        None => ended,
    }
}
