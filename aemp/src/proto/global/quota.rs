//! How much of the database one node may own on a global node, and how much it may watch.

use aemp_codec::{NodeId, Value};

use super::{GLOBALS, Global, shards::Shards};
use crate::proto::{Time, limits::NodeLimits, mesh::Level, queue::weight};

/// How many global nodes one node may tell of: this one tries to reach each of them, again and again.
const MOST_GLOBALS: usize = 1000;

/// How much one other node may own and watch.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Entries: `max_db_keys`.
    pub max_keys: usize,
    /// Their bytes, keys and values: `max_db_bytes`.
    pub max_bytes: usize,
    /// Families that it watches: `max_monitors`.
    pub max_watches: usize,
}

impl Default for Quota {
    fn default() -> Self {
        Self::from(&NodeLimits::default())
    }
}

impl From<&NodeLimits> for Quota {
    fn from(limits: &NodeLimits) -> Self {
        Self {
            max_keys: limits.max_db_keys,
            max_bytes: limits.max_db_bytes,
            max_watches: limits.max_monitors,
        }
    }
}

/// What an owner has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) keys: usize,
    pub(super) bytes: usize,
}

/// About how many bytes an entry takes.
pub(super) fn size(key: &str, value: &Value) -> usize {
    key.len() + weight(value)
}

impl Global {
    /// Whether a node may set a key. Logs, once in a while, that it may not. Whatever it had of that key is deleted then:
    /// rather nothing than a value that is no longer true.
    pub(super) fn may_set(
        &mut self,
        now: Time,
        owner: (&NodeId, u32),
        family: &str,
        key: &str,
        value: &Value,
    ) -> bool {
        let ((owner, place), quota) = (owner, self.quota);
        let (held, new) = (self.shards.held(place), size(key, value));
        let fits = held.keys < quota.max_keys && held.bytes + new <= quota.max_bytes;
        if fits && *family != *GLOBALS {
            return true;
        }
        let old = self.shards.value_of(place, family, key);
        let keys = held.keys + usize::from(old.is_none());
        let bytes = (held.bytes + new).saturating_sub(old.map_or(0, |old| size(key, old)));
        let globals = |shards: &Shards| shards.held_in(place, GLOBALS);
        let (limit, setting) = if keys > quota.max_keys {
            ("max_db_keys", quota.max_keys)
        } else if bytes > quota.max_bytes {
            ("max_db_bytes", quota.max_bytes)
        } else if *family == *GLOBALS && old.is_none() && globals(&self.shards) >= MOST_GLOBALS {
            ("the number of global nodes", MOST_GLOBALS)
        } else {
            return true;
        };
        self.tell_reached(now, owner, limit, setting, "what it sets is left out");
        false
    }

    /// Whether a node may watch one family more. Logs, once in a while, that it may not.
    pub(super) fn may_watch(&mut self, now: Time, from: &NodeId, family: &str) -> bool {
        let most = self.quota.max_watches;
        let known = self.known.get(from);
        let may = known
            .is_none_or(|known| known.monitors.len() < most || known.monitors.contains_key(family));
        if !may {
            let so = "no more families are watched for it";
            self.tell_reached(now, from, "max_monitors", most, so);
        }
        may
    }

    fn tell_reached(
        &mut self,
        now: Time,
        who: &NodeId,
        limit: &'static str,
        setting: usize,
        so: &str,
    ) {
        if self.notices.is_due(now, limit, who.as_str()) {
            let text = format!("{who}: {limit} ({setting}) reached: {so}");
            self.log(Level::Warn, text);
        }
    }
}
