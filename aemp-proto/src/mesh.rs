//! The whole node: its connections to other nodes, the choice among them, node up and down.
//!
//! The mesh asks its `Peers` to change state: a map in the simulator, locked peers in the runtime.
//!
//! A global node has hundreds of connections, and setting a database key is one call of the mesh. So no step of every
//! call looks at all connections or nodes. Things that wait for a time are found by that time (`timed`), changes for
//! global nodes look at global nodes only, and the runtime's clock is woken only for a deadline before its alarm. The
//! tests ask the mesh both ways after every step.

mod admission;
mod arbiter;
mod connection;
mod connections;
mod counts;
mod dial;
mod failures;
mod global;
mod inspect;
mod losses;
mod output;
mod peer;
mod peers;
mod relay;
mod seeds;
mod strangers;
mod streams;
mod timed;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use aemp_codec::NodeId;

pub use self::global::RawRequest;
use self::{
    connection::{Connection, Phase},
    peer::MeshPeer,
    seeds::Seeds,
    strangers::Strangers,
    timed::Timed,
};
pub use self::{
    counts::Counts,
    dial::Way,
    output::Output,
    peers::{PeerMap, Peers},
    seeds::{Joining, LookUpId, SeedFailure, SeedFailureKind, SeedState},
};
use super::{
    Measure, Random, Time,
    global::{Global, Quota},
    handshake::{Binding, Handshake, HandshakeConfig},
    limits::{NodeLimits, Notices},
    peer::{ConnId, LossId},
    relay::{exchange::Exchange, tunnels::Tunnels},
};
pub use crate::{Level, relay::tunnels::TunnelRead};

/// The configuration of a [`Mesh`].
#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// The node's identity, secret and formats, and its `monitor_timeout`.
    pub handshake: HandshakeConfig,
    /// The addresses (`host:port`) of nodes to stay connected to. They are dialled as they are.
    pub seeds: Vec<String>,
    /// Names of nodes to stay connected to. Each round of attempts looks a name up ([`Output::LookUp`]), and attempts
    /// each address of the result.
    pub names: Vec<String>,
    /// The addresses (`host:port`) at which other nodes can reach this node's listeners.
    pub listeners: Vec<String>,
    /// True if the node is global from the start.
    pub global: bool,
    /// The time to wait for an address of a node, and between attempts at its addresses; 2 s in the reference.
    pub connect_interval: Duration,
    /// The number of incoming connections that may be unauthenticated at one time. Above it, the oldest are closed.
    pub max_strangers: usize,
    /// The number of these that may come from one [source](super::limits::Source).
    pub max_strangers_per_address: usize,
    /// The limits on another node's entries and watches in the database here.
    pub quota: Quota,
}

impl MeshConfig {
    /// Creates the defaults of the reference, for a node without seeds.
    #[must_use]
    pub fn new(handshake: HandshakeConfig) -> Self {
        let limits = NodeLimits::default();
        Self {
            handshake,
            seeds: Vec::new(),
            names: Vec::new(),
            listeners: Vec::new(),
            global: false,
            connect_interval: Duration::from_secs(2),
            max_strangers: limits.max_strangers,
            max_strangers_per_address: limits.max_strangers_per_address,
            quota: Quota::from(&limits),
        }
    }
}

/// The control plane of one node.
///
/// Every call may leave [`Output`]s. Take them with [`poll`](Self::poll) and carry them out in order. Call
/// [`timeout`](Self::timeout) when the [`deadline`](Self::deadline) has come. Every call may change the deadline.
#[derive(Debug)]
pub struct Mesh<P> {
    config: MeshConfig,
    handshake: Arc<HandshakeConfig>,
    peers: P,
    random: Random,
    conns: Timed<ConnId, Connection>,
    last_conn: u64,
    strangers: Strangers,
    /// The rate limit for log lines about the ends of strangers' connections.
    ends: Measure,
    /// The rate limit for log lines about the mistakes of nodes.
    complaints: Measure,
    nodes: Timed<NodeId, MeshPeer>,
    addresses: BTreeMap<NodeId, Vec<String>>,
    seeds: Seeds,
    global: Global,
    /// The connected nodes that know relayed connections, and that are not connected by one.
    relays: BTreeSet<NodeId>,
    tunnels: Tunnels,
    exchange: Exchange,
    /// The connections whose handshakes can continue.
    runnable: VecDeque<ConnId>,
    /// The time of the last error line about another node with our ID.
    namesake: Option<Time>,
    /// The lately logged notices about limits.
    notices: Notices,
    /// The number of nodes that have come up, and of those that were lost.
    ups: u64,
    losses: u64,
    outputs: VecDeque<Output>,
    stopped: bool,
}

