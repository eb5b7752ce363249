//! The mesh's part in finding nodes and in the distributed database ([protocol](crate::protocol::global)).

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use aemp_codec::{EncodeError, NodeId, PacketWriter, Value};

use super::{Level, Mesh, Output, Peers, connection::Phase};
use crate::{
    Time,
    global::{
        Effect, GlobalRequest, GlobalRequestError, LendError, Outgoing, Parsed, Query, QueryId,
        Role, WatchId,
    },
    peer::{ConnId, Urge},
    request::{RELAY, RELAYED},
};

/// A request for the mesh, as in [`Request::Global`](crate::request::Request::Global) and
/// [`Request::Relay`](crate::request::Request::Relay).
pub type RawRequest = (String, Vec<Value>);

impl<P: Peers> Mesh<P> {
    /// Handles requests whose names begin with `g_`, and those about relayed connections, in the order in which they have
    /// arrived on a connection.
    ///
    /// Returns their cost beyond the requests themselves, counted in ordinary requests: see
    /// [`max_requests_per_second`](crate::limits::NodeLimits::max_requests_per_second).
    ///
    /// Requests that come late, from a connection that is no longer its node's, have no effect.
    pub fn requests(
        &mut self,
        now: Time,
        conn: ConnId,
        requests: impl IntoIterator<Item = RawRequest>,
    ) -> u64 {
        let mut cost = 0;
        for (name, args) in requests {
            cost += match name.as_str() {
                RELAY | RELAYED => self.take_relay_request(now, conn, &name, args),
                _ => self.take_request(now, conn, &name, GlobalRequest::parse(&name, args)),
            };
        }
        self.advance(now);
        cost
    }

    /// Like [`requests`](Self::requests), for one request that is parsed already, or for a
    /// [piece](GlobalRequest::pieces) of one. Pieces allow others to use the mesh in between.
    pub fn global_request(
        &mut self,
        now: Time,
        conn: ConnId,
        name: &str,
        request: Result<Parsed, GlobalRequestError>,
    ) -> u64 {
        let cost = self.take_request(now, conn, name, request);
        self.advance(now);
        cost
    }

    fn take_relay_request(&mut self, now: Time, conn: ConnId, name: &str, args: Vec<Value>) -> u64 {
        let Some(Phase::Up(from)) = self.conns.get(&conn).map(|conn| &conn.phase) else {
            return 0;
        };
        let from = from.clone();
        if name == RELAY {
            self.take_ask(now, &from, args)
        } else {
            self.take_told(now, &from, args)
        }
    }

    fn take_request(
        &mut self,
        now: Time,
        conn: ConnId,
        name: &str,
        request: Result<Parsed, GlobalRequestError>,
    ) -> u64 {
        let Some(Phase::Up(from)) = self.conns.get(&conn).map(|conn| &conn.phase) else {
            return 0;
        };
        let from = from.clone();
        let (request, odd) = match request {
            Ok(parsed) => parsed,
            Err(error) => {
                self.misunderstood(now, &from, &error);
                return 0;
            }
        };
        if let Some(text) = odd.text() {
            let text = format!("{name} from {from}: {text}");
            self.complain(now, Level::Warn, text);
        }
        let cost = self.global.cost(&request, odd.count);
        self.global.request(now, &from, request);
        cost
    }

    fn misunderstood(&mut self, now: Time, from: &NodeId, error: &GlobalRequestError) {
        self.complain(now, Level::Warn, format!("request from {from}: {error}"));
    }

    /// Sets a key of a family in this node's part of the database. An equal value changes nothing.
    ///
    /// The names are not checked: see [`check_family`](crate::global::check_family) and
    /// [`check_key`](crate::global::check_key).
    pub fn db_set(&mut self, now: Time, family: &str, key: &str, value: Value) {
        self.global.set(family, key, value);
        self.advance(now);
    }

    /// Like [`db_set`](Self::db_set), on behalf of a connected node that has asked for it. The entry counts towards
    /// that node's limits, like its own entries, and is deleted when the node is lost.
    ///
    /// # Errors
    ///
    /// Returns a [`LendError`] with the limit that is reached.
    pub fn db_set_for(
        &mut self,
        now: Time,
        by: &NodeId,
        family: &str,
        key: &str,
        value: Value,
    ) -> Result<(), LendError> {
        let set = self.global.set_for(now, by, family, key, value);
        self.advance(now);
        set
    }

