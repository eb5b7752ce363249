//! The specification of a child, and the choices of a supervisor.

use std::{fmt, future::Future, pin::Pin, sync::Arc, time::Duration};

use aemp_codec::{PortId, Value};
use serde::{Deserialize, Serialize};

use super::machine::Spec;
use crate::{Node, PortRef, Reason, message, port::any::AnyPort};

/// The children that restart together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Strategy {
    /// A child restarts alone.
    #[doc(alias = "one_for_one")]
    #[default]
    OneForOne,
    /// All children end, the last first, and start again, the first first.
    #[doc(alias = "one_for_all")]
    OneForAll,
    /// The child and all children behind it end and start again.
    #[doc(alias = "rest_for_one")]
    RestForOne,
}

/// The ends after which a child is restarted. A *normal* end has the reason `()`, or one of the kind `shutdown`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Restart {
    /// After each end.
    #[doc(alias = "permanent")]
    #[default]
    Permanent,
    /// After each end that is not normal.
    #[doc(alias = "transient")]
    Transient,
    /// Never. The child is forgotten when it has ended.
    #[doc(alias = "temporary")]
    Temporary,
}

/// The pauses before restarts. The pause doubles with each restart, up to `most`. A random pause between half of it and
/// all of it is taken, so that children that have failed together do not all start together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    /// The first pause.
    pub first: Duration,
    /// The longest pause.
    pub most: Duration,
    /// An incarnation that has lived for this time begins anew with the first pause.
    pub reset: Duration,
}

impl Backoff {
    /// The pause before a restart after so many restarts in a row. `fraction` is a random number from 0 to 1.
    ///
    /// ```
    /// # use std::time::Duration;
    /// let backoff = aemp::supervisor::Backoff::default();
    /// assert_eq!(backoff.pause(0, 1.0), Duration::from_millis(50));
    /// assert_eq!(backoff.pause(3, 0.0), Duration::from_millis(200));
    /// assert_eq!(backoff.pause(99, 1.0), Duration::from_secs(10));
    /// ```
    #[must_use]
    pub fn pause(&self, restarts: u32, fraction: f64) -> Duration {
        let factor = 2_u32.saturating_pow(restarts.min(31));
        let longest = self.most.max(self.first);
        let pause = self.first.saturating_mul(factor).min(longest);
        pause / 2 + (pause / 2).mul_f64(fraction.clamp(0.0, 1.0))
    }
}

impl Default for Backoff {
    /// From 50 ms to 10 s, reset after 10 s.
    fn default() -> Self {
        Self {
            first: Duration::from_millis(50),
            most: Duration::from_secs(10),
            reset: Duration::from_secs(10),
        }
    }
}

/// The fate of a child on another node when that node is lost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnLoss {
    /// Waits until the node is connected again, and starts the child there.
    #[default]
    Wait,
    /// Starts the child on the next of these nodes. The child's own node is the last of them.
    Elsewhere(Vec<String>),
    /// Does not start it again. If it is permanent, its supervisor ends.
    Stop,
}

/// The choice among [`OnLoss`], for the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Loss {
    Wait,
    Elsewhere,
    Stop,
}

/// The result of a child's closure: a handle, a port ID, or a `Result` of one.
#[diagnostic::on_unimplemented(
    message = "the closure of a child returns a port, and `{Self}` is none",
    label = "not a handle, a port ID, or a `Result` of one",
    note = "for a future, use `child_async` or `Child::with_async`"
)]
pub trait IntoChild {
    /// The port, or the reason why it was not made.
    ///
    /// # Errors
    ///
    /// Converts the return value. An error counts as the end of the child.
    fn into_child(self) -> Result<PortId, Reason>;

    /// The port itself, if the value holds one of this node.
    #[doc(hidden)]
    fn held(&self) -> Held {
        Held(None)
    }
}

impl<R: PortRef> IntoChild for R {
    fn into_child(self) -> Result<PortId, Reason> {
        Ok(self.handle().id())
    }

    fn held(&self) -> Held {
        Held(self.handle().to_local())
    }
}

impl IntoChild for PortId {
    fn into_child(self) -> Result<PortId, Reason> {
        Ok(self)
    }
}

impl<C: IntoChild, E: fmt::Display + 'static> IntoChild for Result<C, E> {
    fn into_child(self) -> Result<PortId, Reason> {
        self.map_err(message::failure)?.into_child()
    }

    fn held(&self) -> Held {
        self.as_ref().map_or(Held(None), C::held)
    }
}

/// A port of this node. It is held until it is monitored, so that a child that ends before that is known to have ended,
/// and why.
#[doc(hidden)]
pub struct Held(pub(super) Option<Arc<dyn AnyPort>>);

/// A child that has been made, before it is monitored.
pub(super) struct Made {
    pub(super) port: PortId,
    pub(super) held: Held,
}

impl Made {
    /// A port that is known by its ID only.
    pub(super) fn at(port: PortId) -> Self {
        let held = Held(None);
        Self { port, held }
    }

    fn of(child: impl IntoChild) -> Result<Self, Reason> {
        let held = child.held();
        let port = child.into_child()?;
        Ok(Self { port, held })
    }
}

type Making = Result<Made, Reason>;
type MakeHere = Box<dyn FnMut(&Node) -> Making + Send>;
type MakeLater = Box<dyn FnMut(Node) -> Pin<Box<dyn Future<Output = Making> + Send>> + Send>;

/// The way to make an incarnation.
pub(super) enum Make {
    Here(MakeHere),
    Later(MakeLater),
    There(Box<There>),
}

