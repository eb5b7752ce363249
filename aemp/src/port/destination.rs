//! Destinations of messages outside of a typed queue: ports of another node, and ports of this node of unknown type.
//!
//! `Node::node_port` is the only function that makes a node of a text: this node, another node, the node of a port ID,
//! or an error. The empty ID is the ID of a node without a network. It means that node to itself, and no node to every
//! other node (`Way::Nowhere`).

use std::{sync::Arc, time::Duration};

use aemp_codec::{EncodeError, IdError, PacketReader, PacketWriter, PortId, Value};

use super::{
    any::AnyPort,
    monitor::{Action, Monitor},
    queue::Pushed,
};
use crate::{
    Node, Reason, SendError, Sent,
    exec::{
        scheduler,
        spans::{self, Noting},
    },
    message::{Encoding, Message},
    node::{
        names,
        peer::{Peer, credit::Told, written},
    },
};

#[derive(Clone)]
pub(crate) struct Destination {
    pub(crate) node: Node,
    pub(crate) id: PortId,
    /// The offset of the port's name in the ID.
    name_at: usize,
    pub(crate) way: Way,
    /// Reports of the port's node about its room.
    pub(crate) told: Told,
}

/// The way to a port.
#[derive(Clone)]
pub(crate) enum Way {
    /// The port belongs to this node.
    Here,
    There(Arc<Peer>),
    /// There is no way: the port belongs to another node that has no network.
    Nowhere,
}

impl Destination {
    pub(crate) fn new(node: &Node, id: &PortId, way: Way) -> Self {
        Self {
            node: node.clone(),
            id: id.clone(),
            name_at: id.as_str().len() - id.name().len(),
            way,
            told: Told::default(),
        }
    }

    /// The port's name on its node.
    pub(crate) fn name(&self) -> &str {
        &self.id.as_str()[self.name_at..]
    }

    /// The port itself, if it belongs to this node and is alive or dying.
    pub(crate) fn local(&self) -> Option<Arc<dyn AnyPort>> {
        match self.way {
            Way::Here => self.node.find(self.name()),
            Way::There(_) | Way::Nowhere => None,
        }
    }

    /// True if it is a node's own port, which takes a message as a request of the sending node.
    pub(crate) fn is_node_port(&self) -> bool {
        self.name().is_empty()
    }

    /// The result of a message that a node port must not get. It is logged as a complaint, at a limited rate, because
    /// peers can cause it at will by the port IDs that they send.
    #[cold]
    pub(crate) fn no_port(&self) -> Sent {
        let error = SendError::NodePort(self.id.clone());
        self.node
            .complain(&self.id, format_args!("a message was not sent: {error}"));
        Sent::from(Err(error))
    }

    /// The other node, if the port belongs to one.
    pub(crate) fn peer(&self) -> Option<&Arc<Peer>> {
        match &self.way {
            Way::There(peer) => Some(peer),
            Way::Here | Way::Nowhere => None,
        }
    }

    /// True if a message would be sent now: it belongs to this node, or to one that is connected.
    pub(crate) fn is_at_hand(&self) -> bool {
        match &self.way {
            Way::Here => true,
            Way::There(peer) => peer.state().is_up(),
            Way::Nowhere => false,
        }
    }

    /// The result of a message without a way. Peers can cause it at will by messages that are relayed.
    pub(crate) fn nowhere(&self) -> Sent {
        let error = SendError::NoNode {
            name: self.id.node().into(),
            problem: IdError::Empty,
        };
        let text = format_args!("a message to {} was not sent: {error}", self.id);
        self.node.complain(&self.id, text);
        Sent::from(Err(error))
    }

    /// Sends a message, tag first.
    pub(crate) fn send_values(&self, message: Vec<Value>) -> Sent {
        match self.way {
            Way::Here => {
                self.deliver(message, spans::sent(&self.node));
                return Sent::ok();
            }
            Way::There(_) => {}
            Way::Nowhere => return self.nowhere(),
        }
        let sent = self.send_with(|out| message.iter().try_for_each(|value| out.value(value)));
        sent.log("a message", &self.id);
        sent
    }

    /// Sends the tag and arguments that `write` writes.
    pub(crate) fn send_with(
        &self,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Sent {
        match &self.way {
            Way::Here => {}
            Way::There(peer) => return Sent::from(peer.send(self.name(), write)),
            Way::Nowhere => return self.nowhere(),
        }
        // Writing runs code of the user, which may send as well.
        let noting = spans::sent(&self.node);
        match written::values(self.node.limits(), write) {
            Ok(message) => self.deliver(message, noting),
            Err(error) => return Sent::from(Err(error)),
        }
        Sent::ok()
    }

    /// Sends a typed message.
    #[inline]
    pub(crate) fn send_message<M: Message>(&self, message: M) -> Sent {
        if self.is_node_port() {
            return self.no_port();
        }
        // The message stays in place until it is encoded: it may be large, and the closure is passed through several
        // functions.
        let mut message = Some(message);
        self.send_with(|out| match message.take() {
            Some(message) => message.encode(out, &mut self.encoding()),
            None => Ok(()),
        })
    }

    /// True if the port's node reads the time limits of calls.
    pub(crate) fn reads_deadlines(&self) -> bool {
        self.peer().is_none_or(|peer| peer.reads_deadlines())
    }

    /// The context for encoding a message to this port.
    pub(crate) fn encoding(&self) -> Encoding<'_> {
        // A port of this node counts as one of this project.
        let is_ours = self.peer().is_none_or(|peer| peer.is_ours());
        Encoding::new(&self.node, is_ours, self.reads_deadlines())
    }

    /// Delivers a message to a port of this node.
    fn deliver(&self, message: Vec<Value>, noting: Noting) {
        if self.is_node_port() {
            self.node.request_locally(message);
            return;
        }
        let mut message = PacketReader::values(message);
        if let Some(port) = self.node.receiver(self.name(), &mut message) {
            let _scope = self.node.decoding();
            let _arriving = spans::arriving(noting);
            // Values have no syntax, so there is no error.
            if let Ok(Pushed::Wake) = port.deliver(None, &mut message) {
                scheduler::schedule(port);
            }
        }
    }

    pub(crate) fn kill(&self, reason: Reason) {
        if let Some(peer) = self.peer() {
            if !names::is_reply_name(self.name()) {
                spans::killed_far(&self.node, &self.id, &reason);
            }
            peer.kill(self.name(), &reason);
        } else if let Some(port) = self.local() {
            super::monitor::kill(&port, reason);
        }
    }

    pub(crate) fn stop(&self, within: Option<Duration>) {
        if let Some(peer) = self.peer() {
            peer.stop_port(&self.node, self.name(), within);
        } else if let Some(port) = self.local() {
            super::stop::stop(&port, within);
        }
    }

    pub(crate) fn monitor(&self, action: Action) -> Monitor {
        match &self.way {
            Way::Here => {}
            Way::There(peer) => return Monitor::peer(peer, self.name(), action),
            Way::Nowhere => {
                let text = "a node without a name cannot be reached";
                action.fire(&Reason::transport_error(self.id.node(), text));
                return Monitor::gone();
            }
        }
        if self.is_node_port() {
            // A node's connection to itself is never lost.
            return Monitor::gone();
        }
        match self.local() {
            Some(port) => Monitor::local(&port, action),
            None => {
                super::absent::fire(action, self.node.epitaph(&self.id), &self.node);
                Monitor::gone()
            }
        }
    }
}
