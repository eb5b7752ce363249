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

use super::{Account, Remote};
use crate::{
    Node,
    node::complaints::Complaints,
    proto::peer::{Peer, PeerLimits},
};

/// So many are no reason to look for some to forget.
const FEW: usize = 4096;

/// Every other node that this one has had to do with.
pub(crate) struct Remotes {
    all: RwLock<HashMap<NodeId, Arc<Remote>>>,
    /// How many there may be before those that are not needed are looked for.
    many: AtomicUsize,
    pub(super) limits: PeerLimits,
    /// What is logged of their mistakes.
    pub(crate) complaints: Complaints,
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
        all.get(id).cloned()
    }

    /// All of them, by ID.
    pub(crate) fn all(&self) -> Vec<Arc<Remote>> {
        let all = self.all.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = all.values().cloned().collect();
        // What is done to all of them is done in the same order in every run of a simulation.
        all.sort_by(|one, other| one.id.cmp(&other.id));
        all
    }

    /// Forgets those that nobody holds and with which nothing goes on: peers may name any number of nodes in what they have
    /// relayed.
    pub(crate) fn forget_idle(&self) {
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let forgotten = self.extract_idle(&mut all);
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
        if let Some(remote) = self.get(id) {
            return remote;
        }
        let mut all = self.all.write().unwrap_or_else(PoisonError::into_inner);
        let forgotten = if all.len() >= self.many.load(Ordering::Relaxed) {
            self.extract_idle(&mut all)
        } else {
            Vec::new()
        };
        let id = NodeId::new(id).unwrap_or_else(|_| NodeId::unnamed());
        let remote = all.entry(id.clone()).or_insert_with(|| {
            Arc::new(Remote {
                node: node.clone(),
                peer: Mutex::new(Peer::new(id.clone(), self.limits)),
                line: Mutex::default(),
                id,
                wake: Notify::new(),
                taken: Notify::new(),
                tell_written: AtomicBool::new(false),
                actions: Mutex::default(),
                watched: Mutex::default(),
                next_monitor: AtomicU64::new(1),
                delivering: Arc::default(),
                account: Account::default(),
            })
        });
        let remote = Arc::clone(remote);
        drop(all);
        drop(forgotten);
        remote
    }
}
