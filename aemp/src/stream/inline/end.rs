//! The port of an end of an inline stream, and the ways to get one: by asking the node that offers the stream, and by
//! being asked.

use std::sync::{Arc, Weak};

use aemp_codec::{NodeId, PortId, Value};
use tokio::{sync::oneshot, time::timeout};

use super::{
    super::{INLINE, Opened, StreamError, WAIT, open},
    Inline,
    error::{failure, text_of},
    flow::Flow,
    is_inline,
    message::{self, ToEnd},
};
use crate::{
    Cx, Handle, Monitor, Node, Origin, Port, Reason, guard,
    node::{
        peer::Peer,
        streams::{INLINE_OPEN, Key, Then},
    },
    port::{any::AnyPort, bound, destination::Destination, monitor::Action},
};

/// The text for a node that asks for a stream that is not offered.
const NOT_OFFERED: &str = "the stream is not expected there";

/// An end, as its user and its port share it.
pub(super) struct Shared {
    pub(super) flow: Flow,
    id: String,
    /// The node of the other end.
    other: NodeId,
    /// The port of the other end, if this end is the one that was offered. It expects the connection.
    offered_to: Option<PortId>,
}

impl Shared {
    fn key(&self) -> Key {
        let from = Some(self.other.clone());
        let id = self.id.clone();
        Key { from, id }
    }

    /// Begins the move to a connection, if it has not begun. The end that was offered expects the connection, and the
    /// other one makes it.
    pub(super) fn begin_to_move(&self, node: &Node) {
        if !self.flow.begin_to_move() {
            return;
        }
        let (sender, connection) = oneshot::channel();
        let Some(port) = &self.offered_to else {
            if self.flow.await_connection(connection) {
                let connect =
                    open::connect(node.clone(), self.other.clone(), self.id.clone(), sender);
                node.scheduler().spawn(connect);
            }
            return;
        };
        if let Err(text) = node.expect(self.key(), Then::Offer(sender), WAIT) {
            return self.flow.lose(&failure(text));
        }
        if self.flow.await_connection(connection) {
            message::connect(&node.destination(port));
        } else {
            node.forget_stream(&self.key());
        }
    }

    /// Asks for the move to a connection, once.
    pub(super) fn ask_to_move(&self, to: &Destination) {
        if self.offered_to.is_some() {
            self.begin_to_move(&to.node);
        } else if self.flow.ask_to_move() {
            message::connect(to);
        }
    }
}

/// The port of an end, which dies with this guard.
pub(super) struct Own {
    pub(super) shared: Arc<Shared>,
    pub(super) port: Handle<ToEnd>,
}

impl Own {
    fn new(node: &Node, shared: Shared, open: Option<oneshot::Sender<(PortId, u64)>>) -> Self {
        let shared = Arc::new(shared);
        let port = node.port(EndPort {
            shared: Arc::clone(&shared),
            other: shared.other.clone().into(),
            open,
        });
        let killed = Arc::clone(&shared);
        // A kill of the port, and the end of this node.
        port.monitor(move |reason| killed.flow.lose(reason))
            .detach();
        Self { shared, port }
    }

    /// Monitors a port of the other end, or its node. The loss is a job of the port, and so comes behind all messages.
    fn watch(&self, other: &Destination) -> Monitor {
        let port = self.port.to_local().map(|port| -> Weak<dyn AnyPort> {
            let port: Arc<dyn AnyPort> = port;
            Arc::downgrade(&port)
        });
        let shared = Arc::clone(&self.shared);
        let lost = move |reason: &Reason| {
            let reason = reason.clone();
            let Some(port) = port.and_then(|port| port.upgrade()) else {
                return shared.flow.lose(&reason);
            };
            let job = move |cx: &mut Cx<'_>| {
                shared.flow.lose(&reason);
                cx.kill(());
                Ok(())
            };
            bound::run_in(port, Box::new(job));
        };
        other.monitor(Action::Call(Box::new(lost)))
    }

    fn into_inline(self, to: Destination, most: u64) -> Inline {
        let monitor = self.watch(&to);
        Inline::new(self, to, monitor, most)
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        self.shared.flow.close();
        if self.shared.offered_to.is_some() {
            self.port.node().forget_stream(&self.shared.key());
        }
        // The other end's monitor fires, behind all that was sent before.
        self.port.kill(());
    }
}

/// The state of the port of an end.
struct EndPort {
    shared: Arc<Shared>,
    /// The node of the other end.
    other: PortId,
    /// Told the port of the other end.
    open: Option<oneshot::Sender<(PortId, u64)>>,
}

