//! What happens outside of the mesh's lock: monitors firing, observers of nodes, the clock.

use std::{
    fmt,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use aemp_codec::NodeId;
use tokio::sync::{Notify, mpsc::UnboundedReceiver};

use super::{Net, lock};
use crate::{
    Node,
    db::machine::Sink,
    guard::shielded,
    proto::{
        global::{Answer, QueryId},
        peer::Loss,
    },
};

/// How long monitors of calls that have ended stand at other nodes, at least.
const SWEEP: Duration = Duration::from_secs(5);

/// What user code has to be told, in order.
pub(super) enum Event {
    Fire(NodeId, Loss, String),
    Up(NodeId),
    Down(NodeId, String),
    Answer(QueryId, Result<Answer, String>),
    Told(Arc<dyn Sink>),
    Stop,
}

pub(super) async fn run(net: Net, mut events: UnboundedReceiver<Event>) {
    while let Some(event) = events.recv().await {
        match event {
            Event::Fire(node, loss, text) => {
                let remote = net.node().remotes().of(net.node(), node.as_str());
                remote.fire(&loss, &text);
                // Only now may a new connection carry messages (PROTOCOL.md section 7).
                net.ask(|mesh, now| mesh.fired(now, &node, loss.id));
            }
            Event::Up(node) => net.observers().tell(&node, true, ""),
            Event::Down(node, text) => net.observers().tell(&node, false, &text),
            Event::Answer(query, answer) => net.node().database().answer(query, answer),
            Event::Told(sink) => sink.tell(),
            Event::Stop => return,
        }
    }
}

/// Wakes the mesh when its next deadline has come.
pub(super) async fn keep_time(net: Net) {
    loop {
        let deadline = net.set_alarm();
        let due = async {
            match deadline {
                Some(deadline) => tokio::time::sleep_until(net.instant(deadline)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = due => net.ask(|mesh, now| mesh.timeout(now)),
            () = net.0.deadline.notified() => {}
        }
    }
}

/// Tells everybody of changes of the database, when the tasks that are ready to change more have done so.
pub(super) async fn flush(net: Net) {
    loop {
        net.0.staged.notified().await;
        tokio::task::yield_now().await;
        net.ask(|mesh, now| mesh.flush(now));
    }
}

/// Tells other nodes of monitors of calls that nobody has needed for a while, and forgets nodes that nobody needs.
pub(super) async fn sweep(net: Net) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        for remote in net.node().remotes().all() {
            remote.sweep();
        }
        net.node().remotes().forget_idle();
    }
}

type Callback = Box<dyn FnMut(&NodeId, bool, &str) + Send>;

/// Who wants to know which nodes come and go.
#[derive(Default)]
pub(crate) struct Observers(Mutex<Vec<Weak<Mutex<Callback>>>>);

impl Observers {
    fn tell(&self, node: &NodeId, up: bool, text: &str) {
        let mut observers = Vec::new();
        lock(&self.0)
            .retain(|observer| observer.upgrade().map(|one| observers.push(one)).is_some());
        for observer in observers {
            shielded(|| lock(&observer)(node, up, text));
        }
    }
}

/// Observes the coming and going of nodes; dropping it ends that.
#[must_use = "dropping it ends the observation"]
pub struct NodesMonitor {
    _callback: Arc<Mutex<Callback>>,
}

impl fmt::Debug for NodesMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodesMonitor").finish_non_exhaustive()
    }
}

impl Node {
    /// Calls `callback` with a node's ID and `true` when a connection to it is up, with `false` and the reason's text when
    /// it is lost: strictly alternating per node. Must not block.
    pub fn mon_nodes(
        &self,
        callback: impl FnMut(&NodeId, bool, &str) + Send + 'static,
    ) -> NodesMonitor {
        let callback: Arc<Mutex<Callback>> = Arc::new(Mutex::new(Box::new(callback)));
        if let Some(net) = self.net() {
            lock(&net.observers().0).push(Arc::downgrade(&callback));
        }
        NodesMonitor {
            _callback: callback,
        }
    }

    /// The nodes that are connected now, by ID.
    #[must_use]
    pub fn up_nodes(&self) -> Vec<NodeId> {
        let mut up: Vec<NodeId> = self
            .remotes()
            .all()
            .into_iter()
            .filter(|remote| remote.peer().is_up())
            .map(|remote| remote.id().clone())
            .collect();
        up.sort();
        up
    }

    /// Whether a node is connected; `None` if this node has had nothing to do with it, or not for some seconds.
    #[must_use]
    pub fn node_is_up(&self, node: &str) -> Option<bool> {
        if node == self.id().as_str() {
            return Some(true);
        }
        let remote = self.remotes().get(node)?;
        let up = remote.peer().is_up();
        Some(up)
    }

    /// Ready when the node is connected, at once if it is.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn until_up(&self, node: &str) {
        let changed = Arc::new(Notify::new());
        let tell = Arc::clone(&changed);
        let _observer = self.mon_nodes(move |_, _, _| tell.notify_one());
        while self.node_is_up(node) != Some(true) {
            changed.notified().await;
        }
    }

    /// The name of the wire format that packets to a connected node are written in.
    #[must_use]
    pub fn node_format(&self, node: &str) -> Option<String> {
        let remote = self.remotes().get(node)?;
        remote
            .peer()
            .format()
            .map(|format| format.name().to_owned())
    }

    /// The addresses that this node listens on, `host:port`, with the ports that were really bound.
    #[must_use]
    pub fn listeners(&self) -> Vec<String> {
        self.net().map(Net::listeners).unwrap_or_default()
    }

    /// Tells this node an address, `host:port`, of another. It connects when something is first sent there.
    pub fn learn(&self, node: &NodeId, address: &str) {
        if let Some(net) = self.net() {
            net.learn(node, address);
        }
    }
}
