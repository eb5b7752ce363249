//! The state and the queue of a port that runs: taken out of the cell, and put back.

use std::{mem, sync::Arc};

use super::current;
use crate::{
    Cx, Reason, guard,
    message::Port,
    port::{
        cell::{Cell, Queued, take_queue},
        death::{die_unborn, drop_queue},
        extras::Extras,
        queue::Queue,
    },
};

/// An init function, which runs in the context of the port that it makes.
pub(crate) type Init<P> = Box<dyn FnOnce(&mut Cx<'_>) -> InitResult<P> + Send>;

pub(crate) type InitResult<P> = Result<P, Reason>;

/// The extras of a port that is being spawned, with its name.
pub(crate) fn spawn_extras<P: Port>(name: Option<&str>, init: Init<P>) -> Extras {
    Extras {
        name: name.map(Into::into),
        init: Some(Box::new(init)),
        ..Extras::default()
    }
}

/// The port that is about to run.
pub(super) enum Begun<P: Port> {
    Ready(P, Queued<P>),
    /// Its init function has just run, and its `#[start]` method has not.
    New(P),
    /// It has ended.
    Over,
}

/// Takes state and queue out of the cell.
#[inline]
pub(super) fn begin<P: Port>(cell: &Arc<Cell<P>>) -> Begun<P> {
    let mut inner = cell.lock();
    if inner.queue.is_dead() {
        return Begun::Over;
    }
    if let Some(state) = inner.state.take() {
        return Begun::Ready(state, take_queue(inner, None));
    }
    let init = inner.extras.as_mut().and_then(|extras| extras.init.take());
    drop(inner);
    // A port without state and init function would be run by another thread. That cannot happen, because the caller
    // owns its work.
    let Some(Ok(init)) = init.map(|init| init.downcast::<Init<P>>()) else {
        return Begun::Over;
    };
    initialise(cell, *init)
}

#[cold]
fn initialise<P: Port>(cell: &Arc<Cell<P>>, init: Init<P>) -> Begun<P> {
    let made = guard::run(|| {
        let mut cx = Cx::new(cell, None);
        let state = init(&mut cx);
        let ended = cx.take_ended().or_else(current::take_killed);
        ended.map_or(state, Err)
    });
    match made.unwrap_or_else(Err) {
        Ok(state) => {
            let inner = cell.lock();
            if inner.queue.is_dead() {
                drop(inner);
                guard::discard(state);
                return Begun::Over;
            }
            if P::STARTS {
                return Begun::New(state);
            }
            Begun::Ready(state, take_queue(inner, None))
        }
        Err(reason) => {
            die_unborn(cell, &reason);
            Begun::Over
        }
    }
}

/// Makes the port idle, unless messages have come meanwhile; then it takes them.
#[expect(
    clippy::inline_always,
    reason = "each run of a port ends here, and the state is slow to be moved"
)]
#[inline(always)]
pub(super) fn go_idle<P: Port>(
    cell: &Cell<P>,
    state: P,
    done: Queued<P>,
) -> Option<(P, Queued<P>)> {
    let spare = match done {
        Queue::Many(empty) => Some(empty),
        _ => None,
    };
    let mut inner = cell.lock();
    if inner.queue.is_dead() {
        drop(inner);
        guard::discard(state);
        return None;
    }
    if inner.queue.len() == 0 {
        // Besides `Empty`, this may be a spare queue, which is freed.
        let unused = mem::replace(&mut inner.queue, Queue::Idle);
        inner.state = Some(state);
        let room = inner.has_in_hand(0);
        drop(inner);
        room.wake();
        drop((spare, unused));
        return None;
    }
    Some((state, take_queue(inner, spare)))
}

/// Puts the state and the rest of the queue back. The caller schedules the port.
pub(super) fn pause<P: Port>(cell: &Cell<P>, state: P, rest: Queued<P>) {
    let mut inner = cell.lock();
    if inner.queue.is_dead() {
        // The port has perished meanwhile.
        drop(inner);
        guard::discard(state);
        return drop_queue(rest);
    }
    inner.state = Some(state);
    let dropped = inner.put_back(rest);
    let room = inner.has_in_hand(0);
    drop(inner);
    room.wake();
    drop_queue(dropped);
}