impl Port for EndPort {
    type Msg = ToEnd;
    type Ref = Handle<ToEnd>;

    fn handle(&mut self, cx: &mut Cx<'_>, message: ToEnd) -> Result<(), Reason> {
        // Another node could invent bytes, and the end of a whole stream.
        if !cx.is_from_node_of(&self.other) {
            complain(cx);
            return Ok(());
        }
        let flow = &self.shared.flow;
        match message {
            ToEnd::Open(port, most) => {
                let is_theirs = port.node() == self.other.node() && !port.is_node_port();
                if is_theirs && let Some(open) = self.open.take() {
                    guard::shielded(|| drop(open.send((port, most))));
                }
                Ok(())
            }
            ToEnd::Data(bytes) => flow.arrived(|arrived| arrived.data(&bytes)),
            ToEnd::End => flow.arrived(|arrived| arrived.end()),
            ToEnd::Moved(at) => flow.arrived(|arrived| arrived.moved(at)),
            ToEnd::Connect => {
                self.shared.begin_to_move(cx.node());
                Ok(())
            }
        }
    }
}

/// Logs that another node than that of the other end has sent something.
#[cold]
fn complain(cx: &Cx<'_>) {
    let from = match cx.origin() {
        Some(Origin::Node(node)) => node.to_string(),
        Some(Origin::Local) | None => "this node".into(),
    };
    let text = format_args!(
        "a message for a stream was ignored: it came from {from}, which has no part in it"
    );
    cx.node().complain(cx.id(), text);
}

/// Asks a node for a stream that it offers. `None` if it takes a connection.
pub(in crate::stream) async fn fetch(
    node: &Node,
    from: &NodeId,
    id: &str,
) -> Option<Result<Opened, String>> {
    let there = node.destination(&from.clone().into());
    if !is_inline(id) || !there.is_at_hand() {
        return None;
    }
    let (sender, opened) = oneshot::channel();
    let shared = Shared {
        flow: Flow::default(),
        id: id.into(),
        other: from.clone(),
        offered_to: None,
    };
    let own = Own::new(node, shared, Some(sender));
    // From the request on, until the other end's port is monitored.
    let _node = own.watch(&there);
    let request: Vec<Value> = vec![id.into(), own.port.id().as_str().into(), INLINE.into()];
    let _ = node.snd_to_func(from.as_str(), INLINE_OPEN, request);
    Some(match timeout(WAIT, opened).await {
        Ok(Ok((other, most))) => {
            let to = node.destination(&other);
            Ok(Opened::Inline(Box::new(own.into_inline(to, most))))
        }
        Ok(Err(_)) => {
            let reason = own.shared.flow.lost().unwrap_or_default();
            let text = text_of(&reason);
            let node = from.as_str().into();
            Err(StreamError::Unreachable { node, text }.to_string())
        }
        Err(_) => {
            let (node, within) = (from.as_str().into(), WAIT);
            Err(StreamError::TimedOut { node, within }.to_string())
        }
    })
}

impl Node {
    /// Serves a request for a stream that this node offers: (ID, port, bytes). Sends the port of this end.
    pub(crate) fn open_inline_for(&self, from: &Arc<Peer>, args: &[Value]) {
        let Some((id, port, most)) = read(args) else {
            let text = format!("{INLINE_OPEN} from {}: wrong arguments", from.id());
            return self.complain(from.id(), text);
        };
        if port.node() != from.id().as_str() || port.is_node_port() {
            let text = format!("{INLINE_OPEN} from {}: not a port of its own", from.id());
            return self.complain(from.id(), text);
        }
        let waits = is_inline(&id).then(|| self.take_offer_for_any(&id));
        let Some(waits) = waits.flatten() else {
            return self.kil(&port, failure(NOT_OFFERED));
        };
        let shared = Shared {
            flow: Flow::default(),
            id,
            other: from.id().clone(),
            offered_to: Some(port.clone()),
        };
        let inline = Own::new(self, shared, None).into_inline(self.destination(&port), most);
        inline.tell_open();
        let opened = Opened::Inline(Box::new(inline));
        guard::shielded(|| drop(waits.send(opened)));
    }
}

fn read(args: &[Value]) -> Option<(String, PortId, u64)> {
    let [id, port, most] = args else { return None };
    let port = PortId::parse(&port.text()?).ok()?;
    let most = most.text()?.parse().ok()?;
    Some((id.text()?.into_owned(), port, most))
}
