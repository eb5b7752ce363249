//! Masters, global nodes and the distributed database ([protocol](crate::protocol::global)).
//!
//! `Global` is owned by the [mesh](super::mesh) and is under its lock. The mesh reports the nodes that come
//! and go, and their requests. A flush returns the packets to send.
//!
//! - `local`: the entries that this node has set: `family -> key -> value`.
//! - `shards` (on global nodes): every entry of every owner, in one table for each family. An entry knows its owners in
//!   the order in which they wrote; the last one shows. The frequent question (the merged view) is one look-up. The
//!   rare event (an owner goes) walks the owner's own list of keys.
//! - `watch`: the contents of watched families, and the changes to report.
//! - `role`: masters and slaves. `pending`: questions that a master has still to answer (`g_find`, queries, `g_mon1`).
//! - `flush`: changes for other nodes, `outgoing`: their packets, of limited size, `dirty`: the changed keys.
//! - `request`: the `g_*` requests, parsed as leniently as everything from the wire.
//!
//! # Changes are states
//!
//! Other global nodes, and slaves that watch, are not sent a log of changes. For each receiver and family there is a
//! set of keys to look at again. It is written after the packets of a read, or after those tasks of this node that are
//! ready to set more, with the keys' values at that time, and only while less than a bound *of the database's own* is
//! queued for that receiver, so that bulk traffic does not starve it. A slow receiver costs the keys that differ from
//! what it has, and sees fewer, larger changes; an entry that comes and goes in between is not sent. The same holds for
//! local watches, whose changes are merged until they are taken. So 100,000 sets in a burst are a handful of packets,
//! and a watch cannot make a node grow beyond the watched family. Changes that no packet can hold, or that would fill a
//! connection's queue, go out in paced parts.
//!
//! # Nothing is invented
//!
//! - *Without a master.* A node that has had a master keeps for its watches the last contents, except the master's own
//!   entries: the owners of the others are most likely alive, and come back with the next master. Queries of such
//!   families get the same answer.
//! - *A global node is lost.* Its slaves look for another master within seconds. So a global node keeps the entries
//!   that the lost node held as *orphaned* for twice `connect_interval`, except the lost node's own by name (keys that
//!   are its node ID or port IDs of it). An entry that any owner sets or deletes in the meantime is no longer an
//!   orphan.
//! - *A node changes its master.* It does not report deletions to watches for the same time, except those of the lost
//!   master's own entries. An entry that is back by then was never gone. If the node was without a master in between,
//!   the other nodes were too, and the pauses between their attempts have grown; then it also waits for the longest
//!   possible pause (at most `monitor_timeout`).
//!
//! Reference nodes do neither, so entries flicker among them.
//!
//! # Dangers
//!
//! A late request of a connection that the mesh has given up would bring back a dead node's entries. So requests carry
//! the connection's number and are dropped if that is not the node's current one. A peer may be slave and global at
//! once, in any order. A master may answer questions that were never asked. All of these are states of the machine, and
//! the simulator checks after every schedule that nothing of dead nodes remains.

mod apply;
mod ask;
mod dirty;
mod flush;
mod heir;
mod inspect;
mod keep;
mod lent;
mod local;
mod names;
mod outgoing;
mod peer;
mod pending;
mod quota;
mod request;
mod role;
mod shards;
mod size;
mod watch;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use aemp_codec::{NodeId, Value};

pub(super) use self::outgoing::Outgoing;
use self::{
    dirty::{Dirty, DirtyFamilies, Note, Noted, changed},
    keep::Keep,
    lent::Lent,
    local::Local,
    peer::{GlobalPeer, Message},
    pending::Pending,
    shards::{Changed, Shards},
    watch::{News, Watches, grace},
};
pub use self::{
    lent::LendError,
    names::{GLOBALS, LISTENERS, LONGEST_NAME, NameError, check_family, check_key, check_readable},
    pending::{Answer, QueryId},
    quota::Quota,
    request::{Database, GlobalRequest, GlobalRequestError, Odd, Pairs, Parsed, Query, Update},
    role::Role,
    watch::{Change, WatchId, Watched},
};
use super::{Level, Random, Time, backoff::longest_pause, deadlines::Deadlines, limits::Notices};
pub use quota::values_in_entry;

/// A command of the machine to the mesh.
#[derive(Debug)]
pub(super) enum Effect {
    /// Report the addresses of a node that was searched for; `None` if it is unknown. If it has none, the node may be
    /// reached by way of another.
    Found(NodeId, Option<Vec<String>>, Option<NodeId>),
    /// Report the answer to a query, or that the answer could not be understood.
    Answer(QueryId, Result<Answer, String>),
    /// Report an event of a watch.
    Watched(WatchId, Watched),
    /// Log a line.
    Log(Level, String),
}