impl<P: Peers> Mesh<P> {
    /// Creates a node that begins to connect to its seeds. The peers must be new.
    pub fn new(now: Time, config: MeshConfig, peers: P, random: Random) -> Self {
        let global = Global::new(
            config.handshake.node.clone(),
            &config.listeners,
            config.connect_interval,
            config.handshake.timeout,
            config.quota,
        );
        let mut mesh = Self {
            global,
            handshake: Arc::new(config.handshake.clone()),
            peers,
            random,
            conns: Timed::default(),
            last_conn: 0,
            strangers: Strangers::default(),
            ends: Measure::default(),
            complaints: Measure::default(),
            nodes: Timed::default(),
            addresses: BTreeMap::new(),
            seeds: Seeds::new(config.handshake.timeout, config.connect_interval),
            relays: BTreeSet::new(),
            tunnels: Tunnels::default(),
            exchange: Exchange::default(),
            runnable: VecDeque::new(),
            namesake: None,
            notices: Notices::default(),
            ups: 0,
            losses: 0,
            outputs: VecDeque::new(),
            stopped: false,
            config,
        };
        for seed in mesh.config.seeds.clone() {
            mesh.seeds.add(now, &seed);
        }
        for name in mesh.config.names.clone() {
            mesh.seeds.add_name(now, &name);
        }
        mesh.update_seeds(now);
        if mesh.config.global {
            mesh.global.become_global(now);
        }
        mesh.advance(now);
        mesh
    }

    /// Returns the next output, if there is any.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// The latest time at which [`timeout`](Self::timeout) must be called.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let deadlines = [
            self.conns.deadline(),
            self.nodes.deadline(),
            self.seeds.deadline(),
            self.global.deadline().filter(|_| !self.stopped),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Handles everything that is due at `now`.
    pub fn timeout(&mut self, now: Time) {
        self.time_out_conns(now);
        self.time_out_seeds(now);
        self.time_out_nodes(now);
        self.time_out_global(now);
        self.advance(now);
    }

    /// Connects to a node, because its peer has asked for it ([`Urge::Connect`](super::peer::Urge::Connect)).
    pub fn connect(&mut self, now: Time, node: &NodeId) {
        self.connect_node(now, node);
        self.advance(now);
    }

    /// Tells the addresses (`host:port`) of a node, from the configuration or in answer to a search. No addresses mean
    /// that the node is unknown.
    pub fn learn(&mut self, now: Time, node: &NodeId, addresses: Vec<String>) {
        self.learn_addresses(now, node, addresses);
        self.advance(now);
    }

    /// Adds the seed at `address` (`host:port`), and stays connected to its node.
    pub fn add_seed(&mut self, now: Time, address: &str) {
        self.seeds.add(now, address);
        self.update_seeds(now);
        self.advance(now);
    }

    /// Removes the seed at `address`. A connection that is up stays up.
    pub fn remove_seed(&mut self, now: Time, address: &str) {
        self.forget_seed(address);
        for conn in self.seeds.remove(address) {
            self.abandon(now, conn);
        }
        self.update_seeds(now);
        self.advance(now);
    }

    /// The seeds and their states.
    pub fn seeds(&self) -> impl Iterator<Item = (&str, SeedState<'_>)> {
        self.seeds.iter()
    }

    /// Tells the result of [`Output::LookUp`]: the addresses (`host:port`), or why there are none. An answer that comes
    /// too late has no effect.
    pub fn looked_up(&mut self, now: Time, look_up: LookUpId, result: Result<Vec<String>, String>) {
        self.end_look_up(now, look_up, result);
        self.advance(now);
    }

    /// The progress of joining the network, judged by the seeds.
    #[must_use]
    pub fn joining(&self) -> Joining {
        let connected = self.nodes.iter().any(|(_, node)| node.up().is_some());
        if connected {
            Joining::Joined
        } else if self.stopped {
            Joining::Trying
        } else {
            self.seeds.joining()
        }
    }

    /// Tells the result of [`Output::Dial`]: the peer's socket address, or the text of the system's error.
    pub fn dialed(&mut self, now: Time, conn: ConnId, result: Result<String, String>) {
        match result {
            Ok(addr) if self.is_dialing(conn) => {
                let handshake = self.dialed_handshake(now, conn, &addr);
                if let Some(dialed) = self.conns.get_mut(&conn) {
                    dialed.phase = Phase::handshake(handshake);
                }
                self.runnable.push_back(conn);
            }
            // The mesh gave this connection up just before.
            Ok(_) => self.outputs.push_back(Output::Close { conn }),
            Err(text) => self.lost(now, conn, &text),
        }
        self.advance(now);
    }

