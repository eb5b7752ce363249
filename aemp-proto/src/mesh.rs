//! The whole node: who connects to whom, which connection counts, node up and down.
//!
//! The mesh asks its `Peers` to change state: a map in the simulator, locked peers in the runtime.
//!
//! A global node has hundreds of connections, and setting a database key is one call of the mesh. So no step of every
//! call looks at all connections or nodes. Things that wait for a time are found by that time (`timed`), changes for
//! global nodes look at global nodes only, and the runtime's clock is woken only for a deadline before its alarm. The
//! tests ask the mesh both ways after every step.

mod admission;
mod arbiter;
mod conn;
mod connections;
mod dial;
mod failures;
mod global;
mod inspect;
mod losses;
mod nodes;
mod output;
mod peers;
mod seeds;
mod strangers;
mod timed;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use aemp_codec::NodeId;

pub use self::global::RawRequest;
use self::{
    conn::{Conn, Phase},
    nodes::Node,
    seeds::Seeds,
    strangers::Strangers,
    timed::Timed,
};
pub use self::{
    output::{Level, Output},
    peers::{PeerMap, Peers},
    seeds::{Joining, LookUpId, SeedFailure, SeedFailureKind, SeedState},
};
use super::{
    Measure, Random, Time,
    global::{Global, Quota},
    handshake::{Binding, Handshake, HandshakeConfig, Role},
    limits::{NodeLimits, Notices},
    peer::{ConnId, LossId},
};
pub(crate) use seeds::longest_pause;

/// What a [`Mesh`] needs to know.
#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// The node's identity, secret and formats, and its `monitor_timeout`.
    pub handshake: HandshakeConfig,
    /// `host:port` of nodes to stay connected to. They are dialled as they are.
    pub seeds: Vec<String>,
    /// Sources of the addresses of nodes to stay connected to: names, for example. They are looked up at each round
    /// of attempts ([`Output::LookUp`]), and each address is an attempt of its own.
    pub names: Vec<String>,
    /// The addresses, `host:port`, that the node listens on, as others reach it.
    pub listeners: Vec<String>,
    /// Whether the node is global from the start.
    pub global: bool,
    /// How long to wait for an address of a node, and between its addresses; 2 s in the reference.
    pub connect_interval: Duration,
    /// How many connections that others have opened may be unauthenticated at one time: above it, the oldest of them are closed.
    pub max_strangers: usize,
    /// How many of these may come from one [source](super::limits::Source).
    pub max_strangers_per_address: usize,
    /// How much of the database another node may own and watch here.
    pub quota: Quota,
}

impl MeshConfig {
    /// The reference's defaults for a node without seeds.
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
/// Every call may leave [`Output`]s behind; they are to be taken with [`poll`](Self::poll), in order, and carried
/// out. [`timeout`](Self::timeout) is called when the [`deadline`](Self::deadline) has come; the deadline may have
/// changed after every call.
#[derive(Debug)]
pub struct Mesh<P> {
    config: MeshConfig,
    handshake: Arc<HandshakeConfig>,
    peers: P,
    random: Random,
    conns: Timed<ConnId, Conn>,
    last_conn: u64,
    strangers: Strangers,
    /// What is said of how strangers' connections end.
    ends: Measure,
    /// What is said of nodes' mistakes.
    complaints: Measure,
    nodes: Timed<NodeId, Node>,
    addresses: BTreeMap<NodeId, Vec<String>>,
    seeds: Seeds,
    global: Global,
    /// Handshakes that can go on.
    runnable: VecDeque<ConnId>,
    /// When it was last told that another node uses our ID.
    namesake: Option<Time>,
    /// Who was told of lately for reaching a limit.
    notices: Notices,
    outputs: VecDeque<Output>,
    stopped: bool,
}

impl<P: Peers> Mesh<P> {
    /// A node that begins to connect to its seeds. The peers must know nothing of connections yet.
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
            runnable: VecDeque::new(),
            namesake: None,
            notices: Notices::default(),
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
        mesh.follow_seeds(now);
        if mesh.config.global {
            mesh.global.become_global(now);
        }
        mesh.settle(now);
        mesh
    }

