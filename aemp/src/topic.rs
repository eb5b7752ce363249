//! Topics: publish and subscribe, to subscribers of any node.
//!
//! A topic has a name, which is any text, and messages of one type. All nodes that open it by the same name meet there.
//!
//! ```
//! use aemp::{Node, topic::TopicEvent};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::local()?;
//! let room = node.topic::<String>("room:42")?;
//! let mut heard = room.subscribe();
//! room.publish("hello".into())?;
//! let Some(TopicEvent::Message(text)) = heard.next().await else { panic!("a message") };
//! assert_eq!(*text, "hello");
//! # Ok(()) }
//! ```
//!
//! | you want | use |
//! | --- | --- |
//! | to publish | [`Topic::publish`], [`Topic::send`] |
//! | later subscribers to get the last message, too | [`Topic::retain`] |
//! | to subscribe: a stream | [`Topic::subscribe`], [`Subscription`] |
//! | a policy for a slow subscriber | [`Topic::subscribe_with`], [`Slow`] |
//! | the events as messages of a port | [`Subscription::forward`], [`Cx::stream`](crate::Cx::stream) |
//! | to know which nodes have subscribers | [`Topic::nodes`] |
//! | the members that are present, with metadata | [`Node::presence`](crate::Node::presence), [`Presence`] |
//!
//! The handbook's page ([`handbook::topics`](crate::handbook::topics)) has the semantics and the limits. Perl nodes take
//! part ([protocol](aemp_proto::protocol::topics#messages)).
// # Design
//
// - **A family for each topic, an entry for each node.** A node with subscribers enters one port, its inlet, in the
//   topic's family. A publisher sends each message to each inlet once, and the inlet's node fans it out. Phoenix sends
//   to each node of a cluster, subscribed or not; Pekko's mediator and OTP's `pg` hold all members at all nodes. The
//   database tells only publishers, and only with the first message.
// - **Numbers instead of acknowledgements.** A publisher numbers its messages, and greets each inlet with the number of
//   the next one (`sources`). So an inlet counts exactly the messages that a lost connection, a slow connection, or an
//   entry that was gone for a while has cost. It cannot count those of a publisher whose node is lost, and reports them
//   as a gap of unknown size. Nothing is sent twice, so nothing is delivered twice.
// - **An inlet answers before it is sent to** (`route`). The database does not name the node that has set an entry, and a peer may
//   enter a foreign port. That costs its owner one message at a time.
// - **The monitor of the inlet counts, not its entry.** An entry that vanishes while masters change ends nothing.
// - **Slow readers wait in their own queue** (`pending`), slow nodes in the queue of their route, and publishers for the
//   topic's task. Each of these queues has a bound and counts. The inlet's port is bounded for nodes of this project; a
//   peer that floods it all the same meets `max_port_queue`, the port dies, and the task makes a new one.
// - **The topic's task is no port** (`hub`): every peer may kill a port, and a kill must not take the subscribers along.
//
// Left out: patterns of names and hierarchies (a watch of the database knows one family); delivery to one of several
// subscribers (`Pool`); messages of the time before the subscription, except the retained one.
//
// Dangers: code of the user (keys, `Deserialize`, `Drop` of messages) runs on the topic's task. It is guarded, but a
// slow one delays the topic at this node.

mod event;
mod hub;
mod mailbox;
mod name;
mod pending;
mod presence;
mod publish;
mod receive;
mod route;
mod slow;
mod sources;
mod subscription;
mod topics;
mod wire;

use std::{
    fmt,
    sync::{Arc, atomic::Ordering},
};

use aemp_codec::{NodeId, PortId, Value};
use serde::{Serialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError, oneshot};

use self::{
    event::Shared,
    hub::{Command, Publication},
    mailbox::Mailbox,
    topics::Opened,
};
pub use self::{
    event::{Gap, TopicEvent},
    name::TopicNameError,
    presence::{Membership, Presence, PresenceError, PresenceEvent, PresenceWatch},
    slow::Slow,
    subscription::Subscription,
};
pub(crate) use self::{presence::Members, topics::Topics};
use crate::{EncodeError, Node};

/// News for the task of a topic.
enum News {
    /// The connection to a publishing node was lost, as the monitor of this number reports.
    NodeLost(NodeId, u64),
    InletDied(PortId),
    RouteEnded(PortId),
    AnswersDied(PortId),
}

/// The error of a message that was not published.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The topic's task has not yet handled the messages before. [`Topic::send`] waits.
    #[error("too many messages of this node wait to be published")]
    Full,
    /// The message cannot be put on the wire.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The node has ended.
    #[error("the node has stopped")]
    Stopped,
}

/// A topic as one node sees it, made by [`Node::topic`]. Cheap to clone. See the [module](self).
pub struct Topic<T> {
    node: Node,
    opened: Arc<Opened<T>>,
}

