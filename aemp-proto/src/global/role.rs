//! The role of a node in the network, and its changes ([protocol](crate::protocol::global#roles)).
//!
//! A node is *global* (its own master), a *slave* of a connected seed, *searching* for a master, or *alone*: without
//! seeds, or without a master for `connect_interval`. A node that is alone is its own database: queries and first looks
//! are answered from its own entries.

use std::sync::Arc;

use aemp_codec::{NodeId, Value};

use super::{
    GLOBALS, Global, LISTENERS,
    dirty::{Note, changed},
    heir,
    peer::{GlobalPeer, Message},
    pending::Ask,
};
use crate::{Level, Time};

/// The role of a node in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has no master and expects none soon. It is its own database, with the entries that its watches have got
    /// before.
    Alone,
    /// It searches for a master until this time. Afterwards it is alone.
    Searching(Time),
    /// It is a slave of this master.
    Slave(NodeId),
    /// It is a global node, and its own master.
    Global,
}

impl Global {
    /// Sets whether there are seeds.
    pub(crate) fn seeds_changed(&mut self, now: Time, any: bool) {
        self.seeds = any;
        match self.role {
            // A node that never had a master waits for its first. A node that has lost its master stays as it is.
            Role::Alone if any && self.lost.is_none() => self.search(now),
            Role::Searching(_) if !any => self.stay_alone(),
            _ => {}
        }
    }

    fn search(&mut self, now: Time) {
        self.role = Role::Searching(now + self.connect_interval);
    }

    /// Gives up the search for a master: this node answers itself.
    pub(super) fn stay_alone(&mut self) {
        self.role = Role::Alone;
        if let Some(lost) = &self.lost {
            self.watches.forget(lost, &mut self.news);
        }
        let families: Vec<_> = self.watches.families().cloned().collect();
        for family in families {
            if self.watches.is_waiting(&family) {
                self.refill_locally(&family);
            }
        }
        for (id, what, family) in self.pending.take_queries() {
            self.answer(id, what, &family);
        }
    }

    /// Takes note that a node is connected.
    pub(crate) fn node_up(&mut self, now: Time, node: &NodeId, seed: bool) {
        self.known.insert(node.clone(), GlobalPeer::default());
        self.keep.node_up(node);
        if self.role == Role::Global {
            self.queue_message(node, Message::Global);
        }
        if seed {
            self.seed_up(now, node);
        }
    }

    /// Takes note that a connected node is a seed.
    pub(crate) fn seed_up(&mut self, now: Time, node: &NodeId) {
        let Some(known) = self.known.get_mut(node) else {
            return;
        };
        if std::mem::replace(&mut known.seed, true) {
            return;
        }
        self.queue_message(node, Message::BecomeGlobal);
        if matches!(self.role, Role::Searching(_) | Role::Alone) {
            self.take_master(now, node);
        }
    }

    /// Takes note that a connected node is no longer a seed. If it is the master, it stays the master.
    pub(crate) fn seed_gone(&mut self, node: &NodeId) {
        if let Some(known) = self.known.get_mut(node) {
            known.seed = false;
        }
    }

    /// Makes a node the master.
    fn take_master(&mut self, now: Time, master: &NodeId) {
        if self.lost.is_some() {
            let until = self.doubtful_until(now);
            self.watches.doubt_until(until, self.lost.as_ref());
        }
        self.role = Role::Slave(master.clone());
        self.log(Level::Info, format!("{master} is the master now"));
        self.upload = true;
        self.upstream.clear();
        let families: Vec<_> = self.watches.families().cloned().collect();
        families
            .iter()
            .for_each(|family| self.pending.monitor(family));
        self.pending.ask_again();
    }

    /// Handles the loss of a node's connection, and drops the node's state.
    pub(crate) fn node_down(&mut self, now: Time, node: &NodeId) {
        let Some(known) = self.known.remove(node) else {
            return;
        };
        self.due.remove(node);
        self.globals.remove(node);
        self.keep.node_down(now, node);
        for family in known.monitors.families() {
            self.remove_monitor(family, node);
        }
        self.released.set(node, None);
        self.take_back(node);
        match &self.role {
            Role::Global => self.forget_entries(now, node, known.global),
            Role::Slave(master) if master == node => {
                self.lost = Some(node.clone());
                self.lost_at = now;
                self.report_unheard();
                self.next_master(now);
            }
            _ => {}
        }
    }

