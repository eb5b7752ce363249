//! Contexts in packets ([protocol](aemp_proto::protocol::extensions#traces)).

use aemp_codec::{EncodeError, PacketWriter};
use aemp_proto::{peer::ConnId, request::Request};

use super::{
    note::{Noting, outgoing, take_way},
    now,
};
use crate::{
    Node,
    node::{delivery::heard, names, peer::Peer},
    span::{ContextError, SpanContext, Way},
};

/// The context that a packet carries, if any.
pub(crate) struct Outgoing(Option<Box<Carrying>>);

struct Carrying {
    /// The connection that takes contexts.
    conn: ConnId,
    head: Request,
}

/// The number of elements of a packet before the name of its port.
const HEAD: usize = 5;

/// Stands for the context of a span that is not sampled: its flags, and no more.
const UNSAMPLED: &str = "00";

/// Nodes with this feature take contexts, because an observer may ask them for samples at any time.
pub(crate) const TAKES_CONTEXTS: bool = true;

/// The context for a message to a port of this node. Only sampled ones travel, and no answers. Of a call of another span the
/// decision travels.
#[inline]
pub(crate) fn to_send(peer: &Peer, port: &str) -> Outgoing {
    match peer.traces() {
        Some((conn, is_asked)) if is_asked || now::any() => Outgoing(carrying(peer, conn, port)),
        _ => Outgoing(None),
    }
}

#[cold]
fn carrying(peer: &Peer, conn: ConnId, port: &str) -> Option<Box<Carrying>> {
    if port.is_empty() || names::is_reply_name(port) {
        return None;
    }
    let way = take_way();
    let context = outgoing(&peer.own_node()?)?;
    let (parent, state) = match (context.is_sampled(), way) {
        (true, _) => (context.to_string(), context.state().into()),
        (false, Way::Called) => (UNSAMPLED.into(), String::new()),
        // It would be the root of a trace of its own, about which the tracer decides anew.
        (false, _) => return None,
    };
    let head = Request::Traced {
        parent,
        state,
        called: way == Way::Called,
        port: port.into(),
    };
    Some(Box::new(Carrying { conn, head }))
}

impl Outgoing {
    /// Writes the name of the port, and the context before it.
    #[inline]
    pub(crate) fn write(
        &self,
        port: &str,
        packet: &mut PacketWriter<'_>,
    ) -> Result<(), EncodeError> {
        match &self.0 {
            None => packet.str(port),
            Some(carrying) => {
                packet.str("")?;
                carrying.head.write(packet)
            }
        }
    }

    /// The connection that the packet is written for, if it has a context, and the number of elements to leave out for
    /// any other.
    #[inline]
    pub(crate) fn only_over(&self) -> Option<(ConnId, usize)> {
        self.0.as_ref().map(|carrying| (carrying.conn, HEAD))
    }
}

/// The note of a message that has come with a context.
pub(crate) fn from_peer(
    node: &Node,
    parent: &str,
    state: &str,
    called: bool,
) -> Result<Noting, ContextError> {
    let tracing = node.tracing();
    if called && parent == UNSAMPLED {
        let unsampled = tracing.samples.unsampled();
        return Ok(Noting::new(Way::Called, unsampled, heard()));
    }
    let context: SpanContext = parent.parse()?;
    let way = match called {
        true => Way::Called,
        false => Way::Sent,
    };
    Ok(Noting::new(way, Some(context.with_state(state)?), heard()))
}
