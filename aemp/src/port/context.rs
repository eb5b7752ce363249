//! The context of a handler: `SELF`, and everything that is bound to the port.
//!
//! An envelope carries its origin only if its message type asks for the origin. For all other messages the origin is
//! `Unknown`, unless code of this node runs in the context (`Cx::of_this_node`).

use std::{fmt, future::poll_fn, sync::Arc, task::Poll, time::Duration};

use aemp_codec::{NodeId, PortId, Value};
use tokio::time::Instant;

use super::{
    any::{AnyPort, PortArc, typed},
    bound::{self, Psub, SHORTEST, Timer},
    cell::Cell,
    handle::Handle,
    monitor::{Action, Monitor},
    reply::{Answered, Reply},
    untyped::{self, Change},
};
use crate::{
    Node, Reason,
    message::{Args, Message, Origin, Outcome, Port, PortRef},
};

/// The context of a running handler: its port, its node, and the origin of the message.
///
/// ```
/// use std::time::Duration;
/// use aemp::{Cx, port};
///
/// struct Fuse;
///
/// #[port]
/// impl Fuse {
///     #[rcv]
///     fn light(&mut self, cx: &mut Cx<'_>, seconds: u64) {
///         cx.after(Duration::from_secs(seconds), |cx| cx.kill("boom"));
///     }
/// }
/// ```
#[doc(alias = "Context")]
pub struct Cx<'a> {
    port: &'a dyn PortArc,
    origin: Whence<'a>,
    /// Requests of the handler. Boxed because they are rare, and a context is made for every batch of messages.
    asked: Option<Box<Asked>>,
    /// The call that the handler answers by its result.
    call: Option<&'a dyn Answered>,
}

/// A port, for the contexts of code that outlives a run of the port.
pub(crate) struct OwnPort(Arc<dyn AnyPort>);

impl OwnPort {
    pub(crate) fn new(port: Arc<dyn AnyPort>) -> Self {
        Self(port)
    }

    /// A context with this origin; with `None`, without a recorded origin. `call` is the one that the code answers by the value that
    /// it returns.
    pub(crate) fn cx<'a>(
        &'a self,
        origin: Option<&'a Origin>,
        call: Option<&'a dyn Answered>,
    ) -> Cx<'a> {
        let origin = match origin {
            Some(Origin::Local) => Whence::Here,
            Some(Origin::Node(node)) => Whence::There(node),
            None => Whence::Unasked,
        };
        Cx {
            port: self,
            origin,
            asked: None,
            call,
        }
    }
}

impl PortArc for OwnPort {
    fn arc(&self) -> Arc<dyn AnyPort> {
        Arc::clone(&self.0)
    }

    fn port(&self) -> &dyn AnyPort {
        &*self.0
    }
}

impl fmt::Debug for OwnPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OwnPort({})", self.0.port_id())
    }
}

/// The origin of a message, as far as it is known.
#[derive(Clone, Copy, Debug)]
enum Whence<'a> {
    Here,
    There(&'a NodeId),
    /// The message type does not use the origin, so the queue does not record it.
    Unasked,
}

/// Requests of a handler that are carried out after it has returned.
#[derive(Default)]
struct Asked {
    ended: Option<Reason>,
    changes: Vec<Change>,
}

impl<'a> Cx<'a> {
    /// The context of messages from another node, or, with `None`, of messages without a recorded origin.
    pub(crate) fn new<P: Port>(port: &'a Arc<Cell<P>>, origin: Option<&'a NodeId>) -> Self {
        let origin = match origin {
            Some(node) => Whence::There(node),
            // Only messages from other nodes are queued with an origin.
            None if P::Msg::USES_ORIGIN => Whence::Here,
            None => Whence::Unasked,
        };
        Self {
            port,
            origin,
            asked: None,
            call: None,
        }
    }

    /// The context of code that runs on behalf of `node`; with `None`, on behalf of this node.
    pub(crate) fn of<P: Port>(port: &'a Arc<Cell<P>>, node: Option<&'a NodeId>) -> Self {
        Self {
            port,
            origin: node.map_or(Whence::Here, Whence::There),
            asked: None,
            call: None,
        }
    }

