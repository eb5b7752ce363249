//! Events outside of the mesh's lock: monitors that fire, observers of nodes, the clock.

use std::{
    fmt,
    sync::{Arc, Weak},
    time::Duration,
};

use aemp_codec::NodeId;
use tokio::sync::{Notify, mpsc::UnboundedReceiver};

use super::Net;
use crate::{
    Node,
    db::machine::Sink,
    exec::{slice::give_way, spans},
    lock::Lock,
    node::strand::Strand,
};
use aemp_proto::{
    global::{Answer, QueryId},
    peer::Loss,
};

/// The shortest time that monitors of ended calls stay set at other nodes.
const SWEEP: Duration = Duration::from_secs(5);

/// An event for user code. It is handled on a task of its own, because user code may take long. Events of one kind keep
/// their order.
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
                let peer = net.node().peers().of(net.node(), node.as_str());
                let (net, told) = (net.clone(), Arc::clone(&peer));
                peer.mourn(net.clone().node(), move || {
                    told.fire(&loss, &text);
                    // A new connection may carry messages only from here on (`aemp_proto::protocol::monitors`, "The guarantee").
                    if !net.node().life().is_over() {
                        net.ask(|mesh, now| mesh.fired(now, &node, loss.id));
                    }
                });
            }
            Event::Up(node) => {
                net.observers().notify(net.node(), &node, true, "");
                let peer = net.node().peers().get(node.as_str());
                spans::connected(net.node(), &node, peer.is_some_and(|peer| peer.meet()));
            }
            Event::Down(node, text) => {
                net.observers().notify(net.node(), &node, false, &text);
                spans::disconnected(net.node(), &node, &text);
            }
            // This wakes the waiting tasks, and wakers are foreign code as well.
            Event::Answer(query, answer) => {
                let node = net.node().clone();
                net.node()
                    .aside(move || node.database().answer(query, answer));
            }
            Event::Told(sink) => net.node().aside(move || sink.notify()),
            Event::Stop => return,
        }
    }
}

/// Calls the mesh at its deadlines.
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

/// Sends staged changes of the database, after the tasks that are ready to make more changes have run.
pub(super) async fn flush(net: Net) {
    loop {
        net.0.staged.notified().await;
        give_way().await;
        net.ask(|mesh, now| mesh.flush(now));
    }
}

/// Removes monitors of calls that have not been needed for a while from other nodes, and forgets idle nodes.
pub(super) async fn sweep(net: Net) {
    let mut ticks = tokio::time::interval(SWEEP);
    loop {
        ticks.tick().await;
        for peer in net.node().peers().all() {
            peer.sweep();
        }
        net.node().peers().forget_idle();
    }
}

type Callback = Box<dyn FnMut(&NodeId, bool, &str) + Send>;

/// The observers of nodes that come and go.
#[derive(Default)]
pub(crate) struct Observers(Lock<Vec<Weak<Observer>>>);

struct Observer {
    callback: Lock<Callback>,
    /// Runs the callback, so that a slow one delays no others.
    strand: Arc<Strand>,
}

impl Observers {
    fn notify(&self, own: &Node, node: &NodeId, up: bool, text: &str) {
        let mut observers = Vec::new();
        self.0
            .lock()
            .retain(|observer| observer.upgrade().map(|one| observers.push(one)).is_some());
        for observer in observers {
            let (node, text): (_, Box<str>) = (node.clone(), text.into());
            let told = Arc::downgrade(&observer);
            observer.strand.run(own, move || {
                // An observer that was dropped meanwhile is skipped.
                if let Some(observer) = told.upgrade() {
                    observer.callback.lock()(&node, up, &text);
                }
            });
        }
    }
}

/// An observer of nodes that come and go. Dropping it ends the observation.
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
    /// Calls `callback` when a connection to another node comes up (node ID, `true`, `""`) and when it is lost (node
    /// ID, `false`, text of the reason). The two alternate for each node.
    ///
    /// Nodes that are connected already are not reported. A program that must know them too calls
    /// [`up_nodes`](Self::up_nodes) after this function: a node of that list may be reported as well, and none is missed.
    ///
    /// The callback runs on a task of its own. A slow callback gets its events later, and delays nothing else.
    #[doc(alias = "monitor_nodes")]
    pub fn mon_nodes(
        &self,
        callback: impl FnMut(&NodeId, bool, &str) + Send + 'static,
    ) -> NodesMonitor {
        let observer = Arc::new(Observer {
            callback: Lock::new(Box::new(callback)),
            strand: Arc::default(),
        });
        if let Some(net) = self.net() {
            net.observers().0.lock().push(Arc::downgrade(&observer));
        }
        NodesMonitor {
            _observer: observer,
        }
    }

    /// The connected nodes, in the order of their IDs.
    #[must_use]
    pub fn up_nodes(&self) -> Vec<NodeId> {
        let mut up: Vec<NodeId> = self
            .peers()
            .all()
            .into_iter()
            .filter(|peer| peer.state().is_up())
            .map(|peer| peer.id().clone())
            .collect();
        up.sort();
        up
    }

    /// True if a node is connected. A port ID stands for its node.
    ///
    /// Returns `None` if this node has no contact with it and had none in the last seconds, or if `node` is not a valid
    /// ID.
    #[must_use]
    pub fn node_is_up(&self, node: &str) -> Option<bool> {
        let node = self.node_named(node)?;
        if node == *self.id() {
            return Some(true);
        }
        let peer = self.peers().get(node.as_str())?;
        let up = peer.state().is_up();
        Some(up)
    }

    /// Waits until a node is connected; returns at once if it is. A port ID stands for its node.
    ///
    /// Returns false if this node has [ended](Self::ended) first, or, with an error in the log, if `node` is not a
    /// valid ID. [`joined`](Self::joined) tells why a node cannot reach its network.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn until_up(&self, node: &str) -> bool {
        if let Err(error) = self.node_port(node) {
            crate::log::error!("cannot wait for a node: {error}");
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

    /// The name of the wire format of packets to a connected node.
    #[must_use]
    pub fn node_format(&self, node: &str) -> Option<String> {
        let peer = self.peers().get(self.node_named(node)?.as_str())?;
        peer.state().format().map(|format| format.name().to_owned())
    }

    /// The addresses that this node listens on (`host:port`), with the ports that were bound.
    #[must_use]
    pub fn listeners(&self) -> Vec<String> {
        self.net().map(|net| net.listeners()).unwrap_or_default()
    }

    /// Tells this node an address (`host:port`) of another node. It connects when the first message is sent there.
    ///
    /// Has no effect for this node's own ID, and for the ID of a node without a name.
    pub fn learn(&self, node: &NodeId, address: &str) {
        if node.is_unnamed() || node == self.id() {
            return;
        }
        if let Some(net) = self.net() {
            net.learn(node, address);
        }
    }
}
