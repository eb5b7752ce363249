//! The whole database, as a global node holds it: every entry of every owner (PROTOCOL.md section 10).

mod entry;

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::{NodeId, Value};
use indexmap::{IndexMap, IndexSet, map::Entry as Place};

use self::entry::{Entry, Known, Left};
use super::{
    known::{Keys, note},
    names::{LISTENERS, is_own_key},
    quota::{Held, size, size_of_family},
};
use crate::Time;

/// All entries of all owners.
///
/// Each key has the values of its owners in the order of their writing, and the last value is visible. Each owner has
/// the list of its keys, so that they are found when it is lost.
#[derive(Debug, Default)]
pub(super) struct Shards {
    families: BTreeMap<Arc<str>, IndexMap<Arc<str>, Entry>>,
    owners: Vec<Option<Owner>>,
    /// The places of the present owners.
    places: BTreeMap<NodeId, u32>,
    /// Lost owners, and the times at which their entries are deleted.
    orphans: Vec<(u32, Time)>,
}

#[derive(Debug)]
struct Owner {
    id: NodeId,
    /// True if this node answers for the owner: itself, or one of its slaves.
    ours: bool,
    keys: Keys,
    held: Held,
}

/// The effects of a change.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    /// The visible value has changed or is gone.
    pub(super) shown: bool,
    /// A value that this node answers for has changed.
    pub(super) ours: bool,
    /// The key existed before, with a value of any owner.
    pub(super) was: bool,
    /// The key existed before with a value that this node answers for. True in case of doubt.
    pub(super) was_ours: bool,
}

impl Shards {
    /// The place of an owner, which is created on demand.
    pub(super) fn owner(&mut self, id: &NodeId) -> u32 {
        if let Some(place) = self.places.get(id) {
            return *place;
        }
        let owner = Owner {
            id: id.clone(),
            ours: false,
            keys: Keys::new(),
            held: Held::default(),
        };
        let free = self.owners.iter().position(Option::is_none);
        let place = free.unwrap_or(self.owners.len());
        if free.is_none() {
            self.owners.push(None);
        }
        self.owners[place] = Some(owner);
        let place = place as u32;
        self.places.insert(id.clone(), place);
        place
    }

    /// Sets whether this node answers for an owner. Returns the owner's keys, which must be announced if it now does.
    pub(super) fn set_ours(&mut self, place: u32, ours: bool) -> Vec<(Arc<str>, Arc<str>)> {
        let Some(owner) = self.owners[place as usize].as_mut() else {
            return Vec::new();
        };
        if std::mem::replace(&mut owner.ours, ours) == ours {
            return Vec::new();
        }
        owner.all_keys()
    }

    /// The keys of an owner.
    pub(super) fn keys_of(&self, id: &NodeId) -> Vec<(Arc<str>, Arc<str>)> {
        let place = self.places.get(id);
        let owner = place.and_then(|place| self.owners[*place as usize].as_ref());
        owner.map(Owner::all_keys).unwrap_or_default()
    }

    /// The usage of an owner.
    pub(super) fn held(&self, place: u32) -> Held {
        let owner = self.owners[place as usize].as_ref();
        owner.map(|owner| owner.held).unwrap_or_default()
    }

    /// The usage of a node, if it is an owner.
    pub(super) fn held_by(&self, id: &NodeId) -> Held {
        let place = self.places.get(id);
        place.map(|place| self.held(*place)).unwrap_or_default()
    }

    /// The number of keys of an owner in a family.
    pub(super) fn held_in(&self, place: u32, family: &str) -> usize {
        let owner = self.owners[place as usize].as_ref();
        let keys = owner.and_then(|owner| owner.keys.get(family));
        keys.map_or(0, IndexSet::len)
    }

    /// The owner's value of a key.
    pub(super) fn value_of(&self, place: u32, family: &str, key: &str) -> Option<&Value> {
        let entry = self.families.get(family)?.get(key)?;
        entry.last(|owner| owner == place)
    }