    /// Runs code of this node in the context. The origin is local meanwhile.
    pub(crate) fn of_this_node<R>(&mut self, run: impl FnOnce(&mut Self) -> R) -> R {
        let origin = std::mem::replace(&mut self.origin, Whence::Here);
        let result = run(self);
        self.origin = origin;
        result
    }

    /// Runs code on behalf of `node`; with `None`, on behalf of this node.
    pub(crate) fn on_behalf_of<R>(
        &mut self,
        node: Option<&NodeId>,
        run: impl FnOnce(&mut Cx<'_>) -> R,
    ) -> R {
        let mut cx = Cx {
            port: self.port,
            origin: node.map_or(Whence::Here, Whence::There),
            asked: self.asked.take(),
            call: None,
        };
        let result = run(&mut cx);
        self.asked = cx.asked;
        result
    }

    /// The time at which the caller of the message gives up, if its call has a time limit. It may lie in the past.
    ///
    /// `None` for messages that were not called, and for callers that do not tell: see
    /// [`Reply::deadline`], which a handler with a `Reply` uses in place of this.
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Cx, Node, port};
    /// use tokio::time::timeout_at;
    ///
    /// struct Search;
    ///
    /// #[port]
    /// impl Search {
    ///     /// As good an answer as the caller's time allows.
    ///     #[rcv]
    ///     async fn find(&mut self, cx: &mut Cx<'_>) -> String {
    ///         let Some(deadline) = cx.deadline() else { return best().await };
    ///         let deadline = deadline - Duration::from_millis(20);
    ///         timeout_at(deadline, best()).await.unwrap_or_else(|_| "something".into())
    ///     }
    /// }
    ///
    /// async fn best() -> String { std::future::pending().await }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let search = Node::local()?.port(Search);
    /// assert_eq!(search.find().timeout(Duration::from_millis(500)).await?, "something");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        self.call?.deadline()
    }

    /// True if the message was called, and its caller no longer waits: it has dropped the call, its time is over, or
    /// its node is lost. A long handler can ask this from time to time.
    ///
    /// False for messages that were not called, for [`Call::forget`](crate::Call::forget), and in handlers with a
    /// `Reply`, which have [`Reply::is_wanted`]. Its rules for callers on other nodes hold here as well.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.call.is_some_and(|call| call.is_left())
    }

    /// Ready when [`is_cancelled`](Self::is_cancelled) is true; never for messages that were not called.
    ///
    /// ```
    /// use aemp::{Cx, port};
    ///
    /// struct Miner;
    ///
    /// #[port]
    /// impl Miner {
    ///     #[rcv]
    ///     async fn dig(&mut self, cx: &mut Cx<'_>, depth: u64) -> u64 {
    ///         tokio::select! {
    ///             found = dig(depth) => found,
    ///             () = cx.cancelled() => 0,
    ///         }
    ///     }
    /// }
    ///
    /// async fn dig(depth: u64) -> u64 { depth }
    /// ```
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub fn cancelled(&self) -> impl Future<Output = ()> + Send + use<'a> {
        let call = self.call;
        poll_fn(move |task| match call {
            Some(call) => call.poll_left(task),
            None => Poll::Pending,
        })
    }

    pub(crate) fn port(&self) -> &dyn AnyPort {
        self.port.port()
    }

    pub(crate) fn arc(&self) -> Arc<dyn AnyPort> {
        self.port.arc()
    }

    /// The node that the port lives on.
    #[must_use]
    pub fn node(&self) -> &Node {
        self.port.port().node()
    }

    /// The port's own ID (`$SELF`).
    #[must_use]
    pub fn id(&self) -> PortId {
        self.port.port().port_id()
    }

    /// A typed handle of the port itself. `None` if `R` is not the handle of its type.
    #[doc(alias = "self")]
    #[must_use]
    pub fn me<R: PortRef>(&self) -> Option<R> {
        typed(self.port.arc()).map(|port| Handle::local(port).into())
    }

    /// The typed handle of the port itself, by the state that a handler has.
    ///
    /// ```
    /// # use aemp::{Cx, Node, port};
    /// # #[derive(Default)]
    /// # struct Clock { ticks: u32 }
    /// #[port]
    /// impl Clock {
    ///     #[rcv]
    ///     fn tick(&mut self, cx: &mut Cx<'_>) {
    ///         self.ticks += 1;
    ///         if self.ticks < 3 {
    ///             cx.handle_of(self).tick();
    ///         }
    ///     }
    ///     # #[rcv] fn ticks(&self) -> u32 { self.ticks }
    /// }
    /// # #[tokio::main(flavor = "current_thread")] async fn main() {
    /// # let clock = Node::local().unwrap().port(Clock::default());
    /// # clock.tick();
    /// # while clock.ticks().await.unwrap() < 3 {}
    /// # }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if the value is not the state of this port but of another type. [`me`](Self::me) is the form that returns
    /// `None`.
    #[must_use]
    pub fn handle_of<P: Port>(&self, _state: &P) -> P::Ref {
        let me = self.me();
        me.unwrap_or_else(|| panic!("the port is not a {}", std::any::type_name::<P>()))
    }

    /// The origin of the message. In an init function, the node that spawns the port.
    ///
    /// `None` for a message type that does not record its origin ([`Message::USES_ORIGIN`]). The message type of a
    /// `#[port]` records it if one of the handlers takes a context.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        match self.origin {
            Whence::Here => Some(Origin::Local),
            Whence::There(node) => Some(Origin::Node(node.clone())),
            Whence::Unasked => None,
        }
    }

    /// True if the message comes from the node of this port, as far as the message type records it. A node may send in the
    /// name of its own ports only.
    pub(crate) fn is_from_node_of(&self, port: &PortId) -> bool {
        match self.origin {
            Whence::Here => self.node().port_is_local(port),
            Whence::There(node) => port.node() == node.as_str(),
            Whence::Unasked => true,
        }
    }

    /// Ends this port when the running handler returns, and drops its queue. The first reason counts. See
    /// [`stop`](Self::stop) for an end after the queued messages.
    #[doc(alias = "kil")]
    pub fn kill(&mut self, reason: impl Into<Reason>) {
        let asked = self.asked.get_or_insert_default();
        asked.ended.get_or_insert_with(|| reason.into());
    }

    /// Kills this port with the same reason when `other` dies, except for a normal end; see [`Handle::link`].
    #[doc(alias = "mon_kil")]
    #[doc(alias = "mon")]
    pub fn link<M: Message>(&self, other: &Handle<M>) -> Monitor {
        other.add_monitor(Action::Link(Arc::downgrade(&self.port.arc())))
    }

    /// As [`link`](Self::link), with the ID of the other port.
    pub fn link_id(&self, other: &PortId) -> Monitor {
        let link = Action::Link(Arc::downgrade(&self.port.arc()));
        self.node().destination(other).monitor(link)
    }

    /// Runs `run` in the context of this port after a delay. If the port dies first, `run` is dropped.
    /// [`after_with`](Self::after_with) gives it the state of a typed port as well.
    #[doc(alias = "notify_later")]
    #[doc(alias = "send_after")]
    pub fn after<O: Outcome>(
        &self,
        delay: Duration,
        run: impl FnOnce(&mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        let job = Box::new(move |cx: &mut Cx<'_>| run(cx).outcome());
        bound::after(&self.port.arc(), delay, job)
    }

    /// Sends a message after a delay, unless this port dies before.
    pub fn after_snd(&self, delay: Duration, to: &PortId, message: Vec<Value>) -> Timer {
        let to = to.clone();
        self.after(delay, move |cx| {
            cx.node().snd(&to, message);
        })
    }

    /// Runs `run` in the context of this port once in each `period`, for the first time after one period, until it is
    /// cancelled or the port dies. While a run is still queued, no further run is added.
    #[doc(alias = "interval")]
    pub fn every<O: Outcome>(
        &self,
        period: Duration,
        run: impl FnMut(&mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        let period = period.max(SHORTEST);
        bound::every(&self.port.arc(), period, run)
    }

    /// Binds a closure to this port. The returned [`Psub`] can be called from anywhere, and runs the closure in the
    /// port's context, in order with its messages. If the closure fails, the port dies. When the port dies, the
    /// closure is dropped.
    ///
    /// The state of a typed port belongs to its handlers. The closure reaches it by a message to its own port
    /// ([`Cx::me`]).
    pub fn psub<A: Send + 'static, O: Outcome>(
        &self,
        run: impl FnMut(&mut Cx<'_>, A) -> O + Send + 'static,
    ) -> Psub<A> {
        bound::psub(&self.port.arc(), run)
    }

    /// Runs a future as a separate task that belongs to this port. If the future fails or panics, the port dies. When
    /// the port dies, the task is cancelled.
    ///
    /// A future whose result the port needs, such as a call that the handler does not wait for, is for
    /// [`then`](Self::then).
    pub fn spawn<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        bound::spawn(&self.port.arc(), future);
    }

    /// Keeps `values` for as long as the port lives; see [`Handle::monitor_guard`].
    #[doc(alias = "mon_guard")]
    pub fn monitor_guard(&self, values: impl Send + 'static) -> Monitor {
        bound::guard(&self.port.arc(), values)
    }

    /// Sets the handler of a tag, from the next message on. This port must be untyped.
    pub fn rcv<O: Outcome>(
        &mut self,
        tag: &str,
        run: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
    ) {
        let tag = Some(tag.into());
        let handler = Some(untyped::handler(run));
        self.asked
            .get_or_insert_default()
            .changes
            .push(Change { tag, handler });
    }

    /// Sets the default handler, from the next message on. This port must be untyped.
    pub fn rcv_default<O: Outcome>(
        &mut self,
        run: impl FnMut(&mut Cx<'_>, Args) -> O + Send + 'static,
    ) {
        let handler = Some(untyped::handler(run));
        self.asked
            .get_or_insert_default()
            .changes
            .push(Change { tag: None, handler });
    }

    /// Removes the handler of a tag, from the next message on. This port must be untyped.
    pub fn rcv_remove(&mut self, tag: &str) {
        let tag = Some(tag.into());
        self.asked
            .get_or_insert_default()
            .changes
            .push(Change { tag, handler: None });
    }

    pub(crate) fn hold<T: Send + 'static>(&self, reply: &Reply<T>) {
        if let Some(caller) = reply.caller() {
            self.port.port().extras(|extras| extras.hold(caller));
        }
    }

    #[inline]
    pub(crate) fn take_ended(&mut self) -> Option<Reason> {
        self.asked.as_mut()?.ended.take()
    }

    pub(crate) fn take_changes(&mut self) -> Vec<Change> {
        self.asked
            .as_mut()
            .map(|asked| std::mem::take(&mut asked.changes))
            .unwrap_or_default()
    }
}

/// The context of a handler that answers a call by its return value. The handler's requests (its end, changes of
/// handlers) are given back to the context that this one was made of.
#[derive(Debug)]
pub struct Answering<'c, 'a> {
    outer: &'c mut Cx<'a>,
    inner: Cx<'c>,
}

impl<'c, 'a> Answering<'c, 'a> {
    pub(crate) fn new<T: Send>(outer: &'c mut Cx<'a>, reply: &'c Reply<T>) -> Self {
        let inner = Cx {
            port: outer.port,
            origin: outer.origin,
            asked: outer.asked.take(),
            call: Some(reply),
        };
        Self { outer, inner }
    }

    /// The context for the handler.
    pub fn cx(&mut self) -> &mut Cx<'c> {
        &mut self.inner
    }
}

impl Drop for Answering<'_, '_> {
    fn drop(&mut self) {
        self.outer.asked = self.inner.asked.take();
    }
}

impl AsRef<Node> for Cx<'_> {
    fn as_ref(&self) -> &Node {
        self.node()
    }
}

impl fmt::Debug for Cx<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx")
            .field("port", &self.id())
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
