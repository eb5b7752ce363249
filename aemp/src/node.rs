//! A node: the ports of this process, and its place in a network.

pub(crate) mod builder;
mod complaints;
pub(crate) mod delivery;
pub mod inspect;
pub(crate) mod life;
pub(crate) mod log;
pub(crate) mod names;
pub(crate) mod peer;
pub(crate) mod registry;
mod request;
pub(crate) mod spawn;
mod stillborn;
pub(crate) mod strand;
#[cfg(feature = "net")]
pub(crate) mod streams;
mod target;
pub(crate) mod task;
pub(crate) mod trace;
mod untyped;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, MutexGuard, OnceLock, Weak, atomic::AtomicBool},
    time::Duration,
};

use aemp_codec::{EncodeError, Limits, NodeId, PacketReader, PacketWriter, PortId};

pub use builder::NodeBuilder;
pub use life::{Ended, Readiness};

use self::{
    inspect::Inspection,
    life::Life,
    names::Names,
    peer::{Peer, Peers},
    registry::{InitFunction, Registry},
    stillborn::Stillborn,
    strand::Strand,
    trace::Traces,
};
#[cfg(feature = "trace")]
use crate::exec::spans::Tracing;
#[cfg(feature = "metrics")]
use crate::metrics::Collector;
use crate::{
    Reason, Sent, StartError,
    config::Permit,
    db::machine::Database,
    exec::{
        held::spawn_extras,
        scheduler::{self, Scheduler},
    },
    guard,
    lock::Lock,
    logs,
    message::{Port, PortRef},
    names::Registered,
    net::{Net, Place, Shared},
    port::{
        Handle,
        any::{AnyPort, LocalPort},
        cell::Cell,
        handle::DecodingScope,
        owned,
        table::Table,
    },
    topic::{Members, Topics},
};
use aemp_proto::limits::NodeLimits;

/// A node, on which ports are made and through which they reach other nodes. Cheap to clone; all clones are the same
/// node.
///
/// The ports of a node live until they are killed or the node is [stopped](Self::stop), even without handles. A node
/// with a network also lives until it is stopped or its runtime is gone: it listens and stays connected even without
/// handles. A node without a network is freed with the last of its handles and ports.
///
/// When the tokio runtime of a node is shut down, the node [ends](Self::ended) with it. Its ports die, and everything
/// that waits for them, on any runtime, ends with an error.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = aemp::Node::builder()
///     .node_id("green/1")
///     .secret("between friends")
///     .bind("127.0.0.1:0")
///     .start()
///     .await?;
/// println!("{} listens on {:?}", node.id(), node.listeners());
/// node.stop().await;
/// # Ok(()) }
/// ```
#[doc(alias = "ActorSystem")]
#[derive(Clone)]
pub struct Node(Arc<Inner>);

/// A weak reference to a node, for its possessions and for tasks that watch it. It does not keep the node alive.
#[derive(Clone)]
pub(crate) struct WeakNode(Weak<Inner>);

impl WeakNode {
    pub(crate) fn upgrade(&self) -> Option<Node> {
        self.0.upgrade().map(Node)
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.0.strong_count() > 0
    }
}

struct Inner {
    id: NodeId,
    ports: Ports,
    life: Arc<Life>,
    /// True if the node has ended without being stopped.
    collapsed: AtomicBool,
    strands: Strands,
    scheduler: Scheduler,
    rules: Rules,
    peers: Arc<Peers>,
    #[cfg(feature = "net")]
    streams: streams::Streams,
    inspection: Inspection,
    #[cfg(feature = "trace")]
    tracing: Tracing,
    #[cfg(feature = "metrics")]
    collector: tokio::sync::Mutex<Collector>,
    net: OnceLock<Arc<Shared>>,
    place: Place,
    database: Database,
    registered: Registered,
    traces: Traces,
    /// The service that logs the lines of other nodes.
    log_service: logs::Service,
    topics: Topics,
    members: Members,
}

