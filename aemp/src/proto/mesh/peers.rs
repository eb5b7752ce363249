//! Where the mesh finds its peers.

use std::collections::BTreeMap;

use aemp_codec::NodeId;

use crate::proto::peer::{Peer, PeerLimits};

/// The other nodes, each behind whatever lock the caller wants.
pub trait Peers {
    /// Works on one node, which is made on demand.
    fn with<R>(&mut self, node: &NodeId, work: impl FnOnce(&mut Peer) -> R) -> R;
}

/// The other nodes, without any lock: for simulations.
#[derive(Debug)]
pub struct PeerMap {
    limits: PeerLimits,
    peers: BTreeMap<NodeId, Peer>,
}

impl PeerMap {
    /// No peers yet.
    #[must_use]
    pub fn new(limits: PeerLimits) -> Self {
        Self {
            limits,
            peers: BTreeMap::new(),
        }
    }

    /// The peers that have been asked for.
    pub fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }

    /// The peers that have been asked for, to work on.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.peers.values_mut()
    }

    /// Forgets the peers with which nothing goes on.
    pub fn forget_idle(&mut self) {
        self.peers.retain(|_, peer| !peer.is_idle());
    }
}

impl Peers for PeerMap {
    fn with<R>(&mut self, node: &NodeId, work: impl FnOnce(&mut Peer) -> R) -> R {
        let limits = self.limits;
        let peer = self
            .peers
            .entry(node.clone())
            .or_insert_with(|| Peer::new(node.clone(), limits));
        work(peer)
    }
}
