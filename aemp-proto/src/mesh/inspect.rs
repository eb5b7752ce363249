//! Inspection of a mesh, for simulations and tests.

use super::{Mesh, PeerMap};

impl Mesh<PeerMap> {
    /// The peers, read-only.
    #[must_use]
    pub fn peer_map(&self) -> &PeerMap {
        &self.peers
    }
}
