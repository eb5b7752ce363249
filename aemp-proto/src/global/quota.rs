//! The limits of one node's entries and watches on a global node.

use aemp_codec::{NodeId, Value};

use super::{GLOBALS, Global, shards::Shards};
use crate::{
    Time,
    limits::NodeLimits,
    mesh::Level,
    weigh::{Kept, kept, name},
};

/// How many global nodes one node may tell of: this one tries to reach each of them, again and again.
const MOST_GLOBALS: usize = 1000;
/// The memory of an entry in the tables of its family and of its owner, on average over how far they have grown: 64 and 24 bytes,
/// and twice a place of a hash table, where the tables are full to between a half and all.
const ENTRY: usize = 150;
/// The memory of a family, with its first tables, for each owner of entries in it.
const FAMILY: usize = 500;
/// The memory of each watch of a family.
const WATCH: usize = 400;
/// So many entries of the largest kind fit into one packet that tells of them.
const ENTRIES_IN_PACKET: usize = 4;

/// How much one other node may own and watch.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Entries: `max_db_keys`.
    pub max_keys: usize,
    /// The memory that they take, with the names of their families and of those that it watches: `max_db_bytes`.
    pub max_bytes: usize,
    /// Families that it watches: `max_monitors`.
    pub max_watches: usize,
    /// Values that one entry is made of: a quarter of `max_packet_values`, because others have to be told of it.
    pub max_values: usize,
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
            max_values: values_in_entry(limits.max_packet_values),
        }
    }
}

/// What an owner has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) keys: usize,
    pub(super) bytes: usize,
}

/// How many values an entry may be made of where a packet may have so many.
pub fn values_in_entry(max_packet_values: usize) -> usize {
    max_packet_values / ENTRIES_IN_PACKET
}

/// About how many bytes an entry takes in memory, and how many values it is made of.
pub(super) fn size(key: &str, value: &Value) -> Kept {
    let Kept { bytes, values } = kept(value);
    Kept {
        bytes: ENTRY + name(key) + bytes,
        values,
    }
}

/// About how many bytes a family takes for an owner of entries in it.
pub(super) fn size_of_family(family: &str) -> usize {
    FAMILY + name(family)
}

/// About how many bytes it takes that a node watches a family.
pub(super) fn size_of_watch(family: &str) -> usize {
    WATCH + name(family)
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
        let (owner, place) = owner;
        let Err((limit, setting)) = self.check(owner, place, family, key, value) else {
            return true;
        };
        self.tell_reached(now, owner, limit, setting, "what it sets is left out");
        false
    }

    /// Which limit an entry would break.
    fn check(
        &self,
        owner: &NodeId,
        place: u32,
        family: &str,
        key: &str,
        value: &Value,
    ) -> Result<(), (&'static str, usize)> {
        let (quota, held) = (self.quota, self.held_by(owner));
        let new = size(key, value);
        if new.values > quota.max_values {
            return Err((
                "a quarter of max_packet_values in an entry",
                quota.max_values,
            ));
        }
        let family_bytes = match self.shards.held_in(place, family) {
            0 => size_of_family(family),
            _ => 0,
        };
        let bytes = held.bytes + family_bytes + new.bytes;
        let fits = held.keys < quota.max_keys && bytes <= quota.max_bytes;
        if fits && *family != *GLOBALS {
            return Ok(());
        }
        let old = self.shards.value_of(place, family, key);
        let keys = held.keys + usize::from(old.is_none());
        let bytes = bytes.saturating_sub(old.map_or(0, |old| size(key, old).bytes));
        let globals = |shards: &Shards| shards.held_in(place, GLOBALS);
        if keys > quota.max_keys {
            Err(("max_db_keys", quota.max_keys))
        } else if bytes > quota.max_bytes {
            Err(("max_db_bytes", quota.max_bytes))
        } else if *family == *GLOBALS && old.is_none() && globals(&self.shards) >= MOST_GLOBALS {
            Err(("the number of global nodes", MOST_GLOBALS))
        } else {
            Ok(())
        }
    }

    /// Whether a node may watch one family more. Logs, once in a while, that it may not.
    pub(super) fn may_watch(&mut self, now: Time, from: &NodeId, family: &str) -> bool {
        let (most, most_bytes) = (self.quota.max_watches, self.quota.max_bytes);
        let Some(known) = self.known.get(from) else {
            return true;
        };
        if known.monitors.contains_key(family) {
            return true;
        }
        let (limit, setting) = if known.monitors.len() >= most {
            ("max_monitors", most)
        } else if self.held_by(from).bytes + size_of_watch(family) > most_bytes {
            ("max_db_bytes", most_bytes)
        } else {
            return true;
        };
        let so = "no more families are watched for it";
        self.tell_reached(now, from, limit, setting, so);
        false
    }

    pub(super) fn tell_reached(
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
