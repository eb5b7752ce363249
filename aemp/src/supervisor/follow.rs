//! Handles that follow a child of a supervisor through its incarnations, or a name of the network from port to port.
//!
//! For a name, the task of `names::look_up` shows the port that has it. For a child, a task asks the supervisor for the child's incarnation, again and again: the answer to the number that it knows
//! already comes when there is another. The task also monitors the incarnation itself, and shows the next one only when
//! that monitor has fired. So all that a user of this node has sent to the old incarnation was handled, or its loss is
//! known, before the next one can be seen.

mod task;

use std::{
    fmt,
    future::{Future, IntoFuture},
    marker::PhantomData,
    pin::Pin,
    sync::{Arc, Weak},
};

use aemp_codec::PortId;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error, ser::SerializeTuple};
use tokio::sync::{Notify, oneshot};

use self::task::Task;
use super::{ChildError, SupervisorMsg, SupervisorRef};
use crate::{
    Call, CallError, Handle, HandleError, Node, PortRef, Reason, guard,
    lock::Lock,
    node::life::NODE_STOPPED,
    port::{Watched, handle::decoding_node},
};

/// A handle that follows a child of a supervisor through its incarnations, or a name of the network from port to port,
/// from any node. Made by [`SupervisorRef::follow`] and [`Node::follow`]. Cheap to clone; it serialises as the
/// supervisor's ID, or nothing, and the name.
///
/// *Semantics.* At any time it shows one port or none. For a name, it is the port that has the name as far as this node
/// knows; the one before may be alive, without the name. A child is followed through its incarnations: it shows another one only after the monitor of the old one
/// has fired on this node, so the [guarantee](crate#guarantees) holds for each incarnation, and calls in flight end with
/// the reason of the old one. Nothing is repeated, unless [`retry`](FollowCall::retry) says that it may be.
///
/// *Limits.* It follows one supervisor. If that is restarted by its own supervisor, it has another port, and this handle
/// [ends](Self::wait). While a child has ended for good, calls end with the reason of its end, and do not wait: another child
/// of its group may take it along, or never. While this node cannot reach the supervisor, it shows the incarnation that it knows, until its
/// monitor fires.
///
/// ```
/// use aemp::{Node, port, supervisor::{Restart, Supervisor}};
///
/// struct Worker;
///
/// #[port]
/// impl Worker {
///     #[rcv] fn double(&self, n: i64) -> i64 { 2 * n }
///     #[rcv(try, send)] fn fail(&self) -> Result<(), String> { Err("out of tea".into()) }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let sup = Supervisor::builder()
///     .child("worker", Restart::Permanent, |node| node.port(Worker))
///     .start(&node);
/// let worker = sup.follow::<WorkerRef>("worker").await?;
/// worker.wait().await?.fail();
/// // It may be called twice, so it is no matter that the first worker dies.
/// assert_eq!(worker.call(|worker| worker.double(21)).retry(3).await?, 42);
/// # Ok(()) }
/// ```
pub struct Follow<R> {
    follower: Arc<Follower>,
    _handle: PhantomData<fn() -> R>,
}

struct Follower {
    node: Node,
    /// The supervisor of the child. `None` for a name of the network.
    supervisor: Option<PortId>,
    name: String,
    shown: Lock<Shown>,
    changed: Notify,
    /// Ends the task.
    _stop: oneshot::Sender<()>,
}

#[derive(Clone)]
enum Shown {
    /// The task has heard nothing yet.
    Unknown,
    Nothing,
    Child(PortId),
    /// The child has ended with this reason, and is not made again by itself.
    Done(Reason),
    /// The supervisor has died, or has forgotten the child; or the node has stopped.
    Ended(Reason),
}

/// The follower that a task shows ports to.
pub(crate) struct Shows(Weak<Follower>);

impl Shows {
    /// Shows a port, or none.
    pub(crate) fn port(&self, port: Option<PortId>) {
        self.show(port.map_or(Shown::Nothing, Shown::Child));
    }

    /// Shows that the child has ended for good, as far as the supervisor knows.
    fn done(&self, reason: Reason) {
        self.show(Shown::Done(reason));
    }

    /// Shows that no port will come any more.
    pub(crate) fn end(&self, reason: Reason) {
        self.show(Shown::Ended(reason));
    }

    fn show(&self, shown: Shown) {
        if let Some(follower) = self.0.upgrade() {
            *follower.shown.lock() = shown;
            guard::shielded(|| follower.changed.notify_waiters());
        }
    }
}

