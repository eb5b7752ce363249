//! The facts about a span: its begin, and its end.

use std::{borrow::Cow, time::Duration};

use aemp_codec::{NodeId, PortId};

use super::SpanContext;
use crate::Reason;

/// The way in which a message has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Way {
    /// It was sent, and no caller waits. Its span is the root of a trace of its own, with a link to the span of
    /// the sender. A port that sends to itself would otherwise make one trace without an end.
    Sent,
    /// It was called. Its span is a child of the caller's.
    Called,
    /// It has come from another node without a context, so that is not known.
    Unknown,
}

/// A handler that is about to run.
#[derive(Debug)]
#[non_exhaustive]
pub struct Handling<'a> {
    /// The node of the port.
    pub node: &'a NodeId,
    /// The port.
    pub port: PortId,
    /// The name of the type of the port's state, with the path of its module.
    pub port_type: &'static str,
    /// The name of the handler. For a port whose handlers are closures, it is `(untyped)`.
    pub handler: &'static str,
    /// The name of the handler again, or, for a port whose handlers are closures, the beginning of the message's tag. That is
    /// a text of the sender, which may be any.
    pub tag: Cow<'a, str>,
    /// The node that has sent the message, if it is another one.
    pub from: Option<&'a NodeId>,
    /// The way in which the message has come.
    pub way: Way,
    /// The span of the code that has sent the message, as far as it is known. If a span of another node has called that is not
    /// sampled, no more than that is known, and the IDs are made up.
    pub sender: Option<&'a SpanContext>,
    /// The time since the message was sent by this node, or has arrived at it.
    pub waited: Duration,
}

/// The end of a handler.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum End<'a> {
    /// It has returned.
    Returned,
    /// It has ended its port: by an error, or by a kill.
    Died(&'a Reason),
    /// It has panicked, and its port dies.
    Panicked,
    /// It was dropped before its end, or has not begun: its port was killed, or no caller waits any more.
    Dropped,
}
