//! The interface through which the mesh finds its peers.

use std::{collections::BTreeMap, fmt};

use aemp_codec::NodeId;

use crate::peer::{Peer, PeerLimits, Urge};

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
    between: Option<Between>,
    urges: Vec<(NodeId, Urge)>,
}

type Act = dyn FnMut(&NodeId, &mut Peer) -> Urge + Send;

/// Acts of senders between two locks.
struct Between(Box<Act>);

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

impl PeerMap {
    /// No peers yet.
    #[must_use]
    pub fn new(limits: PeerLimits) -> Self {
        Self {
            limits,
            peers: BTreeMap::new(),
            between: None,
            urges: Vec::new(),
        }
    }

    /// From now on, `act` is called before each piece of [work](Peers::with) on a peer, also in the middle of what the mesh does:
    /// as senders of other threads may act between any two locks. What it is urged to do has to be done when the mesh has
    /// returned, as senders wait for the mesh's lock: see [`take_urges`](Self::take_urges).
    pub fn interleave(&mut self, act: impl FnMut(&NodeId, &mut Peer) -> Urge + Send + 'static) {
        self.between = Some(Between(Box::new(act)));
    }

    /// Whether there is something to [take](Self::take_urges).
    #[must_use]
    pub fn has_urges(&self) -> bool {
        !self.urges.is_empty()
    }

    /// What senders between locks have been urged to do.
    pub fn take_urges(&mut self) -> Vec<(NodeId, Urge)> {
        std::mem::take(&mut self.urges)
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
        let mut between = |peer: &mut Peer| {
            if let Some(between) = &mut self.between {
                let urge = between.0(node, peer);
                if urge != Urge::None {
                    self.urges.push((node.clone(), urge));
                }
            }
        };
        if let Some(peer) = self.peers.get_mut(node) {
            between(peer);
            let result = work(peer);
            if peer.is_idle() {
                self.peers.remove(node);
            }
            return result;
        }
        let mut peer = Peer::new(node.clone(), self.limits);
        between(&mut peer);
        let result = work(&mut peer);
        if !peer.is_idle() {
            self.peers.insert(node.clone(), peer);
        }
        result
    }
}
