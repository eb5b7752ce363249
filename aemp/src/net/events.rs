//! Events outside of the mesh's lock: monitors that fire, observers of nodes, the clock.

use std::{
    fmt,
    sync::{Arc, Mutex, Weak},
    time::Duration,
};

use aemp_codec::NodeId;
use tokio::sync::{Notify, mpsc::UnboundedReceiver};

use super::{Net, lock};
use crate::{Node, db::machine::Sink, exec::slice::give_way, node::strand::Strand};
use aemp_proto::{
    global::{Answer, QueryId},
    peer::Loss,
};

/// How long monitors of calls that have ended stand at other nodes, at least.
const SWEEP: Duration = Duration::from_secs(5);

/// What user code has to be told: by tasks of their own, because it may take long. What comes of one order does so in order.
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
                let (net, told) = (net.clone(), Arc::clone(&remote));
                remote.mourn(net.clone().node(), move || {
                    told.fire(&loss, &text);
                    // Only now may a new connection carry messages (PROTOCOL.md section 7).
                    if !net.node().life().is_over() {
                        net.ask(|mesh, now| mesh.fired(now, &node, loss.id));
                    }
                });
            }
            Event::Up(node) => net.observers().tell(net.node(), &node, true, ""),
            Event::Down(node, text) => net.observers().tell(net.node(), &node, false, &text),
            // Those who wait are woken, which is foreign code as well.
            Event::Answer(query, answer) => {
                let node = net.node().clone();
                net.node()
                    .aside(move || node.database().answer(query, answer));
            }
            Event::Told(sink) => net.node().aside(move || sink.tell()),
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
        give_way().await;
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
pub(crate) struct Observers(Mutex<Vec<Weak<Observer>>>);

struct Observer {
    callback: Mutex<Callback>,
    /// Runs it, so that those who are slow delay nobody else.
    strand: Arc<Strand>,
}

impl Observers {
    fn tell(&self, own: &Node, node: &NodeId, up: bool, text: &str) {
        let mut observers = Vec::new();
        lock(&self.0)
            .retain(|observer| observer.upgrade().map(|one| observers.push(one)).is_some());
        for observer in observers {
            let (node, text): (_, Box<str>) = (node.clone(), text.into());
            let told = Arc::downgrade(&observer);
            observer.strand.run(own, move || {
                // One that has been dropped meanwhile is not told any more.
                if let Some(observer) = told.upgrade() {
                    lock(&observer.callback)(&node, up, &text);
                }
            });
        }
    }
}

/// Observes the coming and going of nodes; dropping it ends that.
#[must_use = "dropping it ends the observation"]
pub struct NodesMonitor {
    _observer: Arc<Observer>,
}

impl fmt::Debug for NodesMonitor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodesMonitor").finish_non_exhaustive()
    }
}

impl Node {
    /// Calls `callback` with a node's ID and `true` when a connection to it is up, with `false` and the reason's text when
    /// it is lost: strictly alternating per node. It is run by a task of its own; while it is slow, it is told later, and nobody else is.
    pub fn mon_nodes(
        &self,
        callback: impl FnMut(&NodeId, bool, &str) + Send + 'static,
    ) -> NodesMonitor {
        let observer = Arc::new(Observer {
            callback: Mutex::new(Box::new(callback)),
            strand: Arc::default(),
        });
        if let Some(net) = self.net() {
            lock(&net.observers().0).push(Arc::downgrade(&observer));
        }
        NodesMonitor {
            _observer: observer,
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

    /// Whether a node is connected; `None` if this node has had nothing to do with it, or not for some seconds, or if there
    /// cannot be a node of that name. The ID of a port means its node.
    #[must_use]
    pub fn node_is_up(&self, node: &str) -> Option<bool> {
        let node = self.node_named(node)?;
        if node == *self.id() {
            return Some(true);
        }
        let remote = self.remotes().get(node.as_str())?;
        let up = remote.peer().is_up();
        Some(up)
    }

    /// Ready when the node is connected, at once if it is; or when this node has [ended](Self::ended), so that it never will
    /// be. Whether it is connected. Where no node may ever come, [`joined`](Self::joined) tells why. The ID of a port means its node. If there cannot be a node of that name, that is an error in the log.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn until_up(&self, node: &str) -> bool {
        if let Err(error) = self.node_port(node) {
            crate::log::error!("nobody is waited for: {error}");
            return false;
        }
        let changed = Arc::new(Notify::new());
        let tell = Arc::clone(&changed);
        let _observer = self.mon_nodes(move |_, _, _| tell.notify_one());
        while self.node_is_up(node) != Some(true) {
            tokio::select! {
                biased;
                () = changed.notified() => {}
                _ = self.ended() => return self.node_is_up(node) == Some(true),
            }
        }
        true
    }

    /// The name of the wire format that packets to a connected node are written in.
    #[must_use]
    pub fn node_format(&self, node: &str) -> Option<String> {
        let remote = self.remotes().get(self.node_named(node)?.as_str())?;
        remote
            .peer()
            .format()
            .map(|format| format.name().to_owned())
    }

    /// The addresses that this node listens on, `host:port`, with the ports that were really bound.
    #[must_use]
    pub fn listeners(&self) -> Vec<String> {
        self.net().map(|net| net.listeners()).unwrap_or_default()
    }

    /// Tells this node an address, `host:port`, of another. It connects when something is first sent there. A node without a name
    /// has no address, and this node needs none of itself.
    pub fn learn(&self, node: &NodeId, address: &str) {
        if node.is_unnamed() || node == self.id() {
            return;
        }
        if let Some(net) = self.net() {
            net.learn(node, address);
        }
    }
}
