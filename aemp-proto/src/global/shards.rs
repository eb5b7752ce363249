//! The whole database, as a global node holds it: every entry of every owner ([protocol](crate::protocol::global#the-database)).

mod entry;
mod owner;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use aemp_codec::{NodeId, Value};
use indexmap::{IndexMap, map::Entry as Place};

use self::{
    entry::{Entry, Holding, Known, Left},
    owner::{Name, Owner, Part},
};
use super::{
    names::LISTENERS,
    peer::Keys,
    size::{Held, size},
};
use crate::Time;

/// The number of entries of a lost owner that are deleted at a time. This takes about a millisecond, after which other
/// threads may use the mesh.
const SLICE: usize = 1024;
/// The pause between two such slices.
const PAUSE: Duration = Duration::from_millis(1);

/// All entries of all owners.
///
/// Each key has the values of its owners in the order of their writing, and the last value is visible. Each owner has
/// the list of its keys, so that they are found when it is lost.
#[derive(Debug, Default)]
pub(super) struct Shards {
    families: BTreeMap<Arc<str>, IndexMap<Arc<str>, Entry>>,
    owners: Vec<Option<Owner>>,
    /// The free places.
    free: Vec<u32>,
    /// The places of the present owners.
    places: BTreeMap<NodeId, u32>,
    /// Lost owners, and the times at which their entries are deleted.
    orphans: BTreeSet<(Time, u32)>,
    /// Lost owners whose entries are being deleted, a slice at a time.
    leaving: VecDeque<(u32, Part)>,
    /// The time of the next slice.
    next: Time,
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
        let owner = Some(Owner::new(id.clone()));
        let place = match self.free.pop() {
            Some(free) => {
                self.owners[free as usize] = owner;
                free
            }
            None => {
                self.owners.push(owner);
                (self.owners.len() - 1) as u32
            }
        };
        self.places.insert(id.clone(), place);
        place
    }

    /// Sets whether this node answers for an owner. Returns the owner's keys, which must be announced if it now does.
    pub(super) fn set_ours(&mut self, place: u32, ours: bool) -> Vec<Name> {
        let Some(owner) = self.owners[place as usize].as_mut() else {
            return Vec::new();
        };
        if std::mem::replace(&mut owner.ours, ours) == ours {
            return Vec::new();
        }
        owner.all_keys()
    }

    /// The keys of an owner.
    pub(super) fn keys_of(&self, id: &NodeId) -> Vec<Name> {
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
        owner.map_or(0, |owner| owner.keys_in(family))
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
        let (family, key) = owner.name(family, key)?;
        let ours = owner.ours;
        let adopted = self.adopt(&family, &key);
        let shown = self.drop_holding(place, &family, &key) || adopted;
        Some((gone(shown, ours), family, key))
    }

    /// Removes an owner and deletes its entries. Returns its keys with the effects. If there are many, only the first
    /// slice is deleted now.
    pub(super) fn remove(&mut self, now: Time, id: &NodeId) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        let Some(place) = self.places.remove(id) else {
            return Vec::new();
        };
        self.leave(now, place, Part::All)
    }

    /// Handles the loss of a global node, whose slaves search for another master. Keys that belong to it by their names
    /// are deleted now. The others stay until `expiry`, unless another node sets or deletes them.
    pub(super) fn orphan(
        &mut self,
        now: Time,
        id: &NodeId,
        expiry: Time,
    ) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        let Some(place) = self.places.remove(id) else {
            return Vec::new();
        };
        let Some(owner) = self.owners[place as usize].as_mut() else {
            return Vec::new();
        };
        let mut changes = Vec::new();
        if std::mem::replace(&mut owner.ours, false) {
            let kept = owner.all_keys().into_iter();
            changes.extend(kept.map(|(family, key)| (gone(false, true), family, key)));
        }
        self.orphans.insert((expiry, place));
        changes.append(&mut self.leave(now, place, Part::Own));
        changes
    }

    /// The next time at which entries of lost owners are deleted.
    pub(super) fn deadline(&self) -> Option<Time> {
        let orphan = self.orphans.first().map(|(expiry, _)| *expiry);
        let leaving = (!self.leaving.is_empty()).then_some(self.next);
        orphan.into_iter().chain(leaving).min()
    }

    /// Deletes the entries that are due.
    pub(super) fn expire(&mut self, now: Time) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        while let Some(&(expiry, place)) = self.orphans.first()
            && expiry <= now
        {
            self.orphans.pop_first();
            if self.leaving.is_empty() {
                self.next = now;
            }
            self.leaving.push_back((place, Part::All));
        }
        let mut changes = Vec::new();
        if self.next > now {
            return changes;
        }
        while let Some((place, part)) = self.leaving.front().copied() {
            if !self.take_slice(place, part, &mut changes) {
                break;
            }
            self.leaving.pop_front();
        }
        self.next = now + PAUSE;
        changes
    }

    /// Deletes the first slice of a lost owner's entries.
    fn leave(&mut self, now: Time, place: u32, part: Part) -> Vec<(Changed, Arc<str>, Arc<str>)> {
        if let Some(owner) = self.owners[place as usize].as_mut() {
            owner.gone = true;
        }
        let mut changes = Vec::new();
        if !self.take_slice(place, part, &mut changes) {
            if self.leaving.is_empty() {
                self.next = now + PAUSE;
            }
            self.leaving.push_back((place, part));
        }
        changes
    }

    /// Deletes entries of an owner, until a slice of changes is full. Returns true if that part has no entries left.
    fn take_slice(
        &mut self,
        place: u32,
        part: Part,
        changes: &mut Vec<(Changed, Arc<str>, Arc<str>)>,
    ) -> bool {
        loop {
            let Some(owner) = self.owners[place as usize].as_mut() else {
                return true;
            };
            let ours = owner.ours;
            if changes.len() >= SLICE {
                return false;
            }
            let Some((family, key)) = owner.pop(part) else {
                break;
            };
            let shown = self.drop_value(place, &family, &key);
            changes.push((gone(shown, ours), family, key));
        }
        if part == Part::All {
            self.owners[place as usize] = None;
            self.free.push(place);
        }
        true
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

    /// The owner of the addresses of a node: the node itself, or the global node that answers for it.
    pub(super) fn master_of(&self, node: &NodeId) -> Option<&NodeId> {
        let entry = self.families.get(LISTENERS)?.get(node.as_str())?;
        let mut owners = entry
            .holdings()
            .filter_map(|holding| self.owners[holding.owner() as usize].as_ref());
        owners.find(|owner| !owner.gone).map(|owner| &owner.id)
    }

    /// The node ID of an owner.
    pub(super) fn owner_at(&self, place: u32) -> Option<&NodeId> {
        let owner = self.owners.get(place as usize)?.as_ref();
        owner.map(|owner| &owner.id)
    }

    /// The value that this node answers for, without the value of `but`.
    pub(super) fn ours(&self, family: &str, key: &str, but: Option<&NodeId>) -> Option<&Value> {
        let entry = self.families.get(family)?.get(key)?;
        entry.last(|place| self.answers_for(place, but))
    }

    /// Like [`ours`](Self::ours), with the key.
    pub(super) fn ours_entry<'a>(
        &'a self,
        family: &str,
        key: &str,
        but: Option<&NodeId>,
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

    fn answers_for(&self, place: u32, but: Option<&NodeId>) -> bool {
        let owner = self.owners[place as usize].as_ref();
        owner.is_some_and(|owner| owner.ours && but != Some(&owner.id))
    }

    /// The visible entries of a family.
    pub(super) fn family(&self, family: &str) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        let entries = self.families.get(family).into_iter().flatten();
        entries.map(|(key, entry)| (key, &entry.shown.value))
    }

    /// The keys of a family, with the owners of their visible values.
    pub(super) fn owners_in(&self, family: &str) -> impl Iterator<Item = (&Arc<str>, &NodeId)> {
        let entries = self.families.get(family).into_iter().flatten();
        entries.filter_map(|(key, entry)| {
            let owner = self.owners[entry.shown.owner() as usize].as_ref()?;
            Some((key, &owner.id))
        })
    }

    /// All keys that this node answers for, by family, without those of `but`.
    pub(super) fn all_ours(&self, but: Option<&NodeId>) -> Keys {
        let mut all = Keys::new();
        for owner in self.owners.iter().flatten() {
            if owner.ours && but != Some(&owner.id) {
                owner.add_keys(&mut all);
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

    /// The memory of all entries, in bytes.
    pub(super) fn bytes(&self) -> usize {
        let owners = self.owners.iter().flatten();
        owners.map(|owner| owner.held.bytes).sum()
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
        if let Some(owner) = self.owners[place as usize].as_mut() {
            owner.note(family, key);
        }
    }

    /// Deletes lost owners' values of a key that another node has set or deleted. Returns true if the visible value has
    /// changed.
    fn adopt(&mut self, family: &Arc<str>, key: &Arc<str>) -> bool {
        if self.orphans.is_empty() && self.leaving.is_empty() {
            return false;
        }
        let mut changed = false;
        for place in self.gone_holders(family, key) {
            changed |= self.drop_holding(place, family, key);
        }
        changed
    }

    fn gone_holders(&self, family: &str, key: &str) -> Vec<u32> {
        let entry = self
            .families
            .get(family)
            .and_then(|entries| entries.get(key));
        let holders = entry.into_iter().flat_map(Entry::holdings);
        let is_gone = |place: &u32| {
            let owner = self.owners[*place as usize].as_ref();
            owner.is_some_and(|owner| owner.gone)
        };
        holders.map(Holding::owner).filter(is_gone).collect()
    }

    /// Deletes an owner's value, and the key from the owner's list. Returns true if the visible value has changed.
    fn drop_holding(&mut self, place: u32, family: &Arc<str>, key: &Arc<str>) -> bool {
        let owner = self.owners[place as usize].as_mut();
        owner.is_some_and(|owner| owner.forget(family, key)) && self.drop_value(place, family, key)
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
            } else if owner::is_sparse(entries.len(), entries.capacity()) {
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

fn gone(shown: bool, ours: bool) -> Changed {
    Changed {
        shown,
        ours,
        was: true,
        was_ours: true,
    }
}

#[cfg(test)]
mod tests;
