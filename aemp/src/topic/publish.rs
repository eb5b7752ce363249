//! The publishing half of a topic at one node: it watches the family of subscribers, and has a route to each inlet.
//!
//! It begins with the first message. Messages that are published before the contents of the family are known wait for
//! them, so a program may publish right after its start.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use aemp_codec::{NodeId, PortId, Value};
use tokio::sync::{
    mpsc::{self, UnboundedSender},
    oneshot,
};

use super::{
    News,
    name::port_of,
    route::{Publisher, Route, queue},
    wire::{self, Incoming, Packet, Said},
};
use crate::{
    Monitor, Node, UntypedMsg,
    db::{FamilyEvent, Watch},
    guard,
    lock::Lock,
    passing::queue::Queue,
    port::Handle,
};

/// The number of routes to inlets of one node. It has one for each type with which it has opened the topic.
const MOST_OF_NODE: usize = 8;
/// The number of routes.
const MOST: usize = 10_000;

pub(super) struct Publishing {
    node: Node,
    publisher: Arc<Publisher>,
    /// The number of the next message.
    next: u64,
    retained: Option<Arc<Packet>>,
    pub(super) watch: Watch<Value>,
    /// The answers of inlets.
    pub(super) answers: mpsc::Receiver<Incoming>,
    answering: Answering,
    routes: BTreeMap<PortId, Route>,
    receivers: Receivers,
}

/// The port for answers. It is killed with the topic.
struct Answering {
    node: Node,
    port: Handle<UntypedMsg>,
    _monitor: Monitor,
}

impl Drop for Answering {
    fn drop(&mut self) {
        self.node.kil(&self.port.id(), ());
    }
}

/// The inlets, as far as this node knows.
enum Receivers {
    /// The contents of the family have not arrived. The messages of this time wait, and so do questions for the nodes.
    Unknown {
        early: Queue<Arc<Packet>>,
        asking: Vec<oneshot::Sender<Vec<NodeId>>>,
    },
    Known,
}

impl Publishing {
    pub(super) fn new(
        node: &Node,
        topic: &Arc<str>,
        family: &str,
        news: &UnboundedSender<News>,
    ) -> Self {
        let (port, answers) = wire::inlet(node);
        let publisher = Arc::new(Publisher {
            topic: Arc::clone(topic),
            instance: port.id().name().into(),
            answers: Lock::new(port.id()),
        });
        Self {
            node: node.clone(),
            publisher,
            next: 1,
            retained: None,
            watch: Watch::new(node, family),
            answers,
            answering: Answering::new(node, port, news),
            routes: BTreeMap::new(),
            receivers: Receivers::Unknown {
                early: queue(),
                asking: Vec::new(),
            },
        }
    }

    /// True if messages have to be encoded: other nodes get them, or perhaps do.
    pub(super) fn encodes(&self) -> bool {
        matches!(self.receivers, Receivers::Unknown { .. }) || !self.routes.is_empty()
    }

    pub(super) fn is_own(&self, instance: &str) -> bool {
        self.publisher.instance == instance
    }

    /// Publishes a message. Without a content, other nodes miss it.
    pub(super) fn publish(&mut self, content: Option<Value>, stamp: Option<u64>) {
        let number = self.next;
        self.next += 1;
        let Some(content) = content else { return };
        let packet = wire::packet(number, content, stamp);
        if stamp.is_some() {
            self.retained = Some(Arc::clone(&packet));
        }
        for route in self.routes.values() {
            route.push(&packet);
        }
        if let Receivers::Unknown { early, .. } = &mut self.receivers {
            early.push(packet);
        }
    }

    /// Answers with the nodes that have subscribers, when they are known.
    pub(super) fn tell_nodes(&mut self, to: oneshot::Sender<Vec<NodeId>>) {
        if let Receivers::Unknown { asking, .. } = &mut self.receivers {
            asking.push(to);
        } else {
            answer(to, self.nodes());
        }
    }

    fn nodes(&self) -> Vec<NodeId> {
        let routes = self.routes.values().filter(|route| route.is_entered());
        let mut nodes: Vec<_> = routes.map(|route| route.node().clone()).collect();
        nodes.dedup();
        nodes
    }

