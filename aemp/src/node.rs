//! A node: the ports of this process, and its place in a network.

pub(crate) mod builder;
mod complaints;
pub mod inspect;
pub(crate) mod life;
pub(crate) mod log;
pub(crate) mod names;
pub(crate) mod registry;
pub(crate) mod remote;
pub(crate) mod request;
pub(crate) mod spawn;
mod stillborn;
pub(crate) mod strand;
mod target;
pub(crate) mod task;
mod untyped;

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, Weak, atomic::AtomicBool},
};

use aemp_codec::{EncodeError, Limits, NodeId, PacketReader, PacketWriter, PortId};

pub use builder::NodeBuilder;
pub use life::Ended;

use self::{
    inspect::Inspection,
    life::Life,
    names::Names,
    registry::{InitFunction, Registry},
    remote::{Remote, Remotes},
    stillborn::Stillborn,
    strand::Strand,
};
use crate::{
    Reason, Sent, StartError,
    config::Permit,
    db::machine::Database,
    exec::scheduler::Scheduler,
    guard,
    message::{Port, PortRef},
    net::{Net, Place, Shared},
    port::{
        Handle,
        any::{AnyPort, LocalPort},
        cell::Cell,
        handle::DecodingScope,
        table::Table,
    },
};
use aemp_proto::limits::NodeLimits;

/// A node: ports are made on it, and reach other nodes through it. Cheap to clone; all clones are the same node.
///
/// Its ports live until they are killed or the node is [stopped](Self::stop), whether handles are left or not. So does a node
/// with a network: it listens and stays connected until it is stopped, or its runtime is gone, even if nobody has a handle of it any
/// more. A node without a network goes with the last of its handles and ports.
///
/// When the tokio runtime that a node was started on is shut down, the node [ends](Self::ended) with it: its ports die, and what
/// waits for them, on whatever runtime, is told.
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
#[derive(Clone)]
pub struct Node(Arc<Inner>);

/// A node as it is known to what belongs to it, or looks after it: it lives only as long as others hold it.
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
    names: Names,
    table: Table,
    /// Ports that other nodes have spawned, by the names that those gave them.
    spawned: Mutex<HashMap<Box<str>, Spawned>>,
    life: Arc<Life>,
    /// Whether it has been ended without being stopped.
    collapsed: AtomicBool,
    /// What is logged.
    voice: Arc<Strand>,
    /// What this node has itself call.
    functions: Arc<Strand>,
    /// Why ports that this node has spawned itself were not made.
    stillborn: Stillborn,
    scheduler: Scheduler,
    limits: Limits,
    /// What strangers and other nodes may cost.
    costs: NodeLimits,
    registry: Registry,
    secure: bool,
    allow: Option<Vec<Permit>>,
    remotes: Arc<Remotes>,
    inspection: Inspection,
    net: OnceLock<Arc<Shared>>,
    place: Place,
    database: Database,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.life.dropped();
        guard::discard(std::mem::take(&mut self.registry));
    }
}

/// A port that another node has spawned.
struct Spawned {
    number: u64,
    /// Who has done so, unless it was this node, which does so by its own name.
    by: Option<Arc<Remote>>,
}

/// The name that a port is given by whoever spawns it, and who that is.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) name: &'a str,
    pub(crate) by: Option<&'a Arc<Remote>>,
}

impl Node {
    /// A node without a name and without a network, as every AEMP program has before it is configured: all that is
    /// local works.
    ///
    /// # Errors
    ///
    /// [`StartError::NoRuntime`] outside of a tokio runtime; [`StartError::Registry`].
    pub fn local() -> Result<Self, StartError> {
        Self::builder().start_local()
    }

    /// A builder of a node.
    pub fn builder() -> NodeBuilder {
        NodeBuilder::default()
    }

    /// The node's ID; empty for a node without a network.
    #[must_use]
    pub fn id(&self) -> &NodeId {
        &self.0.id
    }

    /// Makes a port of a state, and returns its typed handle.
    pub fn port<P: Port>(&self, state: P) -> P::Ref {
        let port = self.insert(|number| Arc::new(Cell::idle(self.clone(), number, state)));
        Handle::local(port as Arc<dyn LocalPort<P::Msg>>).into()
    }

    /// The typed handle of a port that is known by its ID. Whether there is such a port, and whether it takes what the
    /// handle sends, shows when it is used.
    #[must_use]
    pub fn handle<R: PortRef>(&self, id: &PortId) -> R {
        Handle::from_id(self, id).into()
    }

    /// Whether a port ID belongs to this node.
    #[must_use]
    pub fn port_is_local(&self, id: &PortId) -> bool {
        id.node() == self.id().as_str()
    }

    /// How many ports are alive here, reply ports of running calls included.
    #[must_use]
    pub fn port_count(&self) -> usize {
        self.0.table.len()
    }

    /// The init functions that other nodes may spawn here, by name.
    #[must_use]
    pub fn init_functions(&self) -> Vec<InitFunction> {
        self.0.registry.list()
    }

    /// The port of that number, if it lives.
    pub(crate) fn port_by_number(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        self.0.table.get(number)
    }

