//! The death of a port.
//!
//! A port is alive, dying, or dead, as variants of its queue. It is *dying* from the decision of its end: messages to
//! it vanish, it is no longer counted or listed, and its state, its queue and everything bound to it are dropped, which
//! may take as long as the user's code likes. A `#[stop]` method runs before that (`exec/ending.rs`). Then its monitors
//! fire, one by one. Each stays in the port until its turn, and is taken under the port's lock and run outside. So a
//! monitor whose guard is dropped in the meantime does not fire, and a monitor that is set in the meantime gets the
//! reason as well. The port is *dead* as soon as the last of its monitors is about to fire. Code that has heard of the
//! death, and then asks again by the port's ID, gets `no_such_port`. A holder of the port gets the reason, which stays
//! in the cell.

use std::sync::Arc;

use super::{
    any::AnyPort,
    cell::{Cell, Queued, begin_to_die},
    extras::{Extras, Kept},
    queue::Queue,
};
use crate::{
    Node, Reason,
    exec::{current, spans, tally},
    guard,
    message::Port,
};

/// Ends a port whose init function has failed.
pub(crate) fn die_unborn<P: Port>(cell: &Arc<Cell<P>>, reason: &Reason) {
    // Recorded before the port is seen to die, so that a monitor that is set too late finds the reason.
    cell.node().remember_stillborn(&**cell, reason);
    die(cell, None, Queue::Empty, reason);
}

/// Ends the port: drops its state, its queue and everything bound to it, and then fires its monitors.
#[cold]
pub(crate) fn die<P: Port>(
    cell: &Arc<Cell<P>>,
    state: Option<P>,
    taken: Queued<P>,
    reason: &Reason,
) {
    if let Some(parts) = begin(cell, taken, reason) {
        finish(cell, state, parts, reason);
    } else {
        guard::discard(state);
    }
}

/// The parts of a dying port that end with it.
pub(crate) struct Parts<P> {
    idle: Option<P>,
    extras: Option<Extras>,
}

impl<P> Parts<P> {
    /// Cancels the handlers that run beside the port.
    pub(crate) fn end_concurrent(&mut self) {
        if let Some(extras) = &mut self.extras {
            let (_waiting, running) = extras.take_concurrent();
            running.into_iter().for_each(Kept::end);
        }
    }
}

/// Marks the port as dying, and drops its queue. `None` if it has been dying already.
pub(crate) fn begin<P: Port>(
    cell: &Cell<P>,
    taken: Queued<P>,
    reason: &Reason,
) -> Option<Parts<P>> {
    current::take_killed();
    let begun = begin_to_die(cell, reason);
    // The port is uncounted before its messages are dropped, so that their senders find it uncounted.
    if begun.is_some() {
        cell.node().retire(cell.number());
        tally::died::<P>(cell.node(), reason);
        if !reason.is_normal() {
            cell.node().record_death(cell, reason);
        }
    }
    drop_queue(taken);
    let (queue, idle, extras) = begun?;
    drop_queue(queue);
    Some(Parts { idle, extras })
}

/// Drops the parts of a dying port, and fires its monitors.
pub(crate) fn finish<P: Port>(
    cell: &Arc<Cell<P>>,
    state: Option<P>,
    parts: Parts<P>,
    reason: &Reason,
) {
    let node = cell.node();
    guard::discard(state);
    guard::discard(parts.idle);
    if let Some(extras) = parts.extras {
        extras.end(reason);
    }
    let bare = cell.is_dead_if_bare();
    let monitored = !bare && fire_monitors(cell, reason);
    let name = if bare { None } else { cell.tidy() };
    // The node may be waiting for its last port to be forgotten. Everything is done by then.
    if !monitored && !reason.is_normal() {
        complain(node, &**cell, reason);
    }
    node.forget(&**cell, name.as_deref());
}

/// Fires the port's monitors in the order in which they were set, each outside of the port's lock. Returns whether
/// there were any.
fn fire_monitors<P: Port>(cell: &Cell<P>, reason: &Reason) -> bool {
    // A monitor that is set while these fire gets the reason as well. One that is set while *those* fire does not: a
    // callback that monitors the port again would otherwise be called for ever.
    let last = cell.last_monitor();
    let mut next = cell.next_monitor(last);
    let any = next.is_some();
    while let Some(action) = next {
        spans::monitor_fired(cell.node(), || cell.node().local_port_id(cell), reason);
        action.fire(reason);
        next = cell.next_monitor(last);
    }
    any
}

fn complain(node: &Node, port: &dyn AnyPort, reason: &Reason) {
    let port = port.port_id();
    let text = format_args!("unmonitored local port {port} died with reason: {reason}");
    node.complain(&port, text);
}

/// Drops messages one by one, because two panics at once would abort the process.
pub(crate) fn drop_queue<E>(mut queue: Queue<E>) {
    while let Some(envelope) = queue.pop_any() {
        guard::discard(envelope);
    }
}
