//! The role of a node in the network, and its changes (PROTOCOL.md section 9).
//!
//! A node is *global* (its own master), a *slave* of a connected seed, *searching* for a master, or *alone*: without
//! seeds, or without a master for `connect_interval`. A node that is alone is its own database: queries and first looks
//! are answered from its own entries.

use std::sync::Arc;

use aemp_codec::{NodeId, Value};

use super::{
    GLOBALS, Global, LISTENERS,
    dirty::changed,
    heir,
    known::{Known, Message},
    pending::Ask,
};
use crate::{Time, mesh::Level};

/// What a node is in the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It has no master and expects none soon: it is its own database, with what its watches have been told before.
    Alone,
    /// It looks for a master, until then; afterwards it is alone.
    Searching(Time),
    /// That node is its master.
    Slave(NodeId),
    /// It is a global node, and its own master.
    Global,
}

impl Global {
    /// Whether there are seeds has changed.
    pub(crate) fn seeds_changed(&mut self, now: Time, any: bool) {
        self.seeds = any;
        match self.role {
            // Only who never had a master waits for the first one; who was left alone goes on as it is.
            Role::Alone if any && self.lost.is_none() => self.search(now),
            Role::Searching(_) if !any => self.stay_alone(),
            _ => {}
        }
    }

    fn search(&mut self, now: Time) {
        self.role = Role::Searching(now + self.connect_interval);
    }

    /// There is no master to be had: this node answers itself.
    pub(super) fn stay_alone(&mut self) {
        self.role = Role::Alone;
        if let Some(lost) = &self.lost {
            self.watches.forget(lost, &mut self.news);
        }
        let families: Vec<_> = self.watches.families().cloned().collect();
        for family in families {
            if self.watches.is_waiting(&family) {
                self.look_locally(&family);
            }
        }
        for (id, what, family) in self.pending.take_queries() {
            self.answer(id, what, &family);
        }
    }

    /// A node is connected.
    pub(crate) fn node_up(&mut self, now: Time, node: &NodeId, seed: bool) {
        self.known.insert(node.clone(), Known::default());
        self.keep.node_up(node);
        if self.role == Role::Global {
            self.say(node, Message::Global);
        }
        if seed {
            self.seed_up(now, node);
        }
    }

    /// A connected node has turned out to be a seed.
    pub(crate) fn seed_up(&mut self, now: Time, node: &NodeId) {
        let Some(known) = self.known.get_mut(node) else {
            return;
        };
        if std::mem::replace(&mut known.seed, true) {
            return;
        }
        self.say(node, Message::BecomeGlobal);
        if matches!(self.role, Role::Searching(_) | Role::Alone) {
            self.obey(now, node);
        }
    }

    /// A connected node is no seed any more. It stays the master if it is.
    pub(crate) fn seed_gone(&mut self, node: &NodeId) {
        if let Some(known) = self.known.get_mut(node) {
            known.seed = false;
        }
    }

    /// Takes a node as master.
    fn obey(&mut self, now: Time, master: &NodeId) {
        if self.lost.is_some() {
            let until = self.settled(now);
            self.watches.settle(until, self.lost.as_ref());
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

    /// A node's connection is no more, and with it all that was known of the node.
    pub(crate) fn node_down(&mut self, now: Time, node: &NodeId) {
        let Some(known) = self.known.remove(node) else {
            return;
        };
        self.due.remove(node);
        self.globals.remove(node);
        self.keep.node_down(now, node);
        for family in known.monitors.keys() {
            self.remove_monitor(family, node);
        }
        self.released.remove(node);
        self.take_back(node);
        match &self.role {
            Role::Global => self.forget_entries(now, node, known.global),
            Role::Slave(master) if master == node => {
                self.lost = Some(node.clone());
                self.lost_at = now;
                self.tell_unheard();
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

    /// What this node has set or deleted, and the lost master has not told its watches of, is told now.
    fn tell_unheard(&mut self) {
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

    /// One of the connected seeds, or else of the global nodes, becomes the master.
    fn next_master(&mut self, now: Time) {
        let of = |wanted: fn(&Known) -> bool| {
            let nodes = self.known.iter().filter(move |(_, known)| wanted(known));
            heir::choose(&self.node, nodes.map(|(node, _)| node))
        };
        let master = of(|known| known.seed).or_else(|| of(|known| known.global));
        match master.cloned() {
            Some(master) => self.obey(now, &master),
            None if self.seeds => self.search(now),
            None => self.stay_alone(),
        }
    }

    /// Becomes a global node.
    pub(crate) fn become_global(&mut self, now: Time) {
        if self.role == Role::Global {
            return;
        }
        if self.lost.is_some() || matches!(self.role, Role::Slave(_)) {
            let until = self.settled(now);
            self.watches.settle(until, self.lost.as_ref());
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
            self.say(&node, Message::Global);
            if self.known[&node].global {
                self.join_global(&node);
            }
        }
        self.answer_myself();
    }

    /// The master need not tell of families any more. It has to hear so before it hears that this node is global: a reference
    /// node would take it for a slave again.
    fn leave_master(&mut self) {
        let Role::Slave(master) = self.role.clone() else {
            return;
        };
        for family in self.pending.asked_monitors() {
            self.say(&master, Message::Unmonitor(family));
        }
    }

    fn load_local(&mut self) {
        for (family, entries) in self.local.iter() {
            for (key, value) in entries {
                let (_, family, key) = self.shards.set(self.own, family, key, value.clone());
                changed(&mut self.shown, &family, &key, true);
                changed(&mut self.ours, &family, &key, true);
            }
        }
    }

    /// What a master was to be asked is answered here from now on.
    fn answer_myself(&mut self) {
        for (ask, query) in self.pending.take_all() {
            match (ask, query) {
                (Ask::Find(node), _) => self.find(&node),
                (Ask::Query(id), Some((what, family))) => self.answer(id, what, &family),
                _ => {}
            }
        }
        let families: Vec<_> = self.watches.families().cloned().collect();
        families.iter().for_each(|family| self.look(family));
    }

    /// Another global node is connected, and this one is global too.
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