    /// Updates the usage of an owner after a change of the sizes of a value.
    fn weigh(&mut self, place: u32, new: Option<usize>, old: Option<usize>) {
        if let Some(owner) = self.owners[place as usize].as_mut() {
            let held = &mut owner.held;
            held.keys += usize::from(new.is_some());
            held.keys -= usize::from(old.is_some());
            held.bytes += new.unwrap_or(0);
            held.bytes -= old.unwrap_or(0);
        }
    }

    fn is_ours(&self, place: u32) -> bool {
        self.owners[place as usize]
            .as_ref()
            .is_some_and(|owner| owner.ours)
    }

    /// Sets an owner's value of a key. Returns the shared names of the entry.
    pub(super) fn set(
        &mut self,
        place: u32,
        family: &Arc<str>,
        key: &Arc<str>,
        value: Value,
    ) -> (Changed, Arc<str>, Arc<str>) {
        let ours = self.is_ours(place);
        let new = Some(size(key, &value).bytes);
        let family = Arc::clone(self.known_family(family).unwrap_or(family));
        let entries = self.families.entry(Arc::clone(&family)).or_default();
        let mut entry = match entries.entry(Arc::clone(key)) {
            Place::Occupied(entry) => entry,
            Place::Vacant(vacant) => {
                vacant.insert(Entry::new(place, value));
                self.note(place, &family, key);
                self.weigh(place, new, None);
                let changed = Changed {
                    shown: true,
                    ours,
                    was: false,
                    was_ours: false,
                };
                return (changed, family, Arc::clone(key));
            }
        };
        let key = Arc::clone(entry.key());
        let owners = &self.owners;
        let is_ours = |place: u32| {
            owners[place as usize]
                .as_ref()
                .is_some_and(|owner| owner.ours)
        };
        let was_ours = ours && entry.get().last(is_ours).is_some();
        let old = entry.get().last(|owner| owner == place);
        let old = old.map(|old| size(&key, old).bytes);
        let (shown, known) = entry.get_mut().set(place, value);
        self.weigh(place, new, old);
        let changed = Changed {
            shown,
            ours: ours && (shown || known != Known::Same),
            was: true,
            was_ours,
        };
        if known == Known::New {
            self.note(place, &family, &key);
        }
        self.adopt(&family, &key);
        (changed, family, key)
    }

    /// Deletes an owner's value of a key. Returns `None` if it had none.
    pub(super) fn del(
        &mut self,
        place: u32,
        family: &str,
        key: &str,
    ) -> Option<(Changed, Arc<str>, Arc<str>)> {
        let owner = self.owners[place as usize].as_mut()?;
        let (family, keys) = owner.keys.get_key_value(family)?;
        let (family, key) = (Arc::clone(family), Arc::clone(keys.get(key)?));
        let ours = owner.ours;
        let adopted = self.adopt(&family, &key);
        let shown = self.drop_holding(place, &family, &key) || adopted;
        Some((gone(shown, ours), family, key))
    }

