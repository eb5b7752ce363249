//! Other nodes: the locked `Peer` of each, the monitors that fire when it is lost, and its monitors on ports of this
//! node.
//!
//! Connections of one node take turns. When the mesh switches to a new connection, the old one may be reading on
//! another thread. A connection holds `Peer::delivering` while it delivers, and releases it before it flushes. Its
//! successor may write in the meantime, but delivers nothing. A monitor of a peer (`mon1`) is booked on the connection
//! that it arrived on. It is entered before it is set at the port, because the port may die at any time; the death
//! removes the entry of this number and no other.

pub(crate) mod account;
mod all;
mod callers;
pub(crate) mod connection;
pub(crate) mod credit;
mod grants;
mod monitored;
pub(crate) mod written;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use aemp_codec::{NodeId, Value};
use tokio::sync::Notify;

pub(crate) use self::all::Peers;
use self::{
    account::Account, callers::Callers, connection::Connection, credit::Credits, grants::Grants,
    monitored::MonitoredPorts, written::Manner,
};
use super::{Node, WeakNode, log, strand::Strand};
use crate::{
    Reason, SendError,
    exec::{seat, spans, writer::Writer},
    guard,
    lock::Lock,
    port::{absent, monitor::Action},
};
use aemp_proto::{
    mesh::Level,
    peer::{ConnId, Fired, GivenUp, Loss, Lost, MonitorId, Peer as PeerState, Urge},
    request::STOP,
};

/// The time after which a node without a network fails sends and monitors again.
const RETRY: Duration = Duration::from_secs(2);

/// The number of bytes that keep any connection busy.
const ROOM: usize = 256 << 10;

/// The number of packets that keep any connection busy. They take the other end less than half a millisecond, and a call
/// behind them waits for so long.
const ROOM_PACKETS: u64 = 1024;

/// True if so much is queued for a node that waiting senders wait.
fn is_crowded(state: &PeerState) -> bool {
    let bytes = (state.limits().max_queue_bytes / 2).min(ROOM);
    state.pending_bytes() > bytes || state.pending_packets() > ROOM_PACKETS
}

/// The actions of monitors on ports of a node, and on the node itself.
enum Actions {
    ByNumber(HashMap<u64, Action>),
    /// Our own node has ended: the other node is unreachable for ever, for this reason.
    Over(Reason),
}

impl Actions {
    fn new() -> Self {
        Self::ByNumber(HashMap::new())
    }

    fn remove(&mut self, id: u64) -> Option<Action> {
        match self {
            Self::ByNumber(actions) => actions.remove(&id),
            Self::Over(_) => None,
        }
    }
}

/// One other node.
pub(crate) struct Peer {
    node: WeakNode,
    id: NodeId,
    state: Lock<PeerState>,
    /// Details of its connection, if that is up.
    connection: Lock<Option<Arc<Connection>>>,
    /// The number of connections that there have been.
    connected: AtomicU64,
    /// True if the node has been up.
    met: AtomicBool,
    /// Notified when there is something to write.
    pub(crate) writer: Arc<Writer>,
    /// Notified when the writer has taken the queued bytes.
    pub(crate) taken: Notify,
    /// True if the mesh wants to know when everything has been written.
    pub(crate) tell_written: AtomicBool,
    /// The actions of the monitors that `state` knows by number.
    actions: Lock<Actions>,
    /// Runs the actions.
    mourning: Arc<Strand>,
    /// Runs the functions that the node calls here.
    functions: Arc<Strand>,
    /// The ports of this node that it monitors.
    monitored: Lock<MonitoredPorts>,
    next_monitor: AtomicU64,
    /// Held by the connection that delivers. Its successor waits for it.
    pub(crate) delivering: Arc<tokio::sync::Mutex<()>>,
    account: Account,
    manner: Manner,
    callers: Callers,
    /// The credit for ports of the node.
    credits: Credits,
    /// Its requests for room in ports of this node.
    grants: Grants,
}

