//! Looking into a mesh: for simulations and tests.

use aemp_codec::NodeId;

use super::{Mesh, PeerMap};

impl<P> Mesh<P> {
    /// The nodes with which something goes on: connected, being tried, or being mourned.
    pub fn active_nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.nodes.keys()
    }

    /// The nodes whose addresses are known, other than by a seed.
    pub fn known_addresses(&self) -> impl Iterator<Item = (&NodeId, &[String])> {
        let addresses = self.addresses.iter();
        addresses.map(|(node, known)| (node, known.as_slice()))
    }
}

impl Mesh<PeerMap> {
    /// The peers, to look at.
    #[must_use]
    pub fn peer_map(&self) -> &PeerMap {
        &self.peers
    }
}
