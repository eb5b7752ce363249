//! Whole nodes with user ports in a simulated network.
//!
//! A simulated node starts its tasks through its scheduler, which keeps them, so that a crash ends all of them where
//! they are. Everything that would differ between runs is in order (`Remotes::all`) or does not depend on chance
//! (`biased` selects, the shard of a thread's new ports).

use std::{collections::BTreeMap, fmt, time::Duration};

use tokio::{runtime::Runtime, time::Instant};

use super::{Chance, Conditions, Crash, HostId, Network, host::Host, hub::Hub};
use crate::{Node, NodeBuilder, SettingError, StartError, port::table};
use aemp_proto::Time;

/// The time between two calls of the condition of [`Sim::run_until`].
const CHECK_INTERVAL: Duration = Duration::from_millis(1);

/// A network of whole nodes with their ports, in one process and under a virtual clock. It tests the behaviour of
/// actors when connections break, networks split, and machines are lost.
///
/// Nodes are made by their [builders](NodeBuilder), as always, but their connections go through a simulated
/// [network](super::Network) instead of TCP. Time passes only while the simulation [runs](Self::run_for), and then as
/// fast as the processor can: a minute without events takes no time. Timers, timeouts and `tokio::time` in handlers
/// follow that clock.
///
/// Each node has a host of its own, with the node's name. A node listens on `host:port`, as usual, but the host is
/// always its own: `.bind("*:4040")` makes the node `a` listen on `a:4040`, and `.seed("a:4040")` finds it.
///
/// # Reproducible runs
///
/// Everything runs on one thread. All randomness of nodes and network comes from the seed: port names, nonces, delays
/// of retries, latencies, cuts. So two runs with the same seed are the same, as long as the code under test is the same
/// in every run too. It is not if it
///
/// - uses threads, `spawn_blocking`, real sockets or files, or reads the real clock (`std::time`);
/// - iterates over a `HashMap` with std's random state, or uses its own randomness;
/// - uses `tokio::select!` without `biased`, because tokio chooses among several ready branches at random. (A seed for
///   that is not part of tokio's stable interface.)
///
/// Time moves in steps of a millisecond, because tokio's timers do. Events within one step are in the right order, but
/// have the same time.
///
/// # Examples
///
/// A counter on another node, a partition, and a new counter when it is over:
///
/// ```
/// use std::{sync::{Arc, Mutex}, time::Duration};
/// use aemp::{Node, port, sim::Sim, spawnable};
///
/// #[derive(Default)]
/// struct Counter { n: i64 }
///
/// #[port]
/// impl Counter {
///     #[rcv] fn inc(&mut self, by: i64) { self.n += by }
///     #[rcv] fn get(&self) -> i64 { self.n }
/// }
///
/// #[spawnable(name = "Sim::Counter::start")]
/// fn start() -> Counter { Counter::default() }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut sim = Sim::new(42);
/// let _far = sim.start(Node::builder().node_id("far").secret("s").bind("*:4040"))?;
/// let here = sim.start(Node::builder().node_id("here").secret("s").seed("far:4040"))?;
///
/// let counter = start::on(&here, "far");
/// let died = Arc::new(Mutex::new(None));
/// let told = died.clone();
/// counter.mon(move |reason| *told.lock().unwrap() = Some(reason.to_string())).detach();
/// counter.inc(5);
/// assert_eq!(sim.block_on(counter.get())?, 5);
///
/// // Nothing comes through any more, which is noticed within the monitor timeout.
/// sim.partition(&["here"], &["far"]);
/// counter.inc(1);
/// sim.run_for(Duration::from_secs(61));
/// assert!(died.lock().unwrap().take().is_some_and(|why| why.contains("transport_error")));
///
/// sim.heal();
/// let up = || here.node_is_up("far") == Some(true);
/// assert!(sim.run_until(Duration::from_secs(60), up));
/// let counter = start::on(&here, "far");
/// assert_eq!(sim.block_on(counter.get())?, 0);
/// # Ok(()) }
/// ```
pub struct Sim {
    runtime: Runtime,
    hub: Hub,
    chance: Chance,
    nodes: BTreeMap<String, Member>,
    unnamed: u32,
}

