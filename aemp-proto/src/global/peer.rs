//! One connected node, as slaves and global nodes see each other.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

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
pub(super) struct GlobalPeer {
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
    pub(super) monitors: Monitors,
    /// The approximate memory of these. It counts towards the node's quota.
    pub(super) watched_bytes: usize,
    /// The entries that it had set as a slave when it became global, and has not set since.
    pub(super) stale: Keys,
}

impl GlobalPeer {
    /// Starts or restarts a watch of a family.
    pub(super) fn watch(&mut self, family: Arc<str>) {
        let bytes = size_of_watch(&family);
        if self.monitors.start(family) {
            self.watched_bytes += bytes;
        }
    }

    /// Ends a watch of a family.
    pub(super) fn unwatch(&mut self, family: &str) {
        if self.monitors.end(family) {
            self.watched_bytes -= size_of_watch(family);
        }
    }
}

/// The families that a slave watches. Those with something to send are found without looking at the others.
#[derive(Debug, Default)]
pub(super) struct Monitors {
    all: BTreeMap<Arc<str>, Monitor>,
    /// The families whose monitors may be due.
    due: BTreeSet<Arc<str>>,
}

impl Monitors {
    /// Starts or restarts a monitor. Returns true if it is new.
    fn start(&mut self, family: Arc<str>) -> bool {
        let monitor = Monitor {
            fresh: true,
            ..Monitor::default()
        };
        self.due.insert(Arc::clone(&family));
        self.all.insert(family, monitor).is_none()
    }

    /// Ends a monitor. Returns true if there was one.
    fn end(&mut self, family: &str) -> bool {
        self.due.remove(family);
        self.all.remove(family).is_some()
    }

    pub(super) fn contains(&self, family: &str) -> bool {
        self.all.contains_key(family)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn families(&self) -> impl Iterator<Item = &Arc<str>> {
        self.all.keys()
    }

    /// Notes a change of a key, unless the whole content is to be sent.
    pub(super) fn changed(&mut self, family: &Arc<str>, key: &Arc<str>, was: bool, is: bool) {
        if let Some(monitor) = self.all.get_mut(family)
            && !monitor.fresh
        {
            monitor.dirty.add(key, was, is);
            if !self.due.contains(family) {
                self.due.insert(Arc::clone(family));
            }
        }
    }

    /// True if there is something to send.
    pub(super) fn is_due(&self) -> bool {
        let is_due = |family: &Arc<str>| self.all.get(family).is_some_and(Monitor::is_due);
        self.due.iter().any(is_due)
    }

    /// Calls `send` with the monitors that are due. Those that are still due afterwards are kept for the next call.
    pub(super) fn send_due(&mut self, mut send: impl FnMut(&mut Monitor, &Arc<str>)) {
        let all = &mut self.all;
        self.due.retain(|family| {
            let Some(monitor) = all.get_mut(family) else {
                return false;
            };
            send(monitor, family);
            monitor.is_due()
        });
    }

    #[cfg(all(test, feature = "json"))]
    pub(super) fn get(&self, family: &str) -> Option<&Monitor> {
        self.all.get(family)
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

impl Monitor {
    fn is_due(&self) -> bool {
        self.fresh || !self.dirty.is_empty()
    }
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
        kind: super::request::Query,
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
