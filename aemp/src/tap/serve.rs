//! The tapped side.

use std::sync::Arc;

use aemp_codec::{PortId, Value};
use tokio::sync::Notify;

use super::{TAP, TappedPacket, taps::Filter};
use crate::{
    Args, Node, Origin, WeakNode, args,
    node::{log::Remark, registry::Function, short},
    passing::{self, Supply, queue::Next},
};
use aemp_proto::mesh::Level;

/// The function of this name, if the program has none.
pub(crate) fn built_in(node: &Node, name: &str) -> Option<Function> {
    let node = node.clone();
    (name == TAP)
        .then(|| -> Function { Arc::new(move |origin, args| serve(&node, &origin, &args)) })
}

/// A call of [`TAP`]: `(VERSION, PORT, NAME, TAG)`. An empty name stands for all packets, an empty tag for all tags.
struct Request {
    to: PortId,
    filter: Filter,
}

impl Request {
    fn read(node: &Node, origin: &Origin, args: &[Value]) -> Result<Self, String> {
        let text = |place: usize| args.get(place).and_then(Value::text).unwrap_or_default();
        let port = text(1);
        let to = PortId::parse(&port).map_err(|error| format!("{:?}: {error}", short(&port)))?;
        let owner = match origin {
            Origin::Local => node.id(),
            Origin::Node(from) => from,
        };
        // Another node could be flooded otherwise.
        if to.node() != owner.as_str() || to.is_node_port() {
            return Err(format!("{:?} is no port of the asking node", short(&port)));
        }
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let filter = Filter {
            port: some(&text(2)),
            tag: some(&text(3)),
        };
        Ok(Self { to, filter })
    }
}

fn serve(node: &Node, origin: &Origin, args: &Args) {
    let request = match Request::read(node, origin, args) {
        Ok(request) => request,
        Err(text) => {
            let from = match origin {
                Origin::Local => "this node",
                Origin::Node(from) => from.as_str(),
            };
            return node.complain(from, format_args!("{TAP} from {from}: {text}"));
        }
    };
    let to = request.to.clone();
    if let Err(text) = open(node, request) {
        node.relay(&to, args!["refused", text]);
    }
}

/// Opens a tap until its port dies. The error is the reason why it is not opened.
fn open(node: &Node, request: Request) -> Result<(), String> {
    let Request { to, filter } = request;
    if node.net().is_none() {
        return Err("the node has no network".into());
    }
    let tapped = filter.port.clone();
    let id = node.taps().add(&to, filter)?;
    let tapped = tapped.as_deref().unwrap_or("all ports");
    let text = format!("{to} taps the messages of {tapped}");
    node.remark(Remark::new(Level::Info, text).of(to.to_string()));
    node.relay(&to, args!["open"]);
    let packets = Packets {
        node: node.downgrade(),
        id,
        ready: node.taps().ready(id),
    };
    passing::start(node, to, packets);
    Ok(())
}

/// The packets of one tap. Dropping it closes the tap.
struct Packets {
    node: WeakNode,
    id: u64,
    ready: Arc<Notify>,
}

impl Supply for Packets {
    async fn ready(&self) {
        self.ready.notified().await;
    }

    fn next(&self, node: &Node) -> Option<Vec<Value>> {
        match node.taps().next(self.id) {
            Next::One(packet) => Some(message(&packet)),
            Next::Lost(lost) => Some(args!["lost", lost]),
            Next::Nothing => None,
        }
    }
}

impl Drop for Packets {
    fn drop(&mut self) {
        if let Some(node) = self.node.upgrade() {
            node.taps().remove(self.id);
        }
    }
}

/// The message about a packet: `["packet", DIRECTION, NODE, PORT, TIME, MESSAGE]`.
fn message(packet: &TappedPacket) -> Vec<Value> {
    args![
        "packet",
        packet.direction.name(),
        packet.node.as_str(),
        packet.port.as_str(),
        packet.time,
        packet.message.clone()
    ]
}