    /// What is to be done next, if anything.
    pub fn poll(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// When [`timeout`](Self::timeout) has to be called at the latest.
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

    /// Time has passed.
    pub fn timeout(&mut self, now: Time) {
        self.time_out_conns(now);
        self.time_out_seeds(now);
        self.time_out_nodes(now);
        self.time_out_global(now);
        self.settle(now);
    }

    /// A peer has asked for a connection ([`Urge::Connect`](super::peer::Urge::Connect)).
    pub fn connect(&mut self, now: Time, node: &NodeId) {
        self.connect_node(now, node);
        self.settle(now);
    }

    /// These are a node's addresses, `host:port` each: static ones, or those that somebody was asked for. None means
    /// that the node is unknown.
    pub fn learn(&mut self, now: Time, node: &NodeId, addresses: Vec<String>) {
        self.learn_addresses(now, node, addresses);
        self.settle(now);
    }

    /// Stay connected to the node at `address`, `host:port`, as well.
    pub fn add_seed(&mut self, now: Time, address: &str) {
        self.seeds.add(now, address);
        self.follow_seeds(now);
        self.settle(now);
    }

    /// No longer stay connected to the node at `address`. A connection that is up stays up.
    pub fn remove_seed(&mut self, now: Time, address: &str) {
        self.forget_seed(address);
        for conn in self.seeds.remove(address) {
            self.abandon(now, conn);
        }
        self.follow_seeds(now);
        self.settle(now);
    }

    /// The seeds and what is known of them.
    pub fn seeds(&self) -> impl Iterator<Item = (&str, SeedState<'_>)> {
        self.seeds.iter()
    }

    /// The result of [`Output::LookUp`]: the addresses, `host:port`, or why there are none. An answer that comes too late
    /// has no effect.
    pub fn looked_up(&mut self, now: Time, look_up: LookUpId, result: Result<Vec<String>, String>) {
        self.end_look_up(now, look_up, result);
        self.settle(now);
    }

    /// True if this node is part of the network, as far as its seeds tell.
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

    /// What became of [`Output::Dial`]: the peer's socket address, or the text of the system's error.
    pub fn dialed(&mut self, now: Time, conn: ConnId, result: Result<String, String>) {
        match result {
            Ok(addr) if self.is_dialing(conn) => {
                let handshake = self.new_handshake(now, Role::Dialed, &addr);
                if let Some(dialed) = self.conns.get_mut(&conn) {
                    dialed.phase = Phase::handshake(handshake);
                }
                self.runnable.push_back(conn);
            }
            // It was given up just before.
            Ok(_) => self.outputs.push_back(Output::Close { conn }),
            Err(text) => self.lost(now, conn, &text),
        }
        self.settle(now);
    }

    /// Bytes have arrived on a connection that is not established yet.
    pub fn received(&mut self, now: Time, conn: ConnId, bytes: &[u8]) {
        self.receive(conn, bytes);
        self.settle(now);
        self.tell_full(now, conn);
    }

    /// TLS with certificates is up on a connection ([`Output::StartTls`]).
    pub fn secured(&mut self, now: Time, conn: ConnId) {
        self.tell_handshake(conn, Handshake::secured);
        self.settle(now);
    }

    /// TLS with keys that say nothing is up on a connection ([`Output::StartTls`]).
    pub fn bound(&mut self, now: Time, conn: ConnId, binding: Binding) {
        self.tell_handshake(conn, |handshake| handshake.bound(binding));
        self.settle(now);
    }

    /// TLS could not be set up on a connection, or has failed on it before it was established.
    pub fn tls_failed(&mut self, now: Time, conn: ConnId, text: &str) {
        self.tell_handshake(conn, |handshake| handshake.tls_failed(text));
        self.settle(now);
    }

    /// Whether connections that are greeted from now on want TLS.
    pub fn set_tls(&mut self, tls: bool) {
        Arc::make_mut(&mut self.handshake).tls = tls;
    }

    /// A connection has ended, whatever it was; the text says why (REFERENCE.md, "Reasons").
    pub fn closed(&mut self, now: Time, conn: ConnId, text: &str) {
        self.lost(now, conn, text);
        self.settle(now);
    }

    /// A peer has to be given up ([`Urge::Overflow`](super::peer::Urge::Overflow)).
    pub fn overflow(&mut self, now: Time, node: &NodeId) {
        self.give_up(now, node);
        self.settle(now);
    }

    /// The monitors of an [`Output::Fire`] have fired: those of that loss, and of no other.
    pub fn fired(&mut self, now: Time, node: &NodeId, loss: LossId) {
        self.after_fire(now, node, loss);
        self.settle(now);
    }

    /// All monitors that have been handed out for a node have fired: [`fired`](Self::fired) for callers that have dealt with
    /// every [`Output::Fire`] by now.
    pub fn drained(&mut self, now: Time, node: &NodeId) {
        if let Some(loss) = self.nodes.get(node).and_then(Node::mourned) {
            self.fired(now, node, loss);
        }
    }

    /// Closes everything. What is sent from now on is lost, and monitors fire.
    pub fn stop(&mut self, now: Time) {
        self.stopped = true;
        self.seeds.clear();
        self.stop_nodes(now);
        let conns: Vec<_> = self.conns.keys().copied().collect();
        for conn in conns {
            self.abandon(now, conn);
        }
        self.settle(now);
    }

    /// The nodes that are connected.
    pub fn up_nodes(&self) -> impl Iterator<Item = &NodeId> {
        let up = |node: &Node| node.up().is_some();
        self.nodes
            .iter()
            .filter(move |(_, node)| up(node))
            .map(|(id, _)| id)
    }

    /// Whether a node is connected.
    #[must_use]
    pub fn is_up(&self, node: &NodeId) -> bool {
        self.nodes.get(node).is_some_and(|node| node.up().is_some())
    }

    /// How many connections there are, whatever their state.
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

    /// Lets every handshake go on that can, and dials the seeds whose time has come.
    fn settle(&mut self, now: Time) {
        loop {
            while let Some(conn) = self.runnable.pop_front() {
                self.drive(now, conn);
            }
            let dialed = self.dial_seeds(now) | self.settle_role(now);
            if !self.settle_global(now) && !dialed && self.runnable.is_empty() {
                break;
            }
        }
        if self.seeds.take_changed() {
            self.outputs.push_back(Output::SeedsChanged);
        }
        self.look_at_clocks();
    }

    /// Finds out what has to be waited for.
    fn look_at_clocks(&mut self) {
        let patience = self.config.connect_interval;
        self.conns.settle(|conn| conn.phase.deadline());
        self.nodes.settle(|node| node.deadline(patience));
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
