//! The run of a port: it handles its queue, one message at a time.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use aemp_codec::NodeId;

use super::{
    current,
    drainer::{self, Turn},
    pace::{self, CLOSURE},
    scheduler,
    slice::LARGE,
    waiting,
};
use crate::{
    Cx, Reason, guard,
    message::Port,
    port::{
        any::AnyPort,
        cell::{Cell, Envelope, Queued, take_queue},
        death::{die, die_unborn, drop_queue},
        extras::Extras,
        queue::Queue,
    },
};

/// An init function, which runs in the context of the port that it makes.
pub(crate) type Init<P> = Box<dyn FnOnce(&mut Cx<'_>) -> InitResult<P> + Send>;

pub(crate) type InitResult<P> = Result<P, Reason>;

/// The end of a batch of messages.
pub(crate) enum Batch<M> {
    /// All messages have been handled.
    Finished,
    /// The turn is over.
    Turn,
    /// The next message is too large for a worker.
    Large,
    Died(Reason),
    /// The handler of this message is async.
    Waits(Option<NodeId>, M),
}

/// Handles queued messages for at most a turn. If some are left, the port is scheduled again.
pub(crate) fn run<P: Port>(cell: Arc<Cell<P>>, turn: &mut Turn<'_>) {
    let _scope = current::Scope::enter(&*cell);
    let _seated = turn.begin(cell.number());
    let Some((mut state, mut queue)) = begin(&cell) else {
        return;
    };
    loop {
        let batch = guard::run(|| handle_batch(&cell, &mut state, &mut queue, turn));
        match batch.unwrap_or_else(Batch::Died) {
            Batch::Finished => match go_idle(&cell, state, queue) {
                Some(more) => (state, queue) = more,
                None => break,
            },
            Batch::Turn => {
                pause(&cell, state, queue);
                scheduler::schedule(cell);
                break;
            }
            Batch::Large => {
                pause(&cell, state, queue);
                drainer::run_elsewhere(cell);
                break;
            }
            Batch::Died(reason) => {
                die(&cell, Some(state), queue, &reason);
                break;
            }
            Batch::Waits(origin, message) => {
                let over = turn.did_one();
                match waiting::start(&cell, state, queue, origin, message) {
                    Some((state, queue)) if over => {
                        pause(&cell, state, queue);
                        scheduler::schedule(cell);
                        break;
                    }
                    Some(more) => (state, queue) = more,
                    None => break,
                }
            }
        }
    }
}

/// Takes state and queue out of the cell. `None` if the port had to be initialised, and that failed.
pub(crate) fn begin<P: Port>(cell: &Arc<Cell<P>>) -> Option<(P, Queued<P>)> {
    let mut inner = cell.lock();
    if inner.queue.is_dead() {
        return None;
    }
    if let Some(state) = inner.state.take() {
        return Some((state, take_queue(inner, None)));
    }
    let init = inner.extras.as_mut().and_then(|extras| extras.init.take());
    drop(inner);
    // A port without state and init function would be run by another thread. That cannot happen, because the caller
    // owns its work.
    let init = init?.downcast::<Init<P>>().ok()?;
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
                return None;
            }
            Some((state, take_queue(inner, None)))
        }
        Err(reason) => {
            die_unborn(cell, &reason);
            None
        }
    }
}

fn handle_batch<P: Port>(
    cell: &Arc<Cell<P>>,
    state: &mut P,
    queue: &mut Queued<P>,
    turn: &mut Turn<'_>,
) -> Batch<P::Msg> {
    let mut cx = Cx::new(cell, None);
    let timeless = cell.node().scheduler().is_timeless();
    while let Some(mut envelope) = pop(queue) {
        let (mut began, mut large) = (None, false);
        if let Envelope::Unread(kept) = envelope {
            large = kept.1.size() >= LARGE;
            if large && !turn.takes_large() {
                put_back(queue, Queue::One(Envelope::Unread(kept)));
                return Batch::Large;
            }
            began = Some(Instant::now());
            turn.next_message(CLOSURE);
            envelope = match cell.read_late(*kept) {
                Ok(Some(read)) => read,
                Ok(None) if turn.did_one() => return Batch::Turn,
                Ok(None) => continue,
                Err(reason) => return Batch::Died(reason),
            };
        }
        let handler = envelope.handler();
        turn.next_message(handler);
        if !timeless && pace::is_unknown(cell.pace(), P::record(), handler) {
            began.get_or_insert_with(Instant::now);
        }
        let done = match envelope {
            Envelope::User(message) if P::waits(&message) => return Batch::Waits(None, message),
            Envelope::User(message) => state.handle(&mut cx, message),
            Envelope::From(from) => {
                let (node, message) = *from;
                if P::waits(&message) {
                    return Batch::Waits(Some(node), message);
                }
                let mut cx = Cx::new(cell, Some(&node));
                let done = state.handle(&mut cx, message);
                cx.take_ended().map_or(done, Err)
            }
            Envelope::Job(job) => {
                let done = job(&mut cx);
                state.changed(&mut cx);
                done
            }
            Envelope::Kill(reason) => return Batch::Died(reason),
            Envelope::Unread(_) => unreachable!("it has just been read"),
        };
        if let Some(reason) = cx.take_ended().or_else(current::take_killed) {
            return Batch::Died(reason);
        }
        if let Err(reason) = done {
            return Batch::Died(reason);
        }
        // The duration of a large message says nothing about other messages.
        if let Some(began) = began
            && !large
        {
            let took = began.elapsed();
            pace::learn(cell.pace(), P::record(), handler, took);
            if pace::is_doubtful(took) {
                turn.end();
            }
        }
        if turn.did_one() {
            return Batch::Turn;
        }
    }
    Batch::Finished
}

pub(crate) fn pop<E>(queue: &mut Queue<E>) -> Option<E> {
    match queue {
        Queue::Many(envelopes) => envelopes.pop_front(),
        Queue::One(_) => match std::mem::replace(queue, Queue::Empty) {
            Queue::One(envelope) => Some(envelope),
            _ => None,
        },
        Queue::Idle | Queue::Empty | Queue::Dying(_) | Queue::Dead(_) => None,
    }
}

/// Makes the port idle, unless messages have come meanwhile; then it takes them.
fn go_idle<P: Port>(cell: &Cell<P>, state: P, done: Queued<P>) -> Option<(P, Queued<P>)> {
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
        let unused = std::mem::replace(&mut inner.queue, Queue::Idle);
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
pub(crate) fn pause<P: Port>(cell: &Cell<P>, state: P, rest: Queued<P>) {
    let mut inner = cell.lock();
    if inner.queue.is_dead() {
        // The port has perished meanwhile.
        drop(inner);
        guard::discard(state);
        return drop_queue(rest);
    }
    inner.state = Some(state);
    put_back(&mut inner.queue, rest);
    let room = inner.has_in_hand(0);
    drop(inner);
    room.wake();
}

pub(crate) fn put_back<E>(queue: &mut Queue<E>, rest: Queue<E>) {
    match rest {
        Queue::Many(rest) => queue.put_back(rest),
        Queue::One(envelope) => queue.put_back(Box::new(VecDeque::from([envelope]))),
        Queue::Idle | Queue::Empty | Queue::Dying(_) | Queue::Dead(_) => {}
    }
}

/// The extras of a port that is being spawned, with its name.
pub(crate) fn spawn_extras<P: Port>(name: Option<&str>, init: Init<P>) -> Extras {
    Extras {
        name: name.map(Into::into),
        init: Some(Box::new(init)),
        ..Extras::default()
    }
}
