//! One connected node, as slaves and global nodes see each other.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::{NodeId, Value};
use indexmap::IndexSet;

use super::{
    dirty::{Dirty, DirtyFamilies},
    quota::size_of_watch,
};

/// Keys, by family.
pub(super) type Keys = BTreeMap<Arc<str>, IndexSet<Arc<str>>>;

/// A connected node. There is nothing of a node that is not.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// Whether it is one of our seeds.
    pub(super) seed: bool,
    /// Whether it has said that it is global.
    pub(super) global: bool,
    /// Whether it has sent its database as a slave of ours.
    pub(super) slave: bool,
    /// So much is queued for it that changes wait; they gather meanwhile.
    pub(super) held: bool,
    /// About how many bytes have been queued for it since it last said that all was written.
    pub(super) queued: usize,
    /// What it is to be told in any case.
    pub(super) messages: Vec<Message>,
    /// It needs all that we answer for.
    pub(super) set_due: bool,
    /// Changes of what we answer for.
    pub(super) ours: DirtyFamilies,
    /// The families that it watches.
    pub(super) monitors: BTreeMap<Arc<str>, Monitor>,
    /// The memory of these, about: it counts in the node's share of the database.
    pub(super) watched_bytes: usize,
    /// What it had set as a slave when it became global, and has not set since.
    pub(super) stale: Keys,
}

impl Known {
    /// It watches a family from now on, or anew.
    pub(super) fn watch(&mut self, family: Arc<str>) {
        let monitor = Monitor {
            fresh: true,
            ..Monitor::default()
        };
        let bytes = size_of_watch(&family);
        if self.monitors.insert(family, monitor).is_none() {
            self.watched_bytes += bytes;
        }
    }

    /// It watches a family no longer.
    pub(super) fn unwatch(&mut self, family: &str) {
        if self.monitors.remove(family).is_some() {
            self.watched_bytes -= size_of_watch(family);
        }
    }
}

/// A family that a slave watches.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    /// It has to be told what the family holds.
    pub(super) fresh: bool,
    /// What has changed since.
    pub(super) dirty: Dirty,
}

/// What is said once.
#[derive(Debug)]
pub(super) enum Message {
    /// `g_global`
    Global,
    /// `g_slave` without a database: become global.
    BecomeGlobal,
    /// `g_mon0`
    Unmonitor(Arc<str>),
    /// `g_found`
    Found(NodeId),
    /// `g_reply`
    Reply {
        what: super::request::Query,
        family: Arc<str>,
        id: Value,
    },
}

/// Adds a key; whether it is the first of its family.
pub(super) fn note(keys: &mut Keys, family: &Arc<str>, key: &Arc<str>) -> bool {
    match keys.get_mut(&**family) {
        Some(keys) => {
            keys.insert(Arc::clone(key));
            false
        }
        None => {
            let family = Arc::clone(family);
            keys.insert(family, IndexSet::from([Arc::clone(key)]));
            true
        }
    }
}
