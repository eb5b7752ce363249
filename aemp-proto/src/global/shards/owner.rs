//! One owner of entries, and the names of these.

use std::sync::Arc;

use aemp_codec::NodeId;
use indexmap::IndexSet;

use super::{
    super::{
        known::{Keys, note},
        names::is_own_key,
        quota::{Held, size_of_family},
    },
    is_sparse,
};

/// The names of an entry: its family, and its key.
pub(super) type Name = (Arc<str>, Arc<str>);

/// Which of an owner's entries go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Those that are its own by their keys.
    Own,
    All,
}

#[derive(Debug)]
pub(super) struct Owner {
    pub(super) id: NodeId,
    /// Whether this node answers for it: itself, and its slaves.
    pub(super) ours: bool,
    /// It is no longer there, and its entries are the first to go.
    pub(super) gone: bool,
    /// The keys that are its own: its ID, and its ports.
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

    /// How many keys it has in a family.
    pub(super) fn keys_in(&self, family: &str) -> usize {
        let tables = [self.own.get(family), self.others.get(family)];
        tables.into_iter().flatten().map(IndexSet::len).sum()
    }

    /// The names of an entry, if it has set that.
    pub(super) fn name(&mut self, family: &str, key: &str) -> Option<Name> {
        let (family, keys) = self.table(key).get_key_value(family)?;
        Some((Arc::clone(family), Arc::clone(keys.get(key)?)))
    }

    /// It has set a key.
    pub(super) fn note(&mut self, family: &Arc<str>, key: &Arc<str>) {
        if note(self.table(key), family, key) {
            self.held.bytes += size_of_family(family);
        }
    }

    /// It has a key no longer; whether it had.
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

    /// As [`forget`](Self::forget), with any key of that part.
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
