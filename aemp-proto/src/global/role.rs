//! The role of a node in the network, and its changes ([protocol](crate::protocol::global#roles)).
//!
//! A node is *global* (its own master), a *slave* of a connected seed, *searching* for a master, or *alone*: without
//! seeds, or without a master for `connect_interval`. A node that is alone is its own database: queries and first looks
//! are answered from its own entries.

use std::sync::Arc;

use aemp_codec::{NodeId, Value};

use super::{
    GLOBALS, Global, LISTENERS, heir,
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
        if self.standing.seeds_changed(now, any) {
            self.stay_alone();
        }
    }

    /// Gives up the search for a master: this node answers itself.
    pub(super) fn stay_alone(&mut self) {
        self.standing.be_alone();
        if let Some(lost) = self.standing.lost() {
            self.watches.forget(lost);
        }
        let families: Vec<_> = self.watches.families().cloned().collect();
        for family in families {
            if self.watches.is_waiting(&family) {
                self.refill_locally(&family);
            }
        }
        for (id, kind, family) in self.upstream.questions.take_queries() {
            self.answer(id, kind, &family);
        }
    }

    /// Takes note that a node is connected.
    pub(crate) fn node_up(&mut self, now: Time, node: &NodeId, seed: bool) {
        self.peers.up(node);
        self.keep.node_up(node);
        if self.standing.is_global() {
            self.peers.queue(node, Message::Global);
        }
        if seed {
            self.seed_up(now, node);
        }
    }

    /// Takes note that a connected node is a seed.
    pub(crate) fn seed_up(&mut self, now: Time, node: &NodeId) {
        let Some(peer) = self.peers.get_mut(node) else {
            return;
        };
        if std::mem::replace(&mut peer.seed, true) {
            return;
        }
        self.peers.queue(node, Message::BecomeGlobal);
        if self.standing.is_waiting_for_master() {
            self.take_master(now, node);
        }
    }

    /// Takes note that a connected node is no longer a seed. If it is the master, it stays the master.
    pub(crate) fn seed_gone(&mut self, node: &NodeId) {
        if let Some(peer) = self.peers.get_mut(node) {
            peer.seed = false;
        }
    }

    /// Makes a node the master.
    fn take_master(&mut self, now: Time, master: &NodeId) {
        self.doubt(now);
        self.standing.be_slave(master);
        self.log(Level::Info, format!("{master} is the master now"));
        for family in self.watches.families() {
            self.upstream.questions.monitor(family);
        }
        self.upstream.begin();
    }

    /// Doubts entries that the next source of this node lacks, if there was another source before.
    fn doubt(&mut self, now: Time) {
        if let Some(until) = self.standing.doubtful_until(now) {
            self.watches.doubt_until(until, self.standing.lost());
        }
    }

    /// Handles the loss of a node's connection, and drops the node's state.
    pub(crate) fn node_down(&mut self, now: Time, node: &NodeId) {
        let Some(peer) = self.peers.down(node) else {
            return;
        };
        self.keep.node_down(now, node);
        self.take_back(node);
        if self.standing.is_global() {
            self.forget_entries(now, node, peer.global);
        } else if self.standing.is_master(node) {
            self.standing.lose(node, now);
            self.report_unheard();
            self.next_master(now);
        }
    }

    fn forget_entries(&mut self, now: Time, node: &NodeId, was_global: bool) {
        self.del(GLOBALS, node.as_str());
        self.del(LISTENERS, node.as_str());
        if was_global {
            let until = now + self.standing.grace();
            self.merged.orphan(now, node, until);
        } else {
            self.merged.remove(now, node);
        }
    }

    /// Gives watches the changes of this node that the lost master has not reported.
    fn report_unheard(&mut self) {
        for (family, keys) in self.watches.unheard() {
            let entry = |key: Arc<str>| {
                let value = self.local.get(&family, &key).cloned();
                (key, value)
            };
            let entries: Vec<_> = keys.into_iter().map(entry).collect();
            self.watches.update(&family, entries);
        }
    }

    /// Makes one of the connected seeds the master. If there is none, makes one of the global nodes the master.
    fn next_master(&mut self, now: Time) {
        let of = |wanted: fn(&GlobalPeer) -> bool| {
            let nodes = self.peers.iter().filter(move |(_, peer)| wanted(peer));
            heir::choose(&self.node, nodes.map(|(node, _)| node))
        };
        let master = of(|peer| peer.seed).or_else(|| of(|peer| peer.global));
        match master.cloned() {
            Some(master) => self.take_master(now, &master),
            None if self.standing.search_seeds(now) => {}
            None => self.stay_alone(),
        }
    }

    /// Makes this node a global node.
    pub(crate) fn become_global(&mut self, now: Time) {
        if self.standing.is_global() {
            return;
        }
        self.doubt(now);
        self.leave_master();
        self.standing.be_global();
        self.log(Level::Info, format!("{} is a global node now", self.node));
        self.upstream.end();
        self.merged.begin(&self.node, self.local.entries());
        let node = self.node.clone();
        if !node.is_unnamed() {
            self.set(GLOBALS, node.as_str(), Value::Null);
        }
        let connected = self.peers.iter();
        let connected: Vec<_> = connected
            .map(|(node, peer)| (node.clone(), peer.global))
            .collect();
        for (node, is_global) in connected {
            self.peers.queue(&node, Message::Global);
            if is_global {
                self.join_global(&node);
            }
        }
        self.answer_myself();
    }

    /// Stops the master's reports of families. The master must hear of that before it hears that this node is global,
    /// because a reference node would take it for a slave again.
    fn leave_master(&mut self) {
        let Some(master) = self.standing.master() else {
            return;
        };
        for family in self.upstream.questions.asked_monitors() {
            self.peers.queue(master, Message::Unmonitor(family));
        }
    }

    /// Answers all questions that were meant for a master.
    fn answer_myself(&mut self) {
        for (ask, query) in self.upstream.questions.take_all() {
            match (ask, query) {
                (Ask::Find(node), _) => self.find(&node),
                (Ask::Query(id), Some((kind, family))) => self.answer(id, kind, &family),
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
        self.peers.send_set(node);
    }
}
