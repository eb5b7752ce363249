//! Ports that end with their last handle.
//!
//! The table of a node keeps every port alive, so that an idle port needs no task and an ID always means the same port.
//! That stays the default. There are two other means:
//!
//! - [`Owned`] is a handle whose drop stops the port. It is a value like a `Box`: there is one.
//! - `#[port(owned)]` counts the handles of the port. They refer to a `Holder`, which is a port that passes everything on
//!   to the cell, and stops it when it is dropped. The cell knows its holder, so a handle that is made from the port's ID,
//!   or by [`Cx::me`](crate::Cx::me), counts as well. Other ports have no holder, and their handles do not change.
//!
//! Dangers: code that takes a port out of a handle for longer than a call must take the cell (`AnyPort::core`), or it holds
//! the port, or loses it with the last handle. Left out: counting the handles on other nodes. It would need a request
//! for each handle that is sent, kept or dropped, and a lost connection would drop all of a node's handles at once.

use std::{
    any::{Any, TypeId},
    fmt,
    ops::Deref,
    sync::{Arc, Weak},
};

use aemp_codec::{DecodeError, NodeId, PacketReader};
use tokio::time::Instant;

use super::{
    any::{AnyPort, Counts, LocalPort},
    credit::{Asking, Room},
    destination::Destination,
    extras::{Act, Extras, Job},
    handle::{Handle, To},
    idle::Passive,
    line::Line,
    monitor::Action,
    queue::Pushed,
    stop::stop,
};
use crate::{
    Node, Reason,
    exec::{
        drainer::Turn,
        pace::{Manner, Pace, Record},
    },
    message::{Message, PortRef},
};

/// A handle whose drop stops the port, after the queued messages ([`Handle::stop`]). It is not cloned, but the handle inside
/// is.
///
/// ```
/// use aemp::{Node, Owned, port};
///
/// #[derive(Default)]
/// struct Counter(i64);
///
/// #[port]
/// impl Counter {
///     #[rcv]
///     fn inc(&mut self) -> i64 { self.0 += 1; self.0 }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let counter = Owned::new(node.port(Counter::default()));
/// assert_eq!(counter.inc().await?, 1);
/// let other: CounterRef = counter.clone();
/// drop(counter);
/// assert!(other.closed().await.is_normal());
/// # Ok(()) }
/// ```
///
/// *Semantics.* The port may be of any kind, here or on another node. Its other handles do not hold it, and hear of its end
/// as of any other.
///
/// *Limits.* The drop sends a request, and does not wait. If the process dies, nothing is sent to other nodes.
#[must_use = "dropping it stops the port"]
pub struct Owned<R: PortRef>(Option<R>);

impl<R: PortRef> Owned<R> {
    /// Owns the port of this handle.
    pub fn new(handle: R) -> Self {
        Self(Some(handle))
    }

    /// Gives the port up, which then lives on.
    pub fn release(mut self) -> R {
        self.0.take().unwrap_or_else(|| unreachable!("{GIVEN_UP}"))
    }
}

const GIVEN_UP: &str = "the handle is given up with the value itself";

impl<R: PortRef> Deref for Owned<R> {
    type Target = R;

    fn deref(&self) -> &R {
        match &self.0 {
            Some(handle) => handle,
            None => unreachable!("{GIVEN_UP}"),
        }
    }
}

impl<R: PortRef> Drop for Owned<R> {
    fn drop(&mut self) {
        if let Some(handle) = &self.0 {
            handle.handle().stop();
        }
    }
}

impl<R: PortRef> fmt::Debug for Owned<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Owned({})", self.handle().id())
    }
}

/// A handle that does not hold a `#[port(owned)]`, and knows whether a port of this node has ended.
///
/// ```
/// use aemp::{Node, WeakHandle, port};
///
/// struct Session;
///
/// #[port(owned)]
/// impl Session {
///     #[rcv]
///     fn ping(&self) -> u8 { 1 }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let session = Node::local()?.port(Session);
/// let weak = WeakHandle::new(&session);
/// assert_eq!(weak.upgrade::<SessionRef>().unwrap().ping().await?, 1);
/// drop(session);
/// assert_eq!(weak.upgrade::<SessionRef>(), None);
/// # Ok(()) }
/// ```
pub struct WeakHandle<M: Message>(WeakTo<M>);

enum WeakTo<M> {
    Local(Weak<dyn LocalPort<M>>),
    Far(Arc<Destination>),
}

impl<M: Message> WeakHandle<M> {
    /// A handle of the same port that does not hold it.
    #[must_use]
    pub fn new(handle: &Handle<M>) -> Self {
        Self(match &handle.to {
            To::Local(port) => WeakTo::Local(Arc::downgrade(port)),
            To::Far(to) => WeakTo::Far(Arc::clone(to)),
        })
    }

    /// A handle that holds the port. `None` if the port has ended, or no handle holds a `#[port(owned)]` any more. A port
    /// of another node has always one.
    #[must_use]
    pub fn upgrade<R: PortRef<Msg = M>>(&self) -> Option<R> {
        let to = match &self.0 {
            WeakTo::Local(port) => To::Local(port.upgrade().filter(|port| !port.has_ended())?),
            WeakTo::Far(to) => To::Far(Arc::clone(to)),
        };
        Some(Handle { to }.into())
    }
}

