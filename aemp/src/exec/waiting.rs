//! Async handlers: polled once in place; one that has to wait moves, with the port's state, into a task.

use std::{
    future::poll_fn,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use aemp_codec::NodeId;
use tokio::sync::Notify;

use super::{current, scheduler, work};
use crate::{
    Cx, Reason, guard,
    message::Port,
    port::{
        any::AnyPort,
        cell::{Cell, Queued},
        death,
        queue::Queue,
    },
};

/// How a handler that may wait has ended.
enum Ended {
    Returned,
    /// A kill was queued while it waited.
    Cancelled,
    Failed(Reason),
}

/// Starts the handler of `message`. If it finishes without waiting, hands state and queue back to go on with;
/// otherwise a task goes on with the port.
pub(crate) fn start<P: Port>(
    cell: &Arc<Cell<P>>,
    state: P,
    rest: Queued<P>,
    origin: Option<NodeId>,
    message: P::Msg,
) -> Option<(P, Queued<P>)> {
    let cancel = Arc::new(Notify::new());
    {
        // Only what is in the cell is seen by those who queue a kill.
        let mut inner = cell.lock();
        work::put_back(&mut inner.queue, rest);
        inner.has_in_hand(1);
        if inner.queued_kill().is_some() {
            cancel.notify_one();
        }
        inner.extras().waiting = Some(Arc::clone(&cancel));
    }
    let port = Arc::clone(cell);
    let mut handler = Box::pin(async move {
        let mut state = state;
        let ended = drive(&port, &mut state, origin, message, &cancel).await;
        resume(&port, state, ended)
    });
    match handler
        .as_mut()
        .poll(&mut Context::from_waker(Waker::noop()))
    {
        Poll::Ready(true) => work::begin(cell),
        Poll::Ready(false) => None,
        Poll::Pending => {
            let port: Arc<dyn AnyPort> = Arc::<Cell<P>>::clone(cell);
            // The first thing that a task does is to poll, so the wake-ups that the poll above could not
            // ask for are asked for then.
            cell.node().scheduler().spawn(async move {
                if handler.await {
                    scheduler::schedule(port);
                }
            });
            None
        }
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
    let ended = {
        let mut handler = pin!(Some(state.handle_async(&mut cx, message)));
        let mut cancelled = pin!(cancel.notified());
        let ended = poll_fn(|task| {
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
                Ok(Poll::Ready(Err(reason))) => Poll::Ready(Ended::Failed(reason)),
                Ok(Poll::Pending) => cancelled.as_mut().poll(task).map(|()| Ended::Cancelled),
                Err(reason) => Poll::Ready(Ended::Failed(reason)),
            }
        })
        .await;
        // What a cancelled handler holds is dropped here.
        guard::shielded(|| handler.set(None));
        ended
    };
    match cx.take_ended().or(killed) {
        Some(reason) => Ended::Failed(reason),
        None => ended,
    }
}

/// Puts the state back, or ends the port. Whether the port lives.
fn resume<P: Port>(cell: &Arc<Cell<P>>, state: P, ended: Ended) -> bool {
    if let Ended::Failed(reason) = ended {
        death::die(cell, Some(state), Queue::Empty, &reason);
        return false;
    }
    let mut inner = cell.lock();
    inner.extras().waiting = None;
    inner.state = Some(state);
    inner.has_in_hand(0);
    true
}