    pub(crate) fn scheduler(&self) -> &Scheduler {
        &self.0.scheduler
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    /// Ends without warning: no monitor fires, nothing is closed, no handler runs any more.
    #[cfg(feature = "sim")]
    pub(crate) fn vanish(&self) {
        self.life().vanish();
        self.0.scheduler.end();
        for port in self.0.table.all() {
            self.take_number(port.number());
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.0.limits
    }

    pub(crate) fn names(&self) -> &Names {
        &self.0.names
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    /// What strangers and other nodes may cost.
    pub(crate) fn costs(&self) -> &NodeLimits {
        &self.0.costs
    }

    /// A port that was spawned dies in its init function: whoever has spawned it may still ask why. Another node is told once,
    /// and is not, if it monitors the port already.
    pub(crate) fn remember_stillborn(&self, port: &dyn AnyPort, reason: &Reason) {
        let id = self.local_port_id(port);
        let spawner = self
            .spawned()
            .get(id.name())
            .and_then(|port| port.by.clone());
        match spawner {
            None => self.0.stillborn.remember(id.name(), reason),
            Some(spawner) if port.counts().is_none_or(|counts| counts.monitors == 0) => {
                spawner.account().stillborn.remember(id.name(), reason);
            }
            Some(_) => {}
        }
    }

    /// Why there is no port of that ID, which would be one of this node.
    pub(crate) fn epitaph(&self, port: &PortId) -> Reason {
        let stillborn = self.0.stillborn.get(port.name());
        stillborn.unwrap_or_else(|| Reason::no_such_port(port.as_str()))
    }

    pub(crate) fn remotes(&self) -> &Remotes {
        &self.0.remotes
    }

    pub(crate) fn shared_remotes(&self) -> Arc<Remotes> {
        Arc::clone(&self.0.remotes)
    }

    pub(crate) fn database(&self) -> &Database {
        &self.0.database
    }

    pub(crate) fn net(&self) -> Option<Net> {
        let shared = self.0.net.get()?;
        Some(Net::new(Arc::clone(shared), self.clone()))
    }

    pub(crate) fn downgrade(&self) -> WeakNode {
        WeakNode(Arc::downgrade(&self.0))
    }

    /// While the result lives, handles that are read on this thread belong to this node.
    pub(crate) fn decoding(&self) -> DecodingScope {
        DecodingScope::enter(self)
    }

    fn spawned(&self) -> MutexGuard<'_, HashMap<Box<str>, Spawned>> {
        self.0
            .spawned
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn insert<T: AnyPort + 'static>(&self, make: impl FnOnce(u64) -> Arc<T>) -> Arc<T> {
        let port = self.0.table.insert(make);
        self.check_ending(&port);
        port
    }

    /// What is made on a node that is ending is dead from the beginning. What ends all ports says so before it looks at the table,
    /// so either it or this finds the port.
    fn check_ending<T: AnyPort + 'static>(&self, port: &Arc<T>) {
        if self.life().is_ending() {
            Arc::clone(port).perish(&Reason::normal());
        }
    }

    /// As `insert`, under a name that the caller has found to be free.
    pub(crate) fn insert_named<T: AnyPort + 'static>(
        &self,
        given: Given<'_>,
        make: impl FnOnce(u64) -> Arc<T>,
    ) -> Arc<T> {
        let port = self.0.table.insert(make);
        if let Some(by) = given.by {
            by.account().port_made();
        }
        let (number, by) = (port.number(), given.by.cloned());
        let spawned = Spawned { number, by };
        self.spawned().insert(given.name.into(), spawned);
        self.check_ending(&port);
        port
    }

    /// The port of that name, if it is alive or dying.
    pub(crate) fn find(&self, name: &str) -> Option<Arc<dyn AnyPort>> {
        if let Some(number) = self.0.names.reply_number(name) {
            return self.find_number(number).filter(|port| port.takes_answers());
        }
        let number = match self.0.names.number(name) {
            Some(number) => number,
            None => self.spawned().get(name)?.number,
        };
        self.0.table.get(number)
    }

    pub(crate) fn find_number(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        self.0.table.get(number)
    }

    /// The live port that a packet is for.
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

    /// A port is dying: it is found until it is [forgotten](Self::forget), but does not count any more.
    pub(crate) fn retire(&self, number: u64) {
        self.0.table.retire(number);
    }

    /// Forgets a port that has died. What the table held is dropped after its lock.
    pub(crate) fn forget(&self, port: &dyn AnyPort, name: Option<&str>) {
        if let Some(name) = name {
            let spawned = self.spawned().remove(name);
            if let Some(by) = spawned.and_then(|spawned| spawned.by) {
                by.account().port_died();
            }
        }
        let _port = self.0.table.remove(port.number());
        self.port_is_gone();
    }

    /// Takes away a port that does not die. It is returned if it was still there.
    pub(crate) fn take_number(&self, number: u64) -> Option<Arc<dyn AnyPort>> {
        let port = self.0.table.remove(number);
        if port.is_some() {
            self.retire(number);
        }
        self.port_is_gone();
        port
    }

    /// The ID of a port of this node that waits for an answer.
    pub(crate) fn reply_port_id(&self, number: u64) -> PortId {
        PortId::new(self.id(), &self.0.names.reply_name(number))
    }

    pub(crate) fn port_id_of(&self, number: u64, name: Option<&str>) -> PortId {
        match name {
            Some(name) => PortId::new(self.id(), name),
            None => PortId::new(self.id(), &self.0.names.name(number)),
        }
    }

    /// The ID of a port of this node.
    pub(crate) fn local_port_id<T: AnyPort + ?Sized>(&self, port: &T) -> PortId {
        self.port_id_of(port.number(), port.spawned_name().as_deref())
    }

    /// Sends what `write` writes, tag first, to a port anywhere.
    pub(crate) fn send_with(
        &self,
        to: &PortId,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Sent {
        self.destination(to).send_with(write)
    }
}

/// The beginning of a text that somebody else has made up, for the log.
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
