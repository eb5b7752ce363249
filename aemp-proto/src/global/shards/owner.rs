//! One owner of entries, and the names of these.

use std::sync::Arc;

use aemp_codec::NodeId;
use indexmap::IndexSet;

use super::super::{
    names::is_own_key,
    peer::{Keys, note},
    size::{Held, size_of_family},
};

/// The names of an entry: its family, and its key.
pub(super) type Name = (Arc<str>, Arc<str>);

/// The part of an owner's entries that is deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The entries that belong to the owner by their keys.
    Own,
    All,
}

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) id: NodeId,
    /// True if this node answers for the owner: itself, or one of its slaves.
    pub(super) ours: bool,
    /// True if the owner is lost. Its entries are deleted when another node sets the key.
    pub(super) gone: bool,
    /// The keys that belong to the owner by name: its ID, and the IDs of its ports.
    own: Keys,
    others: Keys,
    pub(super) held: Held,
}

impl Owner {
    pub(super) fn new(id: NodeId) -> Self {
        Self {
            id,
            ours: false,
            gone: false,
            own: Keys::new(),
            others: Keys::new(),
            held: Held::default(),
        }
    }

    fn all(&self) -> impl Iterator<Item = (&Arc<str>, &IndexSet<Arc<str>>)> {
        self.own.iter().chain(&self.others)
    }

    fn table(&mut self, key: &str) -> &mut Keys {
        if is_own_key(self.id.as_str(), key) {
            &mut self.own
        } else {
            &mut self.others
        }
    }

    pub(super) fn all_keys(&self) -> Vec<Name> {
        let mut all = Vec::new();
        for (family, keys) in self.all() {
            all.extend(keys.iter().map(|key| (Arc::clone(family), Arc::clone(key))));
        }
        all
    }

    pub(super) fn add_keys(&self, to: &mut Keys) {
        for (family, keys) in self.all() {
            let known = to.entry(Arc::clone(family)).or_default();
            known.extend(keys.iter().cloned());
        }
    }

    /// The number of its keys in a family.
    pub(super) fn keys_in(&self, family: &str) -> usize {
        let tables = [self.own.get(family), self.others.get(family)];
        tables.into_iter().flatten().map(IndexSet::len).sum()
    }

    /// The shared names of an entry, if the owner has set it.
    pub(super) fn name(&mut self, family: &str, key: &str) -> Option<Name> {
        let (family, keys) = self.table(key).get_key_value(family)?;
        Some((Arc::clone(family), Arc::clone(keys.get(key)?)))
    }

    /// Takes note that the owner has set a key.
    pub(super) fn note(&mut self, family: &Arc<str>, key: &Arc<str>) {
        if note(self.table(key), family, key) {
            self.held.bytes += size_of_family(family);
        }
    }

    /// Takes note that the owner has lost a key. Returns true if it had the key.
    pub(super) fn forget(&mut self, family: &Arc<str>, key: &Arc<str>) -> bool {
        let table = self.table(key);
        let Some(keys) = table.get_mut(family) else {
            return false;
        };
        if !keys.swap_remove(key) {
            return false;
        }
        if keys.is_empty() {
            table.remove(family);
            self.held.bytes -= size_of_family(family);
        } else if is_sparse(keys.len(), keys.capacity()) {
            keys.shrink_to(2 * keys.len());
        }
        true
    }

    /// Like [`forget`](Self::forget), with any key of this part. Returns its names.
    pub(super) fn pop(&mut self, part: Part) -> Option<Name> {
        let table = match part {
            Part::All if self.own.is_empty() => &mut self.others,
            Part::All | Part::Own => &mut self.own,
        };
        let mut last = table.last_entry()?;
        let family = Arc::clone(last.key());
        let key = last.get_mut().pop();
        if last.get().is_empty() {
            last.remove();
            self.held.bytes -= size_of_family(&family);
        }
        key.map(|key| (family, key))
    }
}

/// True if a table has much more room than it needs, because no quota counts that room.
pub(super) fn is_sparse(entries: usize, room: usize) -> bool {
    room > 64 && entries < room / 8
}
