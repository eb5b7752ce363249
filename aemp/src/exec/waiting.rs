//! Async handlers: polled once in place; one that has to wait moves, with the port's state, into a task.

use std::{
    future::poll_fn,
    mem,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
    time::Instant,
};

use aemp_codec::NodeId;
use tokio::sync::Notify;

use super::{
    circle::{Asker, Watch},
    current,
    drainer::Occupied,
    ending,
    held::{self, Begun},
    pace::{self, CLOSURE},
    scheduler,
    tally::Timer,
};
use crate::{
    Cx, Reason, guard,
    message::{Message, Port},
    port::{
        any::AnyPort,
        bound::concurrent,
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
    Panicked(Reason),
}

/// The place of async code in the life of its port.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before the first message.
    First,
    /// Among the messages.
    Between,
    /// The port has been stopped, and ends when the code has ended.
    Last,
}

/// The async code that a port runs next.
pub(crate) trait Code<P: Port>: Send + 'static {
    const PLACE: Place;

    /// The number of the handler.
    fn handler(&self) -> u32;

    /// The measurement of the handler's time.
    fn timer(&self) -> Timer {
        Timer::NONE
    }

    fn run<'a>(
        self,
        state: &'a mut P,
        cx: &'a mut Cx<'_>,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a;
}

/// The handler of this message.
pub(crate) struct Next<M>(pub(crate) M, pub(crate) Timer);

impl<P: Port> Code<P> for Next<P::Msg> {
    const PLACE: Place = Place::Between;

    fn handler(&self) -> u32 {
        self.0.handler()
    }

    fn timer(&self) -> Timer {
        self.1
    }

    fn run<'a>(
        self,
        state: &'a mut P,
        cx: &'a mut Cx<'_>,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a {
        state.handle_async(cx, self.0)
    }
}

/// The `#[start]` method.
pub(crate) struct First;

impl<P: Port> Code<P> for First {
    const PLACE: Place = Place::First;

    fn handler(&self) -> u32 {
        CLOSURE
    }

    fn run<'a>(
        self,
        state: &'a mut P,
        cx: &'a mut Cx<'_>,
    ) -> impl Future<Output = Result<(), Reason>> + Send + 'a {
        state.starting(cx)
    }
}

/// The wait for the handlers that run beside a port, before it is stopped.
pub(crate) struct Last;

impl<P: Port> Code<P> for Last {
    const PLACE: Place = Place::Last;

    fn handler(&self) -> u32 {
        CLOSURE
    }

    async fn run(self, _: &mut P, cx: &mut Cx<'_>) -> Result<(), Reason> {
        concurrent::drained(cx.port()).await;
        Ok(())
    }
}