    fn forget_entries(&mut self, now: Time, node: &NodeId, was_global: bool) {
        self.del(GLOBALS, node.as_str());
        self.del(LISTENERS, node.as_str());
        let changes = if was_global {
            self.shards.orphan(now, node, now + self.grace())
        } else {
            self.shards.remove(now, node)
        };
        self.all_changed(changes);
    }

    /// Gives watches the changes of this node that the lost master has not reported.
    fn report_unheard(&mut self) {
        for (family, keys) in self.watches.unheard() {
            let entry = |key: Arc<str>| {
                let value = self
                    .local
                    .family(&family)
                    .and_then(|entries| entries.get(&key));
                (Arc::clone(&key), value.cloned())
            };
            let entries: Vec<_> = keys.into_iter().map(entry).collect();
            self.watches.update(&family, entries, &mut self.news);
        }
    }

    /// Makes one of the connected seeds the master. If there is none, makes one of the global nodes the master.
    fn next_master(&mut self, now: Time) {
        let of = |wanted: fn(&GlobalPeer) -> bool| {
            let nodes = self.known.iter().filter(move |(_, known)| wanted(known));
            heir::choose(&self.node, nodes.map(|(node, _)| node))
        };
        let master = of(|known| known.seed).or_else(|| of(|known| known.global));
        match master.cloned() {
            Some(master) => self.take_master(now, &master),
            None if self.seeds => self.search(now),
            None => self.stay_alone(),
        }
    }

    /// Makes this node a global node.
    pub(crate) fn become_global(&mut self, now: Time) {
        if self.role == Role::Global {
            return;
        }
        if self.lost.is_some() || matches!(self.role, Role::Slave(_)) {
            let until = self.doubtful_until(now);
            self.watches.doubt_until(until, self.lost.as_ref());
        }
        self.leave_master();
        self.role = Role::Global;
        self.log(Level::Info, format!("{} is a global node now", self.node));
        self.upload = false;
        self.upstream.clear();
        self.own = self.shards.owner(&self.node);
        self.shards.set_ours(self.own, true);
        self.load_local();
        let node = self.node.clone();
        if !node.is_unnamed() {
            self.set(GLOBALS, node.as_str(), Value::Null);
        }
        let connected: Vec<_> = self.known.keys().cloned().collect();
        for node in connected {
            self.queue_message(&node, Message::Global);
            if self.known[&node].global {
                self.join_global(&node);
            }
        }
        self.answer_myself();
    }

    /// Stops the master's reports of families. The master must hear of that before it hears that this node is global,
    /// because a reference node would take it for a slave again.
    fn leave_master(&mut self) {
        let Role::Slave(master) = self.role.clone() else {
            return;
        };
        for family in self.pending.asked_monitors() {
            self.queue_message(&master, Message::Unmonitor(family));
        }
    }

    fn load_local(&mut self) {
        for (family, entries) in self.local.iter() {
            for (key, value) in entries {
                let (_, family, key) = self.shards.set(self.own, family, key, value.clone());
                let (was, by) = (true, Some(self.own));
                changed(&mut self.shown, &family, &key, Note { was, by });
                changed(&mut self.ours, &family, &key, Note { was, by });
            }
        }
    }

    /// Answers all questions that were meant for a master.
    fn answer_myself(&mut self) {
        for (ask, query) in self.pending.take_all() {
            match (ask, query) {
                (Ask::Find(node), _) => self.find(&node),
                (Ask::Query(id), Some((what, family))) => self.answer(id, what, &family),
                _ => {}
            }
        }
        let families: Vec<_> = self.watches.families().cloned().collect();
        families
            .iter()
            .for_each(|family| self.refill_watches(family));
    }

    /// Handles another global node that is connected, if this node is global, too.
    pub(super) fn join_global(&mut self, node: &NodeId) {
        self.set(GLOBALS, node.as_str(), Value::Null);
        if let Some(known) = self.known.get_mut(node) {
            known.set_due = true;
            self.due.insert(node.clone());
        }
    }

    pub(super) fn remove_monitor(&mut self, family: &Arc<str>, node: &NodeId) {
        if let Some(nodes) = self.monitors.get_mut(family) {
            nodes.remove(node);
            if nodes.is_empty() {
                self.monitors.remove(family);
            }
        }
    }
}
