//! Events: for the present span, or else for the tracer.

use aemp_codec::{NodeId, PortId};

use super::now::{self, Now, is_in_tracer, replace};
use crate::{Node, Reason, port::any::AnyPort, span::Event};

/// The number of events that may wait for the tracer.
const MOST: usize = 1000;

/// True if an event may matter to a tracer or an observer.
#[inline]
fn is_told(node: &Node) -> bool {
    node.tracing().has_tracer() || now::any()
}

/// Tells an event. Outside of spans it may happen on a task that others depend on, so a strand calls the tracer.
#[cold]
fn report(node: &Node, event: Event) {
    if is_in_tracer() {
        return;
    }
    match replace(Now::Nothing) {
        Now::Span(mut live, entered) => {
            live.event(&event);
            drop(replace(Now::Span(live, entered)));
        }
        other => {
            drop(replace(other));
            let tracing = node.tracing();
            if let Some(tracer) = tracing.tracer.clone() {
                tracing.strand.try_run(node, MOST, move || {
                    now::in_tracer(|| tracer.event(&event));
                });
            }
        }
    }
}

/// A port of this node is killed.
#[inline]
pub(crate) fn killed(port: &dyn AnyPort, reason: &Reason) {
    let node = port.node();
    if is_told(node) {
        killed_far(node, &port.port_id(), reason);
    }
}

/// A port that is known by its ID is killed.
#[inline]
pub(crate) fn killed_far(node: &Node, port: &PortId, reason: &Reason) {
    if is_told(node) {
        let (port, reason) = (port.clone(), reason.clone());
        report(node, Event::Kill { port, reason });
    }
}

/// A monitor fires.
#[inline]
pub(crate) fn monitor_fired(node: &Node, port: impl FnOnce() -> PortId, reason: &Reason) {
    if is_told(node) {
        let (port, reason) = (port(), reason.clone());
        report(node, Event::Monitor { port, reason });
    }
}

/// A supervisor starts children again.
#[inline]
pub(crate) fn restarted(supervisor: &dyn AnyPort, children: u64) {
    let node = supervisor.node();
    if children > 0 && is_told(node) {
        let supervisor = supervisor.port_id();
        let event = Event::Restart {
            supervisor,
            children,
        };
        report(node, event);
    }
}

/// A connection to another node is up.
pub(crate) fn connected(node: &Node, other: &NodeId, again: bool) {
    if is_told(node) {
        let other = other.clone();
        report(node, Event::Connect { node: other, again });
    }
}

/// The connection to another node is lost.
pub(crate) fn disconnected(node: &Node, other: &NodeId, text: &str) {
    if is_told(node) {
        let (other, text) = (other.clone(), text.to_owned());
        report(node, Event::Disconnect { node: other, text });
    }
}