/// The ports of a node, and their names.
struct Ports {
    names: Names,
    table: Table,
    /// Ports that other nodes have spawned, by the names that those nodes chose.
    spawned: Lock<HashMap<Box<str>, Spawned>>,
    /// The reasons of ports of this node whose spawning has failed.
    stillborn: Stillborn,
}

impl Ports {
    fn new(random: [u8; 19]) -> Self {
        Self {
            names: Names::new(random),
            table: Table::new(),
            spawned: Lock::default(),
            stillborn: Stillborn::own(),
        }
    }
}

/// The tasks that run foreign code in order, beside the ports.
#[derive(Default)]
struct Strands {
    /// Runs the calls of log subscribers.
    voice: Arc<Strand>,
    /// Runs the functions that this node calls on itself.
    functions: Arc<Strand>,
}

/// The permissions and limits of a node. They do not change while the node lives.
struct Rules {
    /// The functions that other nodes may call.
    registry: Registry,
    secure: bool,
    allow: Option<Vec<Permit>>,
    /// The limits of a packet.
    limits: Limits,
    /// The limits for strangers and other nodes.
    costs: NodeLimits,
    /// The time limit of calls that have none of their own.
    call_timeout: Option<Duration>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.life.dropped();
        guard::discard(std::mem::take(&mut self.rules.registry));
        #[cfg(feature = "trace")]
        guard::discard(self.tracing.take_tracer());
    }
}

/// A port that another node has spawned.
struct Spawned {
    number: u64,
    /// The node that has spawned it. `None` for this node, which may spawn under names of its own.
    by: Option<Arc<Peer>>,
}

/// The name that the spawning node has chosen for a port, and that node.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) name: &'a str,
    pub(crate) by: Option<&'a Arc<Peer>>,
}

impl Node {
    /// Starts a node without a name and without a network, as an AEMP program has before its configuration.
    /// Everything local works.
    ///
    /// # Errors
    ///
    /// [`StartError::NoRuntime`] outside of a tokio runtime; [`StartError::Registry`].
    pub fn local() -> Result<Self, StartError> {
        Self::builder().start_local()
    }

    /// Starts a node as `configure` without arguments does in Perl: with the configuration file and the environment
    /// that the machine has for it. The profile is `$AEMP_PROFILE`, or else the host's name, as in `uname -n`.
    ///
    /// It is short for [`NodeBuilder::configured`] and [`NodeBuilder::start`].
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::configured().await?;
    /// node.joined().await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`NodeBuilder::start`].
    #[doc(alias = "configure")]
    pub async fn configured() -> Result<Self, StartError> {
        Self::builder().configured().start().await
    }

    /// A builder for the configuration of a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// The node's ID; empty for a node without a network.
    #[must_use]
    pub fn id(&self) -> &NodeId {
        &self.0.id
    }

    /// Makes a port from its state, and returns its typed handle.
    #[doc(alias = "actor")]
    #[doc(alias = "spawn")]
    #[doc(alias = "start")]
    pub fn port<P: Port>(&self, state: P) -> P::Ref {
        let cell = if P::STARTS {
            self.port_that_starts(state)
        } else {
            self.insert(|number| Arc::new(Cell::idle(self.clone(), number, state)))
        };
        let starting = P::STARTS.then(|| Arc::clone(&cell));
        let mut port: Arc<dyn LocalPort<P::Msg>> = cell;
        if P::OWNED {
            port = owned::hold(port);
        }
        if let Some(cell) = starting {
            scheduler::schedule(cell);
        }
        Handle::local(port).into()
    }

    fn port_that_starts<P: Port>(&self, state: P) -> Arc<Cell<P>> {
        let extras = spawn_extras::<P>(None, Box::new(|_| Ok(state)));
        self.insert(|number| Arc::new(Cell::spawning(self.clone(), number, extras)))
    }

    /// Makes a typed handle from the ID of a port. The existence of the port and the types of its messages are not
    /// checked; errors appear when the handle is used.
    #[must_use]
    pub fn handle<R: PortRef>(&self, id: &PortId) -> R {
        Handle::from_id(self, id).into()
    }

    /// True if a port ID belongs to this node.
    #[must_use]
    pub fn port_is_local(&self, id: &PortId) -> bool {
        id.node() == self.id().as_str()
    }

