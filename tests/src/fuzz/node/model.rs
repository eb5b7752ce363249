//! The reports of the node, and the reports that are expected of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use aemp_codec::{NodeId, Value};
use aemp_proto::{
    global::{QueryId, Role, WatchId, Watched},
    mesh::{Mesh, PeerMap},
    peer::MonitorId,
};

/// The reports of the node so far.
#[derive(Debug, Default)]
pub(super) struct Model {
    up: BTreeSet<NodeId>,
    /// Monitors that have neither fired nor been taken back.
    monitors: BTreeMap<MonitorId, (NodeId, String)>,
    last_monitor: u64,
    watches: BTreeMap<WatchId, Told>,
    /// Queries that have not been answered.
    queries: BTreeSet<QueryId>,
    /// Nodes whose addresses have been given by the user.
    learned: BTreeSet<NodeId>,
}

#[derive(Debug)]
struct Told {
    family: String,
    /// The entries of the family; `None` until the first report.
    entries: Option<BTreeMap<Arc<str>, Value>>,
}

impl Model {
    pub(super) fn up(&mut self, node: NodeId) {
        assert!(self.up.insert(node), "a node is up twice");
    }

    pub(super) fn down(&mut self, node: &NodeId) {
        assert!(self.up.remove(node), "{node} is down without being up");
    }

    pub(super) fn monitor(&mut self, node: &NodeId, port: &str) -> MonitorId {
        self.last_monitor += 1;
        let id = MonitorId(self.last_monitor);
        self.monitors.insert(id, (node.clone(), port.into()));
        id
    }

    pub(super) fn unmonitor(&mut self) -> Option<(MonitorId, NodeId, String)> {
        let (id, (node, port)) = self.monitors.pop_last()?;
        Some((id, node, port))
    }

    pub(super) fn fired(&mut self, monitors: Vec<MonitorId>) {
        for id in monitors {
            let set = self.monitors.remove(&id);
            assert!(set.is_some(), "{id:?} fires without being set");
        }
    }

    pub(super) fn watch(&mut self, id: WatchId, family: &str) {
        let family = family.into();
        let told = Told {
            family,
            entries: None,
        };
        self.watches.insert(id, told);
    }

    pub(super) fn unwatch(&mut self) -> Option<WatchId> {
        self.watches.pop_last().map(|(id, _)| id)
    }

    pub(super) fn told(&mut self, id: WatchId, told: Watched) {
        let Some(watch) = self.watches.get_mut(&id) else {
            return;
        };
        match (told, &mut watch.entries) {
            (Watched::All(all), entries @ None) => *entries = Some(all.into_iter().collect()),
            (Watched::Changes(changes), Some(entries)) => {
                for change in changes.iter() {
                    let old = match &change.value {
                        Some(value) => entries.insert(Arc::clone(&change.key), value.clone()),
                        None => entries.remove(&change.key),
                    };
                    assert_ne!(old, change.value, "nothing has changed of {:?}", change.key);
                }
            }
            (told, entries) => panic!("{told:?} behind {entries:?}"),
        }
    }

    pub(super) fn query(&mut self, id: QueryId) {
        self.queries.insert(id);
    }

    pub(super) fn answered(&mut self, id: QueryId) {
        assert!(self.queries.remove(&id), "{id:?} is answered twice");
    }

    pub(super) fn learned(&mut self, node: &NodeId) {
        self.learned.insert(node.clone());
    }

    /// The nodes that were reported as up are those that the mesh has.
    pub(super) fn agrees(&self, mesh: &Mesh<PeerMap>) {
        let up: BTreeSet<_> = mesh.up_nodes().cloned().collect();
        assert_eq!(self.up, up);
    }

    /// On a global node, which has no master, each watch has the node's entries in the end. Deletions may be held back
    /// for a time.
    fn watches_agree(&self, mesh: &Mesh<PeerMap>) {
        if *mesh.role() == Role::Global {
            for Told { family, entries } in self.watches.values() {
                let view = mesh.db_view(family).into_iter().collect();
                assert_eq!(*entries, Some(view), "family {family}");
            }
        }
    }

    /// Checks that nothing is left after a long time without any other node.
    pub(super) fn check_end(&self, mesh: &mut Mesh<PeerMap>) {
        assert_eq!(self.monitors, BTreeMap::new(), "never fired");
        assert_eq!(self.queries, BTreeSet::new(), "never answered");
        assert_eq!(self.up, BTreeSet::new());
        self.watches_agree(mesh);
        let traces = mesh.traces();
        let left: Vec<_> = traces.difference(&self.learned).collect();
        assert!(left.is_empty(), "{left:?} are gone, and not forgotten");
        let peers: Vec<_> = mesh
            .peers()
            .iter_mut()
            .map(|peer| format!("{peer:?}"))
            .collect();
        assert!(peers.is_empty(), "{peers:?}");
        let untold: Vec<_> = self
            .watches
            .values()
            .filter(|told| told.entries.is_none())
            .collect();
        assert!(untold.is_empty(), "{untold:?}");
    }
}
