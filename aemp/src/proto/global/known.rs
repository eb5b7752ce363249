//! One connected node, as slaves and global nodes see each other.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::Value;
use indexmap::IndexSet;

/// Keys that are to be looked at again, by family.
pub(super) type Keys = BTreeMap<Arc<str>, IndexSet<Arc<str>>>;

/// Keys that have changed, by family, as they came: who looks at them looks at each of their changes.
pub(super) type Noted = BTreeMap<Arc<str>, Vec<Arc<str>>>;

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
    /// What it is to be told in any case.
    pub(super) messages: Vec<Message>,
    /// It needs all that we answer for.
    pub(super) set_due: bool,
    /// Changes of what we answer for.
    pub(super) ours: Keys,
    /// The families that it watches.
    pub(super) monitors: BTreeMap<Arc<str>, Monitor>,
    /// What it had set as a slave when it became global, and has not set since.
    pub(super) stale: Keys,
}

/// A family that a slave watches.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    /// It has to be told what the family holds.
    pub(super) fresh: bool,
    /// What has changed since.
    pub(super) dirty: IndexSet<Arc<str>>,
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
    Found(Arc<str>),
    /// `g_reply`
    Reply {
        what: super::request::Query,
        family: Arc<str>,
        id: Value,
    },
}

/// Notes a key that is to be looked at again.
pub(super) fn note(keys: &mut Keys, family: &Arc<str>, key: &Arc<str>) {
    match keys.get_mut(&**family) {
        Some(keys) => {
            keys.insert(Arc::clone(key));
        }
        None => {
            let family = Arc::clone(family);
            keys.insert(family, IndexSet::from([Arc::clone(key)]));
        }
    }
}

/// Notes a key that has changed.
pub(super) fn changed(noted: &mut Noted, family: &Arc<str>, key: &Arc<str>) {
    match noted.get_mut(&**family) {
        Some(keys) => keys.push(Arc::clone(key)),
        None => {
            noted.insert(Arc::clone(family), vec![Arc::clone(key)]);
        }
    }
}