impl Peer {
    pub(crate) fn id(&self) -> &NodeId {
        &self.id
    }

    /// Locks its protocol state. No user code runs under this lock: packets are written before (`written`).
    #[inline]
    pub(crate) fn state(&self) -> MutexGuard<'_, PeerState> {
        self.state.lock()
    }

    fn actions(&self) -> MutexGuard<'_, Actions> {
        self.actions.lock()
    }

    fn connections(&self) -> MutexGuard<'_, Option<Arc<Connection>>> {
        self.connection.lock()
    }

    /// Details of its connection.
    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.connections().clone()
    }

    /// The number of connections that there have been.
    #[cfg(feature = "metrics")]
    pub(crate) fn connected(&self) -> u64 {
        self.connected.load(Ordering::Relaxed)
    }

    /// Records that the node is up. Returns true if it has been up before.
    pub(crate) fn meet(&self) -> bool {
        self.met.swap(true, Ordering::Relaxed)
    }

    pub(crate) fn set_connection(&self, connection: &Arc<Connection>) {
        self.set_ours(connection.is_ours);
        self.set_deadlines(connection.deadlines);
        self.connected.fetch_add(1, Ordering::Relaxed);
        *self.connections() = Some(Arc::clone(connection));
        self.begin_credit(connection.conn, connection.credit);
    }

    /// Forgets a connection that has ended, unless the node has another one by now.
    pub(crate) fn end_connection(&self, conn: ConnId) {
        let ended = self
            .connections()
            .take_if(|connection| connection.conn == conn);
        if ended.is_some() {
            // The next connection may be to another implementation.
            self.set_deadlines(false);
        }
        self.lose_callers();
        self.end_credit(conn);
    }

    /// The costs that it causes.
    pub(crate) fn account(&self) -> &Account {
        &self.account
    }

    fn follow(&self, urge: Urge) {
        match urge {
            Urge::None => {}
            Urge::Write => seat::wake_writer(&self.writer),
            Urge::Connect => match self.node() {
                Some(node) => match node.net() {
                    Some(net) => net.connect(&self.id),
                    None => self.unreachable(&node),
                },
                // Queued packets will never be sent.
                None => self.state().close(),
            },
            Urge::Overflow => {
                if let Some(node) = self.node() {
                    match node.net() {
                        Some(net) => net.overflow(&self.id),
                        None => self.give_up(&node),
                    }
                }
                self.queue_shrunk();
            }
        }
    }

    /// Our own node.
    #[cfg(feature = "trace")]
    pub(crate) fn own_node(&self) -> Option<Node> {
        self.node.upgrade()
    }

    /// Our own node, unless it has ended.
    fn node(&self) -> Option<Node> {
        self.node.upgrade().filter(|node| !node.life().is_over())
    }

    /// Ends the relation after the end of our own node: nothing is sent any more, and all monitors fire, even later
    /// ones.
    fn close(self: &Arc<Self>, text: &str) {
        let reason = Reason::transport_error(self.id.as_str(), text);
        self.state().close();
        self.lose_callers();
        self.close_credit();
        let actions = std::mem::replace(&mut *self.actions(), Actions::Over(reason.clone()));
        let Actions::ByNumber(actions) = actions else {
            return;
        };
        let mut actions: Vec<_> = actions.into_iter().collect();
        actions.sort_unstable_by_key(|(id, _)| *id);
        // Our ports that the other node monitors are dead by now.
        let monitored = std::mem::take(&mut *self.monitored());
        drop(monitored);
        self.queue_shrunk();
        if let Some(node) = self.node.upgrade()
            && !actions.is_empty()
        {
            self.mourn(&node, move || {
                for (_, action) in actions {
                    action.fire(&reason);
                }
            });
        }
    }

    /// Logs a connection about the node.
    pub(crate) fn remark(&self, level: Level, text: String) {
        if let Some(node) = self.node.upgrade() {
            node.remark(log::Remark::new(level, text).of(self.id.to_string()));
        }
    }

    /// Counts that the node has reached a limit.
    pub(crate) fn count_limit(&self, limit: &'static str) {
        if let Some(node) = self.node.upgrade() {
            node.scheduler().past().reached(limit);
        }
    }

    /// The strand for functions that the node calls here.
    pub(crate) fn functions(&self) -> &Arc<Strand> {
        &self.functions
    }

    /// Fires monitors in a node without a network, with the reason for a node without a known address.
    #[cold]
    fn unreachable(&self, node: &Node) {
        let lost = self.state().connect_failed();
        self.mourn_here(node, lost, "no known address");
    }

    /// Fires monitors in a node without a network after a queue has overflowed.
    #[cold]
    fn give_up(&self, node: &Node) {
        let given_up = self.state().give_up();
        if let GivenUp::Now { text, lost, .. } = given_up {
            self.mourn_here(node, lost, &text);
        }
    }

    /// Fires the monitors of a loss in a node without a network, where no mesh does so.
    fn mourn_here(&self, node: &Node, lost: Lost, text: &str) {
        self.queue_shrunk();
        let Lost::Fire(mut loss) = lost else { return };
        let mut text = text.to_owned();
        loop {
            self.fire(&loss, &text);
            let fired = self.state().fired(loss.id);
            match fired {
                Fired::Again(more, why) => (loss, text) = (more, why),
                Fired::Connecting => return self.retry(node),
                Fired::Not | Fired::Down => return,
            }
        }
    }

    /// Fails monitors that callbacks have set again, after a pause: callbacks may set them for ever.
    fn retry(&self, node: &Node) {
        let (weak, id) = (self.node.clone(), self.id.clone());
        node.after(RETRY, move || {
            if let Some(node) = weak.upgrade()
                && let Some(peer) = node.peers().get(id.as_str())
            {
                peer.unreachable(&node);
            }
        });
    }

    fn request(&self, request: &str, port: &str, args: &[Value]) -> Result<(), SendError> {
        self.send("", |out| {
            out.str(request)?;
            out.str(port)?;
            args.iter().try_for_each(|value| out.value(value))
        })
    }

    /// Reports a death to the node. A reason that cannot be encoded is replaced by one that says so, because the
    /// death itself must be reported.
    fn report_death(&self, request: &str, port: &str, reason: &[Value]) {
        let Err(error) = self.request(request, port, reason) else {
            return;
        };
        self.remark(
            Level::Error,
            format!("the reason of a {request} to {} {error}", self.id),
        );
        let told = Reason::new(reason.to_vec()).untold(&error);
        if let Err(error) = self.request(request, port, &told) {
            self.remark(Level::Error, format!("{request} to {} {error}", self.id));
        }
    }

    pub(crate) fn kill(&self, port: &str, reason: &Reason) {
        if port.is_empty() {
            crate::log::warning!("the node port of {} cannot be killed", self.id);
            return;
        }
        self.report_death("kil1", port, reason);
    }

    /// Stops a port of the node. A node of another implementation kills it instead.
    pub(crate) fn stop_port(self: &Arc<Self>, node: &Node, port: &str, within: Option<Duration>) {
        if port.is_empty() {
            crate::log::warning!("the node port of {} cannot be stopped", self.id);
            return;
        }
        if self.is_ours() || self.state().is_up() {
            return self.ask_to_stop(port, within);
        }
        // The node's implementation is known as soon as it is connected.
        if let Err(error) = self.send("", |out| out.str("devnull")) {
            self.remark(Level::Error, format!("a stop of a port {error}"));
        }
        let (peer, port) = (Arc::clone(self), Box::<str>::from(port));
        node.scheduler().spawn(async move {
            peer.credit_known().await;
            peer.ask_to_stop(&port, within);
        });
    }

    fn ask_to_stop(&self, port: &str, within: Option<Duration>) {
        if !self.is_ours() {
            return self.kill(port, &Reason::normal());
        }
        let millis = within.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX));
        let args = Vec::from_iter(millis.map(Value::from));
        if let Err(error) = self.request(STOP, port, &args) {
            self.remark(Level::Error, format!("{STOP} to {} {error}", self.id));
        }
    }

    /// Sets a monitor on a port of the node.
    pub(crate) fn monitor(&self, port: &str, action: Action) -> u64 {
        let id = self.next_monitor.fetch_add(1, Ordering::Relaxed);
        let over = match &mut *self.actions() {
            Actions::ByNumber(actions) => {
                actions.insert(id, action);
                None
            }
            Actions::Over(reason) => Some((action, reason.clone())),
        };
        if let Some((action, reason)) = over {
            match self.node.upgrade() {
                Some(node) => absent::fire(action, reason, &node),
                None => action.fire(&reason),
            }
            return id;
        }
        let urge = self.state().monitor(port, MonitorId(id));
        self.follow(urge);
        id
    }

    pub(crate) fn unmonitor(&self, port: &str, id: u64) {
        let _action = self.actions().remove(id);
        let urge = self.state().unmonitor(port, MonitorId(id));
        self.follow(urge);
    }

    /// As `unmonitor`, but the node keeps its monitor for a while, for the next call of the same port.
    pub(crate) fn release(&self, port: &str, id: u64) {
        let _action = self.actions().remove(id);
        let urge = self.state().release(port, MonitorId(id));
        self.follow(urge);
    }

    /// Ends the monitors that `release` has kept.
    pub(crate) fn sweep(&self) {
        let urge = self.state().sweep();
        self.follow(urge);
    }

    /// Fires the monitors on a port of the node that has died.
    pub(crate) fn port_died(self: &Arc<Self>, node: &Node, port: &str, reason: Reason) {
        let monitors = self.state().port_died(port);
        if !monitors.is_empty() {
            let peer = Arc::clone(self);
            self.mourn(node, move || {
                for monitor in monitors {
                    peer.fire_one(monitor, &reason);
                }
            });
        }
    }

    /// Runs a job that fires monitors, in order with others for this node, on another task. The callbacks may take
    /// long, and those of one node must not delay those of another.
    pub(crate) fn mourn(&self, node: &Node, fire: impl FnOnce() + Send + 'static) {
        self.mourning.run(node, fire);
    }

    /// Fires the monitors of a loss with a `transport_error`.
    pub(crate) fn fire(&self, loss: &Loss, text: &str) {
        let reason = Reason::transport_error(self.id.as_str(), text);
        for monitor in &loss.monitors {
            // Recorded before the call, so that messages that the callback sends to the port are not taken for
            // earlier ones.
            self.state().begun(loss.id, *monitor);
            if let Some(node) = self.node.upgrade() {
                spans::monitor_fired(&node, || self.id.clone().into(), &reason);
            }
            self.fire_one(*monitor, &reason);
        }
    }

    fn fire_one(&self, MonitorId(id): MonitorId, reason: &Reason) {
        // A monitor that was cancelled meanwhile has no action.
        let action = self.actions().remove(id);
        if let Some(action) = action {
            action.fire(reason);
        }
    }

    /// Ready when the queue for the node is short.
    pub(crate) async fn room(&self) {
        if self.is_crowded() {
            self.shrunk(|state| !is_crowded(state)).await;
        }
    }

    /// Ready when the writer has taken all packets, or there is no connection.
    pub(crate) async fn written(&self) {
        self.shrunk(|state| !state.is_up() || state.pending_bytes() == 0)
            .await;
    }

    async fn shrunk(&self, is_short: impl Fn(&PeerState) -> bool) {
        while !is_short(&self.state()) {
            let mut taken = std::pin::pin!(self.taken.notified());
            taken.as_mut().enable();
            // The queue may have become short before this waiter was registered.
            if is_short(&self.state()) {
                return;
            }
            taken.await;
        }
    }

    /// Wakes waiters after the queue has become shorter, or is lost. The caller must hold no lock.
    pub(crate) fn queue_shrunk(&self) {
        guard::shielded(|| self.taken.notify_waiters());
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Peer({})", self.id)
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
