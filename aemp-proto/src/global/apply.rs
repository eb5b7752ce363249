//! Requests of slaves, masters and other global nodes ([protocol](crate::protocol::global)).

use std::sync::Arc;

use aemp_codec::{NodeId, Value};

use super::{
    Answer, Effect, GLOBALS, Global, GlobalRequest, LISTENERS, QueryId,
    peer::{Keys, Message, note},
    pending::Ask,
    request::{Database, Pairs, Query, Update, addresses, describe},
};
use crate::{Level, Time};

impl Global {
    /// Handles a request of a connected node.
    pub(crate) fn request(&mut self, now: Time, from: &NodeId, request: GlobalRequest) {
        match request {
            GlobalRequest::Slave(database) => self.enslave(now, from, database),
            GlobalRequest::Global => self.greet_global(now, from),
            GlobalRequest::Set(database) => self.take_set(now, from, database),
            GlobalRequest::Update(update) => self.take_update(now, from, update),
            GlobalRequest::Find(node) => {
                self.reply(from, "g_find", Message::Found(node));
            }
            GlobalRequest::Query { kind, family, id } => {
                self.reply(from, kind.request(), Message::Reply { kind, family, id });
            }
            GlobalRequest::Monitor(family) => self.add_monitor(now, from, family),
            GlobalRequest::Unmonitor(family) => {
                self.peers.unwatch(from, &family);
            }
            GlobalRequest::Found(node, addresses, relay) => {
                self.found(from, node, addresses, relay);
            }
            GlobalRequest::Answer { id, answer } => self.replied(from, QueryId(id), answer),
            GlobalRequest::All(family, entries) => self.take_all(from, &family, entries),
            GlobalRequest::Changes(update) => self.take_changes(from, update),
        }
    }

    /// The cost of a request beyond itself, counted in ordinary requests, for the entries that it brings or asks for.
    pub(crate) fn cost(&self, request: &GlobalRequest, odd: usize) -> u64 {
        const ENTRIES: usize = 16;
        let entries = match request {
            GlobalRequest::Slave(Some(database)) | GlobalRequest::Set(database) => {
                database.iter().map(|(_, entries)| entries.len()).sum()
            }
            GlobalRequest::Update(update) => update.set.len() + update.del.len(),
            GlobalRequest::Query { family, .. } | GlobalRequest::Monitor(family) => {
                self.merged.shards().size(family)
            }
            _ => 0,
        };
        ((entries + odd) / ENTRIES) as u64
    }

    /// Logs that this node is not global and cannot serve the request. There is no answer, as in the reference.
    fn refuse(&mut self, from: &NodeId, request: &str) {
        let text = format!("{request} from {from}: this node is not global");
        self.log(Level::Error, text);
    }

    fn reply(&mut self, from: &NodeId, request: &str, message: Message) {
        if !self.standing.is_global() {
            return self.refuse(from, request);
        }
        self.peers.queue(from, message);
    }

    /// Handles a request to become global, perhaps with the sender as a slave.
    fn enslave(&mut self, now: Time, from: &NodeId, database: Option<Database>) {
        self.become_global(now);
        if let Some(database) = database {
            self.answer_for(from);
            self.set_all(now, from, database);
        }
    }

    /// Makes a node a slave of this one.
    fn answer_for(&mut self, slave: &NodeId) {
        self.peers.is_slave_now(slave);
        self.merged.answer_for(slave, true);
    }

    fn set_all(&mut self, now: Time, owner: &NodeId, database: Database) {
        for (family, set) in database {
            let del = Vec::new();
            self.apply(now, owner, Update { family, set, del });
        }
    }

    fn apply(&mut self, now: Time, owner: &NodeId, update: Update) {
        self.not_stale(owner, &update);
        let Update {
            family,
            mut set,
            mut del,
        } = update;
        if *family == *LISTENERS {
            set.retain(|(node, value)| self.are_addresses(owner, node, value));
        }
        let place = self.merged.owner(owner);
        for (key, value) in set {
            if !self.may_set(now, (owner, place), &family, &key, &value) {
                del.push(key);
                continue;
            }
            self.merged.set(place, &family, &key, value);
        }
        for key in del {
            self.merged.del(place, &family, &key);
        }
    }

    /// True if a value is a list of addresses. Otherwise logs a warning.
    fn are_addresses(&mut self, from: &NodeId, node: &str, value: &Value) -> bool {
        let are = addresses(value).is_some();
        if !are {
            let kind = describe(value);
            let text = format!(
                "{from}: the addresses of {node:?} must be a list of texts, and are {kind}: left out"
            );
            self.log(Level::Warn, text);
        }
        are
    }

    /// Takes note that a node is global. If it was a slave of this one, its entries stay until it has sent its own.
    fn greet_global(&mut self, now: Time, from: &NodeId) {
        let Some((again, was_slave)) = self.peers.is_global_now(from) else {
            return;
        };
        if !self.standing.is_global() {
            return;
        }
        if was_slave {
            self.stale(from);
            self.peers.release(from, now + self.standing.grace());
        }
        if !again || was_slave {
            self.join_global(from);
        }
    }

    fn stale(&mut self, node: &NodeId) {
        let mut stale = Keys::new();
        for (family, key) in self.merged.shards().keys_of(node) {
            note(&mut stale, &family, &key);
        }
        if let Some(peer) = self.peers.get_mut(node) {
            peer.stale = stale;
        }
    }

