//! The run of a port: it handles its queue, one message at a time.

use std::{sync::Arc, time::Instant};

#[cfg(feature = "trace")]
use super::spans;
use super::{
    current,
    drainer::{self, Turn},
    ending,
    held::{Begun, begin, go_idle, pause},
    pace::{self, CLOSURE},
    scheduler,
    slice::LARGE,
    waiting::{self, Code},
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
    Waits(Code<M>),
}

/// Handles queued messages for at most a turn. If some are left, the port is scheduled again.
pub(crate) fn run<P: Port>(cell: &Arc<Cell<P>>, turn: &mut Turn<'_>) {
    let _scope = current::Scope::enter(&**cell);
    let _seated = turn.begin(cell.number());
    match begin(cell) {
        Begun::Ready(state, queue) => {
            if let Some((state, queue, code)) = proceed(cell, state, queue, turn) {
                waiting::run(cell, state, queue, code, turn);
            }
        }
        Begun::New(state) => waiting::run(cell, state, Queue::Empty, Code::First, turn),
        Begun::Over => {}
    }
}

/// The state, the messages in hand, and the async code that comes next.
type Next<P> = (P, Queued<P>, Code<<P as Port>::Msg>);

/// Handles messages up to the next async handler. `None` if the port has ended, has become idle or has been scheduled
/// again.
pub(super) fn proceed<P: Port>(
    cell: &Arc<Cell<P>>,
    mut state: P,
    mut queue: Queued<P>,
    turn: &mut Turn<'_>,
) -> Option<Next<P>> {
    loop {
        let batch = guard::run(|| handle_batch(cell, &mut state, &mut queue, turn));
        match batch.unwrap_or_else(Batch::Panicked) {
            Batch::Waits(code) => return Some((state, queue, code)),
            Batch::Finished => (state, queue) = go_idle(cell, state, queue)?,
            Batch::Turn => {
                pause(cell, state, queue);
                scheduler::schedule(Arc::<Cell<P>>::clone(cell));
                return None;
            }
            Batch::Large => {
                pause(cell, state, queue);
                drainer::run_elsewhere(Arc::<Cell<P>>::clone(cell));
                return None;
            }
            Batch::Died(reason) => {
                ending::end(cell, state, queue, reason);
                return None;
            }
            Batch::Stopped => return stop(cell, state, queue),
            Batch::Panicked(reason) => {
                die(cell, Some(state), queue, &reason);
                return None;
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
    let tally = turn.tally::<P>(cell.node().scheduler());
    while let Some(mut envelope) = queue.pop() {
        let (mut began, mut large) = (None, false);
        if let Envelope::Unread(kept) = envelope {
            large = kept.packet.size() >= LARGE;
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
        envelope = match Code::of::<P>(envelope) {
            Ok(code) => return Batch::Waits(code),
            Err(envelope) => envelope,
        };
        let learns =
            began.is_some() || !timeless && pace::is_unknown(cell.pace(), P::record(), handler);
        let weight = tally.begin(handler, learns);
        if learns || !timeless && weight.is_timed() {
            began.get_or_insert_with(Instant::now);
        }
        let done = match envelope {
            Envelope::User(message) => state.handle(&mut cx, message),
            Envelope::From(from) => {
                let (node, message) = *from;
                let mut cx = Cx::new(cell, Some(&node));
                let done = state.handle(&mut cx, message);
                cx.take_ended().map_or(done, Err)
            }
            Envelope::Job(job) => run_closure(state, &mut cx, |_, cx| job(cx)),
            Envelope::Act(act) => run_closure(state, &mut cx, |state, cx| act(state, cx)),
            Envelope::Kill(reason) => return Batch::Died(reason),
            Envelope::Stop => return Batch::Stopped,
            Envelope::Unread(_) => unreachable!("it has just been read"),
            #[cfg(feature = "trace")]
            Envelope::Noted(noted) => spans::handle(cell, state, &mut cx, *noted, handler),
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

/// Ends the port normally, or returns the wait for the handlers that run beside it.
#[cold]
fn stop<P: Port>(cell: &Arc<Cell<P>>, state: P, rest: Queued<P>) -> Option<Next<P>> {
    let is_busy = cell
        .lock()
        .extras
        .as_deref()
        .is_some_and(Extras::is_busy_beside);
    if is_busy {
        return Some((state, rest, Code::Last));
    }
    ending::end(cell, state, rest, Reason::normal());
    None
}
