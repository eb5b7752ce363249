//! Spans without the feature `trace`: nothing.

use std::{convert::Infallible, sync::Arc};

use aemp_codec::{EncodeError, NodeId, PacketWriter, PortId};
use aemp_proto::peer::ConnId;

use crate::{
    Node, Reason,
    message::Port,
    node::peer::Peer,
    port::{any::AnyPort, cell::Cell},
};

/// Stands for a value that lives as long as something lasts.
pub(crate) struct Nothing;

impl Nothing {
    #[inline]
    #[expect(clippy::unused_self, reason = "there are no spans")]
    pub(crate) fn leave(self) {}
}

#[derive(Default)]
pub(crate) struct Noting {}

#[inline]
pub(crate) fn is_traced(_node: &Node) -> bool {
    false
}

#[inline]
pub(crate) fn calling(_node: &Node) -> Nothing {
    Nothing
}

#[inline]
pub(crate) fn sent(_node: &Node) -> Noting {
    Noting {}
}

#[inline]
pub(crate) fn arriving(_noting: Noting) -> Nothing {
    Nothing
}

#[inline]
pub(crate) fn arrived(_node: &Node, _from: Option<&NodeId>) -> Noting {
    Noting {}
}

pub(crate) fn has_tracer(_node: &Node) -> bool {
    false
}

/// Nodes without this feature take no contexts.
pub(crate) const TAKES_CONTEXTS: bool = false;

pub(crate) fn from_peer(
    _node: &Node,
    _parent: &str,
    _state: &str,
    _called: bool,
) -> Result<Noting, Infallible> {
    Ok(Noting {})
}

pub(crate) struct Hidden;

impl Hidden {
    #[inline]
    pub(crate) fn enter() -> Self {
        Self
    }
}

#[derive(Clone)]
pub(crate) struct Carried;

#[expect(clippy::unused_self, reason = "there are no contexts")]
impl Carried {
    #[inline]
    pub(crate) fn now() -> Self {
        Self
    }

    #[inline]
    pub(crate) fn run<R>(&self, run: impl FnOnce() -> R) -> R {
        run()
    }
}

#[expect(dead_code, reason = "there are no spans")]
pub(crate) enum SpanEnd<'a> {
    Returned,
    Died(&'a Reason),
    Panicked,
    Dropped,
}

#[derive(Default)]
pub(crate) struct Task {}

#[expect(clippy::unused_self, reason = "there are no spans")]
impl Task {
    #[inline]
    pub(crate) fn new(_noting: Noting) -> Self {
        Self {}
    }

    #[inline]
    pub(crate) fn enter<P: Port>(&mut self, _cell: &Arc<Cell<P>>, _number: u32) -> Nothing {
        Nothing
    }

    #[inline]
    pub(crate) fn enter_again(&mut self) -> Nothing {
        Nothing
    }

    #[inline]
    pub(crate) fn enter_process(&mut self) -> Nothing {
        Nothing
    }

    pub(crate) fn end(&mut self, _end: SpanEnd<'_>) {}

    #[inline]
    pub(crate) fn end_of<'a>(
        &mut self,
        _port: &dyn AnyPort,
        _end: impl FnOnce() -> SpanEnd<'a>,
    ) -> Option<Reason> {
        None
    }
}

#[inline]
pub(crate) fn take_over() -> Task {
    Task {}
}

#[inline]
pub(crate) fn adopt(_next: Task) {}

pub(crate) struct Outgoing;

#[inline]
pub(crate) fn to_send(_peer: &Peer, _port: &str) -> Outgoing {
    Outgoing
}

#[expect(clippy::unused_self, reason = "there are no contexts")]
impl Outgoing {
    #[inline]
    pub(crate) fn write(
        &self,
        port: &str,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), EncodeError> {
        packet.str(port)
    }

    #[inline]
    pub(crate) fn only_over(&self) -> Option<(ConnId, usize)> {
        None
    }
}

#[inline]
pub(crate) fn killed(_port: &dyn AnyPort, _reason: &Reason) {}

#[inline]
pub(crate) fn killed_far(_node: &Node, _port: &PortId, _reason: &Reason) {}

#[inline]
pub(crate) fn monitor_fired(_node: &Node, _port: impl FnOnce() -> PortId, _reason: &Reason) {}

#[inline]
pub(crate) fn restarted(_supervisor: &dyn AnyPort, _children: u64) {}

pub(crate) fn connected(_node: &Node, _other: &NodeId, _again: bool) {}

pub(crate) fn disconnected(_node: &Node, _other: &NodeId, _text: &str) {}