/// One node's view of the network's database, and its part in keeping the database.
#[derive(Debug)]
pub(super) struct Global {
    node: NodeId,
    connect_interval: Duration,
    monitor_timeout: Duration,
    role: Role,
    /// True if there are seeds, one of which may become the master.
    seeds: bool,
    /// The last master that was lost.
    lost: Option<NodeId>,
    /// The last time at which this node had a master.
    lost_at: Time,
    local: Local,
    /// The entries that other nodes have asked this node to set.
    lent: Lent,
    /// True if the master must be sent all entries of this node.
    upload: bool,
    /// The changes that the master has not been sent.
    upstream: DirtyFamilies,
    pending: Pending,
    known: BTreeMap<NodeId, GlobalPeer>,
    /// The connected nodes that are global.
    globals: BTreeSet<NodeId>,
    /// The connected nodes for which there may be something to send.
    due: BTreeSet<NodeId>,
    /// The whole database, if this node is global.
    shards: Shards,
    /// The place of this node in `shards`.
    own: u32,
    /// The nodes that watch each family.
    monitors: BTreeMap<Arc<str>, BTreeSet<NodeId>>,
    /// The former slaves that became global, and the time until which this node still answers for them.
    released: Deadlines<NodeId>,
    /// The keys whose visible value has changed since the last flush.
    shown: Noted,
    /// The keys whose value that this node answers for has changed since the last flush.
    ours: Noted,
    keep: Keep,
    watches: Watches,
    news: News,
    effects: Vec<Effect>,
    quota: Quota,
    /// The lately logged notices about limits.
    notices: Notices,
    /// The number of changes of entries.
    changes: u64,
}

impl Global {
    /// Creates a node that is alone, and has only the entry with its listeners.
    pub(super) fn new(
        node: NodeId,
        listeners: &[String],
        connect_interval: Duration,
        monitor_timeout: Duration,
        quota: Quota,
    ) -> Self {
        let mut global = Self {
            node,
            connect_interval,
            monitor_timeout,
            role: Role::Alone,
            seeds: false,
            lost: None,
            lost_at: Time::ZERO,
            local: Local::default(),
            lent: Lent::default(),
            upload: false,
            upstream: DirtyFamilies::new(),
            pending: Pending::default(),
            known: BTreeMap::new(),
            globals: BTreeSet::new(),
            due: BTreeSet::new(),
            shards: Shards::default(),
            own: 0,
            monitors: BTreeMap::new(),
            released: Deadlines::default(),
            shown: Noted::new(),
            ours: Noted::new(),
            keep: Keep::new(monitor_timeout),
            watches: Watches::default(),
            news: News::new(),
            effects: Vec::new(),
            quota,
            notices: Notices::default(),
            changes: 0,
        };
        let node = global.node.clone();
        if !node.is_unnamed() {
            global.set(LISTENERS, node.as_str(), Value::from(listeners.to_vec()));
        }
        global
    }

    fn grace(&self) -> Duration {
        grace(self.connect_interval)
    }

    /// The time until which a new source of entries may lack some whose owners are alive.
    ///
    /// Other nodes have searched for a master as long as this one, at growing intervals. So they may come back within
    /// one more interval of that length.
    fn doubtful_until(&self, now: Time) -> Time {
        let outage = match self.role {
            Role::Slave(_) | Role::Global => Duration::ZERO,
            Role::Searching(_) | Role::Alone => now - self.lost_at,
        };
        now + longest_pause(outage, self.monitor_timeout) + self.grace()
    }

    fn log(&mut self, level: Level, text: String) {
        self.effects.push(Effect::Log(level, text));
    }

    /// Sets a key. An equal value changes nothing.
    pub(super) fn set(&mut self, family: &str, key: &str, value: Value) {
        self.lent.forget(family, key);
        let Some((family, key, was)) = self.local.set(family, key, value.clone()) else {
            return;
        };
        self.own_changed();
        match self.role {
            Role::Global => {
                let (changed, family, key) = self.shards.set(self.own, &family, &key, value);
                self.changed(&changed, &family, &key, Some(self.own));
            }
            Role::Slave(_) => self.set_upstream(&family, &key, was, true),
            Role::Searching(_) | Role::Alone => {
                let entry = [(key, Some(value))];
                self.watches.update(&family, entry, &mut self.news);
            }
        }
    }