impl<M: Message> Clone for WeakHandle<M> {
    fn clone(&self) -> Self {
        Self(match &self.0 {
            WeakTo::Local(port) => WeakTo::Local(Weak::clone(port)),
            WeakTo::Far(to) => WeakTo::Far(Arc::clone(to)),
        })
    }
}

impl<M: Message> fmt::Debug for WeakHandle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakHandle").finish_non_exhaustive()
    }
}

/// The common part of all handles of a `#[port(owned)]`.
pub(crate) struct Holder<M>(Arc<dyn LocalPort<M>>);

/// Makes the holder of a new port. The port ends when it is dropped.
pub(crate) fn hold<M: 'static>(port: Arc<dyn LocalPort<M>>) -> Arc<dyn LocalPort<M>> {
    let cell: Arc<dyn AnyPort> = Arc::<dyn LocalPort<M>>::clone(&port);
    let holder = Arc::new(Holder(port));
    let known = Arc::downgrade(&holder);
    cell.extras(|extras| extras.rare().holder = Some(Box::new(known)));
    holder
}

/// The holder that a port knows, if there is a handle left.
pub(crate) fn holder<M: 'static>(extras: &Extras) -> Option<Arc<Holder<M>>> {
    let known = extras.rare.as_ref()?.holder.as_ref()?;
    known.downcast_ref::<Weak<Holder<M>>>()?.upgrade()
}

impl<M> Drop for Holder<M> {
    fn drop(&mut self) {
        stop(&Arc::clone(&self.0).core(), None);
    }
}

impl<M: 'static> AnyPort for Holder<M> {
    fn core(self: Arc<Self>) -> Arc<dyn AnyPort> {
        Arc::clone(&self.0).core()
    }

    fn node(&self) -> &Node {
        self.0.node()
    }

    fn number(&self) -> u64 {
        self.0.number()
    }

    fn run(self: Arc<Self>, turn: &mut Turn<'_>) {
        Arc::clone(&self.0).run(turn);
    }

    fn pace(&self) -> &Pace {
        self.0.pace()
    }

    fn record(&self) -> &'static Record {
        self.0.record()
    }

    fn tally_number(&self) -> u32 {
        self.0.tally_number()
    }

    fn manner(&self) -> Manner {
        self.0.manner()
    }

    fn trusts(&self, handler: u32) -> bool {
        self.0.trusts(handler)
    }

    fn handler_name(&self, handler: u32) -> &'static str {
        self.0.handler_name(handler)
    }

    fn perish(self: Arc<Self>, reason: &Reason) {
        Arc::clone(&self.0).perish(reason);
    }

    fn kill(&self, reason: Reason) -> Pushed {
        self.0.kill(reason)
    }

    fn stop(&self) -> Pushed {
        self.0.stop()
    }

    fn cut(&self, reason: Reason) -> Pushed {
        self.0.cut(reason)
    }

    fn end_if_idle(&self, task: u64, now: Instant) -> Passive {
        self.0.end_if_idle(task, now)
    }

    fn job(&self, job: Job) -> Pushed {
        self.0.job(job)
    }

    fn act(&self, act: Act) -> Pushed {
        self.0.act(act)
    }

    fn state_type(&self) -> Option<TypeId> {
        self.0.state_type()
    }

    fn deliver(
        &self,
        origin: Option<&NodeId>,
        message: &mut PacketReader<'_>,
    ) -> Result<Pushed, DecodeError> {
        self.0.deliver(origin, message)
    }

    fn with_extras(&self, change: &mut dyn FnMut(&mut Extras)) -> Option<()> {
        self.0.with_extras(change)
    }

    fn add_monitor(&self, action: Action) -> Result<u64, Action> {
        self.0.add_monitor(action)
    }

    fn take_monitor(&self, id: u64) -> Option<Action> {
        self.0.take_monitor(id)
    }

    fn died(&self) -> Option<Reason> {
        self.0.died()
    }

    fn has_ended(&self) -> bool {
        self.0.has_ended()
    }

    fn is_ending(&self) -> bool {
        self.0.is_ending()
    }

    fn queue_len(&self) -> usize {
        self.0.queue_len()
    }

    fn type_name(&self) -> &'static str {
        self.0.type_name()
    }

    fn takes_answers(&self) -> bool {
        self.0.takes_answers()
    }

    fn room_for(&self, node: &NodeId, asking: Asking, now: Instant) -> Room {
        self.0.room_for(node, asking, now)
    }

    fn counts(&self) -> Option<Counts> {
        self.0.counts()
    }

    fn spawned_name(&self) -> Option<Box<str>> {
        self.0.spawned_name()
    }

    fn typed(self: Arc<Self>, into: &mut dyn Any) {
        if let Some(into) = into.downcast_mut::<Option<Arc<dyn LocalPort<M>>>>() {
            *into = Some(self);
        }
    }
}

impl<M: 'static> LocalPort<M> for Holder<M> {
    fn push(&self, message: M) -> Pushed {
        self.0.push(message)
    }

    fn has_room(&self) -> bool {
        self.0.has_room()
    }

    fn try_push(&self, message: M) -> Result<Pushed, (M, Arc<Line>)> {
        self.0.try_push(message)
    }
}