/// A child on another node.
pub(super) struct There {
    pub(super) function: Box<str>,
    pub(super) args: Vec<Value>,
    pub(super) nodes: Vec<String>,
    /// The place of the present node among them.
    pub(super) at: usize,
}

/// The specification of a child.
///
/// ```
/// use std::time::Duration;
/// use aemp::{Node, port, supervisor::{Child, Restart, Supervisor}};
///
/// struct Worker;
///
/// #[port]
/// impl Worker {
///     #[rcv] fn double(&self, n: i64) -> i64 { 2 * n }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let worker = Child::new("worker", |node| node.port(Worker))
///     .restart(Restart::Transient)
///     .shutdown(Duration::from_secs(1));
/// let sup = Supervisor::builder().with_child(worker).start(&node);
/// sup.ready().await?;
/// assert_eq!(sup.children().await?[0].name, "worker");
/// # Ok(()) }
/// ```
#[doc(alias = "child_spec")]
#[doc(alias = "ChildSpec")]
pub struct Child {
    pub(super) spec: Spec,
    pub(super) make: Make,
}

impl Child {
    /// A permanent child, made by a closure that returns a handle, a port ID, or a `Result` of one. A child with an
    /// empty name cannot be asked for by name.
    pub fn new<C: IntoChild>(
        name: impl Into<Arc<str>>,
        mut make: impl FnMut(&Node) -> C + Send + 'static,
    ) -> Self {
        let make: MakeHere = Box::new(move |node| Made::of(make(node)));
        Self::of(name.into(), Make::Here(make))
    }

    /// As [`new`](Self::new), with an async closure. The supervisor handles other messages meanwhile.
    pub fn with_async<C, F>(
        name: impl Into<Arc<str>>,
        mut make: impl FnMut(Node) -> F + Send + 'static,
    ) -> Self
    where
        C: IntoChild,
        F: Future<Output = C> + Send + 'static,
    {
        let make: MakeLater = Box::new(move |node| {
            let made = make(node);
            Box::pin(async move { Made::of(made.await) })
        });
        Self::of(name.into(), Make::Later(make))
    }

    /// A permanent child on the node `node`, made by a [`spawnable`](macro@crate::spawnable) function of that node. The
    /// node must be one of this project, and counts a spawn of this function against its
    /// [permits](crate::limits).
    pub fn on(
        name: impl Into<Arc<str>>,
        node: impl Into<String>,
        function: &str,
        args: crate::Args,
    ) -> Self {
        let there = There {
            function: function.into(),
            args,
            nodes: vec![node.into()],
            at: 0,
        };
        Self::of(name.into(), Make::There(Box::new(there)))
    }

    fn of(name: Arc<str>, make: Make) -> Self {
        let spec = Spec {
            name,
            restart: Restart::Permanent,
            significant: false,
            shutdown: Some(Duration::from_secs(5)),
            backoff: Backoff::default(),
            loss: Loss::Wait,
            grace: Duration::ZERO,
            dynamic: false,
        };
        Self { spec, make }
    }

    /// The ends after which it is restarted. Default: all.
    #[must_use]
    pub fn restart(mut self, restart: Restart) -> Self {
        self.spec.restart = restart;
        self
    }

    /// The end of a significant child that is not restarted ends its supervisor.
    #[must_use]
    pub fn significant(mut self) -> Self {
        self.spec.significant = true;
        self
    }

    /// The time that it has for its end before it is killed at once. Default: 5 s. A supervisor as a child always has
    /// the time that its own children need.
    #[must_use]
    pub fn shutdown(mut self, time: Duration) -> Self {
        self.spec.shutdown = Some(time);
        self
    }

    /// The pauses before its restarts.
    #[must_use]
    pub fn backoff(mut self, backoff: Backoff) -> Self {
        self.spec.backoff = backoff;
        self
    }

    /// Its fate when its node is lost. Has no effect on a child of this node.
    #[must_use]
    pub fn on_loss(mut self, on_loss: OnLoss) -> Self {
        let Make::There(there) = &mut self.make else {
            return self;
        };
        there.nodes.truncate(1);
        self.spec.loss = match on_loss {
            OnLoss::Wait => Loss::Wait,
            OnLoss::Stop => Loss::Stop,
            OnLoss::Elsewhere(pool) => {
                let own = there.nodes[0].clone();
                there
                    .nodes
                    .extend(pool.into_iter().filter(|node| *node != own));
                Loss::Elsewhere
            }
        };
        self
    }

    /// The shortest time between the loss of its node and its restart. With the other node's `monitor_timeout`, and the
    /// longest delay of the network added, two incarnations never live at the same time. Default: none.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.spec.grace = grace;
        self
    }
}

impl There {
    pub(super) fn node(&self) -> &str {
        &self.nodes[self.at]
    }

    /// Goes on to the next node, or to the next that is connected if there is one.
    pub(super) fn next(&mut self, node: &Node) {
        let count = self.nodes.len();
        let order = (1..=count).map(|step| (self.at + step) % count);
        let up = |at: &usize| node.node_is_up(&self.nodes[*at]) == Some(true);
        let next = order.clone().find(up);
        self.at = next.unwrap_or((self.at + 1) % count);
    }
}

impl fmt::Debug for Child {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Child")
            .field("name", &self.spec.name)
            .field("restart", &self.spec.restart)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Here(_) => "Here",
            Self::Later(_) => "Later",
            Self::There(_) => "There",
        })
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Held")
    }
}