/// A node that has been started, and a way to start it again.
struct Member {
    host: HostId,
    builder: NodeBuilder,
    node: Option<Node>,
}

impl Sim {
    /// Creates a simulation without nodes.
    ///
    /// # Panics
    ///
    /// Panics if the system cannot create a tokio runtime.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a tokio runtime");
        let mut chance = Chance::new(seed);
        let hub = {
            let _entered = runtime.enter();
            Hub::new(Network::new(chance.next_u64()))
        };
        runtime.spawn(hub.clone().run());
        Self {
            runtime,
            hub,
            chance,
            nodes: BTreeMap::new(),
            unnamed: 0,
        }
    }

    /// Starts a node. If a node with this ID has been started before, the new one is its successor on the same host.
    ///
    /// # Errors
    ///
    /// Like [`NodeBuilder::start`]. Also returns an error if a node with this ID is running.
    pub fn start(&mut self, builder: NodeBuilder) -> Result<Node, StartError> {
        let kept = builder.clone();
        let (hub, chance) = (self.hub.clone(), self.chance.split());
        let unnamed = format!("host{}", self.unnamed);
        self.unnamed += 1;
        let name = builder.named().unwrap_or(&unnamed);
        if self.is_running(name) {
            let problem = SettingError::Running(name.into());
            return Err(StartError::setting("nodeid", problem));
        }
        let host = self.network(|network| {
            let host = network.add_host(name);
            network.recover(host);
            host
        });
        let builder =
            builder.simulated(Host::new(hub, host, chance, self.runtime.handle().clone()));
        let node = self.block_on(builder.start())?;
        let member = Member {
            host,
            builder: kept,
            node: Some(node.clone()),
        };
        self.nodes.insert(node.id().as_str().into(), member);
        Ok(node)
    }

    /// Starts a node again that was stopped or has crashed: a new process with the same ID on the same host. It is
    /// started in the same way as before.
    ///
    /// # Errors
    ///
    /// Like [`start`](Self::start).
    ///
    /// # Panics
    ///
    /// Panics if there never was a node with this ID, or if it is running.
    pub fn restart(&mut self, node: &str) -> Result<Node, StartError> {
        let member = self.member(node);
        assert!(member.node.is_none(), "the node {node:?} is running");
        let builder = member.builder.clone();
        self.start(builder)
    }

    /// Stops a node in order ([`Node::stop`]). Does nothing if it is not running.
    ///
    /// # Panics
    ///
    /// Panics if there never was a node with this ID.
    pub fn stop(&mut self, node: &str) {
        if let Some(node) = self.member_mut(node).node.take() {
            self.block_on(async move { node.stop().await });
        }
    }

    /// Ends a node without warning. Its tasks end at their present point, no more handlers run, none of its monitors
    /// fire, and its data is dropped. Does nothing if it is not running.
    ///
    /// Handles of its ports that the test has kept become useless: messages to them are dropped, and calls are never
    /// answered (use timeouts). Tasks that handlers have started with `tokio::spawn`, instead of
    /// [`Cx::spawn`](crate::Cx::spawn), continue, because the node does not know them.
    ///
    /// # Panics
    ///
    /// Panics if there never was a node with this ID.
    pub fn crash(&mut self, node: &str, how: Crash) {
        let member = self.member_mut(node);
        let (host, Some(node)) = (member.host, member.node.take()) else {
            return;
        };
        self.network(|network| network.crash(host, how));
        node.vanish();
        // The runtime drops an aborted task on its next turn.
        self.block_on(tokio::task::yield_now());
    }

    /// True if a node is running.
    #[must_use]
    pub fn is_running(&self, node: &str) -> bool {
        self.nodes
            .get(node)
            .is_some_and(|member| member.node.is_some())
    }

    /// Returns a running node.
    #[must_use]
    pub fn node(&self, node: &str) -> Option<&Node> {
        self.nodes.get(node)?.node.as_ref()
    }

    /// Separates two groups of nodes: nothing passes between them in either direction. Connections between them stall;
    /// see [`Network::partition`].
    ///
    /// # Panics
    ///
    /// Panics if there never was a node with one of these IDs.
    pub fn partition(&mut self, one: &[&str], other: &[&str]) {
        let (one, other) = (self.hosts(one), self.hosts(other));
        self.network(|network| network.partition(&one, &other));
    }

    /// Like [`partition`](Self::partition), in one direction only; see [`Network::partition_one_way`].
    ///
    /// # Panics
    ///
    /// Like [`partition`](Self::partition).
    pub fn partition_one_way(&mut self, from: &[&str], to: &[&str]) {
        let (from, to) = (self.hosts(from), self.hosts(to));
        self.network(|network| network.partition_one_way(&from, &to));
    }

    /// Ends all partitions.
    pub fn heal(&mut self) {
        self.network(Network::heal);
    }

    /// Cuts the connections between two nodes. They may make new ones at once.
    ///
    /// # Panics
    ///
    /// Like [`partition`](Self::partition).
    pub fn cut(&mut self, one: &str, other: &str) {
        let (one, other) = (self.member(one).host, self.member(other).host);
        self.network(|network| network.cut_all(one, other));
    }

    /// Sets the quality of the network between nodes without [conditions of their own](Self::set_link).
    pub fn set_conditions(&mut self, conditions: Conditions) {
        self.network(|network| network.set_conditions(conditions));
    }

    /// Sets the quality of the network from one node to another, in that direction.
    ///
    /// # Panics
    ///
    /// Like [`partition`](Self::partition).
    pub fn set_link(&mut self, from: &str, to: &str, conditions: Conditions) {
        let (from, to) = (self.member(from).host, self.member(to).host);
        self.network(|network| network.set_link(from, to, conditions));
    }

    /// Sets how long a stalled connection lives, if its nodes do not give it up before; see
    /// [`Network::set_user_timeout`].
    pub fn set_user_timeout(&mut self, timeout: Duration) {
        self.network(|network| network.set_user_timeout(timeout));
    }

    /// The number of connections between the nodes, in any state.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.network(|network| network.connections())
    }

    /// The virtual time since the simulation was created.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        let _entered = self.runtime.enter();
        self.hub.now().since_origin()
    }

    /// Runs for this time, in virtual time.
    pub fn run_for(&mut self, time: Duration) {
        self.block_on(tokio_sleep(time));
    }

    /// Runs until `done` returns true, for at most the time `most`. Returns the last result of `done`, which is called
    /// every virtual millisecond.
    pub fn run_until(&mut self, most: Duration, mut done: impl FnMut() -> bool) -> bool {
        let end = Time::from(self.elapsed()) + most;
        loop {
            if done() {
                return true;
            }
            if Time::from(self.elapsed()) >= end {
                return false;
            }
            self.run_for(CHECK_INTERVAL);
        }
    }

    /// Runs until a future is ready. The future can await calls, sleep, and start tasks. Virtual time passes as needed.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        table::number_alike();
        self.runtime.block_on(future)
    }

    fn network<R>(&self, work: impl FnOnce(&mut Network) -> R) -> R {
        let _entered = self.runtime.enter();
        self.hub.with(work)
    }

    fn member(&self, node: &str) -> &Member {
        let member = self.nodes.get(node);
        member.unwrap_or_else(|| panic!("no node {node:?} has been started"))
    }

    fn member_mut(&mut self, node: &str) -> &mut Member {
        let member = self.nodes.get_mut(node);
        member.unwrap_or_else(|| panic!("no node {node:?} has been started"))
    }

    fn hosts(&self, nodes: &[&str]) -> Vec<HostId> {
        nodes.iter().map(|node| self.member(node).host).collect()
    }
}

/// Sleeps from the first poll on. A sleep must be created inside of a runtime.
async fn tokio_sleep(time: Duration) {
    tokio::time::sleep_until(Instant::now() + time).await;
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim")
            .field("elapsed", &self.elapsed())
            .field("nodes", &self.nodes.keys())
            .finish_non_exhaustive()
    }
}