impl Drop for Shows {
    /// The task may end with the runtime of its node. Then no port will come, either.
    fn drop(&mut self) {
        let follower = self.0.upgrade();
        if follower.is_some_and(|it| !matches!(*it.shown.lock(), Shown::Ended(_))) {
            self.end(Reason::die(NODE_STOPPED));
        }
    }
}

impl SupervisorRef {
    /// A handle that follows the child of this name, of the type `R`, through its incarnations. If there is an incarnation
    /// now, the handle shows it. The type is not checked; errors appear when the handle is used.
    ///
    /// # Errors
    ///
    /// [`CallError::Died`] if the supervisor is dead, or has no child of this name.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn follow<R: PortRef>(&self, name: &str) -> Result<Follow<R>, CallError> {
        match self.incarnation(name.into(), None).await? {
            Some(_) => {
                let follow = Follow::new(self.node(), &self.id(), name);
                follow.until(|shown| !matches!(shown, Shown::Unknown)).await;
                Ok(follow)
            }
            None => Err(CallError::Died(no_child(name))),
        }
    }

    /// Adds a child to the running supervisor and starts it. The answer comes when it has been made.
    ///
    /// If it cannot be made, it is not tried again, and the answer has the reason. Dynamic children restart alone,
    /// whatever the strategy, and with the children of the builder when these restart together. They end all at once,
    /// before the children of the builder. A closure cannot leave the process: the supervisor must be of this node.
    ///
    /// # Errors
    ///
    /// The answer is a [`ChildError`] if the name is taken, the child could not be made, or the supervisor is ending.
    ///
    /// ```
    /// use aemp::{Node, port, supervisor::{Child, Restart, Supervisor}};
    ///
    /// struct Session;
    ///
    /// #[port]
    /// impl Session {
    ///     #[rcv] fn name(&self) -> String { "mine".into() }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let sup = Supervisor::builder().start(&node);
    /// let session = Child::new("", |node| node.port(Session)).restart(Restart::Temporary);
    /// let session: SessionRef = node.handle(&sup.start_child(session).await??);
    /// assert_eq!(session.name().await?, "mine");
    /// # Ok(()) }
    /// ```
    #[doc(alias = "simple_one_for_one")]
    #[doc(alias = "DynamicSupervisor")]
    pub fn start_child(
        &self,
        child: super::Child,
    ) -> Call<SupervisorMsg, Result<PortId, ChildError>> {
        self.add_child(crate::Local(child))
    }
}

fn no_child(name: &str) -> Reason {
    Reason::new(vec![
        "no_child".into(),
        format!("the supervisor has no child {name:?}").into(),
    ])
}

impl<R> Follow<R> {
    fn new(node: &Node, supervisor: &PortId, name: &str) -> Self {
        let child = Some(supervisor.clone());
        Self::start(node, child, name, |shows| {
            let task = Task {
                node: node.clone(),
                supervisor: node.handle(supervisor),
                name: name.into(),
                shows,
                over: Watched::new(node, supervisor.clone()),
                told: None,
                watched: None,
            };
            task.run()
        })
    }

    /// A handle that follows a name of the network. `task` shows the ports, until the handle is dropped.
    pub(crate) fn of_name<T>(node: &Node, name: &str, task: impl FnOnce(Shows) -> T) -> Self
    where
        T: Future<Output = ()> + Send + 'static,
    {
        Self::start(node, None, name, task)
    }

    fn start<T>(
        node: &Node,
        supervisor: Option<PortId>,
        name: &str,
        task: impl FnOnce(Shows) -> T,
    ) -> Self
    where
        T: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = oneshot::channel();
        let follower = Arc::new(Follower {
            node: node.clone(),
            supervisor,
            name: name.into(),
            shown: Lock::new(Shown::Unknown),
            changed: Notify::new(),
            _stop: stop,
        });
        let task = task(Shows(Arc::downgrade(&follower)));
        node.scheduler().spawn(async move {
            tokio::select! {
                biased;
                _ = stopped => {}
                () = task => {}
            }
        });
        Self {
            follower,
            _handle: PhantomData,
        }
    }

    /// The name, or that of the child.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.follower.name
    }
}

impl<R: PortRef> Follow<R> {
    /// The present port; `None` while there is none.
    #[must_use]
    pub fn get(&self) -> Option<R> {
        match &*self.follower.shown.lock() {
            Shown::Child(port) => Some(self.follower.node.handle(port)),
            Shown::Unknown | Shown::Nothing | Shown::Done(_) | Shown::Ended(_) => None,
        }
    }

