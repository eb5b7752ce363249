//! The receiver that a caller means.

use aemp_codec::{NodeId, PortId};

use super::Node;
use crate::{
    SendError,
    port::destination::{Destination, Way},
};

impl Node {
    /// The node port of a node that a caller has named, by its ID or by that of any of its ports.
    ///
    /// # Errors
    ///
    /// A text that is neither, and names nobody. The empty one is the ID of a node without a network alone.
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

    /// The ID of the node that a caller has named; see [`node_port`](Self::node_port).
    pub(crate) fn node_named(&self, node: &str) -> Option<NodeId> {
        self.node_port(node).ok().map(|port| port.node_id())
    }

    /// Where messages to that port go.
    pub(crate) fn destination(&self, id: &PortId) -> Destination {
        let way = match id.node() {
            node if node == self.id().as_str() => Way::Here,
            // A node without a network, whose ports nobody else knows.
            "" => Way::Nowhere,
            node => Way::There(self.0.remotes.of(self, node)),
        };
        Destination::new(self, id, way)
    }
}
