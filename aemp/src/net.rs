//! Performs the decisions of `aemp-proto`: sockets, clocks and tasks of a node in a network.
//!
//! `Net::ask` locks the mesh, passes an event to it, and performs its outputs under that lock. This neither waits nor
//! runs foreign code: orders go through a channel to the task of each connection, and user code is handed to tasks of
//! its own (`events`, `node/strand.rs`). A connection has one task from dialling or accepting to its end
//! (`connection`).

#[cfg(feature = "tls")]
mod certificates;
mod config;
mod connection;
mod events;
mod joining;
mod listen;
mod look_up;
#[cfg(feature = "net")]
mod machine;
#[cfg(not(feature = "net"))]
#[path = "net/absent.rs"]
mod machine;
mod perform;
mod place;
mod source;
mod stream;

use std::{
    collections::HashMap,
    fmt, mem,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize},
    },
    time::Duration,
};

use aemp_codec::NodeId;
use tokio::{
    sync::{Notify, mpsc},
    task::JoinHandle,
    time::Instant,
};

#[cfg(feature = "tls")]
pub(crate) use certificates::TlsConfig;
pub(crate) use config::NetConfig;
pub use events::NodesMonitor;
pub(crate) use machine::local_addresses;
pub(crate) use place::Place;
pub use source::SeedSource;
pub(crate) use source::{Custom, Source, Sources};

#[cfg(feature = "net")]
pub(crate) use connection::order::StreamReady;
#[cfg(feature = "net")]
pub(crate) use stream::Stream;
#[cfg(feature = "sim")]
pub(crate) use stream::stir;

use self::{
    connection::ConnectionTask,
    events::{Event, Observers},
    place::Acceptor,
    stream::stir::Stir,
};
use crate::{
    Node, StartError,
    config::Address,
    lock::Lock,
    node::{
        WeakNode,
        life::Count,
        peer::{Peer, Peers},
    },
};
use aemp_proto::{
    Time,
    mesh::{self, Mesh, SeedState},
    peer::{ConnId, Peer as PeerState},
};

/// The time that a stopping node waits for its connections to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// The network side of a node, together with the node. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Net(Arc<Shared>, Node);

/// The part of the network side that the node keeps. Nothing in it holds the node.
pub(crate) struct Shared {
    config: NetConfig,
    origin: Instant,
    /// The certificates for new connections.
    #[cfg(feature = "tls")]
    tls: certificates::Tls,
    mesh: Lock<Mesh<LockedPeers>>,
    /// The channels for orders to the tasks of connections.
    connections: Lock<HashMap<ConnId, ConnectionTask>>,
    /// The tunnels, with the wakers of their readers and writers.
    tunnels: Lock<HashMap<ConnId, Arc<Stir>>>,
    /// Notified when changes of the database wait to be sent.
    staged: Notify,
    /// Notified when the state of a seed has changed.
    seeds_changed: Notify,
    /// Notified when the mesh's next deadline is earlier than the alarm.
    deadline: Notify,
    /// The time at which the mesh will be woken, in nanoseconds since the origin. Changed under the mesh's lock.
    alarm: AtomicU64,
    events: mpsc::UnboundedSender<Event>,
    observers: Observers,
    listeners: Lock<Vec<Listener>>,
    tasks: Lock<Vec<JoinHandle<()>>>,
    /// The task that calls user code with events. It ends when all events have been handled.
    telling: Lock<Option<JoinHandle<()>>>,
    /// The number of tasks of connections.
    open: Count,
    /// The bytes that the connections have read and not delivered.
    unread: AtomicUsize,
}

struct Listener {
    address: String,
    socket: Option<Acceptor>,
}

/// The mesh's peers. Each has a lock of its own, which senders take without the mesh's lock.
pub(crate) struct LockedPeers {
    node: WeakNode,
    peers: Arc<Peers>,
    /// Nodes whose queues have become shorter or are lost. Their waiting senders are woken when the mesh's lock is free.
    shrunk: Vec<Arc<Peer>>,
}

impl mesh::Peers for LockedPeers {
    fn with<R>(&mut self, node: &NodeId, change: impl FnOnce(&mut PeerState) -> R) -> R {
        let peer = self.peers.of_weak(&self.node, node.as_str());
        let mut state = peer.state();
        let before = (state.pending_bytes(), state.is_settling());
        let result = change(&mut state);
        let shrunk = state.pending_bytes() < before.0 || state.is_settling() != before.1;
        drop(state);
        if shrunk {
            self.shrunk.push(peer);
        }
        result
    }
}

impl LockedPeers {
    pub(crate) fn new(node: &Node) -> Self {
        Self {
            node: node.downgrade(),
            peers: node.shared_peers(),
            shrunk: Vec::new(),
        }
    }
}