    /// The number of live ports of this node, including reply ports of running calls.
    #[must_use]
    pub fn port_count(&self) -> usize {
        self.0.ports.table.len()
    }

    /// The init functions that other nodes may spawn here, by name.
    #[must_use]
    pub fn init_functions(&self) -> Vec<InitFunction> {
        self.0.rules.registry.list()
    }

    /// The live port with this number.
    pub(crate) fn port_by_number(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        self.0.ports.table.get(number)
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.0.scheduler
    }

    /// The node's tracer, and its samples.
    #[cfg(feature = "trace")]
    #[inline]
    pub(crate) fn tracing(&self) -> &Tracing {
        &self.0.tracing
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Ends the node as a crash would: no monitor fires, no connection is closed, and no handler runs any more.
    #[cfg(feature = "sim")]
    pub(crate) fn vanish(&self) {
        self.life().vanish();
        self.0.scheduler.end();
        for port in self.0.ports.table.all() {
            self.take_number(port.number());
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.rules.limits
    }

    pub(crate) fn names(&self) -> &Names {
        &self.0.ports.names
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.rules.registry
    }

    /// The limits for strangers and other nodes.
    pub(crate) fn costs(&self) -> &NodeLimits {
        &self.0.rules.costs
    }

    /// Keeps the reason of a port whose init function has failed, so that the spawning node can still ask for it.
    /// Another node gets the reason once, and not at all if it monitors the port already.
    pub(crate) fn remember_stillborn(&self, port: &dyn AnyPort, reason: &Reason) {
        let id = self.local_port_id(port);
        let spawner = self
            .spawned()
            .get(id.name())
            .and_then(|port| port.by.clone());
        match spawner {
            None => self.0.ports.stillborn.remember(id.name(), reason),
            Some(spawner) if port.counts().is_none_or(|counts| counts.monitors == 0) => {
                spawner.account().stillborn.remember(id.name(), reason);
            }
            Some(_) => {}
        }
    }

    /// The reason for the absence of a port of this node.
    pub(crate) fn epitaph(&self, port: &PortId) -> Reason {
        let stillborn = self.0.ports.stillborn.get(port.name());
        stillborn.unwrap_or_else(|| Reason::no_such_port(port.as_str()))
    }

    pub(crate) fn peers(&self) -> &Peers {
        &self.0.peers
    }

    pub(crate) fn shared_peers(&self) -> Arc<Peers> {
        Arc::clone(&self.0.peers)
    }

    #[cfg(feature = "net")]
    pub(crate) fn streams(&self) -> &streams::Streams {
        &self.0.streams
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn registered_ports(&self) -> &Registered {
        &self.0.registered
    }

    pub(crate) fn log_service(&self) -> &logs::Service {
        &self.0.log_service
    }

    pub(crate) fn topics(&self) -> &Topics {
        &self.0.topics
    }

    pub(crate) fn members(&self) -> &Members {
        &self.0.members
    }

    #[cfg(feature = "metrics")]
    pub(crate) fn collector(&self) -> &tokio::sync::Mutex<Collector> {
        &self.0.collector
    }

    /// The number of ports that were made, without reply ports.
    #[cfg(feature = "metrics")]
    pub(crate) fn spawned_ports(&self) -> u64 {
        self.0.ports.table.spawned()
    }

    pub(crate) fn net(&self) -> Option<Net> {
        let shared = self.0.net.get()?;
        Some(Net::new(Arc::clone(shared), self.clone()))
    }

    pub(crate) fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.0))
    }

    /// While the result lives, handles that are deserialised on this thread belong to this node.
    pub(crate) fn decoding(&self) -> DecodingScope {
        DecodingScope::enter(self)
    }

