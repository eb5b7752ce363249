//! All other nodes, by their IDs.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use aemp_codec::NodeId;
use tokio::sync::Notify;

use super::{Account, Actions, Callers, Credits, Grants, Manner, Peer};
use crate::{
    Node,
    lock::{Lock, SharedLock},
    node::{WeakNode, complaints::Complaints, strand::Strand},
};
use aemp_proto::peer::{Peer as PeerState, PeerLimits};

/// The number of nodes below which unused ones are not searched for.
const FEW: usize = 4096;

/// The other nodes that this one knows.
pub(crate) struct Peers {
    all: SharedLock<ById>,
    /// The number of nodes at which unused ones are searched for.
    many: AtomicUsize,
    pub(super) limits: PeerLimits,
    /// The rate of log lines about their errors.
    pub(crate) complaints: Complaints,
}

/// The known nodes.
#[derive(Default)]
struct ById {
    by_id: HashMap<NodeId, Arc<Peer>>,
    /// The reason why all nodes are unreachable for ever, after the end of our own node.
    over: Option<String>,
}

impl Peers {
    pub(crate) fn new(limits: PeerLimits) -> Self {
        Self {
            all: SharedLock::default(),
            many: AtomicUsize::new(FEW),
            limits,
            complaints: Complaints::new(),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Peer>> {
        let all = self.all.read();
        all.by_id.get(id).cloned()
    }

    /// All known nodes, by ID.
    pub(crate) fn all(&self) -> Vec<Arc<Peer>> {
        let all = self.all.read();
        let mut all: Vec<_> = all.by_id.values().cloned().collect();
        // Sorted, so that every run of a simulation has the same order.
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// Forgets nodes without holders and without activity. Peers may name any number of nodes in relayed messages.
    pub(crate) fn forget_idle(&self) {
        let mut all = self.all.write();
        let forgotten = self.extract_idle(&mut all.by_id);
        drop(all);
        drop(forgotten);
    }

    fn extract_idle(&self, all: &mut HashMap<NodeId, Arc<Peer>>) -> Vec<(NodeId, Arc<Peer>)> {
        // References are taken under this lock only, so a node that only the map holds stays unused.
        let unused = |peer: &Arc<Peer>| {
            Arc::strong_count(peer) == 1 && peer.state().is_idle() && peer.monitored_ports() == 0
        };
        let forgotten: Vec<_> = all.extract_if(|_, peer| unused(peer)).collect();
        if all.len() < all.capacity() / 4 {
            all.shrink_to_fit();
        }
        // Doubled, so that the searches cost no more than the insertions.
        self.many.store((2 * all.len()).max(FEW), Ordering::Relaxed);
        forgotten
    }

    /// The node with this ID, which is added if necessary. The ID must come from a valid port ID.
    pub(crate) fn of(&self, node: &Node, id: &str) -> Arc<Peer> {
        self.get(id)
            .unwrap_or_else(|| self.make(&node.downgrade(), id))
    }

    /// As [`of`](Self::of), for code that holds no node.
    pub(crate) fn of_weak(&self, node: &WeakNode, id: &str) -> Arc<Peer> {
        self.get(id).unwrap_or_else(|| self.make(node, id))
    }

    fn make(&self, node: &WeakNode, id: &str) -> Arc<Peer> {
        let mut all = self.all.write();
        let forgotten = if all.by_id.len() >= self.many.load(Ordering::Relaxed) {
            self.extract_idle(&mut all.by_id)
        } else {
            Vec::new()
        };
        let id = NodeId::new(id).unwrap_or_else(|_| NodeId::unnamed());
        let over = all.over.clone();
        let peer = all.by_id.entry(id.clone()).or_insert_with(|| {
            Arc::new(Peer {
                node: node.clone(),
                state: Lock::new(PeerState::new(id.clone(), self.limits)),
                connection: Lock::default(),
                connected: AtomicU64::new(0),
                met: AtomicBool::new(false),
                id,
                writer: Arc::default(),
                taken: Notify::new(),
                tell_written: AtomicBool::new(false),
                actions: Lock::new(Actions::new()),
                mourning: Arc::<Strand>::default(),
                functions: Arc::<Strand>::default(),
                monitored: Lock::default(),
                next_monitor: AtomicU64::new(1),
                delivering: Arc::default(),
                account: Account::default(),
                manner: Manner::new(self.limits.packet),
                callers: Callers::default(),
                credits: Credits::default(),
                grants: Grants::default(),
            })
        });
        let peer = Arc::clone(peer);
        drop(all);
        drop(forgotten);
        if let Some(text) = over {
            peer.close(&text);
        }
        peer
    }

    /// Makes all nodes unreachable, after the end of our own node.
    pub(crate) fn close(&self, text: &str) {
        let mut all = self.all.write();
        all.over.get_or_insert_with(|| text.into());
        drop(all);
        for peer in self.all() {
            peer.close(text);
        }
    }
}
