//! The run of a port: it handles its queue, one message at a time.

use std::{sync::Arc, time::Instant};

use aemp_codec::NodeId;

use super::{
    current,
    drainer::{self, Turn},
    ending,
    held::{Begun, begin, go_idle, pause},
    pace::{self, CLOSURE},
    scheduler,
    slice::LARGE,
    tally::Timer,
    waiting::{self, First, Last, Next},
};
use crate::{
    Cx, Reason, guard,
    message::Port,
    port::{
        any::AnyPort,
        cell::{Cell, Envelope, Queued},
        death::die,
        extras::Extras,
        queue::Queue,
    },
};

/// The end of a batch of messages.
pub(crate) enum Batch<M> {
    /// All messages have been handled.
    Finished,
    /// The turn is over.
    Turn,
    /// The next message is too large for a worker.
    Large,
    Died(Reason),
    /// The port was stopped.
    Stopped,
    /// A handler has panicked, so the state is not to be trusted.
    Panicked(Reason),
    /// The handler of this message is async.
    Waits(Option<NodeId>, M, Timer),
}

/// Handles queued messages for at most a turn. If some are left, the port is scheduled again.
pub(crate) fn run<P: Port>(cell: Arc<Cell<P>>, turn: &mut Turn<'_>) {
    let _scope = current::Scope::enter(&*cell);
    let _seated = turn.begin(cell.number());
    let begun = match begin(&cell) {
        Begun::Ready(state, queue) => Some((state, queue)),
        Begun::New(state) => begin_life(&cell, state),
        Begun::Over => None,
    };
    let Some((mut state, mut queue)) = begun else {
        return;
    };
    loop {
        let batch = guard::run(|| handle_batch(&cell, &mut state, &mut queue, turn));
        match batch.unwrap_or_else(Batch::Panicked) {
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
                ending::end(&cell, state, queue, reason);
                break;
            }
            Batch::Stopped => {
                stop(&cell, state, queue);
                break;
            }
            Batch::Panicked(reason) => {
                die(&cell, Some(state), queue, &reason);
                break;
            }
            Batch::Waits(origin, message, timer) => {
                let over = turn.did_one();
                match waiting::start(&cell, state, queue, origin, Next(message, timer)) {
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

fn handle_batch<P: Port>(
    cell: &Arc<Cell<P>>,
    state: &mut P,
    queue: &mut Queued<P>,
    turn: &mut Turn<'_>,
) -> Batch<P::Msg> {
    let mut cx = Cx::new(cell, None);
    let timeless = cell.node().scheduler().is_timeless();
    let tally = turn.tally::<P>();
    while let Some(mut envelope) = queue.pop() {
        let (mut began, mut large) = (None, false);
        if let Envelope::Unread(kept) = envelope {
            large = kept.1.size() >= LARGE;
            if large && !turn.takes_large() {
                queue.put_back(Queue::One(Envelope::Unread(kept)));
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
        let learns =
            began.is_some() || !timeless && pace::is_unknown(cell.pace(), P::record(), handler);
        let weight = tally.begin(handler, learns);
        if learns || !timeless && weight.is_timed() {
            began.get_or_insert_with(Instant::now);
        }
        let done = match envelope {
            Envelope::User(message) if P::waits(&message) => {
                return Batch::Waits(None, message, Timer::start(weight, began));
            }
            Envelope::User(message) => state.handle(&mut cx, message),
            Envelope::From(from) => {
                let (node, message) = *from;
                if P::waits(&message) {
                    return Batch::Waits(Some(node), message, Timer::start(weight, began));
                }
                let mut cx = Cx::new(cell, Some(&node));
                let done = state.handle(&mut cx, message);
                cx.take_ended().map_or(done, Err)
            }
            Envelope::Job(job) => run_closure(state, &mut cx, |_, cx| job(cx)),
            Envelope::Act(act) => run_closure(state, &mut cx, |state, cx| act(state, cx)),
            Envelope::Kill(reason) => return Batch::Died(reason),
            Envelope::Stop => return Batch::Stopped,
            Envelope::Unread(_) => unreachable!("it has just been read"),
        };
        if let Some(reason) = cx.take_ended().or_else(current::take_killed) {
            return Batch::Died(reason);
        }
        if let Err(reason) = done {
            return Batch::Died(reason);
        }
        if let Some(began) = began {
            let took = began.elapsed();
            tally.took(handler, weight, took);
            // The duration of a large message says nothing about other messages.
            if learns && !large {
                pace::learn(cell.pace(), P::record(), handler, took);
                if pace::is_doubtful(took) {
                    turn.end();
                }
            }
        }
        if turn.did_one() {
            return Batch::Turn;
        }
    }
    Batch::Finished
}

/// Runs a closure in the context of the port. Apart from `handle_batch`, whose loop is for messages.
#[inline(never)]
fn run_closure<P: Port>(
    state: &mut P,
    cx: &mut Cx<'_>,
    closure: impl FnOnce(&mut P, &mut Cx<'_>) -> Result<(), Reason>,
) -> Result<(), Reason> {
    let done = closure(state, cx);
    state.changed(cx);
    done
}

/// Ends the port normally, when no handler runs beside it any more.
#[cold]
fn stop<P: Port>(cell: &Arc<Cell<P>>, state: P, rest: Queued<P>) {
    let is_busy = cell
        .lock()
        .extras
        .as_deref()
        .is_some_and(Extras::is_busy_beside);
    if is_busy {
        let none = waiting::start(cell, state, rest, None, Last);
        debug_assert!(none.is_none(), "the port ends when the wait has ended");
    } else {
        ending::end(cell, state, rest, Reason::normal());
    }
}

/// Runs the `#[start]` method of a new port. Apart from `run`, so that ports without one do not pay for its size.
#[cold]
#[inline(never)]
fn begin_life<P: Port>(cell: &Arc<Cell<P>>, state: P) -> Option<(P, Queued<P>)> {
    waiting::start(cell, state, Queue::Empty, None, First)
}
