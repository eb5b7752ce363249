//! Typed handles.

use std::{cell::RefCell, fmt, sync::Arc};

use aemp_codec::{PortId, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    any::{AnyPort, LocalPort, typed},
    bound,
    call::{self, Call},
    credit::Promises,
    destination::{Destination, Way},
    extras::{Bound, Job},
    monitor::{self, Action, Monitor},
    queue::Pushed,
    reply::Reply,
    slot::Slot,
};
use crate::{
    Cx, HandleError, Node, Reason, SendError, Sent,
    exec::scheduler,
    guard,
    message::{Message, Outcome, PortRef},
};

/// A handle of a port that takes messages of type `M`, here or on another node.
///
/// The handles that `#[port]` generates wrap one and dereference to it. Cheap to clone, `Send` and `Sync`, and serialises
/// as the port's ID, so that handles travel in messages.
pub struct Handle<M: Message> {
    pub(crate) to: To<M>,
}

pub(crate) enum To<M> {
    /// Typed: messages are moved into the queue.
    Local(Arc<dyn LocalPort<M>>),
    /// Messages are encoded.
    Far(Arc<Destination>),
}

thread_local! {
    /// The node whose messages this thread is decoding.
    static DECODING: RefCell<Option<Node>> = const { RefCell::new(None) };
}

/// For as long as this lives, handles that are deserialised on this thread belong to the node.
pub(crate) struct DecodingScope {
    before: Option<Node>,
}

impl DecodingScope {
    pub(crate) fn enter(node: &Node) -> Self {
        Self {
            before: DECODING.replace(Some(node.clone())),
        }
    }
}

impl Drop for DecodingScope {
    fn drop(&mut self) {
        DECODING.set(self.before.take());
    }
}

impl<M: Message> Handle<M> {
    pub(crate) fn local(port: Arc<dyn LocalPort<M>>) -> Self {
        Self {
            to: To::Local(port),
        }
    }

    /// The handle of a port that is known by its ID.
    pub(crate) fn from_id(node: &Node, id: &PortId) -> Self {
        let to = node.destination(id);
        if let Some(port) = to.local()
            && let Some(typed) = typed(port)
        {
            return Self::local(typed);
        }
        Self {
            to: To::Far(Arc::new(to)),
        }
    }

    /// The port's ID.
    #[must_use]
    pub fn id(&self) -> PortId {
        match &self.to {
            To::Local(port) => port.node().local_port_id(&**port),
            To::Far(to) => to.id.clone(),
        }
    }

    /// The node that this handle belongs to: the one that sends, not the one where the port lives.
    #[must_use]
    pub fn node(&self) -> &Node {
        match &self.to {
            To::Local(port) => port.node(),
            To::Far(to) => &to.node,
        }
    }

