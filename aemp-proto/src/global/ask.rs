//! Questions of this node to the database: watches, queries, addresses of nodes.

use std::sync::Arc;

use aemp_codec::NodeId;

use super::{
    Answer, Effect, Global, Query, QueryId, Role, WatchId, peer::Message, pending::Ask, request,
};

impl Global {
    /// Watches a family.
    pub(crate) fn watch(&mut self, family: &str) -> WatchId {
        // The new watch does not get changes that happened before it.
        self.publish();
        let (id, first) = self.watches.add(family);
        if first {
            match self.role() {
                Role::Global => self.refill_watches(family),
                Role::Alone => self.refill_locally(family),
                Role::Slave(_) | Role::Searching(_) => {
                    self.upstream.questions.monitor(&family.into())
                }
            }
        }
        id
    }

    /// Ends a watch.
    pub(crate) fn unwatch(&mut self, id: WatchId) {
        let Some(family) = self.watches.remove(id) else {
            return;
        };
        let sent = self
            .upstream
            .questions
            .remove(&Ask::Monitor(Arc::clone(&family)));
        if let Some(master) = self.standing.master()
            && sent == Some(true)
        {
            self.peers.queue(master, Message::Unmonitor(family));
        }
    }

    /// Gives watches the content of a family, with the entries of all nodes.
    pub(super) fn refill_watches(&mut self, family: &str) {
        let entries = self.merged.shards().family(family);
        let entries = entries.map(|(key, value)| (Arc::clone(key), value.clone()));
        self.watches.replace(family, entries);
    }

    /// Gives watches the entries of this node in a family.
    pub(super) fn refill_locally(&mut self, family: &str) {
        let entries = self.local.family(family).into_iter().flatten();
        let entries = entries.map(|(key, value)| (Arc::clone(key), value.clone()));
        self.watches.replace(family, entries);
    }

    /// Asks for the content of a family.
    pub(crate) fn query(&mut self, kind: Query, family: &str) -> QueryId {
        let id = self.upstream.questions.next_query();
        match self.role() {
            Role::Global | Role::Alone => self.answer(id, kind, family),
            Role::Slave(_) | Role::Searching(_) => self.upstream.questions.query(id, kind, family),
        }
        id
    }

    /// Answers a query from this node's own knowledge.
    pub(super) fn answer(&mut self, id: QueryId, kind: Query, family: &str) {
        let answer = match (self.role(), self.watches.known(family)) {
            (Role::Global, _) => Answer::of(kind, self.merged.shards().family(family)),
            // The last master's reports are the best knowledge.
            (_, Some(known)) => Answer::of(kind, known.iter()),
            (_, None) => Answer::of(kind, self.local(family)),
        };
        self.effects.push(Effect::Answer(id, Ok(answer)));
    }

    /// Cancels a query.
    pub(crate) fn cancel(&mut self, id: QueryId) {
        self.upstream.questions.remove_query(id);
    }

    /// Searches for the addresses of a node. [`Effect::Found`] reports them, but not as long as there is no master.
    pub(crate) fn find(&mut self, node: &NodeId) {
        if !self.standing.is_global() {
            return self.upstream.questions.find(node);
        }
        let found = self
            .merged
            .shards()
            .listeners(node)
            .and_then(request::addresses);
        let relay = self.relay_of(node).filter(|relay| *relay != self.node);
        self.effects.push(Effect::Found(node.clone(), found, relay));
    }

    /// The global node that a node without listeners is connected to: the one that answers for its entry. This is this
    /// node itself for its own slaves.
    pub(super) fn relay_of(&self, node: &NodeId) -> Option<NodeId> {
        let listeners = self.merged.shards().listeners(node)?.as_array()?;
        let shards = self.merged.shards();
        let master = shards.master_of(node).filter(|_| listeners.is_empty())?;
        Some(if master == node {
            self.node.clone()
        } else {
            master.clone()
        })
    }

    /// Cancels the search for a node.
    pub(crate) fn cancel_find(&mut self, node: &NodeId) {
        self.upstream.questions.remove(&Ask::Find(node.clone()));
    }
}
