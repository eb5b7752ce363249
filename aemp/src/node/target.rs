//! The destination that a caller means.

use aemp_codec::{NodeId, PortId};

use super::Node;
use crate::{
    SendError,
    port::destination::{Destination, Way},
};

impl Node {
    /// The node port of a node, which is given by its ID or by the ID of one of its ports.
    ///
    /// # Errors
    ///
    /// [`SendError::NoNode`] for a text that is neither. The empty text is the ID of a node without a network, and
    /// valid only there.
    pub(crate) fn node_port(&self, node: &str) -> Result<PortId, SendError> {
        let id = match node.split_once('#') {
            Some((node, _)) => node,
            None => node,
        };
        if id == self.id().as_str() {
            return Ok(PortId::from(self.id().clone()));
        }
        let id = NodeId::new(id).map_err(|problem| SendError::NoNode {
            name: node.into(),
            problem,
        })?;
        Ok(PortId::from(id))
    }

    /// The ID of a node, which is given as for [`node_port`](Self::node_port).
    pub(crate) fn node_named(&self, node: &str) -> Option<NodeId> {
        self.node_port(node).ok().map(|port| port.node_id())
    }

    /// The destination of messages to a port.
    pub(crate) fn destination(&self, id: &PortId) -> Destination {
        let way = match id.node() {
            node if node == self.id().as_str() => Way::Here,
            // The port belongs to a node without a network. No other node can reach it.
            "" => Way::Nowhere,
            node => Way::There(self.0.peers.of(self, node)),
        };
        Destination::new(self, id, way)
    }
}