    fn not_stale(&mut self, node: &NodeId, update: &Update) {
        let peer = self.peers.get_mut(node);
        let Some(stale) = peer.and_then(|peer| peer.stale.get_mut(&update.family)) else {
            return;
        };
        let set = update.set.iter().map(|(key, _)| key);
        for key in set.chain(&update.del) {
            stale.swap_remove(key);
        }
    }

    /// Deletes the entries that a node has not set again since it became global.
    pub(super) fn forget_stale(&mut self, now: Time, node: &NodeId) {
        let Some(peer) = self.peers.get_mut(node) else {
            return;
        };
        for (family, del) in std::mem::take(&mut peer.stale) {
            let (set, del) = (Pairs::new(), del.into_iter().collect());
            self.apply(now, node, Update { family, set, del });
        }
    }

    /// Takes all entries that another global node answers for.
    fn take_set(&mut self, now: Time, from: &NodeId, database: Database) {
        if !self.standing.is_global() {
            return self.refuse(from, "g_set");
        }
        let listeners = database.iter().find(|(family, _)| &**family == LISTENERS);
        let listeners = listeners.and_then(|(_, entries)| {
            let own = entries.iter().find(|(key, _)| **key == *from.as_str());
            own.map(|(_, value)| value.clone())
        });
        // Entries that it had set as a slave and does not set again are deleted later, because a large database comes
        // in parts.
        self.set_all(now, from, database);
        // Spreads the addresses, so that global nodes find each other even if the one between them is lost.
        if let Some(listeners) = listeners.filter(|value| addresses(value).is_some()) {
            self.set(LISTENERS, from.as_str(), listeners);
        }
    }

    fn take_update(&mut self, now: Time, from: &NodeId, update: Update) {
        if !self.standing.is_global() {
            return self.refuse(from, "g_upd");
        }
        // A reference node does not notice the loss of its second master. When that master is back, it does not get the
        // node's database again, but only later changes.
        let peer = self.peers.get(from);
        if peer.is_some_and(|peer| !peer.global && !peer.slave) {
            self.answer_for(from);
        }
        self.apply(now, from, update);
    }

    fn add_monitor(&mut self, now: Time, from: &NodeId, family: Arc<str>) {
        if !self.standing.is_global() {
            return self.refuse(from, "g_mon1");
        }
        if !self.may_watch(now, from, &family) {
            return;
        }
        let Some(peer) = self.peers.get(from) else {
            return;
        };
        // A reference node that was global before it was configured takes another global node for its master. A node that
        // is its own master watches nothing here, and every global node watches the list of global nodes.
        if peer.global && !peer.slave && *family != *GLOBALS {
            self.answer_for(from);
        }
        self.peers.watch(from, family);
    }

    fn found(
        &mut self,
        from: &NodeId,
        node: NodeId,
        addresses: Option<Vec<String>>,
        relay: Option<NodeId>,
    ) {
        let asked = self.standing.is_master(from)
            && self
                .upstream
                .questions
                .remove(&Ask::Find(node.clone()))
                .is_some();
        if asked {
            self.effects.push(Effect::Found(node, addresses, relay));
        }
    }

    fn replied(&mut self, from: &NodeId, id: QueryId, answer: Value) {
        if !self.standing.is_master(from) {
            return self.unasked(from, "g_reply", "it is not the master");
        }
        let Some((kind, family)) = self.upstream.questions.remove_query(id) else {
            // The query was cancelled.
            return;
        };
        let answer = Answer::parse(kind, answer).map_err(|text| format!("{from}: {text}"));
        if let Err(text) = &answer {
            self.log(Level::Warn, format!("{text} (family {family})"));
        }
        self.effects.push(Effect::Answer(id, answer));
    }

    /// Logs that a node has sent something that this node has not asked for.
    fn unasked(&mut self, from: &NodeId, request: &str, why: &str) {
        let text = format!("{request} from {from} ignored: {why}");
        self.log(Level::Debug, text);
    }

    /// True if this node wants changes of a family from that node.
    fn wants(&mut self, from: &NodeId, request: &str, family: &str) -> bool {
        if !self.standing.is_master(from) {
            self.unasked(from, request, "it is not the master");
        } else if !self.watches.contains(family) {
            let why = format!("family {family:?} is not watched");
            self.unasked(from, request, &why);
        } else {
            return true;
        }
        false
    }

    fn take_all(&mut self, from: &NodeId, family: &str, entries: Pairs) {
        if self.wants(from, "g_chg1", family) {
            self.watches.replace(family, entries);
        }
    }

    fn take_changes(&mut self, from: &NodeId, update: Update) {
        let Update { family, set, del } = update;
        if !self.wants(from, "g_chg2", &family) {
            return;
        }
        let set = set.into_iter().map(|(key, value)| (key, Some(value)));
        let del = del.into_iter().map(|key| (key, None));
        self.watches.update(&family, set.chain(del));
    }
}

impl Query {
    /// The content of a reply to this query, from a family's entries.
    pub(super) fn reply<'a>(
        self,
        entries: impl Iterator<Item = (&'a Arc<str>, &'a Value)>,
    ) -> Value {
        match self {
            Self::Family => {
                let entries = entries.map(|(key, value)| (&**key, value.clone()));
                Value::Map(entries.collect())
            }
            Self::Keys => entries.map(|(key, _)| Value::from(&**key)).collect(),
            Self::Values => entries.map(|(_, value)| value.clone()).collect(),
        }
    }
}