impl Node {
    /// Opens a topic. All handles of the topic with the same type share its connections, at this node. It stays open for
    /// as long as there are handles or subscriptions, and some seconds more.
    ///
    /// The messages of one topic should have the same type everywhere. A message that does not deserialise as a `T` is
    /// logged, and is a [`Gap`] of one message here.
    ///
    /// # Errors
    ///
    /// [`TopicNameError`] if the name is empty, or too long for the name of a family: 243 letters and digits, or a third
    /// of that in other characters of ASCII.
    #[doc(alias = "PubSub")]
    pub fn topic<T>(&self, name: &str) -> Result<Topic<T>, TopicNameError>
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let family = name::family(name::SUBSCRIBERS, name)?;
        Ok(Topic {
            node: self.clone(),
            opened: self.topics().open(self, name, family),
        })
    }
}

impl<T> Topic<T> {
    /// The topic's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.opened.name
    }

    /// Subscribes with the policy that is the default of [`Slow`]: of a thousand waiting events the oldest is lost for
    /// each new one.
    ///
    /// The subscription gets the messages that this node publishes from now on. It gets those of another node as soon as that
    /// node knows that this one has a subscriber.
    #[must_use = "dropping it ends the subscription"]
    pub fn subscribe(&self) -> Subscription<T> {
        self.subscribe_with(Slow::default())
    }

    /// Subscribes with a policy for the case that the subscriber is too slow.
    #[must_use = "dropping it ends the subscription"]
    pub fn subscribe_with(&self, slow: Slow<T>) -> Subscription<T> {
        let mailbox = Arc::new(Mailbox::new(slow));
        let id = self.opened.last_id.fetch_add(1, Ordering::Relaxed);
        let subscribe = Command::Subscribe(id, Arc::clone(&mailbox));
        if self.opened.commands.send(subscribe).is_err() {
            mailbox.end();
        }
        Subscription {
            id,
            node: self.node.clone(),
            mailbox,
            commands: self.opened.commands.clone(),
        }
    }

    /// The nodes with subscribers, except this one, as far as this node knows. A message that is published now is sent to
    /// them. The first message, or the first call of this, begins to watch for them.
    ///
    /// # Errors
    ///
    /// [`PublishError::Stopped`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn nodes(&self) -> Result<Vec<NodeId>, PublishError> {
        let (tell, told) = oneshot::channel();
        let _ = self.opened.commands.send(Command::Nodes(tell));
        told.await.map_err(|_| PublishError::Stopped)
    }

    fn room(&self) -> Result<OwnedSemaphorePermit, PublishError> {
        let room = Arc::clone(&self.opened.room).try_acquire_owned();
        room.map_err(|error| match error {
            TryAcquireError::NoPermits => PublishError::Full,
            TryAcquireError::Closed => PublishError::Stopped,
        })
    }
}

impl<T: Serialize> Topic<T> {
    /// Publishes a message. This never waits.
    ///
    /// # Errors
    ///
    /// [`PublishError::Full`] if 4096 messages of this node wait for the topic's task; [`PublishError::Encode`] if the
    /// message cannot be encoded, which is only tried if other nodes may have subscribers; [`PublishError::Stopped`].
    pub fn publish(&self, message: T) -> Result<(), PublishError> {
        let message = Shared::new(message);
        self.hand_over(message, false, self.room()?)
    }

    /// Publishes a message, and waits for room first if too many messages of this node wait.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish), without `Full`.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, the message has not been published.
    pub async fn send(&self, message: T) -> Result<(), PublishError> {
        let message = Shared::new(message);
        let room = Arc::clone(&self.opened.room).acquire_owned().await;
        self.hand_over(message, false, room.map_err(|_| PublishError::Stopped)?)
    }

    /// Publishes a message, and keeps it as the retained message of the topic: later subscribers get it first, as
    /// [`TopicEvent::Retained`].
    ///
    /// Of several retained messages the one counts that was published last, as far as its publisher knew of the others.
    /// It is kept by the node that has published it, for as long as the topic is open there, and is gone with that node;
    /// then the last one of the others counts.
    ///
    /// # Errors
    ///
    /// As [`publish`](Self::publish).
    #[doc(alias = "last_value")]
    pub fn retain(&self, message: T) -> Result<(), PublishError> {
        let message = Shared::new(message);
        self.hand_over(message, true, self.room()?)
    }

    fn hand_over(
        &self,
        message: Shared<T>,
        is_retained: bool,
        place: OwnedSemaphorePermit,
    ) -> Result<(), PublishError> {
        let is_encoded = is_retained || self.opened.encodes.load(Ordering::Acquire);
        let content = match message.get() {
            Some(message) if is_encoded => Some(self.encode(message)?),
            _ => None,
        };
        let publish = Command::Publish(Publication {
            message,
            content,
            is_retained,
            place,
        });
        let sent = self.opened.commands.send(publish);
        sent.map_err(|_| PublishError::Stopped)
    }

    fn encode(&self, message: &T) -> Result<Value, PublishError> {
        let content = hub::encode(message)?;
        let limit = self.node.limits().max_packet / 2;
        match aemp_proto::weight(&content) <= limit {
            true => Ok(content),
            false => Err(EncodeError::TooLarge { limit }.into()),
        }
    }
}

impl<T> Clone for Topic<T> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            opened: Arc::clone(&self.opened),
        }
    }
}

impl<T> Drop for Topic<T> {
    fn drop(&mut self) {
        let _ = self.opened.commands.send(Command::Left);
    }
}

impl<T> fmt::Debug for Topic<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Topic")
            .field("name", &self.name())
            .finish_non_exhaustive()
    }
}
