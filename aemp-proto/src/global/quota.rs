//! The limits of one node's entries and watches on a global node.

use aemp_codec::{NodeId, Value};

use super::{
    GLOBALS, Global,
    shards::Shards,
    size::{size, size_of_family, size_of_watch},
};
use crate::{Level, Time, limits::NodeLimits};

/// The largest number of global nodes that one node may announce. This node tries to reach each of them again and
/// again.
const MOST_GLOBALS: usize = 1000;
/// The number of entries of the largest kind that fit into one packet.
const ENTRIES_IN_PACKET: usize = 4;

/// The limits on another node's entries and watches.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// The number of entries: `max_db_keys`.
    pub max_keys: usize,
    /// The memory of the entries, and of the names of families with entries and of watched families: `max_db_bytes`.
    pub max_bytes: usize,
    /// The number of watched families: `max_monitors`.
    pub max_watches: usize,
    /// The number of values in one entry: a quarter of `max_packet_values`, because other nodes must be sent the entry.
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

/// The number of values that an entry may have, if a packet may have `max_packet_values`.
pub fn values_in_entry(max_packet_values: usize) -> usize {
    max_packet_values / ENTRIES_IN_PACKET
}

impl Global {
    /// True if a node may set a key. Otherwise logs a notice from time to time.
    ///
    /// If it may not, the caller deletes the node's old value of the key: a missing value is better than a wrong one.
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
        self.log_reached(now, owner, limit, setting, "its new entries are left out");
        false
    }

    /// Returns the limit that an entry would break as an error.
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
        let family_bytes = match self.merged.shards().held_in(place, family) {
            0 => size_of_family(family),
            _ => 0,
        };
        let bytes = held.bytes + family_bytes + new.bytes;
        let fits = held.keys < quota.max_keys && bytes <= quota.max_bytes;
        if fits && *family != *GLOBALS {
            return Ok(());
        }
        let old = self.merged.shards().value_of(place, family, key);
        let keys = held.keys + usize::from(old.is_none());
        let bytes = bytes.saturating_sub(old.map_or(0, |old| size(key, old).bytes));
        let globals = |shards: &Shards| shards.held_in(place, GLOBALS);
        if keys > quota.max_keys {
            Err(("max_db_keys", quota.max_keys))
        } else if bytes > quota.max_bytes {
            Err(("max_db_bytes", quota.max_bytes))
        } else if *family == *GLOBALS
            && old.is_none()
            && globals(self.merged.shards()) >= MOST_GLOBALS
        {
            Err(("the number of global nodes", MOST_GLOBALS))
        } else {
            Ok(())
        }
    }

    /// True if a node may watch one more family. Otherwise logs a notice from time to time.
    pub(super) fn may_watch(&mut self, now: Time, from: &NodeId, family: &str) -> bool {
        let (most, most_bytes) = (self.quota.max_watches, self.quota.max_bytes);
        let Some(peer) = self.peers.get(from) else {
            return true;
        };
        if peer.monitors.contains(family) {
            return true;
        }
        let (limit, setting) = if peer.monitors.len() >= most {
            ("max_monitors", most)
        } else if self.held_by(from).bytes + size_of_watch(family) > most_bytes {
            ("max_db_bytes", most_bytes)
        } else {
            return true;
        };
        let so = "no more families are watched for it";
        self.log_reached(now, from, limit, setting, so);
        false
    }

    pub(super) fn log_reached(
        &mut self,
        now: Time,
        node: &NodeId,
        limit: &'static str,
        setting: usize,
        so: &str,
    ) {
        if self.notices.is_due(now, limit, node.as_str()) {
            let text = format!("{node}: {limit} ({setting}) reached: {so}");
            self.log(Level::Warn, text);
        }
    }
}
