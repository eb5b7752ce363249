//! What a handler knows of its port: `SELF` and what belongs to it.

use std::{fmt, sync::Arc, time::Duration};

use aemp_codec::{NodeId, PortId, Value};

use super::{
    any::{PortArc, typed},
    bound::{self, Psub, Timer},
    cell::Cell,
    handle::Handle,
    monitor::{Action, Monitor},
    reply::Reply,
    untyped::{self, Change},
};
use crate::{
    Node, Reason,
    message::{Args, Message, Origin, Outcome, Port, PortRef},
};

/// The shortest interval: tokio's timers are no finer.
const SHORTEST: Duration = Duration::from_millis(1);

/// The context of a running handler: its port, its node, and where the message came from.
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
///         cx.after(Duration::from_secs(seconds), |cx| cx.kil("boom"));
///     }
/// }
/// ```
pub struct Cx<'a> {
    port: &'a dyn PortArc,
    origin: Option<&'a NodeId>,
    /// Boxed because it is rare, and a context is made for every batch of messages.
    asked: Option<Box<Asked>>,
}

/// What a handler asks for, to be done when it has returned.
#[derive(Default)]
struct Asked {
    ended: Option<Reason>,
    changes: Vec<Change>,
}

impl<'a> Cx<'a> {
    pub(crate) fn new<P: Port>(port: &'a Arc<Cell<P>>, origin: Option<&'a NodeId>) -> Self {
        Self {
            port,
            origin,
            asked: None,
        }
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
    #[must_use]
    pub fn me<R: PortRef>(&self) -> Option<R> {
        typed(self.port.arc()).map(|port| Handle::local(port).into())
    }

    /// Where the message came from. Known only to handlers that take a context, and to untyped ones.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
            .map_or(Origin::Local, |node| Origin::Node(node.clone()))
    }

    /// Ends this port when the running handler returns; what is queued is dropped. The first reason counts.
    pub fn kil(&mut self, reason: impl Into<Reason>) {
        let asked = self.asked.get_or_insert_default();
        asked.ended.get_or_insert_with(|| reason.into());
    }

    /// Kills this port with the same reason when `other` dies of something; see [`Handle::mon_kil`].
    pub fn mon_self<M: Message>(&self, other: &Handle<M>) -> Monitor {
        other.monitor(Action::Link(Arc::downgrade(&self.port.arc())))
    }

    /// As [`mon_self`](Self::mon_self), for a port that is known by its ID.
    pub fn mon_self_id(&self, other: &PortId) -> Monitor {
        let link = Action::Link(Arc::downgrade(&self.port.arc()));
        self.node().destination(other).monitor(link)
    }

    /// Runs `run` in the context of this port after a delay; dropped, not run, if the port dies before.
    pub fn after<O: Outcome>(
        &self,
        delay: Duration,
        run: impl FnOnce(&mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        bound::after(
            &self.port.arc(),
            delay,
            Box::new(move |cx| run(cx).outcome()),
        )
    }

    /// Sends a message after a delay, unless this port dies before.
    pub fn after_snd(&self, delay: Duration, to: &PortId, message: Vec<Value>) -> Timer {
        let to = to.clone();
        self.after(delay, move |cx| {
            cx.node().snd(&to, message);
        })
    }

    /// Runs `run` in the context of this port at every `period`, first after one period, until it is cancelled or the
    /// port dies. A run that is still queued when the next is due stands for both.
    ///
    pub fn every<O: Outcome>(
        &self,
        period: Duration,
        run: impl FnMut(&mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        let period = period.max(SHORTEST);
        bound::every(&self.port.arc(), period, run)
    }

    /// Binds a closure to this port: what is made can be called from anywhere, and runs the closure in the port's context,
    /// in order with its messages. If the closure fails, the port dies; when the port dies, the closure is dropped.
    pub fn psub<A: Send + 'static, O: Outcome>(
        &self,
        run: impl FnMut(&mut Cx<'_>, A) -> O + Send + 'static,
    ) -> Psub<A> {
        bound::psub(&self.port.arc(), run)
    }

    /// Runs a future as a task of its own that belongs to this port: if it fails or panics, the port dies; when the port
    /// dies, it is cancelled.
    pub fn spawn<F>(&self, future: F)
    where
        F: Future + Send + 'static,
        F::Output: Outcome,
    {
        bound::spawn(&self.port.arc(), future);
    }

    /// Drops `values` when the port dies.
    pub fn mon_guard(&self, values: impl Send + 'static) {
        self.port.arc().extras(|extras| {
            let id = extras.next_id();
            extras.guards.push((id, Box::new(values)));
        });
    }

    /// Sets the handler of a tag of this port, an untyped one, from the next message on.
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

    /// Sets the default handler of this port, an untyped one, from the next message on.
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

    /// Removes the handler of a tag of this port, an untyped one, from the next message on.
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
