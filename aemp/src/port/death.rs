//! How a port dies.

use std::sync::Arc;

use super::{
    any::AnyPort,
    cell::{Cell, Queued, take_all},
    extras::Extras,
    queue::Queue,
};
use crate::{
    Reason,
    exec::{current, work::pop},
    guard,
    message::Port,
};

/// Ends a port whose init function has failed.
pub(crate) fn die_unborn<P: Port>(cell: &Arc<Cell<P>>, reason: &Reason) {
    let unmonitored = |extras: &Extras| extras.monitors.is_empty();
    let name = match &cell.lock().extras {
        Some(extras) if unmonitored(extras) => extras.name.clone(),
        _ => None,
    };
    if let Some(name) = name {
        cell.node().remember_stillborn(name, reason.clone());
    }
    die(cell, None, Queue::Empty, reason);
}

/// Ends the port: forgets it, drops its state and what is queued, then fires its monitors.
#[cold]
pub(crate) fn die<P: Port>(
    cell: &Arc<Cell<P>>,
    state: Option<P>,
    taken: Queued<P>,
    reason: &Reason,
) {
    current::take_killed();
    let (queue, idle, extras) = take_all(cell, reason);
    let name = extras.as_ref().and_then(|extras| extras.name.clone());
    let _dying = cell.node().dying();
    cell.node().forget(&**cell, name.as_deref());
    guard::discard(state);
    guard::discard(idle);
    drop_queue(taken);
    drop_queue(queue);
    let monitored = extras.is_some_and(|extras| extras.end(reason));
    if !monitored && !reason.is_normal() {
        let port = cell.node().port_id_of(cell.number(), name.as_deref());
        let text = format_args!("unmonitored local port {port} died with reason: {reason}");
        cell.node().complain(&port, text);
    }
}

/// Drops messages one by one: two of them that panic at once would end the process.
fn drop_queue<E>(mut queue: Queue<E>) {
    while let Some(envelope) = pop(&mut queue) {
        guard::discard(envelope);
    }
}