    /// Deletes a key, if this node has set it.
    pub(super) fn del(&mut self, family: &str, key: &str) {
        self.lent.forget(family, key);
        let Some((family, key, old)) = self.local.del(family, key) else {
            return;
        };
        self.own_changed();
        match self.role {
            Role::Global => {
                if let Some((changed, family, key)) = self.shards.del(self.own, &family, &key) {
                    self.changed(&changed, &family, &key, Some(self.own));
                }
            }
            Role::Slave(_) => self.set_upstream(&family, &key, true, false),
            Role::Searching(_) | Role::Alone => {
                self.watches.del_own(&family, &key, &old, &mut self.news);
            }
        }
    }

    /// Takes note that the master must be sent a key that was set or deleted. Watches hear of it from the master.
    fn set_upstream(&mut self, family: &Arc<str>, key: &Arc<str>, was: bool, is: bool) {
        self.watches.expect(family, key);
        match self.upstream.get_mut(&**family) {
            Some(dirty) => dirty.add(key, was, is),
            None => {
                let mut dirty = Dirty::default();
                dirty.add(key, was, is);
                self.upstream.insert(Arc::clone(family), dirty);
            }
        }
    }

    /// Notes the effects of a change. `by` is the place of the only owner whose value has changed.
    fn changed(&mut self, what: &Changed, family: &Arc<str>, key: &Arc<str>, by: Option<u32>) {
        if what.shown {
            self.changes += 1;
            let was = what.was;
            changed(&mut self.shown, family, key, Note { was, by });
        }
        if what.ours {
            let was = what.was_ours;
            changed(&mut self.ours, family, key, Note { was, by });
        }
    }

    /// Counts a change of an entry of this node. A global node counts it with all others.
    fn own_changed(&mut self) {
        if self.role != Role::Global {
            self.changes += 1;
        }
    }

    /// Notes that this node has begun or ceased to answer for a key.
    fn ours_changed(&mut self, family: &Arc<str>, key: &Arc<str>) {
        let (was, by) = (true, None);
        changed(&mut self.ours, family, key, Note { was, by });
    }

    fn all_changed(&mut self, changes: Vec<(Changed, Arc<str>, Arc<str>)>) {
        for (what, family, key) in changes {
            self.changed(&what, &family, &key, None);
        }
    }

    /// The entries of this node in a family.
    pub(super) fn local(&self, family: &str) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.local.family(family).into_iter().flatten()
    }

    /// The families in which this node has entries.
    pub(super) fn local_families(&self) -> impl Iterator<Item = &Arc<str>> {
        self.local.iter().map(|(family, _)| family)
    }

    /// Sends a message to a connected node at the next flush.
    fn queue_message(&mut self, node: &NodeId, message: Message) {
        if let Some(known) = self.known.get_mut(node) {
            known.messages.push(message);
            self.due.insert(node.clone());
        }
    }

    /// The time at which [`timeout`](Self::timeout) must be called.
    pub(super) fn deadline(&self) -> Option<Time> {
        let searching = match self.role {
            Role::Searching(until) => Some(until),
            _ => None,
        };
        let deadlines = [
            searching,
            self.shards.deadline(),
            self.watches.deadline(),
            self.released.first(),
            self.keep.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Handles everything that is due. Returns the global nodes to connect to.
    pub(super) fn timeout(&mut self, now: Time, random: &mut Random) -> Vec<NodeId> {
        if let Role::Searching(until) = self.role
            && until <= now
        {
            self.stay_alone();
        }
        let expired = self.shards.expire(now);
        self.all_changed(expired);
        self.release(now);
        self.watches.expire(now, &mut self.news);
        self.keep.due(now, random)
    }

    /// Stops answering for the entries of former slaves that became global.
    fn release(&mut self, now: Time) {
        for node in self.released.take_due(now) {
            self.forget_stale(now, &node);
            let place = self.shards.owner(&node);
            for (family, key) in self.shards.set_ours(place, false) {
                self.ours_changed(&family, &key);
            }
        }
    }

    /// Takes all commands. Packets are sent by `flush`.
    pub(super) fn effects(&mut self) -> impl Iterator<Item = Effect> {
        let news = std::mem::take(&mut self.news);
        let news = news
            .into_iter()
            .map(|(watch, told)| Effect::Watched(watch, told));
        std::mem::take(&mut self.effects).into_iter().chain(news)
    }

    pub(super) fn role(&self) -> &Role {
        &self.role
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
