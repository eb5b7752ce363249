//! The entries that this node has set: its own part of the database.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::Value;
use indexmap::IndexMap;

/// The entries of one family, in the order in which they were first set.
pub(super) type Entries = IndexMap<Arc<str>, Value>;

/// This node's local database.
#[derive(Debug, Default)]
pub(super) struct Local {
    families: BTreeMap<Arc<str>, Entries>,
}

impl Local {
    /// Sets a key. If that changes anything, returns shared names for the entry, and true if it existed before.
    pub(super) fn set(
        &mut self,
        family: &str,
        key: &str,
        value: Value,
    ) -> Option<(Arc<str>, Arc<str>, bool)> {
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
        let entries = self.families.get_mut(family)?;
        let (key, value) = entries.swap_remove_entry(key)?;
        let empty = entries.is_empty();
        let name = self.name(family);
        if empty {
            self.families.remove(family);
        }
        Some((name, key, value))
    }

    /// The shared names of an entry, if it exists.
    pub(super) fn entry(&self, family: &str, key: &str) -> Option<(&Arc<str>, &Arc<str>)> {
        let (family, entries) = self.families.get_key_value(family)?;
        let (key, _) = entries.get_key_value(key)?;
        Some((family, key))
    }

    pub(super) fn family(&self, family: &str) -> Option<&Entries> {
        self.families.get(family)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Entries)> {
        self.families.iter()
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
