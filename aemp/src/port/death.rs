//! The death of a port.
//!
//! A port is alive, dying, or dead, as variants of its queue. It is *dying* from the decision of its end: messages to
//! it vanish, it is no longer counted or listed, and its state, its queue and everything bound to it are dropped, which
//! may take as long as the user's code likes. Then its monitors fire, one by one. Each stays in the port until its
//! turn, and is taken under the port's lock and run outside. So a monitor whose guard is dropped in the meantime does
//! not fire, and a monitor that is set in the meantime gets the reason as well. The port is *dead* as soon as the last
//! of its monitors is about to fire. Code that has heard of the death, and then asks again, gets `no_such_port`.

use std::sync::Arc;

use super::{
    any::AnyPort,
    cell::{Cell, Queued, begin_to_die},
    queue::Queue,
};
use crate::{
    Node, Reason,
    exec::{current, work::pop},
    guard,
    message::Port,
};

/// Ends a port whose init function has failed.
pub(crate) fn die_unborn<P: Port>(cell: &Arc<Cell<P>>, reason: &Reason) {
    // Before it is seen to die: who finds it dead finds this.
    cell.node().remember_stillborn(&**cell, reason);
    die(cell, None, Queue::Empty, reason);
}

/// Ends the port: drops its state, what is queued and what belongs to it, then fires its monitors.
#[cold]
pub(crate) fn die<P: Port>(
    cell: &Arc<Cell<P>>,
    state: Option<P>,
    taken: Queued<P>,
    reason: &Reason,
) {
    current::take_killed();
    let node = cell.node();
    let (queue, idle, extras) = begin_to_die(cell, reason);
    // The sender of a message that is found dropped finds that the port does not count any more.
    node.retire(cell.number());
    guard::discard(state);
    guard::discard(idle);
    drop_queue(taken);
    drop_queue(queue);
    if let Some(extras) = extras {
        extras.end(reason);
    }
    let bare = cell.is_dead_if_bare();
    let monitored = !bare && fire_monitors(cell, reason);
    let name = if bare { None } else { cell.tidy() };
    // A task that waits for the last port to be forgotten finds everything done.
    if !monitored && !reason.is_normal() {
        complain(node, &**cell, reason);
    }
    node.forget(&**cell, name.as_deref());
}

/// Fires what monitors the port, one after the other in the order in which they were set, each outside of the port's lock.
/// Whether there was any.
fn fire_monitors<P: Port>(cell: &Cell<P>, reason: &Reason) -> bool {
    // Those that are set while these fire hear the reason, too. But not those that are set while *they* fire: a callback that
    // monitors the port again would be called for ever.
    let last = cell.last_monitor();
    let mut next = cell.next_monitor(last);
    let any = next.is_some();
    while let Some(action) = next {
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

/// Drops messages one by one: two of them that panic at once would end the process.
pub(crate) fn drop_queue<E>(mut queue: Queue<E>) {
    while let Some(envelope) = pop(&mut queue) {
        guard::discard(envelope);
    }
}
