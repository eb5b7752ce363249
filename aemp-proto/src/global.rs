//! Masters, global nodes and the distributed database ([protocol](crate::protocol::global)).
//!
//! `Global` is owned by the [mesh](super::mesh) and is under its lock. The mesh reports the nodes that come
//! and go, and their requests. A flush returns the packets to send.
//!
//! `Global` owns the parts, and a part sees only itself:
//!
//! - `standing`: the role of this node, and the facts that its next role depends on. `role` changes it.
//! - `local`: the entries that this node has set: `family -> key -> value`, and the nodes that it has set some for
//!   (`lent`).
//! - `merged` (on global nodes): every entry of every owner, in one table for each family (`shards`), and the keys that
//!   have changed since the last flush. An entry knows its owners in the order in which they wrote; the last one shows.
//!   The frequent question (the merged view) is one look-up. The rare event (an owner goes) walks the owner's own list
//!   of keys.
//! - `upstream` (on slaves): the entries and the questions (`pending`: `g_find`, queries, `g_mon1`) for the master.
//! - `peers`: the connected nodes, and the lists by which some of them are found.
//! - `watch`: the contents of watched families, and the changes to report. `keep`: global nodes to stay connected to.
//! - `flush`: changes for other nodes, `outgoing`: their packets, of limited size, `dirty`: the changed keys.
//! - `request`: the `g_*` requests, parsed as leniently as everything from the wire.
//!
//! # Changes are states
//!
//! Other global nodes, and slaves that watch, are not sent a log of changes. For each receiver and family there is a
//! set of keys to look at again. It is written after the packets of a read, or after those tasks of this node that are
//! ready to set more, with the keys' values at that time, and only while less than a bound *of the database's own* is
//! queued for that receiver, so that bulk traffic does not starve it. A slow receiver costs the keys that differ from
//! the entries that it has, and sees fewer, larger changes; an entry that comes and goes in between is not sent. The same holds for
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
//! # Growth
//!
//! With G global nodes, N nodes and W watches of a family, a join costs two handshakes and about G + W packets, and a
//! change G + W packets. The loss of a global node costs N/G uploads of G packets each. Nothing else depends on N. A
//! network around the planet would need changes where something does grow with N:
//!
//! - Every global node holds the whole database in memory and receives it when it joins. Beyond some millions of entries,
//!   families would have to be divided among global nodes by a hash of the key. Requests name family and key, so slaves
//!   would not notice. Between global nodes it would be another `gproto`.
//! - A global node has N/G connections, each with two buffers and keepalives (one in ten seconds with a
//!   `monitor_timeout` of 30 s).
//! - Global nodes are fully meshed, G(G-1)/2 connections, and each change goes to G-1 of them. With hundreds, changes
//!   should go along a tree, or through one global node for each region.
//! - A flood of joins meets `max_strangers` and then the retries of the seeds, whose pauses are random but at most double
//!   up to `monitor_timeout`.
//! - A watch begins with the whole family. Hundreds of thousands of workers of one kind need one family for each region.
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
mod merged;
mod names;
mod outgoing;
mod peer;
mod peers;
mod pending;
mod quota;
mod request;
mod role;
mod shards;
mod size;
mod standing;
mod upstream;
mod watch;

use std::{sync::Arc, time::Duration};

use aemp_codec::{NodeId, Value};

pub(super) use self::outgoing::Outgoing;
use self::{
    keep::Keep, local::Local, merged::Merged, peers::Peers, standing::Standing, upstream::Upstream,
    watch::Watches,
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
use super::{Level, Random, Time, limits::Notices};
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
    standing: Standing,
    local: Local,
    upstream: Upstream,
    peers: Peers,
    /// The whole database, if this node is global.
    merged: Merged,
    keep: Keep,
    watches: Watches,
    effects: Vec<Effect>,
    quota: Quota,
    /// The lately logged notices about limits.
    notices: Notices,
    /// The number of changes of own entries while this node was not global.
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
            standing: Standing::new(connect_interval, monitor_timeout),
            local: Local::default(),
            upstream: Upstream::default(),
            peers: Peers::default(),
            merged: Merged::default(),
            keep: Keep::new(monitor_timeout),
            watches: Watches::default(),
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

    fn log(&mut self, level: Level, text: String) {
        self.effects.push(Effect::Log(level, text));
    }

    /// Sets a key. An equal value changes nothing.
    pub(super) fn set(&mut self, family: &str, key: &str, value: Value) {
        let Some((family, key, was)) = self.local.set(family, key, value.clone()) else {
            return;
        };
        self.own_changed();
        match self.role() {
            Role::Global => self.merged.set_own(&family, &key, value),
            Role::Slave(_) => self.set_upstream(&family, &key, was, true),
            Role::Searching(_) | Role::Alone => {
                self.watches.update(&family, [(key, Some(value))]);
            }
        }
    }

    /// Deletes a key, if this node has set it.
    pub(super) fn del(&mut self, family: &str, key: &str) {
        let Some((family, key, old)) = self.local.del(family, key) else {
            return;
        };
        self.own_changed();
        match self.role() {
            Role::Global => self.merged.del_own(&family, &key),
            Role::Slave(_) => self.set_upstream(&family, &key, true, false),
            Role::Searching(_) | Role::Alone => self.watches.del_own(&family, &key, &old),
        }
    }

    /// Counts a change of an entry of this node. The table of a global node counts all changes.
    fn own_changed(&mut self) {
        if !matches!(self.role(), Role::Global) {
            self.changes += 1;
        }
    }

    /// Takes note that the master must be sent a key that was set or deleted. Watches hear of it from the master.
    fn set_upstream(&mut self, family: &Arc<str>, key: &Arc<str>, was: bool, is: bool) {
        self.watches.expect(family, key);
        self.upstream.changed(family, key, was, is);
    }

    /// The entries of this node in a family.
    pub(super) fn local(&self, family: &str) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.local.family(family).into_iter().flatten()
    }

    /// The families in which this node has entries.
    pub(super) fn local_families(&self) -> impl Iterator<Item = &Arc<str>> {
        self.local.iter().map(|(family, _)| family)
    }

    /// The time at which [`timeout`](Self::timeout) must be called.
    pub(super) fn deadline(&self) -> Option<Time> {
        let deadlines = [
            self.standing.searches_until(),
            self.merged.shards().deadline(),
            self.watches.deadline(),
            self.peers.deadline(),
            self.keep.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Handles everything that is due. Returns the global nodes to connect to.
    pub(super) fn timeout(&mut self, now: Time, random: &mut Random) -> Vec<NodeId> {
        let until = self.standing.searches_until();
        if until.is_some_and(|until| until <= now) {
            self.stay_alone();
        }
        self.merged.expire(now);
        self.release(now);
        self.watches.expire(now);
        self.keep.due(now, random)
    }

    /// Stops answering for the entries of former slaves that became global.
    fn release(&mut self, now: Time) {
        for node in self.peers.take_released(now) {
            self.forget_stale(now, &node);
            self.merged.answer_for(&node, false);
        }
    }

    /// Takes all commands. Packets are sent by `flush`.
    pub(super) fn effects(&mut self) -> impl Iterator<Item = Effect> {
        let news = self.watches.take_news();
        let news = news
            .into_iter()
            .map(|(watch, told)| Effect::Watched(watch, told));
        std::mem::take(&mut self.effects).into_iter().chain(news)
    }

    pub(super) fn role(&self) -> &Role {
        self.standing.role()
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