    /// Takes bytes that have arrived on a connection that is not established yet.
    pub fn received(&mut self, now: Time, conn: ConnId, bytes: &[u8]) {
        self.receive(conn, bytes);
        self.advance(now);
        self.log_full(now, conn);
    }

    /// Continues a connection on which TLS with certificates is up ([`Output::StartTls`]).
    pub fn secured(&mut self, now: Time, conn: ConnId) {
        self.with_handshake(conn, Handshake::secured);
        self.advance(now);
    }

    /// Continues a connection on which TLS with ephemeral keys is up ([`Output::StartTls`]).
    pub fn bound(&mut self, now: Time, conn: ConnId, binding: Binding) {
        self.with_handshake(conn, |handshake| handshake.bound(binding));
        self.advance(now);
    }

    /// Fails a connection on which TLS could not be set up, or has failed before the connection was established.
    pub fn tls_failed(&mut self, now: Time, conn: ConnId, text: &str) {
        self.with_handshake(conn, |handshake| handshake.tls_failed(text));
        self.advance(now);
    }

    /// Sets whether connections that are greeted from now on may use TLS.
    pub fn set_tls(&mut self, tls: bool) {
        Arc::make_mut(&mut self.handshake).tls = tls;
    }

    /// Reports the end of a connection in any state; the text is the reason ([protocol](crate::protocol::monitors#reasons)).
    pub fn closed(&mut self, now: Time, conn: ConnId, text: &str) {
        self.lost(now, conn, text);
        self.advance(now);
    }

    /// Gives up a peer ([`Urge::Overflow`](super::peer::Urge::Overflow)).
    pub fn overflow(&mut self, now: Time, node: &NodeId) {
        self.give_up(now, node);
        self.advance(now);
    }

    /// Reports that the monitors of an [`Output::Fire`] have fired: those of this loss, and of no other.
    pub fn fired(&mut self, now: Time, node: &NodeId, loss: LossId) {
        self.after_fire(now, node, loss);
        self.advance(now);
    }

    /// Reports that all monitors of a node that were handed out have fired. This is [`fired`](Self::fired) for callers
    /// that have handled every [`Output::Fire`] so far.
    pub fn drained(&mut self, now: Time, node: &NodeId) {
        if let Some(loss) = self.nodes.get(node).and_then(MeshPeer::mourned) {
            self.fired(now, node, loss);
        }
    }

    /// Closes everything. Packets that are sent from now on are lost, and monitors fire.
    pub fn stop(&mut self, now: Time) {
        self.stopped = true;
        self.seeds.clear();
        self.stop_nodes(now);
        let conns: Vec<_> = self.conns.keys().copied().collect();
        for conn in conns {
            self.abandon(now, conn);
        }
        self.advance(now);
    }

    /// The connected nodes.
    pub fn up_nodes(&self) -> impl Iterator<Item = &NodeId> {
        let up = |node: &MeshPeer| node.up().is_some();
        self.nodes
            .iter()
            .filter(move |(_, node)| up(node))
            .map(|(id, _)| id)
    }

    /// True if the node is connected.
    #[must_use]
    pub fn is_up(&self, node: &NodeId) -> bool {
        self.nodes.get(node).is_some_and(|node| node.up().is_some())
    }

    /// The number of connections, in any state.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.conns.len()
    }

    /// The peers.
    pub fn peers(&mut self) -> &mut P {
        &mut self.peers
    }

    fn next_conn(&mut self) -> ConnId {
        self.last_conn += 1;
        ConnId(self.last_conn)
    }

    fn log(&mut self, level: Level, text: String) {
        self.outputs.push_back(Output::Log { level, text });
    }

    /// Continues all handshakes as far as possible, and dials the seeds that are due.
    fn advance(&mut self, now: Time) {
        loop {
            while let Some(conn) = self.runnable.pop_front() {
                self.drive(now, conn);
            }
            let dialed = self.dial_seeds(now) | self.update_role(now);
            if !self.advance_global(now) && !dialed && self.runnable.is_empty() {
                break;
            }
        }
        if self.seeds.take_changed() {
            self.outputs.push_back(Output::SeedsChanged);
        }
        self.update_deadlines();
    }

    /// Recomputes the deadlines of changed connections and nodes.
    fn update_deadlines(&mut self) {
        let patience = self.config.connect_interval;
        self.conns.refresh(|conn| conn.phase.deadline());
        self.nodes.refresh(|node| node.deadline(patience));
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
