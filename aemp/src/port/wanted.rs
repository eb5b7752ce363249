//! Calls whose answer no caller wants any more: `#[rcv(wanted)]`.
//!
//! The check is made when the handler would begin, so it covers the whole wait: in the queue, and for a place among
//! concurrent handlers. A call is not handled if its caller is known to have left, or if its deadline is over. It is
//! counted, at the node and by handler.
//!
//! *The default is to handle.* A call is a message as well: it may change the state, and later messages of its sender may
//! build on it. A future that is dropped in a `select!` must not take back, unseen, a message that was sent. So the handler's
//! author says that the handler exists for its answer alone. (Orleans drops expired messages by default; Erlang and Akka
//! handle everything.)
//!
//! Dangers: a caller that repeats a call after its time limit may still have it done twice, because its first call may
//! have begun. Left out: Perl callers, which report neither deadlines nor that they have left; their calls are handled.

use std::sync::atomic::Ordering;

use crate::{Cx, Node, Reply, exec::tally, message::Port};

/// The reply, if the caller may still wait for it. Otherwise the call ends here and is counted.
pub fn wanted<P: Port, T>(cx: &Cx<'_>, handler: u32, reply: Reply<T>) -> Option<Reply<T>> {
    if reply.is_awaited() {
        return Some(reply);
    }
    skip::<P>(cx.node(), handler);
    reply.give_up();
    None
}

/// Counts a call that is not handled.
#[cold]
pub(super) fn skip<P: Port>(node: &Node, handler: u32) {
    let unwanted = node.scheduler().unwanted();
    unwanted.fetch_add(1, Ordering::Relaxed);
    tally::unwanted::<P>(node, handler);
}