    /// The present port, or the next one.
    ///
    /// # Errors
    ///
    /// [`CallError::Died`] with the supervisor's reason if the supervisor has died, with `no_child` if it has
    /// forgotten the child, with the reason of its last end if a [transient](super::Restart::Transient) child has ended for
    /// good, and, for a name, when the node has stopped.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn wait(&self) -> Result<R, CallError> {
        let is_known = |shown: &Shown| !matches!(shown, Shown::Unknown | Shown::Nothing);
        match self.until(is_known).await {
            Shown::Child(port) => Ok(self.follower.node.handle(&port)),
            Shown::Done(reason) | Shown::Ended(reason) => Err(CallError::Died(reason)),
            Shown::Unknown | Shown::Nothing => unreachable!("it has waited for more"),
        }
    }

    /// A call of the present incarnation, or of the next one if there is none. It is made when it is awaited, and ends
    /// with the reason of the incarnation that it was made for, if that dies.
    pub fn call<C, F, T>(&self, call: F) -> FollowCall<R, F>
    where
        F: Fn(&R) -> C,
        C: Future<Output = Result<T, CallError>>,
    {
        FollowCall {
            follow: self.clone(),
            call,
            retries: 0,
        }
    }
}

/// A call through a [`Follow`]. It is made when it is awaited.
///
/// # Cancel safety
///
/// As that of a [`Call`].
#[must_use = "a call is made when it is awaited"]
pub struct FollowCall<R, F> {
    follow: Follow<R>,
    call: F,
    retries: u32,
}

impl<R, F> FollowCall<R, F> {
    /// Repeats the call, at most `times` times, with the next incarnation if one dies meanwhile. The dead one may have
    /// handled the call, so use it only where a call may be handled twice.
    pub fn retry(mut self, times: u32) -> Self {
        self.retries = times;
        self
    }
}

impl<R, F, C, T> IntoFuture for FollowCall<R, F>
where
    R: PortRef,
    F: Fn(&R) -> C + Send + Sync + 'static,
    C: Future<Output = Result<T, CallError>> + Send + 'static,
    T: Send + 'static,
{
    type Output = Result<T, CallError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let mut retries = self.retries;
            loop {
                let incarnation = self.follow.wait().await?;
                match (self.call)(&incarnation).await {
                    Err(CallError::Died(_)) if retries > 0 => {
                        retries -= 1;
                        let dead = incarnation.handle().id();
                        let is_past =
                            |shown: &Shown| !matches!(shown, Shown::Child(port) if *port == dead);
                        self.follow.until(is_past).await;
                    }
                    answer => return answer,
                }
            }
        })
    }
}

impl<R> Follow<R> {
    /// Waits until the handle shows something of this kind.
    async fn until(&self, is_it: impl Fn(&Shown) -> bool) -> Shown {
        loop {
            let mut changed = std::pin::pin!(self.follower.changed.notified());
            changed.as_mut().enable();
            let shown = self.follower.shown.lock().clone();
            if is_it(&shown) {
                return shown;
            }
            changed.await;
        }
    }
}

impl<R> Clone for Follow<R> {
    fn clone(&self) -> Self {
        Self {
            follower: Arc::clone(&self.follower),
            _handle: PhantomData,
        }
    }
}

impl<R> Serialize for Follow<R> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut pair = serializer.serialize_tuple(2)?;
        pair.serialize_element(&self.follower.supervisor)?;
        pair.serialize_element(&self.follower.name)?;
        pair.end()
    }
}

impl<'de, R> Deserialize<'de> for Follow<R> {
    /// Works only while a message is being decoded, as for handles.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (supervisor, name) =
            <(Option<Handle<SupervisorMsg>>, String)>::deserialize(deserializer)?;
        match supervisor {
            Some(supervisor) => Ok(Self::new(supervisor.node(), &supervisor.id(), &name)),
            None => {
                let node = decoding_node().ok_or_else(|| Error::custom(HandleError::NoNode))?;
                node.follow(&name).map_err(Error::custom)
            }
        }
    }
}

impl<R> fmt::Debug for Follow<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follow")
            .field("supervisor", &self.follower.supervisor)
            .field("name", &self.follower.name)
            .finish_non_exhaustive()
    }
}

impl<R, F> fmt::Debug for FollowCall<R, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowCall")
            .field("follow", &self.follow)
            .field("retries", &self.retries)
            .finish_non_exhaustive()
    }
}
