//! One connected node, as slaves and global nodes see each other.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::{NodeId, Value};
use indexmap::IndexSet;

use super::{
    dirty::{Dirty, DirtyFamilies},
    size::size_of_watch,
};

/// Keys by family.
pub(super) type Keys = BTreeMap<Arc<str>, IndexSet<Arc<str>>>;

/// The state of a connected node. Other nodes have no state.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// True if it is one of our seeds.
    pub(super) seed: bool,
    /// True if it has said that it is global.
    pub(super) global: bool,
    /// True if it has sent its database as our slave.
    pub(super) slave: bool,
    /// True if its queue is full enough: changes are collected and not sent.
    pub(super) held: bool,
    /// The approximate number of bytes that have been queued for it since its queue was last written.
    pub(super) queued: usize,
    /// Messages that are sent in any case.
    pub(super) messages: Vec<Message>,
    /// True if it must be sent all entries that we answer for.
    pub(super) set_due: bool,
    /// The changes of the entries that we answer for.
    pub(super) ours: DirtyFamilies,
    /// The families that it watches.
    pub(super) monitors: BTreeMap<Arc<str>, Monitor>,
    /// The approximate memory of these. It counts towards the node's quota.
    pub(super) watched_bytes: usize,
    /// The entries that it had set as a slave when it became global, and has not set since.
    pub(super) stale: Keys,
}

impl Known {
    /// Starts or restarts a watch of a family.
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

    /// Ends a watch of a family.
    pub(super) fn unwatch(&mut self, family: &str) {
        if self.monitors.remove(family).is_some() {
            self.watched_bytes -= size_of_watch(family);
        }
    }
}

/// A family that a slave watches.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    /// True if it must be sent the content of the family.
    pub(super) fresh: bool,
    /// The changes since then.
    pub(super) dirty: Dirty,
}

/// A message that is sent once.
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

/// Adds a key. Returns true if it is the first of its family.
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