    /// The family has changed. `own` is the inlet of this topic itself.
    pub(super) fn change(
        &mut self,
        event: FamilyEvent<Value>,
        own: Option<&PortId>,
        news: &UnboundedSender<News>,
    ) {
        match event {
            FamilyEvent::All(contents) => {
                for (inlet, route) in &self.routes {
                    route.enter(contents.entries.contains_key(inlet.as_str()));
                }
                let early = match std::mem::replace(&mut self.receivers, Receivers::Known) {
                    Receivers::Unknown { early, asking } => (early, asking),
                    Receivers::Known => (queue(), Vec::new()),
                };
                for inlet in contents.entries.keys() {
                    self.add(inlet, own, Some(&early.0), news);
                }
                for asking in early.1 {
                    answer(asking, self.nodes());
                }
            }
            FamilyEvent::Changes(changes) => {
                for inlet in &changes.deleted {
                    if let Some(route) = self.routes.get(inlet.as_str()) {
                        route.enter(false);
                    }
                }
                for inlet in changes.added.keys().chain(changes.changed.keys()) {
                    self.add(inlet, own, None, news);
                }
            }
        }
    }

    /// A peer may have set the entry: it may be no port, and there may be many.
    fn add(
        &mut self,
        inlet: &str,
        own: Option<&PortId>,
        early: Option<&Queue<Arc<Packet>>>,
        news: &UnboundedSender<News>,
    ) {
        if let Some(route) = self.routes.get(inlet) {
            return route.enter(true);
        }
        let Some((inlet, of)) = port_of(inlet) else {
            return;
        };
        if own == Some(&inlet) {
            return;
        }
        let after = self
            .routes
            .range::<str, _>((Bound::Included(of.as_str()), Bound::Unbounded));
        let of_node = after.take_while(|(inlet, _)| inlet.as_str().starts_with(of.as_str()));
        let of_node = of_node.filter(|(_, route)| *route.node() == of);
        if self.routes.len() >= MOST || of_node.take(MOST_OF_NODE).count() >= MOST_OF_NODE {
            let text =
                format_args!("{inlet} gets no messages of a topic: there are too many subscribers");
            return self.node.complain(&inlet, text);
        }
        let mut waiting = queue();
        early
            .into_iter()
            .flat_map(Queue::iter)
            .for_each(|packet| waiting.push(Arc::clone(packet)));
        let content = (waiting, self.next, self.retained.clone());
        let route = Route::new(&self.node, &self.publisher, &inlet, content, news);
        self.routes.insert(inlet, route);
    }

    /// A message has arrived at the port for answers.
    pub(super) fn answer(&self, incoming: Incoming) {
        // A node answers for its own inlets alone.
        if let Some(Said::Welcome { inlet }) = Said::read(incoming.message)
            && inlet.node() == incoming.from.as_str()
            && let Some(route) = self.routes.get(&inlet)
        {
            route.is_welcome();
        }
    }

    pub(super) fn route_ended(&mut self, inlet: &PortId, news: &UnboundedSender<News>) {
        let ended = self.routes.remove(inlet);
        // It may have got an entry since.
        if ended.is_some_and(|route| route.is_entered()) {
            self.add(inlet.as_str(), None, None, news);
        }
    }

    /// The port for answers has died, which only a kill can cause.
    pub(super) fn renew_answers(&mut self, died: &PortId, news: &UnboundedSender<News>) {
        if self.answering.port.id() != *died {
            return;
        }
        let (port, answers) = wire::inlet(&self.node);
        *self.publisher.answers.lock() = port.id();
        self.answering = Answering::new(&self.node, port, news);
        self.answers = answers;
    }

    /// Tells the inlets that no more messages come.
    pub(super) fn end(&self) {
        for (inlet, route) in &self.routes {
            if route.is_open() {
                let bye = wire::bye(&self.publisher.instance, self.next);
                self.node.relay(inlet, bye);
            }
        }
    }
}

/// Wakes the task that has asked, by its own waker.
fn answer(to: oneshot::Sender<Vec<NodeId>>, nodes: Vec<NodeId>) {
    guard::shielded(|| drop(to.send(nodes)));
}

impl Answering {
    fn new(node: &Node, port: Handle<UntypedMsg>, news: &UnboundedSender<News>) -> Self {
        let (tell, id) = (news.clone(), port.id());
        let monitor = port.monitor(move |_| drop(tell.send(News::AnswersDied(id))));
        Self {
            node: node.clone(),
            port,
            _monitor: monitor,
        }
    }
}
