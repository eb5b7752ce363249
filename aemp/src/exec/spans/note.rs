//! The notes of queued messages.

use std::cell::{Cell, RefCell};

use aemp_codec::NodeId;
use tokio::time::Instant;

use super::{
    now::{self, in_tracer, is_in_tracer},
    sample,
};
use crate::{
    Node,
    exec::{current as running, seat},
    node::delivery::heard,
    span::{SpanContext, Way},
};

/// The facts about a message that its span needs.
pub(crate) struct Note {
    /// The time at which it was sent here, or has arrived.
    pub(super) heard: Instant,
    pub(super) from: Option<NodeId>,
    pub(super) way: Way,
    pub(super) sender: Option<SpanContext>,
}

/// The note of a message. Messages of a node without a tracer have none, unless they belong to a sample.
#[derive(Default)]
pub(crate) struct Noting(pub(super) Option<Box<Note>>);

impl Noting {
    pub(super) fn new(way: Way, sender: Option<SpanContext>, heard: Instant) -> Self {
        Self(Some(Box::new(Note {
            heard,
            from: None,
            way,
            sender,
        })))
    }

    pub(crate) fn is_some(&self) -> bool {
        self.0.is_some()
    }
}

thread_local! {
    /// True if the message that is sent next is a call.
    static CALLING: Cell<bool> = const { Cell::new(false) };
    /// The note of the message that is delivered next.
    static ARRIVING: RefCell<Noting> = const { RefCell::new(Noting(None)) };
}

/// True if messages that are sent here need notes: the node has a tracer, or the running code has a context, or a sample is
/// wanted.
#[inline]
pub(crate) fn is_traced(node: &Node) -> bool {
    let tracing = node.tracing();
    tracing.has_tracer() || now::any() || tracing.samples.is_armed()
}

/// True if the node has a tracer of the program.
pub(crate) fn has_tracer(node: &Node) -> bool {
    node.tracing().has_tracer()
}

/// While this value lives, the next message of this thread is a call.
pub(crate) struct Calling(bool);

#[inline]
pub(crate) fn calling(node: &Node) -> Calling {
    let traced = is_traced(node);
    if traced {
        CALLING.set(true);
    }
    Calling(traced)
}

impl Drop for Calling {
    #[inline]
    fn drop(&mut self) {
        if self.0 {
            CALLING.set(false);
        }
    }
}

/// The way of the message that is being sent.
pub(super) fn take_way() -> Way {
    match CALLING.replace(false) {
        true => Way::Called,
        false => Way::Sent,
    }
}

/// The context of a message that is being sent.
pub(super) fn outgoing(node: &Node) -> Option<SpanContext> {
    if is_in_tracer() {
        return None;
    }
    let own = now::current();
    // Within a port without a span, another library may still see that of the caller that runs the port in place. The task
    // of a connection is none of foreign code.
    let may_ask = own.is_some() || !running::runs_port() && !seat::is_delivering();
    let tracer = node.tracing().tracer.as_ref().filter(|_| may_ask);
    let told = tracer.and_then(|tracer| in_tracer(|| tracer.current()).flatten());
    match told {
        Some(told) => Some(sample::carry(told, own.as_ref())),
        None => own,
    }
}

/// The note of a message that this node sends to a port of its own.
#[inline]
pub(crate) fn sent(node: &Node) -> Noting {
    match is_traced(node) {
        true => note_sent(node),
        false => Noting(None),
    }
}

#[cold]
fn note_sent(node: &Node) -> Noting {
    if is_in_tracer() || !is_wanted(node) {
        return Noting(None);
    }
    let way = take_way();
    Noting::new(way, outgoing(node), Instant::now())
}

/// False if the message would be no more than a sample, and comes from the middle of a request.
fn is_wanted(node: &Node) -> bool {
    let tracing = node.tracing();
    let is_within = || running::runs_port() || seat::is_delivering();
    tracing.has_tracer() || now::any() || tracing.samples.takes_any() || !is_within()
}

/// While this value lives, the next message that is delivered has this note.
pub(crate) struct Arriving(bool);

#[inline]
pub(crate) fn arriving(noting: Noting) -> Arriving {
    let is_some = noting.is_some();
    if is_some {
        ARRIVING.set(noting);
    }
    Arriving(is_some)
}

impl Drop for Arriving {
    #[inline]
    fn drop(&mut self) {
        if self.0 {
            ARRIVING.take();
        }
    }
}

/// The note of a message that is delivered to a port of the node, from another node or from this one.
#[inline]
pub(crate) fn arrived(node: &Node, from: Option<&NodeId>) -> Noting {
    let tracing = node.tracing();
    let is_noted = tracing.has_tracer()
        || from.is_some() && tracing.samples.takes_any()
        || ARRIVING.with_borrow(Noting::is_some);
    match is_noted {
        true => note_arrived(from),
        false => Noting(None),
    }
}

#[cold]
fn note_arrived(from: Option<&NodeId>) -> Noting {
    let mut noting = ARRIVING.take();
    if !noting.is_some() {
        noting = Noting::new(Way::Unknown, None, heard());
    }
    if let Some(note) = &mut noting.0 {
        note.from = from.cloned();
    }
    noting
}