    fn spawned(&self) -> MutexGuard<'_, HashMap<Box<str>, Spawned>> {
        self.0.ports.spawned.lock()
    }

    pub(crate) fn insert<T: AnyPort + 'static>(&self, make: impl FnOnce(u64) -> Arc<T>) -> Arc<T> {
        let port = self.0.ports.table.insert(make);
        self.check_ending(&port);
        port
    }

    /// Kills a port that was made on a node that is ending. The end of all ports is announced before the table is
    /// examined, so either the end or this check finds the port.
    fn check_ending<T: AnyPort + 'static>(&self, port: &Arc<T>) {
        if self.life().is_ending() {
            Arc::clone(port).perish(&Reason::normal());
        }
    }

    /// As `insert`, under a name that the caller has found to be unused.
    pub(crate) fn insert_named<T: AnyPort + 'static>(
        &self,
        given: Given<'_>,
        make: impl FnOnce(u64) -> Arc<T>,
    ) -> Arc<T> {
        let port = self.0.ports.table.insert(make);
        if let Some(by) = given.by {
            by.account().port_made();
        }
        let (number, by) = (port.number(), given.by.cloned());
        let spawned = Spawned { number, by };
        self.spawned().insert(given.name.into(), spawned);
        self.check_ending(&port);
        port
    }

    /// The port of this name, if it is live or dying.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<dyn AnyPort>> {
        if let Some(number) = self.0.ports.names.reply_number(name) {
            return self.find_number(number).filter(|port| port.takes_answers());
        }
        let number = match self.0.ports.names.number(name) {
            Some(number) => number,
            None => self.spawned().get(name)?.number,
        };
        self.0.ports.table.get(number)
    }

    pub(crate) fn find_number(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        self.0.ports.table.get(number)
    }

    /// The live port that a packet is addressed to.
    pub(crate) fn receiver(
        &self,
        name: &str,
        packet: &mut PacketReader<'_>,
    ) -> Option<Arc<dyn AnyPort>> {
        if let Some(port) = self.find(name) {
            return Some(port);
        }
        let port = self.find(names::of_list(name)?)?;
        packet.mark_list();
        Some(port)
    }

    /// Marks a port as dying. It can be found until it is [forgotten](Self::forget), but no longer counts.
    pub(crate) fn retire(&self, number: u64) {
        self.0.ports.table.retire(number);
    }

    /// Removes a dead port. The table's reference is dropped outside of its lock.
    pub(crate) fn forget(&self, port: &dyn AnyPort, name: Option<&str>) {
        if let Some(name) = name {
            let spawned = self.spawned().remove(name);
            if let Some(by) = spawned.and_then(|spawned| spawned.by) {
                by.account().port_died();
            }
        }
        let _port = self.0.ports.table.remove(port.number());
        self.port_is_gone();
    }

    /// Removes a port that does not die, and returns it if it was still there.
    pub(crate) fn take_number(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let port = self.0.ports.table.remove(number);
        if port.is_some() {
            self.retire(number);
        }
        self.port_is_gone();
        port
    }

    /// The time limit of calls that have none of their own.
    pub(crate) fn call_timeout(&self) -> Option<Duration> {
        self.0.rules.call_timeout
    }

    /// The ID of a reply port of this node.
    pub(crate) fn reply_port_id(&self, number: u64) -> PortId {
        PortId::new(self.id(), &self.0.ports.names.reply_name(number))
    }

    pub(crate) fn port_id_of(&self, number: u64, name: Option<&str>) -> PortId {
        match name {
            Some(name) => PortId::new(self.id(), name),
            None => PortId::new(self.id(), &self.0.ports.names.name(number)),
        }
    }

    /// The ID of a port of this node.
    pub(crate) fn local_port_id<T: AnyPort + ?Sized>(&self, port: &T) -> PortId {
        self.port_id_of(port.number(), port.spawned_name().as_deref())
    }

    /// Sends the message that `write` writes, tag first, to any port.
    pub(crate) fn send_with(
        &self,
        to: &PortId,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Sent {
        self.destination(to).send_with(write)
    }
}

/// The beginning of a foreign text, for the log.
pub(crate) fn short(text: &str) -> &str {
    match text.char_indices().nth(100) {
        Some((end, _)) => &text[..end],
        None => text,
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({:?})", self.id().as_str())
    }
}

impl AsRef<Self> for Node {
    fn as_ref(&self) -> &Self {
        self
    }
}