impl Net {
    /// Binds the addresses and makes the mesh. [`run`](Self::run) starts it.
    pub(crate) async fn start(
        node: &Node,
        config: NetConfig,
        binds: &[Address],
    ) -> Result<Self, StartError> {
        let listeners = node.place().listen(binds).await?;
        let mut seed = [0; 32];
        node.place().fill_random(&mut seed)?;
        let addresses: Vec<_> = listeners.iter().map(|one| one.address.clone()).collect();
        let addresses = config.announced(addresses)?;
        let mesh = config.mesh(node, addresses, seed);
        let (events, receiver) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            #[cfg(feature = "tls")]
            tls: certificates::Tls::new(&config),
            config,
            origin: Instant::now(),
            mesh: Lock::new(mesh),
            connections: Lock::default(),
            tunnels: Lock::default(),
            staged: Notify::new(),
            seeds_changed: Notify::new(),
            deadline: Notify::new(),
            alarm: AtomicU64::new(u64::MAX),
            events,
            observers: Observers::default(),
            listeners: Lock::new(listeners),
            tasks: Lock::default(),
            telling: Lock::default(),
            open: Count::default(),
            unread: AtomicUsize::new(0),
        });
        let net = Self(shared, node.clone());
        let telling = node.spawn_vital("events", events::run(net.clone(), receiver));
        *net.0.telling.lock() = Some(telling);
        Ok(net)
    }

    pub(crate) fn new(shared: Arc<Shared>, node: Node) -> Self {
        Self(shared, node)
    }

    /// The part that the node keeps.
    pub(crate) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.0)
    }

    /// Starts to accept connections, the clock, and the mesh.
    pub(crate) fn run(&self) {
        for listener in self.0.listeners.lock().iter_mut() {
            if let Some(socket) = listener.socket.take() {
                self.spawn("accept", listen::accept(self.clone(), socket));
            }
        }
        self.spawn("clock", events::keep_time(self.clone()));
        self.spawn("flush", events::flush(self.clone()));
        self.spawn("sweep", events::sweep(self.clone()));
        self.ask(|_, _| ());
    }

    fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        let task = self.node().spawn_vital(name, task);
        self.0.tasks.lock().push(task);
    }

    fn node(&self) -> &Node {
        &self.1
    }

    fn now(&self) -> Time {
        Time::from(self.node().place().since(self.0.origin))
    }

    /// The instant of a time of the mesh.
    fn instant(&self, time: Time) -> Instant {
        let since = time.since_origin().min(Duration::from_secs(86_400 * 365));
        self.0.origin + since
    }

    /// Opens a data connection for a stream.
    #[cfg(feature = "net")]
    pub(crate) fn dial_stream(&self, way: &mesh::Way, node: &NodeId, id: &str) -> ConnId {
        self.ask(|mesh, now| mesh.dial_stream(now, way, node, id))
    }

    /// The relay through which a node is connected, if it is.
    #[cfg(feature = "net")]
    pub(crate) fn relay_to(&self, node: &NodeId) -> Option<NodeId> {
        self.peek(|mesh| mesh.relay_to(node).cloned())
    }

    /// Gives up a data connection.
    #[cfg(feature = "net")]
    pub(crate) fn abandon_stream(&self, conn: ConnId) {
        self.ask(|mesh, now| mesh.abandon_stream(now, conn));
    }

    /// Asks the mesh to connect a node, for a sender.
    pub(crate) fn connect(&self, node: &NodeId) {
        self.ask(|mesh, now| mesh.connect(now, node));
    }

    /// Reports to the mesh that the queue for a node has overflowed.
    pub(crate) fn overflow(&self, node: &NodeId) {
        self.ask(|mesh, now| mesh.overflow(now, node));
    }

    pub(crate) fn learn(&self, node: &NodeId, address: &str) {
        self.ask(|mesh, now| mesh.learn(now, node, vec![address.into()]));
    }

    pub(crate) fn listeners(&self) -> Vec<String> {
        let listeners = self.0.listeners.lock();
        listeners
            .iter()
            .map(|listener| listener.address.clone())
            .collect()
    }

    /// Maps the address and the state of each seed.
    pub(crate) fn seeds<T>(&self, tell: impl Fn(&str, SeedState<'_>) -> T) -> Vec<T> {
        let mesh = self.0.mesh.lock();
        mesh.seeds()
            .map(|(address, seed)| tell(address, seed))
            .collect()
    }

    pub(crate) fn observers(&self) -> &Observers {
        &self.0.observers
    }

    /// Closes all connections. Packets that are queued for connected nodes are written first.
    pub(crate) async fn stop(&self) {
        // The reports of the ports' deaths are written as well.
        let written = async {
            for peer in self.node().peers().all() {
                peer.written().await;
            }
        };
        let _ = tokio::time::timeout(STOP_TIMEOUT, written).await;
        self.close_listeners();
        self.ask(|mesh, now| mesh.stop(now));
        let closed = self.0.open.until_zero();
        let _ = tokio::time::timeout(STOP_TIMEOUT, closed).await;
        self.event(Event::Stop);
        let mut tasks = mem::take(&mut *self.0.tasks.lock());
        tasks.iter().for_each(JoinHandle::abort);
        tasks.extend(self.0.telling.lock().take());
        // A task holds its listener until it has ended.
        let ended = async {
            for task in tasks {
                let _ = task.await;
            }
        };
        let _ = tokio::time::timeout(STOP_TIMEOUT, ended).await;
    }

    fn close_listeners(&self) {
        let listeners = mem::take(&mut *self.0.listeners.lock());
        drop(listeners);
    }

    /// Releases everything at once, after the runtime has gone.
    pub(crate) fn abandon(&self) {
        self.close_listeners();
        let tasks = mem::take(&mut *self.0.tasks.lock());
        tasks.iter().for_each(JoinHandle::abort);
        // The tasks of connections end when their channels are dropped.
        let connections = mem::take(&mut *self.0.connections.lock());
        drop(connections);
        self.event(Event::Stop);
    }
}

impl fmt::Debug for Net {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Net")
            .field("node", &self.1)
            .finish_non_exhaustive()
    }
}