    /// Whether the port lives on the handle's own node.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.to {
            To::Local(_) => true,
            To::Far(to) => matches!(to.way, Way::Here),
        }
    }

    /// Sends a message: never blocks, and a message to a dead port vanishes.
    ///
    /// A bounded port takes it even if it is full: the bound is for those who wait with [`send`](Self::send).
    pub fn post(&self, message: M) -> Sent {
        match &self.to {
            To::Local(port) => {
                match port.push(message) {
                    Pushed::Wake => scheduler::schedule(upcast(port)),
                    Pushed::Backlog => port.node().scheduler().nudge(),
                    Pushed::Queued | Pushed::Dead => {}
                }
                Sent::ok()
            }
            To::Far(to) => {
                let sent = to.send_message(message);
                sent.log("a message", &to.id);
                sent
            }
        }
    }

    /// Sends a message, waiting for room: in the queue of a [bounded](Self::bound) port, here or on another node of this project,
    /// and in the queue of a node that takes messages more slowly than they are sent.
    ///
    /// To another node, it waits as well while that is being connected to, and for an answer of that node (a round trip) if nothing has
    /// been sent to the port like that for a second. If the port dies, the connection is lost, or the own node ends, it waits no longer:
    /// what then becomes of the message is what becomes of any.
    ///
    /// # Errors
    ///
    /// [`SendError::Dead`] if a port of this node is dead; [`SendError::Encode`].
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, the message has not been sent.
    pub async fn send(&self, message: M) -> Result<(), SendError> {
        match &self.to {
            To::Local(port) => call::send_bounded(port, message).await,
            To::Far(to) => {
                let leave = match to.remote() {
                    Some(remote) => remote.leave_to_send(to.name(), &to.told).await,
                    None => None,
                };
                let sent = to.send_message(message);
                // Whatever has become of the message: the next one may have to be asked for.
                if let (Some(leave), Some(remote)) = (leave, to.remote()) {
                    remote.has_sent(to.name(), leave);
                }
                sent.check()
            }
        }
    }

    /// Calls the port: `message` is given the reply to put into the message.
    pub fn call<T: Send + 'static>(&self, message: impl FnOnce(Reply<T>) -> M) -> Call<M, T> {
        let slot = Slot::new();
        let message = message(Reply::local(Arc::clone(&slot)));
        Call::new(self.clone(), message, slot)
    }

    /// Kills the port with a reason; `()` is a normal end.
    ///
    /// In order with what the caller sent before: that is still handled, what comes after vanishes. A port that kills
    /// itself ends when its running handler returns, and what is queued is dropped.
    pub fn kil(&self, reason: impl Into<Reason>) {
        match &self.to {
            To::Local(port) => monitor::kill(&upcast(port), reason.into()),
            To::Far(to) => to.kill(reason.into()),
        }
    }

    /// Calls `callback` once with the reason when the port dies, or its node is lost.
    pub fn mon(&self, callback: impl FnOnce(&Reason) + Send + 'static) -> Monitor {
        self.monitor(Action::Call(Box::new(callback)))
    }

    /// Kills `other`, a port of this node, with the same reason when this port dies of something: a normal end
    /// does not pass on.
    pub fn mon_kil<N: Message>(&self, other: &Handle<N>) -> Monitor {
        match other.to_local() {
            Some(port) => self.monitor(Action::Link(Arc::downgrade(&port))),
            None => Monitor::gone(),
        }
    }

    /// Sends `message` to `to`, with the reason's elements appended, when the port dies.
    pub fn mon_snd(&self, to: &PortId, message: Vec<Value>) -> Monitor {
        self.monitor(Action::Send(self.node().clone(), to.clone(), message))
    }

    pub(crate) fn monitor(&self, action: Action) -> Monitor {
        match &self.to {
            To::Local(port) => Monitor::local(&upcast(port), action),
            To::Far(to) => to.monitor(action),
        }
    }

    /// The local port behind the handle, if it is one and alive.
    pub(crate) fn to_local(&self) -> Option<Arc<dyn AnyPort>> {
        match &self.to {
            To::Local(port) => Some(upcast(port)),
            To::Far(to) => to.local(),
        }
    }

    /// Runs code in the context of the port, in order with its messages: if it fails, the port dies; if the port is dead,
    /// it is dropped. `false` if the port is not one of this node.
    pub fn peval<O: Outcome>(&self, run: impl FnOnce(&mut Cx<'_>) -> O + Send + 'static) -> bool {
        let Some(port) = self.to_local() else {
            return false;
        };
        let job: Job = Box::new(move |cx| cx.of_this_node(|cx| run(cx).outcome()));
        if port.job(job) == Pushed::Wake {
            scheduler::schedule(port);
        }
        true
    }

    /// Drops `values` when the port dies, or at once if it is dead or not one of this node.
    pub fn mon_guard(&self, values: impl Send + 'static) {
        if let Some(port) = self.to_local() {
            bound::guard(&*port, values);
        }
    }

    /// Bounds the port's queue for those who wait with [`send`](Self::send), here and on other nodes of this project. `false` if the
    /// port is dead or not one of this node.
    ///
    /// Messages in the queue count, and those that the port has in hand. Others may exceed the bound: [`post`](Self::post), and by one
    /// message for each node but the first if several other nodes send. A bound that is set, or made smaller, while others send holds
    /// for them after a second at the latest.
    pub fn bound(&self, messages: usize) -> bool {
        let Some(port) = self.to_local() else {
            return false;
        };
        let limit = messages.max(1);
        let room = port.extras(|extras| {
            let in_hand = usize::from(extras.waiting.is_some());
            let bound = extras.bound.get_or_insert_with(|| Bound {
                limit,
                in_hand,
                room: Arc::default(),
                promises: Promises::default(),
                waiting: 0,
            });
            bound.limit = limit;
            Arc::clone(&bound.room)
        });
        if let Some(room) = &room {
            guard::shielded(|| room.notify_waiters());
        }
        room.is_some()
    }

    /// How many messages wait in the queue of a port of this node; `None` for others and for the dead.
    #[must_use]
    pub fn queue_len(&self) -> Option<usize> {
        let port = self.to_local()?;
        port.died().is_none().then(|| port.queue_len())
    }
}

fn upcast<M>(port: &Arc<dyn LocalPort<M>>) -> Arc<dyn AnyPort> {
    Arc::<dyn LocalPort<M>>::clone(port)
}

impl<M: Message> Clone for Handle<M> {
    fn clone(&self) -> Self {
        let to = match &self.to {
            To::Local(port) => To::Local(Arc::clone(port)),
            To::Far(to) => To::Far(Arc::clone(to)),
        };
        Self { to }
    }
}

impl<M: Message> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.id())
    }
}

impl<M: Message> PartialEq for Handle<M> {
    /// Equal if they are handles of the same port.
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl<M: Message> Eq for Handle<M> {}

impl<M: Message> From<Handle<M>> for PortId {
    fn from(handle: Handle<M>) -> Self {
        handle.id()
    }
}

impl<M: Message> PortRef for Handle<M> {
    type Msg = M;

    fn handle(&self) -> &Self {
        self
    }
}

impl<M: Message> Serialize for Handle<M> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.id().serialize(serializer)
    }
}

impl<'de, M: Message> Deserialize<'de> for Handle<M> {
    /// Works while a message is being read; elsewhere read a [`PortId`] and use [`Node::handle`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = PortId::deserialize(deserializer)?;
        DECODING.with_borrow(|node| match node {
            Some(node) => Ok(Self::from_id(node, &id)),
            None => Err(serde::de::Error::custom(HandleError::NoNode)),
        })
    }
}
