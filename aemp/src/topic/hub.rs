//! The task of a topic at one node: it takes the messages of the node's users and of other nodes, in order,
//! and tells the subscribers.
//!
//! It is a task and not a port, because every peer may kill a port. Its ports (an inlet, a port for answers) hold
//! nothing, so it makes new ones.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use aemp_codec::{NodeId, PortId, Value, from_value, to_value};
use futures_core::Stream;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{
    sync::{
        OwnedSemaphorePermit,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
    task::coop::consume_budget,
    time::{Sleep, sleep},
};

use super::{
    Gap, News,
    event::{Item, Shared},
    mailbox::Mailbox,
    publish::Publishing,
    receive::Receiving,
    sources::{Retained, Sources},
    topics::{Key, Opened},
    wire::{self, Incoming, Said},
};
use crate::{EncodeError, Node, db::FamilyEvent, guard, node::short};

/// The time that a topic without users stays open. A program that opens it again meanwhile keeps its connections.
const LINGER: Duration = Duration::from_secs(10);
/// The number of subscribers that are told between two looks at the task's budget.
const SLICE: usize = 16;

/// A request of a user of the topic at this node.
pub(super) enum Command<T> {
    Publish(Publication<T>),
    Subscribe(u64, Arc<Mailbox<T>>),
    Unsubscribe(u64),
    Nodes(oneshot::Sender<Vec<NodeId>>),
    /// A handle of the topic was dropped.
    Left,
}

/// A message that a user of this node publishes.
pub(super) struct Publication<T> {
    pub(super) message: Shared<T>,
    /// The encoded message, if other nodes may want it.
    pub(super) content: Option<Value>,
    pub(super) is_retained: bool,
    /// The message's place among those that wait.
    pub(super) place: OwnedSemaphorePermit,
}

/// Something for the task to do.
enum Work<T> {
    Command(Command<T>),
    Arrived(Incoming),
    Answer(Incoming),
    /// `None` when the node has stopped.
    Family(Option<FamilyEvent<Value>>),
    News(News),
    Idle,
    NodeEnded,
}

/// The end of one turn of the task: it goes on, or it ends.
#[derive(PartialEq)]
enum Turn {
    GoesOn,
    Ends,
}

pub(super) struct Hub<T> {
    node: Node,
    key: Key,
    topic: Arc<str>,
    family: String,
    encodes: Arc<AtomicBool>,
    opened: Weak<Opened<T>>,
    commands: UnboundedReceiver<Command<T>>,
    subscribers: BTreeMap<u64, Arc<Mailbox<T>>>,
    sources: Sources<Shared<T>>,
    receiving: Option<Receiving>,
    publishing: Option<Publishing>,
    tell: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    /// Runs while there are neither subscribers nor, as far as the task knows, handles.
    idle: Option<Pin<Box<Sleep>>>,
    /// The source of work that comes first next time.
    turn: usize,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> Hub<T> {
    pub(super) fn new(
        node: &Node,
        key: Key,
        family: String,
        opened: &Arc<Opened<T>>,
        commands: UnboundedReceiver<Command<T>>,
    ) -> Self {
        let (tell, news) = unbounded_channel();
        Self {
            node: node.clone(),
            topic: Arc::clone(&key.name),
            key,
            family,
            encodes: Arc::clone(&opened.encodes),
            opened: Arc::downgrade(opened),
            commands,
            subscribers: BTreeMap::new(),
            sources: Sources::new(),
            receiving: None,
            publishing: None,
            tell,
            news,
            idle: None,
            turn: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let life = self.node.share_life();
        let mut ended = Box::pin(async move { drop(life.until_over().await) });
        loop {
            let work = poll_fn(|task| self.poll_work(task, ended.as_mut())).await;
            if self.perform(work).await == Turn::Ends {
                return;
            }
            if let Some(publishing) = &self.publishing {
                self.encodes.store(publishing.encodes(), Ordering::Release);
            }
        }
    }

    /// Each source of work comes first in turn, so that none starves. News are few, and come before all: the loss of a
    /// connection is handled before the greeting that arrives over the next one.
    fn poll_work(
        &mut self,
        task: &mut Context<'_>,
        ended: Pin<&mut (impl Future<Output = ()> + ?Sized)>,
    ) -> Poll<Work<T>> {
        if let Poll::Ready(Some(news)) = self.news.poll_recv(task) {
            return Poll::Ready(Work::News(news));
        }
        self.turn = (self.turn + 1) % 4;
        for place in 0..4 {
            let polled = match (self.turn + place) % 4 {
                0 => self
                    .commands
                    .poll_recv(task)
                    .map(|it| it.map(Work::Command)),
                1 => match &mut self.receiving {
                    Some(receiving) => receiving
                        .messages
                        .poll_recv(task)
                        .map(|it| it.map(Work::Arrived)),
                    None => Poll::Pending,
                },
                2 => match &mut self.publishing {
                    Some(publishing) => publishing
                        .answers
                        .poll_recv(task)
                        .map(|it| it.map(Work::Answer)),
                    None => Poll::Pending,
                },
                _ => match &mut self.publishing {
                    Some(publishing) => {
                        let family = Pin::new(&mut publishing.watch).poll_next(task);
                        family.map(|it| Some(Work::Family(it)))
                    }
                    None => Poll::Pending,
                },
            };
            // A channel that has ended belongs to a dead port, whose death is among the news.
            if let Poll::Ready(Some(work)) = polled {
                return Poll::Ready(work);
            }
        }
        if ended.poll(task).is_ready() {
            return Poll::Ready(Work::NodeEnded);
        }
        match &mut self.idle {
            Some(idle) => idle.as_mut().poll(task).map(|()| Work::Idle),
            None => Poll::Pending,
        }
    }

    async fn perform(&mut self, work: Work<T>) -> Turn {
        match work {
            Work::Command(command) => self.obey(command).await,
            Work::Arrived(incoming) => self.arrived(incoming).await,
            Work::Answer(incoming) => {
                if let Some(publishing) = &self.publishing {
                    publishing.answer(incoming);
                }
            }
            Work::Family(Some(event)) => {
                let own = self.receiving.as_ref().map(Receiving::inlet);
                if let Some(publishing) = &mut self.publishing {
                    publishing.change(event, own.as_ref(), &self.tell);
                }
            }
            Work::News(news) => self.receive(news).await,
            Work::Idle => return self.close(),
            Work::Family(None) | Work::NodeEnded => return Turn::Ends,
        }
        Turn::GoesOn
    }

    async fn obey(&mut self, command: Command<T>) {
        match command {
            Command::Publish(publication) => self.publish(publication).await,
            Command::Subscribe(id, mailbox) => {
                self.idle = None;
                if self.receiving.is_none() {
                    self.receiving = Some(Receiving::new(&self.node, &self.family, &self.tell));
                }
                if let Some(retained) = self.sources.retained(self.node.id()) {
                    mailbox.push(Item::Retained(retained));
                }
                self.subscribers.insert(id, mailbox);
            }
            Command::Unsubscribe(id) => {
                guard::discard(self.subscribers.remove(&id));
                self.has_left();
            }
            Command::Nodes(to) => self.publishing().tell_nodes(to),
            Command::Left => self.has_left(),
        }
    }

    /// A subscriber, or a handle, is gone.
    fn has_left(&mut self) {
        if !self.subscribers.is_empty() {
            return;
        }
        self.receiving = None;
        self.sources.forget_others();
        self.idle = Some(Box::pin(sleep(LINGER)));
    }

    /// The topic has not been used for a while. It ends, unless it has handles, or commands of their last moments.
    fn close(&mut self) -> Turn {
        self.idle = None;
        let is_used = || !self.commands.is_empty();
        if !self.node.topics().close(&self.key, &self.opened, is_used) {
            return Turn::GoesOn;
        }
        if let Some(publishing) = &self.publishing {
            publishing.end();
        }
        Turn::Ends
    }

    fn publishing(&mut self) -> &mut Publishing {
        let (node, topic, family, tell) = (&self.node, &self.topic, &self.family, &self.tell);
        self.publishing
            .get_or_insert_with(|| Publishing::new(node, topic, family, tell))
    }

    async fn publish(&mut self, publication: Publication<T>) {
        let Publication {
            message,
            mut content,
            is_retained,
            place,
        } = publication;
        self.deliver(&Item::Message(message.clone())).await;
        let stamp = is_retained.then(|| self.sources.stamp());
        if let Some(stamp) = stamp {
            self.sources.retain_own(stamp, message.clone());
        }
        let publishing = self.publishing();
        if content.is_none() && publishing.encodes() {
            // The publisher knew of no other nodes.
            content = message.get().and_then(|message| match encode(message) {
                Ok(content) => Some(content),
                Err(error) => {
                    crate::log::error!("a message of a topic did not reach other nodes: {error}");
                    None
                }
            });
        }
        publishing.publish(content, stamp);
        // A publisher may wait for the place, with a waker of its own.
        guard::discard(place);
    }

    async fn deliver(&mut self, item: &Item<T>) {
        let mut over = Vec::new();
        for (told, (id, mailbox)) in self.subscribers.iter().enumerate() {
            if !mailbox.push(item.clone()) {
                over.push(*id);
            }
            if told % SLICE == SLICE - 1 {
                consume_budget().await;
            }
        }
        if !over.is_empty() {
            for id in over {
                guard::discard(self.subscribers.remove(&id));
            }
            self.has_left();
        }
    }

    async fn tell_gap(&mut self, gap: Gap) {
        if gap.messages != Some(0) {
            self.deliver(&Item::Gap(Box::new(gap))).await;
        }
    }

    async fn arrived(&mut self, incoming: Incoming) {
        let from = incoming.from;
        let Some(said) = Said::read(incoming.message) else {
            let topic = short(&self.topic);
            let text = format_args!("a message for the topic {topic:?} is none");
            return self.node.complain(&from, text);
        };
        match said {
            Said::Hello {
                topic,
                instance,
                next,
                answer,
                retained,
            } => {
                // An entry in the family of another topic would mix the two up.
                let is_own = self
                    .publishing
                    .as_ref()
                    .is_some_and(|own| own.is_own(&instance));
                if *topic == *self.topic && answer.node() == from.as_str() && !is_own {
                    self.greeted(&from, &instance, next, &answer, retained)
                        .await;
                }
            }
            Said::Message {
                instance,
                number,
                content,
                stamp,
            } => {
                self.watch(&from);
                let Some(missed) = self.sources.numbered(&from, &instance, number) else {
                    return;
                };
                self.tell_gap(Gap::of(&from, Some(missed))).await;
                let Some(message) = self.decode(&from, content) else {
                    return self.tell_gap(Gap::of(&from, Some(1))).await;
                };
                if let Some(stamp) = stamp {
                    self.sources
                        .retain(&from, &instance, stamp, message.clone());
                }
                self.deliver(&Item::Message(message)).await;
            }
            Said::Bye { instance, next } => {
                let missed = self.sources.ended(&from, &instance, next);
                self.tell_gap(Gap::of(&from, Some(missed))).await;
                if !self.sources.has(&from)
                    && let Some(receiving) = &mut self.receiving
                {
                    receiving.unwatch(&from);
                }
            }
            Said::Welcome { .. } => {}
        }
    }

    async fn greeted(
        &mut self,
        from: &NodeId,
        instance: &str,
        next: u64,
        answer: &PortId,
        retained: Option<(u64, u64, Value)>,
    ) {
        self.watch(from);
        let retained = retained.and_then(|(number, stamp, content)| {
            let message = self.decode(from, content)?;
            Some(Retained {
                number,
                stamp,
                message,
            })
        });
        let greeted = self.sources.greeted(from, instance, next, retained);
        self.tell_gap(Gap::of(from, Some(greeted.missed))).await;
        if let Some(message) = greeted.retained {
            self.deliver(&Item::Retained(message)).await;
        }
        if let Some(receiving) = &self.receiving {
            self.node.relay(answer, wire::welcome(&receiving.inlet()));
        }
    }

    fn watch(&mut self, publisher: &NodeId) {
        if let Some(receiving) = &mut self.receiving {
            receiving.watch(publisher, &self.tell);
        }
    }

    fn decode(&self, from: &NodeId, content: Value) -> Option<Shared<T>> {
        let _scope = self.node.decoding();
        let decoded = guard::attempt(|| from_value(content));
        let error = match decoded {
            Ok(Ok(message)) => return Some(Shared::new(message)),
            Ok(Err(error)) => error.to_string(),
            Err(panic) => panic,
        };
        let text = format_args!("a message of the topic {:?}: {error}", short(&self.topic));
        self.node.complain(from, text);
        None
    }

    async fn receive(&mut self, news: News) {
        match news {
            News::NodeLost(node, number) => {
                let receiving = self.receiving.as_mut();
                let is_lost = receiving.is_some_and(|receiving| receiving.is_lost(&node, number));
                if is_lost && self.sources.lost(&node) {
                    self.tell_gap(Gap::of(&node, None)).await;
                }
            }
            News::InletDied(inlet) => {
                let is_own = self
                    .receiving
                    .as_ref()
                    .is_some_and(|own| own.inlet() == inlet);
                if is_own && !self.node.life().is_ending() {
                    let mut receiving = Receiving::new(&self.node, &self.family, &self.tell);
                    for publisher in self.sources.present() {
                        receiving.watch(publisher, &self.tell);
                    }
                    self.receiving = Some(receiving);
                    self.tell_gap(Gap::ANY).await;
                }
            }
            News::RouteEnded(inlet) => {
                if let Some(publishing) = &mut self.publishing {
                    publishing.route_ended(&inlet, &self.tell);
                }
            }
            News::AnswersDied(port) => {
                if let Some(publishing) = &mut self.publishing
                    && !self.node.life().is_ending()
                {
                    publishing.renew_answers(&port, &self.tell);
                }
            }
        }
    }
}

/// Encodes a message for other nodes.
pub(super) fn encode<T: Serialize>(message: &T) -> Result<Value, EncodeError> {
    guard::attempt(|| to_value(message)).unwrap_or_else(|text| Err(EncodeError::Custom(text)))
}

impl<T> Drop for Hub<T> {
    /// However the task ends.
    fn drop(&mut self) {
        self.commands.close();
        while let Ok(command) = self.commands.try_recv() {
            if let Command::Subscribe(_, mailbox) = &command {
                mailbox.end();
            }
            guard::discard(command);
        }
        for mailbox in std::mem::take(&mut self.subscribers).into_values() {
            mailbox.end();
            guard::discard(mailbox);
        }
    }
}
