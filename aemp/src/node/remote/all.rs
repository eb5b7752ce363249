//! All other nodes, by their IDs.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use aemp_codec::NodeId;
use tokio::sync::Notify;

use super::{Account, Actions, Callers, Credits, Grants, Manner, Remote};
use crate::{
    Node,
    node::{WeakNode, complaints::Complaints, strand::Strand},
};
use aemp_proto::peer::{Peer, PeerLimits};

/// So many are no reason to look for some to forget.
const FEW: usize = 4096;

/// Every other node that this one has had to do with.
pub(crate) struct Remotes {
    all: RwLock<Known>,
    /// How many there may be before those that are not needed are looked for.
    many: AtomicUsize,
    pub(super) limits: PeerLimits,
    /// What is logged of their mistakes.
    pub(crate) complaints: Complaints,
}

/// All nodes that are known.
#[derive(Default)]
struct Known {
    by_id: HashMap<NodeId, Arc<Remote>>,
    /// Why all of them, and those that are still to come, are out of reach for ever: our own node has ended.
    over: Option<String>,
}

impl Remotes {
    pub(crate) fn new(limits: PeerLimits) -> Self {
        Self {
            all: RwLock::default(),
            many: AtomicUsize::new(FEW),
            limits,
            complaints: Complaints::new(),
        }
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Remote>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        all.by_id.get(id).cloned()
    }

    /// All of them, by ID.
    pub(crate) fn all(&self) -> Vec<Arc<Remote>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = all.by_id.values().cloned().collect();
        // What is done to all of them is done in the same order in every run of a simulation.
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// Forgets those that nobody holds and with which nothing goes on: peers may name any number of nodes in what
    /// they have relayed.
    pub(crate) fn forget_idle(&self) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let forgotten = self.extract_idle(&mut all.by_id);
        drop(all);
        drop(forgotten);
    }

    fn extract_idle(&self, all: &mut HashMap<NodeId, Arc<Remote>>) -> Vec<(NodeId, Arc<Remote>)> {
        // Whoever gets hold of one does so under this lock, so one that only the map holds stays so.
        let unused = |remote: &Arc<Remote>| {
            Arc::strong_count(remote) == 1 && remote.peer().is_idle() && remote.watching() == 0
        };
        let forgotten: Vec<_> = all.extract_if(|_, remote| unused(remote)).collect();
        if all.len() < all.capacity() / 4 {
            all.shrink_to_fit();
        }
        // So that all looking together costs no more than making them.
        self.many.store((2 * all.len()).max(FEW), Ordering::Relaxed);
        forgotten
    }

    /// That node, known from now on. The ID is one that a port ID has been found to begin with.
    pub(crate) fn of(&self, node: &Node, id: &str) -> Arc<Remote> {
        self.get(id)
            .unwrap_or_else(|| self.make(&node.downgrade(), id))
    }

    /// As [`of`](Self::of), for those who know the node but do not hold it.
    pub(crate) fn of_weak(&self, node: &WeakNode, id: &str) -> Arc<Remote> {
        self.get(id).unwrap_or_else(|| self.make(node, id))
    }

    fn make(&self, node: &WeakNode, id: &str) -> Arc<Remote> {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let forgotten = if all.by_id.len() >= self.many.load(Ordering::Relaxed) {
            self.extract_idle(&mut all.by_id)
        } else {
            Vec::new()
        };
        let id = NodeId::new(id).unwrap_or_else(|_| NodeId::unnamed());
        let over = all.over.clone();
        let remote = all.by_id.entry(id.clone()).or_insert_with(|| {
            Arc::new(Remote {
                node: node.clone(),
                peer: Mutex::new(Peer::new(id.clone(), self.limits)),
                line: Mutex::default(),
                id,
                writer: Arc::default(),
                taken: Notify::new(),
                tell_written: AtomicBool::new(false),
                actions: Mutex::new(Actions::new()),
                mourning: Arc::<Strand>::default(),
                functions: Arc::<Strand>::default(),
                watched: Mutex::default(),
                next_monitor: AtomicU64::new(1),
                delivering: Arc::default(),
                account: Account::default(),
                manner: Manner::new(self.limits.packet),
                callers: Callers::default(),
                credits: Credits::default(),
                grants: Grants::default(),
            })
        });
        let remote = Arc::clone(remote);
        drop(all);
        drop(forgotten);
        if let Some(text) = over {
            remote.close(&text);
        }
        remote
    }

    /// Our own node has ended: all nodes are out of reach from now on.
    pub(crate) fn close(&self, text: &str) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        all.over.get_or_insert_with(|| text.into());
        drop(all);
        for remote in self.all() {
            remote.close(text);
        }
    }
}