/// Starts async code. If it finishes without waiting, returns state and queue. Otherwise a task continues with the
/// port.
pub(crate) fn start<P: Port, C: Code<P>>(
    cell: &Arc<Cell<P>>,
    state: P,
    rest: Queued<P>,
    origin: Option<NodeId>,
    code: C,
) -> Option<(P, Queued<P>)> {
    let cancel = Arc::new(Notify::new());
    let (handler, timer) = (code.handler(), code.timer());
    let (room, dropped, behind, run) = {
        // A kill can only see what is in the cell.
        let mut inner = cell.lock();
        if inner.queue.is_dead() {
            // The port has perished meanwhile.
            drop(inner);
            guard::discard(state);
            guard::discard(code);
            death::drop_queue(rest);
            return None;
        }
        let dropped = inner.put_back(rest);
        if inner.queued_kill().is_some() {
            cancel.notify_one();
        }
        let extras = inner.extras();
        extras.waiting = Some(Arc::clone(&cancel));
        extras.handling = Some(handler);
        let run = extras.next_id();
        let stops = C::PLACE == Place::Last && inner.queued_kill().is_none();
        let behind = stops.then(|| mem::replace(&mut inner.queue, Queue::Stopped));
        (inner.has_in_hand(1), dropped, behind, run)
    };
    room.wake();
    death::drop_queue(dropped);
    behind.into_iter().for_each(death::drop_queue);
    let unknown = !cell.node().scheduler().is_timeless()
        && pace::is_unknown(cell.pace(), P::record(), handler);
    let began = unknown.then(Instant::now);
    let port = Orphan(Some(Arc::clone(cell)));
    let mut handling = Box::pin(async move {
        let mut port = port;
        let mut state = state;
        let ended = drive(port.cell(), &mut state, origin, code, &cancel, run).await;
        timer.end::<P>(port.cell().node(), handler);
        port.resume(state, ended, C::PLACE)
    });
    let polled = handling
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()));
    if let Some(began) = began {
        pace::learn(cell.pace(), P::record(), handler, began.elapsed());
    }
    match polled {
        Poll::Ready(true) => match held::begin(cell) {
            Begun::Ready(state, queue) => Some((state, queue)),
            Begun::New(_) | Begun::Over => None,
        },
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
    fn resume(&mut self, state: P, ended: Ended, place: Place) -> bool {
        let Some(cell) = self.0.take() else {
            return false;
        };
        let is_first = place == Place::First;
        let end = match ended {
            // Without its start, the port must not handle the messages before the kill.
            Ended::Cancelled if is_first => Some(cell.queued_kill().unwrap_or_default()),
            Ended::Returned | Ended::Cancelled if place == Place::Last => {
                let reason = cell.queued_kill().unwrap_or_default();
                ending::end(&cell, state, Queue::Empty, reason);
                return false;
            }
            Ended::Returned | Ended::Cancelled => None,
            Ended::Failed(reason) if !is_first => {
                ending::end(&cell, state, Queue::Empty, reason);
                return false;
            }
            Ended::Failed(reason) | Ended::Panicked(reason) => Some(reason),
        };
        if let Some(reason) = end {
            if is_first {
                // Recorded before the port is seen to die, so that a monitor that is set too late finds the reason.
                cell.node().remember_stillborn(&*cell, &reason);
            }
            death::die(&cell, Some(state), Queue::Empty, &reason);
            return false;
        }
        let mut inner = cell.lock();
        if inner.queue.is_dead() {
            drop(inner);
            guard::discard(state);
            return false;
        }
        let extras = inner.extras();
        (extras.waiting, extras.handling) = (None, None);
        let asked = extras.take_asked();
        inner.state = Some(state);
        let room = inner.has_in_hand(0);
        drop(inner);
        room.wake();
        drop(asked);
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

/// The reason of a notification: true if a kill is queued, and the searches that have asked what the handler waits for.
#[cold]
fn notified<P: Port>(cell: &Cell<P>) -> (bool, Vec<Asker>) {
    let mut inner = cell.lock();
    let is_killed = inner.queued_kill().is_some();
    let asked = inner.extras.as_mut().map(|extras| extras.take_asked());
    (is_killed, asked.unwrap_or_default())
}

async fn drive<P: Port, C: Code<P>>(
    cell: &Arc<Cell<P>>,
    state: &mut P,
    origin: Option<NodeId>,
    code: C,
    cancel: &Notify,
    run: u64,
) -> Ended {
    let mut cx = Cx::new(cell, origin.as_ref());
    let mut killed = None;
    let number = code.handler();
    let mut watch = Watch::new(&**cell, run);
    let ended = {
        let mut handler = pin!(Some(code.run(state, &mut cx)));
        let mut cancelled = pin!(cancel.notified());
        let ended = poll_fn(|task| {
            let _occupied = Occupied::enter(&**cell, number);
            let _scope = current::Scope::enter(&**cell);
            let mut handle = |task: &mut Context<'_>| {
                let polled = guard::poll(|| match handler.as_mut().as_pin_mut() {
                    Some(handler) => handler.poll(task),
                    None => Poll::Ready(Ok(())),
                });
                killed = killed.take().or_else(current::take_killed);
                polled
            };
            let mut polled = watch.poll(task, &mut handle);
            while polled.is_pending() && cancelled.as_mut().poll(task).is_ready() {
                let (is_killed, asked) = notified(cell);
                if is_killed {
                    return Poll::Ready(Ended::Cancelled);
                }
                cancelled.set(cancel.notified());
                if !asked.is_empty() {
                    polled = watch.poll_asked(asked, task, &mut handle);
                }
            }
            match polled {
                Poll::Ready(Ok(Ok(()))) => Poll::Ready(Ended::Returned),
                Poll::Ready(Ok(Err(reason))) => Poll::Ready(Ended::Failed(reason)),
                Poll::Ready(Err(reason)) => Poll::Ready(Ended::Panicked(reason)),
                Poll::Pending => {
                    watch.check(cell, task);
                    Poll::Pending
                }
            }
        })
        .await;
        // The state of a cancelled handler is dropped here.
        guard::shielded(|| handler.set(None));
        ended
    };
    match (ended, cx.take_ended().or(killed)) {
        (Ended::Panicked(_), Some(reason)) => Ended::Panicked(reason),
        (_, Some(reason)) => Ended::Failed(reason),
        (ended, None) => ended,
    }
}
