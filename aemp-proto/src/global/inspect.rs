//! Inspection of the machine.

use std::{collections::BTreeSet, sync::Arc};

use aemp_codec::{NodeId, Value};

use super::{GLOBALS, Global, LISTENERS, Role};

impl Global {
    /// The entries of a family: all if this node is global, otherwise its own.
    pub(crate) fn view(&self, family: &str) -> Vec<(Arc<str>, Value)> {
        let copy = |(key, value): (&Arc<str>, &Value)| (Arc::clone(key), value.clone());
        match self.role() {
            Role::Global => self.merged.shards().family(family).map(copy).collect(),
            _ => self.local(family).map(copy).collect(),
        }
    }

    /// The keys of [`view`](Self::view), at most this many, with the owners of the visible values.
    pub(crate) fn owners(&self, family: &str, most: usize) -> Vec<(Arc<str>, NodeId)> {
        match self.role() {
            Role::Global => {
                let owned = self.merged.shards().owners_in(family).take(most);
                owned
                    .map(|(key, owner)| (Arc::clone(key), owner.clone()))
                    .collect()
            }
            _ => {
                let own = self.local(family).take(most);
                own.map(|(key, _)| (Arc::clone(key), self.node.clone()))
                    .collect()
            }
        }
    }

    /// The families of [`view`](Self::view), with their numbers of entries.
    pub(crate) fn sizes(&self) -> Vec<(Arc<str>, usize)> {
        let copy = |(family, size): (&Arc<str>, usize)| (Arc::clone(family), size);
        match self.role() {
            Role::Global => self.merged.shards().sizes().map(copy).collect(),
            _ => {
                let local = self.local.iter();
                local
                    .map(|(family, set)| copy((family, set.len())))
                    .collect()
            }
        }
    }

    /// The number of changes of the entries of [`view`](Self::view).
    pub(crate) fn changes(&self) -> u64 {
        self.changes + self.merged.changes()
    }

    /// The memory of all entries in bytes, if this node is global.
    pub(crate) fn bytes(&self) -> u64 {
        self.merged.shards().bytes() as u64
    }

    /// The numbers of times that limits of the database were reached.
    pub(crate) fn reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.notices.reached()
    }

    /// All nodes of which data is kept, beyond their connections.
    pub(crate) fn traces(&self) -> BTreeSet<NodeId> {
        let keyed = |family: &str| {
            self.merged
                .shards()
                .family(family)
                .filter_map(|(key, _)| NodeId::new(key).ok())
                .collect::<Vec<_>>()
        };
        let lists = [keyed(LISTENERS), keyed(GLOBALS)];
        self.merged
            .shards()
            .owners()
            .chain(self.peers.traces())
            .chain(self.keep.nodes())
            .chain(self.local.lent().borrowers())
            .chain(lists.iter().flatten())
            .filter(|node| **node != self.node)
            .cloned()
            .collect()
    }
}
