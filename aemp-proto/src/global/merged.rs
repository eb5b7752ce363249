//! The whole database on a global node, and its changes that others have not been told.
//!
//! Every change of an entry goes through here, and is noted. So no change of an entry forgets its watchers.

use std::sync::Arc;

use aemp_codec::{NodeId, Value};

use super::{
    dirty::{Note, Noted, changed},
    shards::{Changed, Shards},
};
use crate::Time;

/// The entries of all owners.
#[derive(Debug, Default)]
pub(super) struct Merged {
    shards: Shards,
    /// The place of this node in `shards`.
    own: u32,
    /// The keys whose visible value has changed since the last flush.
    shown: Noted,
    /// The keys whose value that this node answers for has changed since the last flush.
    ours: Noted,
    /// The number of changes of visible values.
    changes: u64,
}

impl Merged {
    /// The number of changes of visible values since the start.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    pub(super) fn shards(&self) -> &Shards {
        &self.shards
    }

    /// The place of an owner, which gets one if it has none.
    pub(super) fn owner(&mut self, node: &NodeId) -> u32 {
        self.shards.owner(node)
    }

    /// Begins with the entries of this node.
    pub(super) fn begin<'a>(
        &mut self,
        node: &NodeId,
        entries: impl Iterator<Item = (&'a Arc<str>, &'a Arc<str>, &'a Value)>,
    ) {
        self.own = self.shards.owner(node);
        self.shards.set_ours(self.own, true);
        for (family, key, value) in entries {
            let (_, family, key) = self.shards.set(self.own, family, key, value.clone());
            let (was, by) = (true, Some(self.own));
            changed(&mut self.shown, &family, &key, Note { was, by });
            changed(&mut self.ours, &family, &key, Note { was, by });
        }
    }

    /// Sets an entry of this node.
    pub(super) fn set_own(&mut self, family: &Arc<str>, key: &Arc<str>, value: Value) {
        self.set(self.own, family, key, value);
    }

    /// Deletes an entry of this node.
    pub(super) fn del_own(&mut self, family: &Arc<str>, key: &Arc<str>) {
        self.del(self.own, family, key);
    }

    /// Sets an entry of the owner at a place.
    pub(super) fn set(&mut self, place: u32, family: &Arc<str>, key: &Arc<str>, value: Value) {
        let (change, family, key) = self.shards.set(place, family, key, value);
        self.changed(&change, &family, &key, Some(place));
    }

    /// Deletes an entry of the owner at a place.
    pub(super) fn del(&mut self, place: u32, family: &Arc<str>, key: &Arc<str>) {
        if let Some((change, family, key)) = self.shards.del(place, family, key) {
            self.changed(&change, &family, &key, Some(place));
        }
    }

    /// Begins or ceases to answer for the entries of an owner.
    pub(super) fn answer_for(&mut self, node: &NodeId, answers: bool) {
        let place = self.shards.owner(node);
        for (family, key) in self.shards.set_ours(place, answers) {
            let (was, by) = (true, None);
            changed(&mut self.ours, &family, &key, Note { was, by });
        }
    }

    /// Removes the entries of a node that is lost.
    pub(super) fn remove(&mut self, now: Time, node: &NodeId) {
        let changes = self.shards.remove(now, node);
        self.all_changed(changes);
    }

    /// Keeps the entries of a global node that is lost until a time, for their owners to come back.
    pub(super) fn orphan(&mut self, now: Time, node: &NodeId, until: Time) {
        let changes = self.shards.orphan(now, node, until);
        self.all_changed(changes);
    }

    /// Removes the orphans whose time is over.
    pub(super) fn expire(&mut self, now: Time) {
        let changes = self.shards.expire(now);
        self.all_changed(changes);
    }

    fn all_changed(&mut self, changes: Vec<(Changed, Arc<str>, Arc<str>)>) {
        for (change, family, key) in changes {
            self.changed(&change, &family, &key, None);
        }
    }

    /// Notes the effects of a change. `by` is the place of the only owner whose value has changed.
    fn changed(&mut self, change: &Changed, family: &Arc<str>, key: &Arc<str>, by: Option<u32>) {
        if change.shown {
            self.changes += 1;
            let was = change.was;
            changed(&mut self.shown, family, key, Note { was, by });
        }
        if change.ours {
            let was = change.was_ours;
            changed(&mut self.ours, family, key, Note { was, by });
        }
    }

    /// The keys whose visible value has changed.
    pub(super) fn shown(&self) -> &Noted {
        &self.shown
    }

    pub(super) fn take_shown(&mut self) -> Noted {
        std::mem::take(&mut self.shown)
    }

    /// Takes the keys whose value that this node answers for has changed.
    pub(super) fn take_ours(&mut self) -> Noted {
        std::mem::take(&mut self.ours)
    }
}