    /// Deletes keys of a family from this node's part of the database.
    pub fn db_del<'k>(&mut self, now: Time, family: &str, keys: impl IntoIterator<Item = &'k str>) {
        for key in keys {
            self.global.del(family, key);
        }
        self.advance(now);
    }

    /// Like [`db_set`](Self::db_set), but sends nothing before the next call of another method, such as
    /// [`flush`](Self::flush), so that many changes are sent together.
    pub fn db_stage(&mut self, family: &str, key: &str, value: Value) {
        self.global.set(family, key, value);
    }

    /// Like [`db_del`](Self::db_del), for changes that are [staged](Self::db_stage).
    pub fn db_stage_del<'k>(&mut self, family: &str, keys: impl IntoIterator<Item = &'k str>) {
        for key in keys {
            self.global.del(family, key);
        }
    }

    /// Sends all [staged](Self::db_stage) changes.
    pub fn flush(&mut self, now: Time) {
        self.advance(now);
    }

    /// Watches a family. [`Output::Watched`] reports its content first, then its changes.
    pub fn db_watch(&mut self, now: Time, family: &str) -> WatchId {
        let id = self.global.watch(family);
        self.advance(now);
        id
    }

    /// Ends a watch.
    pub fn db_unwatch(&mut self, now: Time, watch: WatchId) {
        self.global.unwatch(watch);
        self.advance(now);
    }

    /// Asks for the content of a family, which [`Output::Answer`] reports. A node without a master waits for one, for
    /// `connect_interval`, and then answers with its own entries.
    pub fn db_query(&mut self, now: Time, kind: Query, family: &str) -> QueryId {
        let id = self.global.query(kind, family);
        self.advance(now);
        id
    }

    /// Cancels a query.
    pub fn db_cancel(&mut self, query: QueryId) {
        self.global.cancel(query);
    }

    /// Reports that everything that was queued for a node at the time of [`Output::TellWritten`] has been written.
    pub fn written(&mut self, now: Time, node: &NodeId) {
        self.global.caught_up(node);
        self.advance(now);
    }

    /// Makes this node a global node, for ever.
    pub fn become_global(&mut self, now: Time) {
        self.global.become_global(now);
        self.advance(now);
    }

    /// The role of this node in the network.
    #[must_use]
    pub fn role(&self) -> &Role {
        self.global.role()
    }

    /// The content of a family: the entries of all nodes on a global node, the node's own entries on any other.
    #[must_use]
    pub fn db_view(&self, family: &str) -> Vec<(Arc<str>, Value)> {
        self.global.view(family)
    }

    /// The keys of [`db_view`](Self::db_view), at most `most` of them, with the nodes that have set the visible values. A
    /// global node counts the entries of another global node's slaves as those of that node.
    #[must_use]
    pub fn db_owners(&self, family: &str, most: usize) -> Vec<(Arc<str>, NodeId)> {
        self.global.owners(family, most)
    }

    /// The families and their numbers of entries: those of all nodes on a global node, the node's own on any other.
    #[must_use]
    pub fn db_sizes(&self) -> Vec<(Arc<str>, usize)> {
        self.global.sizes()
    }

    /// The entries of this node in a family.
    #[must_use]
    pub fn db_local(&self, family: &str) -> Vec<(Arc<str>, Value)> {
        let entries = self.global.local(family);
        entries
            .map(|(key, value)| (Arc::clone(key), value.clone()))
            .collect()
    }

    /// The families in which this node has entries.
    pub fn db_local_families(&self) -> impl Iterator<Item = &str> {
        self.global.local_families().map(|family| &**family)
    }

    /// All other nodes with any data here: connections, peers, addresses, database entries, watches.
    #[must_use]
    pub fn traces(&self) -> BTreeSet<NodeId> {
        let mut traces = self.global.traces();
        traces.extend(self.nodes.keys().cloned());
        traces.extend(self.addresses.keys().cloned());
        traces
    }

    /// Tells the database which nodes are seeds now.
    pub(super) fn update_seeds(&mut self, now: Time) {
        let any = !self.seeds.is_empty();
        self.global.seeds_changed(now, any);
    }

    /// Removes a seed's address.
    pub(super) fn forget_seed(&mut self, address: &str) {
        for node in self.seeds.only_by(address) {
            self.global.seed_gone(&node);
        }
    }

    /// Takes note that the node at a seed's address is connected.
    pub(super) fn found_seed(&mut self, now: Time, node: &NodeId) {
        self.global.seed_up(now, node);
    }

    pub(super) fn global_node_up(&mut self, now: Time, node: &NodeId) {
        let seed = self.seeds.addresses(node).next().is_some();
        self.global.node_up(now, node, seed);
        self.global.cancel_find(node);
    }

    pub(super) fn global_node_down(&mut self, now: Time, node: &NodeId) {
        self.global.node_down(now, node);
    }

    /// Lets time pass for the database, and dials global nodes.
    pub(super) fn time_out_global(&mut self, now: Time) {
        if self.stopped {
            return;
        }
        for node in self.global.timeout(now, &mut self.random) {
            let urge = self.peers.with(&node, |peer| peer.want());
            if urge == Urge::Connect {
                self.connect_node(now, &node);
            }
        }
    }

    /// Sends the requests of the database and carries out its effects. Returns true if more work may follow.
    pub(super) fn advance_global(&mut self, now: Time) -> bool {
        if self.stopped {
            self.global.effects().for_each(drop);
            return false;
        }
        let mut out = ToPeers {
            peers: &mut self.peers,
            relays: &self.relays,
            outputs: &mut self.outputs,
            overflowed: Vec::new(),
        };
        let full = self.global.flush(now, &mut out);
        let overflowed = out.overflowed;
        for node in full {
            self.outputs.push_back(Output::TellWritten { node });
        }
        let effects: Vec<_> = self.global.effects().collect();
        let more = !effects.is_empty() || !overflowed.is_empty();
        effects
            .into_iter()
            .for_each(|effect| self.effect(now, effect));
        for node in overflowed {
            self.give_up(now, &node);
        }
        let due = self
            .global
            .deadline()
            .is_some_and(|deadline| deadline <= now);
        if due {
            self.time_out_global(now);
        }
        more || due
    }

    fn effect(&mut self, now: Time, effect: Effect) {
        match effect {
            Effect::Found(node, addresses, relay) => {
                self.found_addresses(now, &node, addresses, relay);
            }
            Effect::Answer(query, answer) => {
                self.outputs.push_back(Output::Answer { query, answer });
            }
            Effect::Watched(watch, told) => {
                self.outputs.push_back(Output::Watched { watch, told });
            }
            // Most of these lines are about acts of other nodes.
            Effect::Log(level, text) => self.complain(now, level, text),
        }
    }
}

