//! Typed handles.

mod compare;
mod renamed;

use std::{
    cell::RefCell,
    fmt,
    pin::pin,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use aemp_codec::{PortId, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::sync::OwnedSemaphorePermit;

use super::{
    any::{AnyPort, LocalPort, typed},
    bound,
    call::Call,
    credit::{Bound, Promises},
    destination::{Destination, Way},
    monitor::{self, Action, Monitor},
    peval::Peval,
    queue::Pushed,
    reply::Reply,
    room,
    slot::Slot,
};
use crate::{
    CallError, Cx, HandleError, Node, Reason, SendError, Sent, TrySendError,
    exec::scheduler,
    guard,
    message::{Message, PortRef},
};

/// A handle of a port that accepts messages of type `M`, on this node or on another one.
///
/// The handles that `#[port]` generates wrap a `Handle` and dereference to it. A handle is cheap to clone, `Send` and
/// `Sync`. It serialises as the port's ID, so handles travel in messages.
///
/// Handles are compared, ordered and hashed by the IDs of their ports, so they can be keys of maps. The lint
/// `clippy::mutable_key_type` cannot know that an ID never changes. A line in `clippy.toml` tells it, for generated
/// handles as well: `ignore-interior-mutability = ["bytes::Bytes", "aemp::Handle"]`.
#[doc(alias = "Recipient")]
#[doc(alias = "ActorRef")]
#[doc(alias = "Addr")]
#[doc(alias = "Pid")]
pub struct Handle<M: Message> {
    pub(crate) to: To<M>,
}

pub(crate) enum To<M> {
    /// A port of this node: messages are moved into its queue.
    Local(Arc<dyn LocalPort<M>>),
    /// Any other port: messages are encoded.
    Far(Arc<Destination>),
}

thread_local! {
    /// The node whose messages this thread is decoding.
    static DECODING: RefCell<Option<Node>> = const { RefCell::new(None) };
}

/// While this value lives, handles that are deserialised on this thread belong to its node.
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

/// The node whose message this thread is decoding.
pub(crate) fn decoding_node() -> Option<Node> {
    DECODING.with_borrow(Clone::clone)
}

impl<M: Message> Handle<M> {
    pub(crate) fn local(port: Arc<dyn LocalPort<M>>) -> Self {
        Self {
            to: To::Local(port),
        }
    }

    /// Makes a handle from a port ID.
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

    /// The node that this handle belongs to. It is the node that sends, not the node of the port.
    #[must_use]
    pub fn node(&self) -> &Node {
        match &self.to {
            To::Local(port) => port.node(),
            To::Far(to) => &to.node,
        }
    }

    /// True if the port lives on the handle's own node.
    #[must_use]
    pub fn is_local(&self) -> bool {
        match &self.to {
            To::Local(_) => true,
            To::Far(to) => matches!(to.way, Way::Here),
        }
    }

    /// Sends a message. This never blocks. A message to a dead port vanishes.
    ///
    /// A bounded port accepts the message even if its queue is full. The bound is for senders that wait by
    /// [`send`](Self::send).
    #[doc(alias = "tell")]
    #[doc(alias = "cast")]
    #[doc(alias = "snd")]
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

    /// Sends a message, and waits for room first: in the queue of a [bounded](Self::bound) port, on this node or
    /// another node of this project, and in the queue of packets for a node that is slower than its senders.
    ///
    /// For a port of another node, it also waits until the node is connected. If no message was sent to this port by
    /// `send` for a second, it waits for an answer of that node (one round trip). It stops to wait when the port
    /// dies, the connection is lost, or this node ends; then the message is sent as [`post`](Self::post) would send
    /// it.
    ///
    /// *Limits.* A handler that waits for room in its own full port waits for ever, and so do the handlers of full ports that
    /// wait for each other: none of them makes room. [`try_send`](Self::try_send) and [`Cx::then`](crate::Cx::then) are the
    /// means against that.
    ///
    /// # Errors
    ///
    /// [`SendError::Dead`] if the port belongs to this node and is dead; [`SendError::Encode`] if the message cannot
    /// be encoded.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, the message has not been sent.
    pub async fn send(&self, message: M) -> Result<(), SendError> {
        match &self.to {
            To::Local(port) => room::send_bounded(port, message).await,
            To::Far(to) => {
                let leave = leave_to_send(to).await;
                send_far(to, message, leave)
            }
        }
    }

    /// Sends a message if there is room for it. As [`send`](Self::send), without the waiting.
    ///
    /// For a port of another node, the first use asks that node for room, and fails with `Full` until the answer has
    /// come.
    ///
    /// ```
    /// use aemp::{Node, TrySendError, port};
    ///
    /// struct Printer;
    ///
    /// #[port]
    /// impl Printer {
    ///     #[rcv]
    ///     async fn print(&mut self, page: u64) { std::future::pending().await }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let printer = Node::local()?.port(Printer);
    /// printer.bound(2);
    /// printer.try_send(PrinterMsg::Print(1))?;
    /// printer.try_send(PrinterMsg::Print(2))?;
    /// let full = printer.try_send(PrinterMsg::Print(3));
    /// assert!(matches!(full, Err(TrySendError::Full(PrinterMsg::Print(3)))));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`TrySendError::Full`] with the message; [`TrySendError::Send`] with the errors of [`send`](Self::send).
    #[doc(alias = "tell")]
    pub fn try_send(&self, message: M) -> Result<(), TrySendError<M>> {
        match &self.to {
            To::Local(port) => match port.try_push(message) {
                Ok(Pushed::Wake) => {
                    scheduler::schedule(upcast(port));
                    Ok(())
                }
                Ok(Pushed::Queued | Pushed::Backlog) => Ok(()),
                Ok(Pushed::Dead) => Err(SendError::Dead.into()),
                Err((message, _)) => Err(TrySendError::Full(message)),
            },
            To::Far(to) => {
                let mut leave = pin!(leave_to_send(to));
                let task = &mut Context::from_waker(Waker::noop());
                let Poll::Ready(leave) = leave.as_mut().poll(task) else {
                    return Err(TrySendError::Full(message));
                };
                Ok(send_far(to, message, leave)?)
            }
        }
    }

    /// Calls the port. `message` makes the message from the reply.
    #[doc(alias = "cal")]
    #[doc(alias = "ask")]
    pub fn call<T: Send + 'static>(&self, message: impl FnOnce(Reply<T>) -> M) -> Call<M, T> {
        let slot = Slot::new();
        let message = message(Reply::local(Arc::clone(&slot)));
        Call::new(self.clone(), message, slot)
    }

    /// Kills the port with a reason. `()` is the reason of a normal end.
    ///
    /// The kill is in order with the caller's messages: earlier ones are handled, later ones vanish. A port that
    /// kills itself ends when its running handler returns, and drops its queue.
    ///
    /// A kill cancels async handlers: a running one at its next `await`, and each one that is queued before the kill at
    /// its first `await`. [`stop`](Self::stop) lets them run to their end.
    #[doc(alias = "kil")]
    pub fn kill(&self, reason: impl Into<Reason>) {
        match &self.to {
            To::Local(port) => monitor::kill(&core(port), reason.into()),
            To::Far(to) => to.kill(reason.into()),
        }
    }

    /// Calls `callback` once with the reason when the port dies, or its node is lost.
    #[doc(alias = "mon")]
    #[doc(alias = "watch")]
    pub fn monitor(&self, callback: impl FnOnce(&Reason) + Send + 'static) -> Monitor {
        self.add_monitor(Action::Call(Box::new(callback)))
    }

    /// Kills `other` with the same reason when this port dies. A normal end is not passed on. `other` may live on
    /// another node.
    ///
    /// A link works in one direction. To make two ports die together, link each to the other.
    #[doc(alias = "mon_kil")]
    pub fn link<N: Message>(&self, other: &Handle<N>) -> Monitor {
        self.add_monitor(match &other.to {
            To::Local(port) => Action::Link(Arc::downgrade(&core(port))),
            To::Far(to) => Action::LinkFar(Arc::clone(to)),
        })
    }

    /// Sends `message` to `to` when the port dies, with the elements of the reason appended.
    #[doc(alias = "mon_snd")]
    #[doc(alias = "watch_with")]
    pub fn monitor_send(&self, to: &PortId, message: Vec<Value>) -> Monitor {
        self.add_monitor(Action::Send(self.node().clone(), to.clone(), message))
    }

    /// Keeps `values` for as long as the port lives. They are dropped when the port dies, or when the returned guard
    /// is dropped. After [`Monitor::detach`] only the port's death drops them.
    ///
    /// If the port is dead, or belongs to another node, the values are dropped at once.
    #[doc(alias = "mon_guard")]
    pub fn monitor_guard(&self, values: impl Send + 'static) -> Monitor {
        match self.to_local() {
            Some(port) => bound::guard(&port, values),
            None => {
                guard::discard(values);
                Monitor::gone()
            }
        }
    }

    pub(crate) fn add_monitor(&self, action: Action) -> Monitor {
        match &self.to {
            To::Local(port) => Monitor::local(&core(port), action),
            To::Far(to) => to.monitor(action),
        }
    }

    /// The port itself, if it belongs to this node and is alive.
    pub(crate) fn to_local(&self) -> Option<Arc<dyn AnyPort>> {
        match &self.to {
            To::Local(port) => Some(core(port)),
            To::Far(to) => to.local(),
        }
    }

    /// Runs code in the context of the port, in order with its messages. The code runs even if the result is not
    /// awaited; see [`Peval`].
    pub fn peval<T: Send + 'static>(
        &self,
        run: impl FnOnce(&mut Cx<'_>) -> T + Send + 'static,
    ) -> Peval<T> {
        match self.to_local() {
            Some(port) => Peval::start(&port, run),
            None => {
                guard::discard(run);
                Peval::failed(self.not_here())
            }
        }
    }

    /// The error of an operation that needs a living port of this node.
    fn not_here(&self) -> CallError {
        let id = self.id();
        if self.is_local() {
            return CallError::Died(self.node().epitaph(&id));
        }
        SendError::Remote(id).into()
    }

    /// Sets a bound of the port's queue, for senders that wait by [`send`](Self::send), on this node and on other
    /// nodes of this project. Returns `false` if the port is dead or belongs to another node.
    ///
    /// Messages in the queue count, those of the batch that the port is handling, and those in the mailbox of a
    /// [process](crate::handbook::processes). The bound can be exceeded:
    /// [`post`](Self::post) ignores it, and if several other nodes send, each node but the first may add one message.
    /// A bound that is set, or made smaller, while other nodes send takes effect within a second.
    #[doc(alias = "mailbox")]
    pub fn bound(&self, messages: usize) -> bool {
        let Some(port) = self.to_local() else {
            return false;
        };
        let limit = messages.max(1);
        let line = port.extras(|extras| {
            let in_hand = usize::from(extras.waiting.is_some());
            let bound = extras.bound.get_or_insert_with(|| {
                Box::new(Bound {
                    limit,
                    in_hand,
                    line: Arc::default(),
                    promises: Promises::default(),
                    waiting: 0,
                })
            });
            bound.limit = limit;
            let line = Arc::clone(&bound.line);
            if let Some(mailbox) = &extras.mailbox {
                mailbox.is_bounded(&line);
            }
            line
        });
        if let Some(line) = &line {
            line.wake_all();
        }
        line.is_some()
    }

    /// The number of messages in the queue of a port of this node, and in the mailbox of its
    /// [process](crate::handbook::processes); `None` if the port is dead or belongs to another node.
    #[doc(alias = "mailbox")]
    #[must_use]
    pub fn queue_len(&self) -> Option<usize> {
        let port = self.to_local()?;
        port.died().is_none().then(|| port.queue_len())
    }
}

/// Waits for permission to send a message to a port of another node.
async fn leave_to_send(to: &Destination) -> Option<OwnedSemaphorePermit> {
    match to.peer() {
        Some(peer) => peer.leave_to_send(to.name(), &to.told).await,
        None => None,
    }
}

fn send_far<M: Message>(
    to: &Destination,
    message: M,
    leave: Option<OwnedSemaphorePermit>,
) -> Result<(), SendError> {
    let sent = to.send_message(message);
    // Even if the send failed: the next message may need a new permission.
    if let (Some(leave), Some(peer)) = (leave, to.peer()) {
        peer.has_sent(to.name(), leave);
    }
    sent.check()
}

pub(super) fn upcast<M>(port: &Arc<dyn LocalPort<M>>) -> Arc<dyn AnyPort> {
    Arc::<dyn LocalPort<M>>::clone(port)
}

/// The port of a handle, which the result does not hold.
pub(super) fn core<M>(port: &Arc<dyn LocalPort<M>>) -> Arc<dyn AnyPort> {
    Arc::clone(port).core()
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

impl<M: Message> fmt::Display for Handle<M> {
    /// The port's ID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.id(), f)
    }
}

impl<M: Message> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.id())
    }
}

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
    /// Works only while a message is being decoded. Elsewhere, deserialise a [`PortId`] and use [`Node::handle`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = PortId::deserialize(deserializer)?;
        DECODING.with_borrow(|node| match node {
            Some(node) => Ok(Self::from_id(node, &id)),
            None => Err(serde::de::Error::custom(HandleError::NoNode)),
        })
    }
}
