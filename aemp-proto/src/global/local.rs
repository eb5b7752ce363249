//! The entries that this node has set: its own part of the database. Some are set for other nodes.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::{NodeId, Value};
use indexmap::IndexMap;

use super::lent::Lent;

/// The entries of one family, in the order in which they were first set.
pub(super) type Entries = IndexMap<Arc<str>, Value>;

/// This node's local database.
#[derive(Debug, Default)]
pub(super) struct Local {
    families: BTreeMap<Arc<str>, Entries>,
    /// The entries among these that other nodes have asked this node to set.
    lent: Lent,
}

impl Local {
    /// Sets a key, for this node itself. If that changes anything, returns shared names for the entry, and true if it existed before.
    pub(super) fn set(
        &mut self,
        family: &str,
        key: &str,
        value: Value,
    ) -> Option<(Arc<str>, Arc<str>, bool)> {
        self.lent.forget(family, key);
        let name = self.name(family);
        if let Some(entries) = self.families.get_mut(family)
            && let Some((_, key, old)) = entries.get_full_mut(key)
        {
            let changed = *old != value;
            *old = value;
            return changed.then(|| (name, Arc::clone(key), true));
        }
        let key: Arc<str> = key.into();
        let entries = self.families.entry(Arc::clone(&name)).or_default();
        entries.insert(Arc::clone(&key), value);
        Some((name, key, false))
    }

    /// Deletes a key. If it existed, returns the shared names and the value.
    pub(super) fn del(&mut self, family: &str, key: &str) -> Option<(Arc<str>, Arc<str>, Value)> {
        self.lent.forget(family, key);
        let entries = self.families.get_mut(family)?;
        let (key, value) = entries.swap_remove_entry(key)?;
        let empty = entries.is_empty();
        let name = self.name(family);
        if empty {
            self.families.remove(family);
        }
        Some((name, key, value))
    }

    /// Notes that an entry is set for another node, which is charged for it.
    pub(super) fn lend(&mut self, by: &NodeId, family: &str, key: &str, bytes: usize) {
        let Some((family, entries)) = self.families.get_key_value(family) else {
            return;
        };
        if let Some((key, _)) = entries.get_key_value(key) {
            self.lent.add(by, family, key, bytes);
        }
    }

    /// The entries that are set for other nodes.
    pub(super) fn lent(&self) -> &Lent {
        &self.lent
    }

    /// True if there is such an entry.
    pub(super) fn contains(&self, family: &str, key: &str) -> bool {
        self.get(family, key).is_some()
    }

    pub(super) fn get(&self, family: &str, key: &str) -> Option<&Value> {
        self.families.get(family)?.get(key)
    }

    pub(super) fn family(&self, family: &str) -> Option<&Entries> {
        self.families.get(family)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entries)> {
        self.families.iter()
    }

    /// All entries, with their families.
    pub(super) fn entries(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<str>, &Value)> {
        let families = self.families.iter();
        families.flat_map(|(family, entries)| {
            entries.iter().map(move |(key, value)| (family, key, value))
        })
    }

    fn name(&self, family: &str) -> Arc<str> {
        match self.families.get_key_value(family) {
            Some((name, _)) => Arc::clone(name),
            None => family.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_change_nothing() {
        let mut local = Local::default();
        assert!(local.set("f", "k", 1.into()).is_some());
        assert!(local.set("f", "k", 1.into()).is_none());
        assert!(local.set("f", "k", 2.into()).is_some());
        assert!(local.del("f", "other").is_none());
        assert!(local.del("f", "k").is_some() && local.del("f", "k").is_none());
        assert_eq!(local.iter().count(), 0);
    }
}
