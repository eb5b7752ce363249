//! The way from a publishing node to one inlet: a bounded queue, and a task that greets the inlet and sends.
//!
//! The task monitors the inlet. It sends nothing but its greeting before the inlet has answered, so an entry under the
//! ID of a foreign port floods no port. When the inlet dies or its node is lost, the task waits and greets again, for as
//! long as the entry is there; an inlet without an entry is sent to for as long as it lives. So neither an entry that
//! vanishes for a moment nor a lost connection makes a silent hole: the greeting has the number of the next message.

use std::{sync::Arc, time::Duration};

use aemp_codec::{NodeId, PortId, Value};
use tokio::{
    sync::{Notify, mpsc::UnboundedSender, oneshot},
    task::JoinHandle,
    time::sleep,
};

use super::{
    News,
    wire::{self, Packet},
};
use crate::{
    Node, UntypedMsg,
    lock::Lock,
    passing::queue::{Bounds, Element, Next, Queue},
    port::Handle,
};

/// The bounds of the messages that wait for one inlet.
const WAITING: Bounds = Bounds {
    elements: 4096,
    bytes: 16 << 20,
};
/// The pause before an inlet is greeted again. It doubles with each attempt in vain.
const PAUSE: Duration = Duration::from_millis(500);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The time after which an inlet that has not answered is greeted again.
const ANSWER: Duration = Duration::from_secs(10);

impl Element for Arc<Packet> {
    fn bytes(&self) -> usize {
        self.bytes
    }
}

/// A queue of messages for one inlet, or for all inlets that are not known yet.
pub(super) fn queue() -> Queue<Arc<Packet>> {
    Queue::new(WAITING)
}

/// The publisher, as its routes greet with it.
#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) topic: Arc<str>,
    pub(super) instance: String,
    /// The port for the answers of inlets.
    pub(super) answers: Lock<PortId>,
}

/// The publishing node's side of a route. Dropping it ends the task.
pub(super) struct Route {
    shared: Arc<Shared>,
    node: NodeId,
    task: JoinHandle<()>,
}

struct Shared {
    state: Lock<State>,
    /// Notified when the state has changed.
    changed: Notify,
}

struct State {
    waiting: Queue<Arc<Packet>>,
    /// The number of the message after the last one that was pushed.
    next: u64,
    retained: Option<Arc<Packet>>,
    phase: Phase,
    /// True if the family has an entry of the inlet.
    is_entered: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Phase {
    /// The inlet has been greeted, and has not answered.
    Greeting,
    Open,
    /// The inlet is dead or out of reach.
    Down,
}

impl Route {
    pub(super) fn new(
        node: &Node,
        publisher: &Arc<Publisher>,
        to: &PortId,
        (waiting, next, retained): (Queue<Arc<Packet>>, u64, Option<Arc<Packet>>),
        news: &UnboundedSender<News>,
    ) -> Self {
        let shared = Arc::new(Shared {
            state: Lock::new(State {
                waiting,
                next,
                retained,
                phase: Phase::Greeting,
                is_entered: true,
            }),
            changed: Notify::new(),
        });
        let task = Task {
            node: node.clone(),
            publisher: Arc::clone(publisher),
            inlet: node.handle(to),
            to: to.clone(),
            shared: Arc::clone(&shared),
            news: news.clone(),
        };
        Self {
            shared,
            node: to.node_id(),
            task: node.scheduler().spawn(task.run()),
        }
    }

    pub(super) fn node(&self) -> &NodeId {
        &self.node
    }

    pub(super) fn push(&self, packet: &Arc<Packet>) {
        let mut state = self.shared.state.lock();
        state.next = packet.number + 1;
        if packet.stamp.is_some() {
            state.retained = Some(Arc::clone(packet));
        }
        state.waiting.push(Arc::clone(packet));
        drop(state);
        self.shared.changed.notify_one();
    }

    /// The inlet has answered.
    pub(super) fn is_welcome(&self) {
        let mut state = self.shared.state.lock();
        if state.phase == Phase::Greeting {
            state.phase = Phase::Open;
        }
        drop(state);
        self.shared.changed.notify_one();
    }

    /// The family has an entry of the inlet, or has none any more.
    pub(super) fn enter(&self, is_entered: bool) {
        self.shared.state.lock().is_entered = is_entered;
        self.shared.changed.notify_one();
    }

    /// True if the family has an entry of the inlet.
    pub(super) fn is_entered(&self) -> bool {
        self.shared.state.lock().is_entered
    }

    /// True if the inlet has been told something.
    pub(super) fn is_open(&self) -> bool {
        self.shared.state.lock().phase == Phase::Open
    }
}

impl Drop for Route {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shared {
    /// Ready when the state has this property.
    async fn until(&self, has: impl Fn(&State) -> bool + Send) {
        while !has(&self.state.lock()) {
            self.changed.notified().await;
        }
    }
}

struct Task {
    node: Node,
    publisher: Arc<Publisher>,
    to: PortId,
    inlet: Handle<UntypedMsg>,
    shared: Arc<Shared>,
    news: UnboundedSender<News>,
}

impl Task {
    async fn run(self) {
        let mut pause = PAUSE;
        loop {
            let (tell, died) = oneshot::channel();
            let monitor = self.node.mon(&self.to, move |_| {
                let _ = tell.send(());
            });
            tokio::select! {
                biased;
                _ = died => {}
                () = self.pass() => {}
            }
            drop(monitor);
            let (was, is_entered) = {
                let mut state = self.shared.state.lock();
                (
                    std::mem::replace(&mut state.phase, Phase::Down),
                    state.is_entered,
                )
            };
            if was == Phase::Open {
                pause = PAUSE;
            }
            let is_over = !is_entered
                || tokio::select! {
                    biased;
                    () = self.shared.until(|state| !state.is_entered) => true,
                    () = sleep(pause) => false,
                };
            if is_over {
                let _ = self.news.send(News::RouteEnded(self.to.clone()));
                return;
            }
            pause = (2 * pause).min(LONGEST_PAUSE);
            self.shared.state.lock().phase = Phase::Greeting;
        }
    }

    /// Greets the inlet, and sends for as long as it lives. Returns if the entry is gone before the inlet has answered.
    async fn pass(&self) {
        let is_settled = |state: &State| state.phase == Phase::Open || !state.is_entered;
        loop {
            self.node.relay(&self.to, self.hello());
            tokio::select! {
                biased;
                () = self.shared.until(is_settled) => break,
                () = sleep(ANSWER) => {}
            }
        }
        while self.shared.state.lock().phase == Phase::Open {
            let next = self.shared.state.lock().waiting.next();
            let message = match next {
                Next::One(packet) => wire::message(&self.publisher.instance, &packet),
                // The inlet learns the number of the next one, and the retained message if that is among the lost ones.
                Next::Lost(_) => self.hello(),
                Next::Nothing => {
                    self.shared.changed.notified().await;
                    continue;
                }
            };
            // It waits for room: in the inlet's queue, and in that of the connection.
            let _ = self.inlet.send(message.into()).await;
        }
    }

    fn hello(&self) -> Vec<Value> {
        let state = self.shared.state.lock();
        let next = state
            .waiting
            .iter()
            .next()
            .map_or(state.next, |packet| packet.number);
        // One that still waits arrives as a message.
        let retained = state.retained.clone().filter(|packet| packet.number < next);
        drop(state);
        let Publisher {
            topic,
            instance,
            answers,
        } = &*self.publisher;
        let answers = answers.lock().clone();
        wire::hello(topic, instance, next, &answers, retained.as_deref())
    }
}