/// The connections of nodes, as channels for requests.
struct ToPeers<'a, P> {
    peers: &'a mut P,
    /// The connected nodes that know relayed connections.
    relays: &'a BTreeSet<NodeId>,
    outputs: &'a mut VecDeque<Output>,
    overflowed: Vec<NodeId>,
}

impl<P: Peers> Outgoing for ToPeers<'_, P> {
    fn send(
        &mut self,
        node: &NodeId,
        write: &mut dyn FnMut(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<usize, EncodeError> {
        let sent = self.peers.with(node, |peer| {
            // A request for a connection that is going down is lost with it.
            let before = peer.is_up().then(|| peer.pending_bytes())?;
            let sent = peer.send("", &mut *write);
            let queued = peer.pending_bytes().saturating_sub(before);
            Some(sent.map(|urge| (urge, queued)))
        });
        let Some((urge, queued)) = sent.transpose()? else {
            return Ok(0);
        };
        match urge {
            Urge::Write => self
                .outputs
                .push_back(Output::WakeWriter { node: node.clone() }),
            Urge::Overflow => self.overflowed.push(node.clone()),
            Urge::None | Urge::Connect => {}
        }
        Ok(queued)
    }

    fn limit(&mut self, node: &NodeId) -> (usize, usize) {
        self.peers.with(node, |peer| {
            let limits = peer.limits();
            let bytes = limits.packet.max_packet.min(limits.max_queue_bytes);
            (bytes, limits.packet.max_values)
        })
    }

    fn relays(&self, node: &NodeId) -> bool {
        self.relays.contains(node)
    }
}