    /// Removes an owner. Returns its keys with the effects.
    pub(super) fn remove(&mut self, id: &NodeId) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        let Some(place) = self.places.remove(id) else {
            return Vec::new();
        };
        self.remove_place(place)
    }

    /// Handles the loss of a global node, whose slaves search for another master. Keys that belong to it by their names
    /// are deleted at once. The others stay until `expiry`, unless another node sets or deletes them.
    pub(super) fn orphan(
        &mut self,
        id: &NodeId,
        expiry: Time,
    ) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        let Some(place) = self.places.remove(id) else {
            return Vec::new();
        };
        let Some(owner) = self.owners[place as usize].as_mut() else {
            return Vec::new();
        };
        let ours = std::mem::replace(&mut owner.ours, false);
        let keys = owner.all_keys();
        self.orphans.push((place, expiry));
        let mut changes = Vec::new();
        for (family, key) in keys {
            let own = is_own_key(id.as_str(), &key);
            let shown = own && self.drop_holding(place, &family, &key);
            changes.push((gone(shown, ours), family, key));
        }
        changes
    }

    /// The next time at which orphaned entries are deleted.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.orphans.iter().map(|(_, expiry)| *expiry).min()
    }

    /// Deletes the orphaned entries that are due.
    pub(super) fn expire(&mut self, now: Time) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        let orphans = self.orphans.extract_if(.., |(_, expiry)| *expiry <= now);
        let places: Vec<_> = orphans.map(|(place, _)| place).collect();
        places
            .into_iter()
            .flat_map(|place| self.remove_place(place))
            .collect()
    }

    fn remove_place(&mut self, place: u32) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        let Some(owner) = self.owners[place as usize].as_mut() else {
            return Vec::new();
        };
        let (ours, keys) = (owner.ours, std::mem::take(&mut owner.keys));
        let mut changes = Vec::new();
        for (family, keys) in keys {
            for key in keys {
                let shown = self.drop_value(place, &family, &key);
                changes.push((gone(shown, ours), Arc::clone(&family), key));
            }
        }
        self.owners[place as usize] = None;
        changes
    }

    /// The visible value of a key.
    pub(super) fn shown(&self, family: &str, key: &str) -> Option<&Value> {
        let entry = self.families.get(family)?.get(key)?;
        Some(&entry.shown.value)
    }

    /// The addresses of a node: the node's own value, or else the last value that has addresses. A reference node may
    /// have spread a value without addresses.
    pub(super) fn listeners(&self, node: &NodeId) -> Option<&Value> {
        let entry = self.families.get(LISTENERS)?.get(node.as_str())?;
        let own = self.places.get(node);
        let own = own.and_then(|own| entry.last(|place| place == *own));
        own.or_else(|| {
            let mut holdings = entry.holdings().map(|holding| &holding.value);
            holdings.find(|value| value.as_array().is_some())
        })
    }

    /// The value that this node answers for, without the value of `but`.
    pub(super) fn ours(&self, family: &str, key: &str, but: &NodeId) -> Option<&Value> {
        let entry = self.families.get(family)?.get(key)?;
        entry.last(|place| self.answers_for(place, but))
    }

    /// Like [`ours`](Self::ours), with the key.
    pub(super) fn ours_entry<'a>(
        &'a self,
        family: &str,
        key: &str,
        but: &NodeId,
    ) -> Option<(&'a str, &'a Value)> {
        let (key, entry) = self.families.get(family)?.get_key_value(key)?;
        let value = entry.last(|place| self.answers_for(place, but))?;
        Some((key, value))
    }

    /// True if this node answers for a value of the key.
    pub(super) fn is_ours_set(&self, family: &str, key: &str) -> bool {
        let entry = self
            .families
            .get(family)
            .and_then(|entries| entries.get(key));
        entry.is_some_and(|entry| entry.last(|place| self.is_ours(place)).is_some())
    }

    fn answers_for(&self, place: u32, but: &NodeId) -> bool {
        let owner = self.owners[place as usize].as_ref();
        owner.is_some_and(|owner| owner.ours && owner.id != *but)
    }

    /// The visible entries of a family.
    pub(super) fn family(&self, family: &str) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        let entries = self.families.get(family).into_iter().flatten();
        entries.map(|(key, entry)| (key, &entry.shown.value))
    }

    /// All keys that this node answers for, by family, without those of `but`.
    pub(super) fn all_ours(&self, but: &NodeId) -> Keys {
        let mut all = Keys::new();
        for owner in self.owners.iter().flatten() {
            if owner.ours && owner.id != *but {
                for (family, keys) in &owner.keys {
                    let known = all.entry(Arc::clone(family)).or_default();
                    known.extend(keys.iter().cloned());
                }
            }
        }
        all
    }

    /// The owners of entries, including the lost ones.
    pub(super) fn owners(&self) -> impl Iterator<Item = &NodeId> {
        self.owners.iter().flatten().map(|owner| &owner.id)
    }

    /// The families that have entries, with their numbers.
    pub(super) fn sizes(&self) -> impl Iterator<Item = (&Arc<str>, usize)> {
        self.families
            .iter()
            .map(|(family, entries)| (family, entries.len()))
    }

    /// The number of entries of a family.
    pub(super) fn size(&self, family: &str) -> usize {
        self.families.get(family).map_or(0, IndexMap::len)
    }

    /// The families that have entries.
    #[cfg(test)]
    pub(super) fn families(&self) -> impl Iterator<Item = &Arc<str>> {
        self.families.keys()
    }

    fn known_family(&self, family: &str) -> Option<&Arc<str>> {
        self.families.get_key_value(family).map(|(name, _)| name)
    }

    fn note(&mut self, place: u32, family: &Arc<str>, key: &Arc<str>) {
        if let Some(owner) = self.owners[place as usize].as_mut()
            && note(&mut owner.keys, family, key)
        {
            owner.held.bytes += size_of_family(family);
        }
    }

    /// Deletes orphaned values of a key that another node has set or deleted. Returns true if the visible value has
    /// changed.
    fn adopt(&mut self, family: &Arc<str>, key: &Arc<str>) -> bool {
        let mut changed = false;
        for at in 0..self.orphans.len() {
            let place = self.orphans[at].0;
            changed |= self.drop_holding(place, family, key);
        }
        changed
    }

    /// Deletes an owner's value, and the key from the owner's list. Returns true if the visible value has changed.
    fn drop_holding(&mut self, place: u32, family: &Arc<str>, key: &Arc<str>) -> bool {
        let Some(owner) = self.owners[place as usize].as_mut() else {
            return false;
        };
        let Some(keys) = owner.keys.get_mut(family) else {
            return false;
        };
        if !keys.swap_remove(key) {
            return false;
        }
        if keys.is_empty() {
            owner.keys.remove(family);
            owner.held.bytes -= size_of_family(family);
        } else if is_sparse(keys.len(), keys.capacity()) {
            keys.shrink_to(2 * keys.len());
        }
        self.drop_value(place, family, key)
    }

    fn drop_value(&mut self, place: u32, family: &Arc<str>, key: &Arc<str>) -> bool {
        let Some(entries) = self.families.get_mut(family) else {
            return false;
        };
        let Some(entry) = entries.get_mut(key) else {
            return false;
        };
        let old = entry.last(|owner| owner == place);
        let old = old.map(|old| size(key, old).bytes);
        let left = entry.remove(place);
        if matches!(left, Left::Nothing) {
            entries.swap_remove(key);
            if entries.is_empty() {
                self.families.remove(family);
            } else if is_sparse(entries.len(), entries.capacity()) {
                entries.shrink_to(2 * entries.len());
            }
        }
        self.weigh(place, None, old);
        match left {
            Left::Shown => false,
            Left::Another(changed) => changed,
            Left::Nothing => true,
        }
    }
}

/// True if a table has much more room than it needs, because no quota counts that room.
fn is_sparse(entries: usize, room: usize) -> bool {
    room > 64 && entries < room / 8
}

fn gone(shown: bool, ours: bool) -> Changed {
    Changed {
        shown,
        ours,
        was: true,
        was_ours: true,
    }
}

impl Owner {
    fn all_keys(&self) -> Vec<(Arc<str>, Arc<str>)> {
        let mut all = Vec::new();
        for (family, keys) in &self.keys {
            all.extend(keys.iter().map(|key| (Arc::clone(family), Arc::clone(key))));
        }
        all
    }
}

#[cfg(test)]
mod tests;
