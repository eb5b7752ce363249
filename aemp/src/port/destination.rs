//! Where a message goes that is not moved into a typed queue: a port of another node, or one of this node whose
//! type is not known.

use std::sync::Arc;

use aemp_codec::{EncodeError, PacketReader, PacketWriter, PortId, Value};

use super::{
    any::AnyPort,
    monitor::{Action, Monitor},
    queue::Pushed,
};
use crate::{
    Node, Reason, Sent,
    exec::scheduler,
    message::Encoding,
    node::remote::{Remote, written},
};

#[derive(Clone)]
pub(crate) struct Destination {
    pub(crate) node: Node,
    pub(crate) id: PortId,
    /// `None`: the port is one of this node.
    pub(crate) remote: Option<Arc<Remote>>,
}

impl Destination {
    /// The port itself, if it is one of this node and alive.
    pub(crate) fn local(&self) -> Option<Arc<dyn AnyPort>> {
        match self.remote {
            Some(_) => None,
            None => self.node.find(self.id.name()),
        }
    }

    /// Sends what `write` writes: tag and arguments.
    pub(crate) fn send_with(
        &self,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Sent {
        if let Some(remote) = &self.remote {
            return Sent::from(remote.send(self.id.name(), write));
        }
        match written::values(self.node.limits(), write) {
            Ok(message) => self.deliver(message),
            Err(error) => return Sent::from(Err(error)),
        }
        Sent::ok()
    }

    /// How a message is encoded for it.
    pub(crate) fn encoding(&self) -> Encoding<'_> {
        // A port of this node is one of this project.
        let is_ours = self.remote.as_ref().is_none_or(|remote| remote.is_ours());
        Encoding::new(&self.node, is_ours)
    }

    /// Delivers a message to a port of this node.
    pub(crate) fn deliver(&self, message: Vec<Value>) {
        if self.id.is_node_port() {
            self.node.request_locally(message);
            return;
        }
        let mut message = PacketReader::values(message);
        if let Some(port) = self.node.receiver(self.id.name(), &mut message) {
            let _scope = self.node.decoding();
            // Values have no syntax that could be wrong.
            if let Ok(Pushed::Wake) = port.deliver(None, &mut message) {
                scheduler::schedule(port);
            }
        }
    }

    pub(crate) fn kill(&self, reason: Reason) {
        if let Some(remote) = &self.remote {
            remote.kill(self.id.name(), &reason);
        } else if let Some(port) = self.local() {
            super::monitor::kill(&port, reason);
        }
    }

    pub(crate) fn monitor(&self, action: Action) -> Monitor {
        if let Some(remote) = &self.remote {
            return Monitor::remote(remote, self.id.name(), action);
        }
        if self.id.is_node_port() {
            // A node's connection to itself is never lost.
            return Monitor::gone();
        }
        match self.local() {
            Some(port) => Monitor::local(&port, action),
            None => {
                super::absent::fire(action, Reason::no_such_port(self.id.as_str()), &self.node);
                Monitor::gone()
            }
        }
    }
}
