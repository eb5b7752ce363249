//! Where the mesh finds its peers.

use std::collections::BTreeMap;

use aemp_codec::NodeId;

use crate::proto::peer::{Peer, PeerLimits};

/// The other nodes, each behind whatever lock the caller wants.
pub trait Peers {
    /// Works on one node, which is made on demand.
    fn with<R>(&mut self, node: &NodeId, work: impl FnOnce(&mut Peer) -> R) -> R;
}

/// The other nodes, without any lock: for simulations. Peers that are [idle](Peer::is_idle) are forgotten.
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

    /// The peers with which something goes on.
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
        if let Some(peer) = self.peers.get_mut(node) {
            let result = work(peer);
            if peer.is_idle() {
                self.peers.remove(node);
            }
            return result;
        }
        let mut peer = Peer::new(node.clone(), self.limits);
        let result = work(&mut peer);
        if !peer.is_idle() {
            self.peers.insert(node.clone(), peer);
        }
        result
    }
}
