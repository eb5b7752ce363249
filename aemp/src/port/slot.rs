//! Where the answer of a call arrives, and the two ways to it: a reply, and a reply port.

use std::{
    any::Any,
    fmt, mem,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    task::{Context, Poll, Waker},
};

use aemp_codec::{DecodeError, NodeId, PacketReader, PortId};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    any::{AnyPort, Counts},
    extras::{Extras, Job},
    monitor::Action,
    queue::Pushed,
};
use crate::{
    CallError, Node, Reason,
    exec::{
        drainer::Turn,
        pace::{Pace, Record},
    },
    message::{Decoding, Encoding, FarReply},
    node::life::NODE_STOPPED,
};

/// Holds one answer until the caller takes it.
pub(crate) struct Slot<T>(Mutex<State<T>>);

enum State<T> {
    Empty,
    Waiting(Waker),
    Done(Result<T, CallError>),
    /// The reply was dropped without an answer: the port died, or its handler chose not to answer.
    Abandoned,
}

/// What a slot holds for its caller.
pub(crate) enum Taken<T> {
    Done(Result<T, CallError>),
    Abandoned,
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(State::Empty)))
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn complete(&self, answer: Result<T, CallError>) {
        self.set(State::Done(answer));
    }

    pub(crate) fn abandon(&self) {
        self.set(State::Abandoned);
    }

    /// The first outcome counts.
    fn set(&self, outcome: State<T>) {
        let mut state = self.lock();
        if matches!(*state, State::Done(_) | State::Abandoned) {
            drop(state);
            drop(outcome);
            return;
        }
        let before = mem::replace(&mut *state, outcome);
        drop(state);
        if let State::Waiting(waker) = before {
            crate::guard::wake(waker);
        }
    }

    /// Takes the outcome, after which the slot is as new.
    pub(crate) fn poll(&self, task: &Context<'_>) -> Poll<Taken<T>> {
        let mut state = self.lock();
        match mem::replace(&mut *state, State::Empty) {
            State::Done(answer) => Poll::Ready(Taken::Done(answer)),
            State::Abandoned => Poll::Ready(Taken::Abandoned),
            State::Waiting(waker) if waker.will_wake(task.waker()) => {
                *state = State::Waiting(waker);
                Poll::Pending
            }
            State::Empty | State::Waiting(_) => {
                *state = State::Waiting(task.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A call that waits for an answer of any type.
pub(crate) trait Caller: Send + Sync {
    fn port_died(&self, reason: &Reason);
}

impl<T: Send> Caller for Slot<T> {
    fn port_died(&self, reason: &Reason) {
        self.complete(Err(CallError::Died(reason.clone())));
    }
}

/// Answers one call; made by the runtime and handed to a handler that asks for it.
///
/// A handler that returns its answer needs none. One that answers later, or from elsewhere, takes a `Reply<T>` as its
/// last parameter and keeps it:
///
/// ```
/// use aemp::{Reply, port};
///
/// #[derive(Default)]
/// struct Door { waiting: Vec<Reply<String>> }
///
/// #[port]
/// impl Door {
///     #[rcv]
///     fn knock(&mut self, reply: Reply<String>) { self.waiting.push(reply) }
///
///     #[rcv]
///     fn open(&mut self) {
///         for reply in self.waiting.drain(..) {
///             reply.send("come in".into());
///         }
///     }
/// }
/// ```
///
/// Dropping it without an answer ends the call with [`CallError::NoReply`].
pub struct Reply<T>(To<T>);

enum To<T> {
    /// Nobody asked: the message was sent, not called.
    Nobody,
    Slot(Arc<Slot<T>>),
    Far(Box<FarReply>),
}

impl<T> Reply<T> {
    /// A reply that goes nowhere.
    #[must_use]
    pub fn nobody() -> Self {
        Self(To::Nobody)
    }

    pub(crate) fn local(slot: Arc<Slot<T>>) -> Self {
        Self(To::Slot(slot))
    }

    /// The caller, if it is one of this process.
    pub(crate) fn caller(&self) -> Option<std::sync::Weak<dyn Caller>>
    where
        T: Send + 'static,
    {
        match &self.0 {
            To::Slot(slot) => {
                let slot = Arc::downgrade(slot);
                Some(slot)
            }
            To::Nobody | To::Far(_) => None,
        }
    }

    /// A reply to a port, here or on another node.
    #[must_use]
    pub fn to_port(cx: &Decoding<'_>, to: PortId) -> Self {
        let node = cx.node().clone();
        Self(To::Far(Box::new(FarReply { node, to })))
    }

    /// Whether somebody waits for the answer.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        !matches!(self.0, To::Nobody)
    }

    /// For a message that leaves the node: the port that the answer will come to, if one is wanted.
    pub fn into_port(mut self, cx: &mut Encoding<'_>) -> Option<PortId>
    where
        T: DeserializeOwned + Send + 'static,
    {
        match mem::replace(&mut self.0, To::Nobody) {
            To::Nobody => None,
            To::Slot(slot) => {
                let reply = LocalReply::open(cx.node, slot, |answer| answer.answer());
                let id = reply.id();
                cx.reply = Some(reply);
                Some(id)
            }
            To::Far(far) => Some(far.to),
        }
    }
}

impl<T: Serialize> Reply<T> {
    /// Sends the answer. It vanishes if the caller does not wait any more.
    pub fn send(mut self, answer: T) {
        match mem::replace(&mut self.0, To::Nobody) {
            To::Nobody => {}
            To::Slot(slot) => slot.complete(Ok(answer)),
            To::Far(far) => {
                let sent = far.node.send_with(&far.to, |out| out.answer(&answer));
                sent.log("an answer", &far.to);
            }
        }
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        if let To::Slot(slot) = &self.0 {
            slot.abandon();
        }
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = match &self.0 {
            To::Nobody => "nobody",
            To::Slot(_) => "a caller of this node",
            To::Far(far) => return write!(f, "Reply({})", far.to),
        };
        write!(f, "Reply({to})")
    }
}

/// Reads the answer that a reply port was sent.
type Read<T> = for<'a, 'p> fn(&'a mut PacketReader<'p>) -> Result<T, DecodeError>;

/// A port that waits for one answer, and lives until it has come or nobody waits any more.
struct ReplyPort<T> {
    node: Node,
    number: u64,
    read: Read<T>,
    slot: Mutex<Option<Arc<Slot<T>>>>,
}

impl<T> ReplyPort<T> {
    fn finish(&self) -> Option<Arc<Slot<T>>> {
        let slot = self
            .slot
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if slot.is_some() {
            self.node.forget_number(self.number);
        }
        slot
    }
}

/// Keeps a reply port open; dropping it closes the port.
pub(crate) struct LocalReply {
    node: Node,
    number: u64,
}

impl LocalReply {
    pub(crate) fn open<T: Send + 'static>(node: &Node, slot: Arc<Slot<T>>, read: Read<T>) -> Self {
        let port = node.insert(|number| {
            Arc::new(ReplyPort {
                node: node.clone(),
                number,
                read,
                slot: Mutex::new(Some(slot)),
            })
        });
        Self {
            node: node.clone(),
            number: port.number,
        }
    }

    pub(crate) fn id(&self) -> PortId {
        self.node.port_id_of(self.number, None)
    }
}

impl Drop for LocalReply {
    fn drop(&mut self) {
        self.node.forget_number(self.number);
    }
}

impl fmt::Debug for LocalReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalReply({})", self.id())
    }
}

impl<T: Send + 'static> AnyPort for ReplyPort<T> {
    fn node(&self) -> &Node {
        &self.node
    }

    fn number(&self) -> u64 {
        self.number
    }

    fn run(self: Arc<Self>, _turn: &mut Turn<'_>) {}

    fn pace(&self) -> &Pace {
        // It is never run.
        static PACE: OnceLock<Pace> = OnceLock::new();
        PACE.get_or_init(|| Pace::unknown(0))
    }

    fn record(&self) -> &'static Record {
        static RECORD: Record = Record::new();
        &RECORD
    }

    fn handler_name(&self, _handler: u32) -> &'static str {
        "reply"
    }

    fn perish(self: Arc<Self>, reason: &Reason) {
        let reason = match reason.is_normal() {
            true => Reason::transport_error(self.node.id().as_str(), NODE_STOPPED),
            false => reason.clone(),
        };
        self.kill(reason);
    }

    fn kill(&self, reason: Reason) -> Pushed {
        if let Some(slot) = self.finish() {
            slot.complete(Err(CallError::Died(reason)));
        }
        Pushed::Dead
    }

    fn job(&self, job: Job) -> Pushed {
        drop(job);
        Pushed::Dead
    }

    fn deliver(
        &self,
        _origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        let answer = (self.read)(message);
        let malformed = match &answer {
            Err(error) if error.is_malformed() => Some(error.clone()),
            _ => None,
        };
        if let Some(slot) = self.finish() {
            slot.complete(answer.map_err(CallError::Answer));
        }
        malformed.map_or(Ok(Pushed::Queued), Err)
    }

    fn with_extras(&self, change: &mut dyn FnMut(&mut Extras)) -> Option<()> {
        // Nothing can be bound to a reply port; whoever monitors it hears that there is none.
        let _ = change;
        None
    }

    fn add_monitor(&self, action: Action) -> Result<u64, Action> {
        Err(action)
    }

    fn take_monitor(&self, _id: u64) -> Option<Action> {
        None
    }

    fn died(&self) -> Option<Reason> {
        None
    }

    fn dying(&self) -> Option<Reason> {
        None
    }

    fn queue_len(&self) -> usize {
        0
    }

    fn type_name(&self) -> &'static str {
        "reply"
    }

    fn counts(&self) -> Counts {
        Counts::default()
    }

    fn typed(self: Arc<Self>, _into: &mut dyn Any) {}
}
