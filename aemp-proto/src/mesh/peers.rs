//! The interface through which the mesh finds its peers.

use std::{collections::BTreeMap, fmt};

use aemp_codec::NodeId;

use crate::peer::{Peer, PeerLimits, Urge};

/// The other nodes, each behind a lock of the caller's choice.
pub trait Peers {
    /// Calls `work` with the peer of a node, which is created on demand.
    fn with<R>(&mut self, node: &NodeId, work: impl FnOnce(&mut Peer) -> R) -> R;
}

/// The other nodes without locks, for simulations. [Idle](Peer::is_idle) peers are forgotten.
#[derive(Debug)]
pub struct PeerMap {
    limits: PeerLimits,
    peers: BTreeMap<NodeId, Peer>,
    between: Option<Between>,
    urges: Vec<(NodeId, Urge)>,
}

type Act = dyn FnMut(&NodeId, &mut Peer) -> Urge + Send;

/// A closure that acts as a sender on another thread would, between two locks.
struct Between(Box<Act>);

impl fmt::Debug for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Between")
    }
}

impl PeerMap {
    /// Creates a map without peers.
    #[must_use]
    pub fn new(limits: PeerLimits) -> Self {
        Self {
            limits,
            peers: BTreeMap::new(),
            between: None,
            urges: Vec::new(),
        }
    }

    /// Calls `act` before each piece of [work](Peers::with) on a peer from now on, even in the middle of a call of the
    /// mesh.
    ///
    /// This simulates senders on other threads, which may act between any two locks. Carry out the urges that `act`
    /// returns after the mesh has returned, because senders wait for the mesh's lock: see
    /// [`take_urges`](Self::take_urges).
    pub fn interleave(&mut self, act: impl FnMut(&NodeId, &mut Peer) -> Urge + Send + 'static) {
        self.between = Some(Between(Box::new(act)));
    }

    /// True if there are urges to [take](Self::take_urges).
    #[must_use]
    pub fn has_urges(&self) -> bool {
        !self.urges.is_empty()
    }

    /// Takes the urges of senders between locks.
    pub fn take_urges(&mut self) -> Vec<(NodeId, Urge)> {
        std::mem::take(&mut self.urges)
    }

    /// The peers that are not idle.
    pub fn iter(&self) -> impl Iterator<Item = &Peer> {
        self.peers.values()
    }

    /// All peers that exist, for changes.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Peer> {
        self.peers.values_mut()
    }

    /// Forgets the idle peers.
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
