//! Calls: a message with a reply, awaited.
//!
//! A call is a message and a `Slot`. The slot receives the outcome, and shows the port whether the caller is still
//! there. A reply that is moved to a port of the same node holds the slot. A reply that is encoded becomes a *reply
//! port*, whose ID travels as the last argument of the message.
//!
//! - The caller reads the answer. A reply port keeps the bytes of the answer, after the connection has checked their
//!   syntax; `Call::poll` decodes them. So a slow `Deserialize` costs its own caller only.
//! - Every encoded call sets a monitor, with or without a time limit. A death arrives through the monitor, and nothing
//!   else is reported as `Died`. The monitor of a call on another node is not taken back when the call ends, but after
//!   some seconds without use. A series of calls therefore costs one `mon1` request. (The reference never takes it
//!   back.)
//! - A caller that drops its call kills its reply port. Nodes of this project hear of that by `kil0`, which the
//!   caller's node sends unasked; `remote::callers` receives it. A kept reply hears of it at once, a call that is still
//!   queued will hear of it. For callers on Perl nodes, the reply port is monitored as soon as the program asks
//!   `Reply::is_wanted`.
//! - A Perl caller hears of an answer that cannot be sent, and of a call that is not understood, by an answer without
//!   values and a kill behind it. The reference's `cal` reports its failures in the same way.
//!
//! A port that cannot decode a call refuses it (`Undecoded::Refused`) while there is a caller. An unknown message is no
//! reason to die for all other clients of the port; `#[port(strict)]` chooses the other rule.

use std::{
    fmt,
    future::poll_fn,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use aemp_codec::{EncodeError, PacketWriter, PortId, Value};
use tokio::{task::coop::consume_budget, time::Sleep};

use super::{
    any::{AnyPort, LocalPort},
    destination::Destination,
    handle::{Handle, To},
    monitor::{Action, Monitor},
    queue::Pushed,
    reply::LocalReply,
    slot::{Outcome, Slot},
};
use crate::{
    CallError, Node, SendError, Sent,
    exec::{current, drainer, scheduler},
    guard,
    message::Message,
    node::peer::Peer,
};

/// A call of a port: a future of its answer. The message is sent at the first poll.
///
/// The called port is monitored. So the call ends when the port dies or its node is lost, even without a
/// [`timeout`](Self::timeout). The methods of typed handles make calls:
///
/// ```
/// use std::time::Duration;
/// use aemp::{Node, port};
///
/// #[derive(Default)]
/// struct Counter { n: i64 }
///
/// #[port]
/// impl Counter {
///     #[rcv]
///     fn get(&self) -> i64 { self.n }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let counter = Node::local()?.port(Counter { n: 5 });
/// assert_eq!(counter.get().await?, 5);
/// assert_eq!(counter.get().timeout(Duration::from_secs(1)).await?, 5);
/// # Ok(()) }
/// ```
///
/// An encoded answer is decoded where the call is polled. So a slow `Deserialize` delays only the caller, and one
/// that panics ends the call with [`CallError::Answer`].
///
/// A call can be awaited outside of a tokio runtime. The node's runtime keeps its time limit. If that runtime has
/// been shut down, a call with a time limit ends with an error.
///
/// # Cancel safety
///
/// Dropping it removes the reply port, the monitor and the timer, and a late answer vanishes. A message that was sent is
/// handled all the same; a handler with a [`Reply`](crate::Reply) can ask whether the answer is still wanted.
#[must_use = "a call is sent when it is awaited; `.forget()` sends it and waits for no answer"]
#[doc(alias = "ask")]
pub struct Call<M: Message, T> {
    handle: Handle<M>,
    message: Option<M>,
    waiting: Waiting<T>,
}

/// The waiting part of a call. Dropping it removes everything that the call has set up.
struct Waiting<T> {
    slot: Arc<Slot<T>>,
    limit: Limit,
    far: Option<Far>,
    /// True if the slot's outcome has been taken, so that the port need not be told that the caller is gone.
    taken: bool,
}

impl<T> Waiting<T> {
    fn new(slot: Arc<Slot<T>>) -> Self {
        Self {
            slot,
            limit: Limit::None,
            far: None,
            taken: false,
        }
    }

    /// Waits for the outcome or for the time limit. `None` means that the reply was dropped.
    fn poll(&mut self, node: &Node, task: &mut Context<'_>) -> Poll<Option<Result<T, CallError>>> {
        match self.slot.poll(task) {
            Poll::Ready(outcome) => Poll::Ready(outcome.into_result()),
            Poll::Pending => self.limit.poll(node, task).map(|error| Some(Err(error))),
        }
    }

    /// Cleans up after the answer has been taken.
    #[inline]
    fn answered(&mut self) {
        self.taken = true;
        if let Some(far) = self.far.take() {
            far.end();
        }
    }

    /// Ends the call with a result, and cleans up.
    fn end(&mut self, answer: Result<T, CallError>) -> Poll<Result<T, CallError>> {
        // After these two errors the callee may still be working for this call, and must hear that the caller is gone.
        self.taken = !matches!(answer, Err(CallError::Timeout | CallError::Send(_)));
        if let Some(far) = self.far.take()
            && self.taken
        {
            far.end();
        }
        Poll::Ready(answer)
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.far = None;
        if !self.taken {
            self.slot.leave();
        }
    }
}

/// The parts of an encoded call: its reply port and its monitor.
struct Far {
    reply: Option<LocalReply>,
    monitor: CallMonitor,
    /// The called node, if it is another node.
    peer: Option<Arc<Peer>>,
}

impl Far {
    /// Cleans up after the call has its outcome.
    fn end(mut self) {
        self.peer = None;
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.monitor.release();
        if let Some(reply) = &self.reply
            && reply.close()
            && let Some(peer) = &self.peer
        {
            peer.report_caller_gone(reply.id().name());
        }
    }
}

/// The time limit of a call.
enum Limit {
    None,
    After(Duration),
    Running(Pin<Box<Sleep>>),
}

impl Limit {
    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Ready when the time is over, or its runtime is gone. The caller may have no runtime, so the timer runs on the
    /// node's.
    fn poll(&mut self, node: &Node, task: &mut Context<'_>) -> Poll<CallError> {
        let over = match self {
            Self::None => return Poll::Pending,
            Self::After(limit) => {
                let limit = *limit;
                let begun = guard::run(|| {
                    let _runtime = node.scheduler().enter();
                    Box::pin(tokio::time::sleep(limit))
                });
                match begun {
                    Ok(sleep) => {
                        *self = Self::Running(sleep);
                        return self.poll(node, task);
                    }
                    Err(reason) => Err(reason),
                }
            }
            // tokio panics here if the runtime is being shut down.
            Self::Running(sleep) => ready!(guard::poll(|| sleep.as_mut().poll(task))),
        };
        Poll::Ready(over.map_or_else(CallError::Died, |()| CallError::Timeout))
    }
}

impl<M: Message, T: Send + 'static> Call<M, T> {
    pub(crate) fn new(handle: Handle<M>, message: M, slot: Arc<Slot<T>>) -> Self {
        Self {
            handle,
            message: Some(message),
            waiting: Waiting::new(slot),
        }
    }

    /// The node that calls.
    pub(super) fn caller(&self) -> &Node {
        self.handle.node()
    }

    /// Sets a time limit, counted from the first poll. When it is over, the call ends with [`CallError::Timeout`].
    /// The limit has no other effect.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.waiting.limit = Limit::After(limit);
        self
    }

    /// Sends the message now, without waiting for an answer. [`Reply::is_wanted`](crate::Reply::is_wanted) is false
    /// for it.
    ///
    /// ```
    /// # use aemp::{Node, port};
    /// # #[derive(Default)]
    /// # struct Counter { n: i64 }
    /// #[port]
    /// impl Counter {
    ///     #[rcv]
    ///     fn add(&mut self, by: i64) -> i64 { self.n += by; self.n }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let counter = Node::local()?.port(Counter::default());
    /// counter.add(2).forget();
    /// assert_eq!(counter.add(3).await?, 5);
    /// # Ok(()) }
    /// ```
    #[doc(alias = "detach")]
    pub fn forget(mut self) -> Sent {
        self.waiting.slot.leave();
        match self.message.take() {
            Some(message) => self.handle.post(message),
            // The call has been polled, so the message has been sent.
            None => Sent::ok(),
        }
    }

    fn send(&mut self, message: M) -> Result<(), CallError> {
        match &self.handle.to {
            To::Local(port) => {
                let handler = message.handler();
                match port.push(message) {
                    // With a time limit the handler must not run in place, because it could run past the limit.
                    Pushed::Wake if self.waiting.limit.is_none() => {
                        let work = Arc::<dyn LocalPort<M>>::clone(port);
                        drainer::help(port.node().scheduler(), work, handler);
                    }
                    Pushed::Wake => scheduler::schedule(Arc::<dyn LocalPort<M>>::clone(port)),
                    Pushed::Queued | Pushed::Backlog => {}
                    Pushed::Dead => {
                        let port: Arc<dyn AnyPort> = Arc::<dyn LocalPort<M>>::clone(port);
                        return Err(CallError::Died(port.epitaph()));
                    }
                }
            }
            To::Far(to) if to.is_node_port() => to.no_port().check()?,
            To::Far(to) => {
                let monitor = CallMonitor::new(to, &self.waiting.slot);
                let mut encoding = to.encoding();
                let sent = to.send_with(|out| message.encode(out, &mut encoding));
                self.waiting.far = Some(Far {
                    reply: encoding.reply,
                    monitor,
                    peer: to.peer().cloned(),
                });
                sent.check()?;
            }
        }
        Ok(())
    }

    /// Handles a reply that was dropped without an answer: the port has died, is dying, or chose not to answer.
    fn abandoned(&self) -> Result<(), CallError> {
        let To::Local(port) = &self.handle.to else {
            return Err(CallError::NoReply);
        };
        if let Some(reason) = port.died() {
            return Err(CallError::Died(reason));
        }
        // A failing handler drops its message before the port is marked as dead. A job at the end of the port's queue
        // shows whether the port lives on.
        let probe = Probe(Arc::clone(&self.waiting.slot));
        let pushed = port.job(Box::new(move |_| {
            probe.0.fail(CallError::NoReply);
            Ok(())
        }));
        if pushed == Pushed::Wake {
            scheduler::schedule(Arc::<dyn LocalPort<M>>::clone(port));
        }
        Ok(())
    }
}

struct Probe<T>(Arc<Slot<T>>);

impl<T> Drop for Probe<T> {
    fn drop(&mut self) {
        self.0.set(Outcome::Abandoned);
    }
}

impl<M: Message, T: Send + 'static> Future for Call<M, T> {
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Calls of idle ports are answered in place. Without a budget, a loop of such calls would never yield.
        ready!(pin!(consume_budget()).poll(task));
        if let Some(message) = this.message.take()
            && let Err(error) = this.send(message)
        {
            return this.waiting.end(Err(error));
        }
        loop {
            let answer = match this.waiting.slot.poll(task) {
                Poll::Ready(Outcome::Answer(answer)) => {
                    this.waiting.answered();
                    return Poll::Ready(Ok(answer));
                }
                Poll::Ready(outcome) => match outcome.into_result() {
                    Some(answer) => answer,
                    None => match this.abandoned() {
                        Ok(()) => continue,
                        Err(error) => Err(error),
                    },
                },
                Poll::Pending => Err(ready!(this.waiting.limit.poll(this.handle.node(), task))),
            };
            return this.waiting.end(answer);
        }
    }
}

impl<M: Message, T> Unpin for Call<M, T> {}

impl<M: Message, T> fmt::Debug for Call<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("port", &self.handle.id())
            .field("sent", &self.message.is_none())
            .finish_non_exhaustive()
    }
}

/// The monitor of the called port, for as long as the call waits.
pub(crate) struct CallMonitor(Option<Monitor>);

impl CallMonitor {
    fn new<T: Send + 'static>(to: &Destination, slot: &Arc<Slot<T>>) -> Self {
        let slot = Arc::clone(slot);
        Self(Some(to.monitor(Action::Call(Box::new(move |reason| {
            slot.fail(CallError::Died(reason.clone()));
        })))))
    }

    fn release(&mut self) {
        // Calls come in series, so the other node is not told of the end of each monitor at once.
        if let Some(monitor) = self.0.take() {
            monitor.release();
        }
    }
}

/// A call of a port by its ID: a future of the values of the answer. Made by [`Node::cal`].
#[must_use = "a call is sent when it is awaited; `.forget()` sends it and waits for no answer"]
pub struct ValueCall {
    to: Destination,
    /// True if this call may address a node's own port.
    of_node: bool,
    message: Option<Vec<Value>>,
    waiting: Waiting<Vec<Value>>,
}

impl ValueCall {
    pub(crate) fn new(to: Destination, message: Vec<Value>) -> Self {
        Self {
            to,
            of_node: false,
            message: Some(message),
            waiting: Waiting::new(Slot::new()),
        }
    }

    /// A call of a node's own port.
    pub(crate) fn of_node(to: Destination, message: Vec<Value>) -> Self {
        Self {
            of_node: true,
            ..Self::new(to, message)
        }
    }

    /// Waits at most this long, counted from the first poll; then the call ends with [`CallError::Timeout`].
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.waiting.limit = Limit::After(limit);
        self
    }

    /// Sends the message now, without a reply port.
    pub fn forget(mut self) -> Sent {
        match self.message.take() {
            Some(_) if self.is_refused() => self.to.no_port(),
            Some(message) => self.to.send_values(message),
            None => Sent::ok(),
        }
    }

    /// True if the call is one of a port to a node's own port, which is not allowed.
    fn is_refused(&self) -> bool {
        self.to.is_node_port() && !self.of_node && current::runs_port()
    }

    fn send(&mut self, message: &[Value]) -> Result<(), SendError> {
        if self.is_refused() {
            return self.to.no_port().check();
        }
        let slot = &self.waiting.slot;
        let monitor = CallMonitor::new(&self.to, slot);
        let reply = LocalReply::open(&self.to.node, Arc::clone(slot), |answer| answer.rest());
        let id = reply.id();
        let sent = self.to.send_with(|out| write_call(out, message, &id));
        self.waiting.far = Some(Far {
            reply: Some(reply),
            monitor,
            peer: self.to.peer().cloned(),
        });
        sent.check()
    }
}

fn write_call(
    out: &mut PacketWriter<'_>,
    message: &[Value],
    reply: &PortId,
) -> Result<(), EncodeError> {
    for value in message {
        out.value(value)?;
    }
    out.str(reply.as_str())
}

impl Future for ValueCall {
    type Output = Result<Vec<Value>, CallError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(message) = this.message.take()
            && let Err(error) = this.send(&message)
        {
            return this.waiting.end(Err(error.into()));
        }
        let answer = ready!(this.waiting.poll(&this.to.node, task));
        this.waiting.end(answer.unwrap_or(Err(CallError::NoReply)))
    }
}

impl fmt::Debug for ValueCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueCall")
            .field("port", &self.to.id)
            .finish_non_exhaustive()
    }
}

/// Sends a message to a port with a bounded queue, after waiting for room.
pub(crate) async fn send_bounded<M: Message>(
    port: &Arc<dyn LocalPort<M>>,
    message: M,
) -> Result<(), SendError> {
    let mut message = Some(message);
    loop {
        let Some(next) = message.take() else {
            return Ok(());
        };
        let room = match port.try_push(next) {
            Ok(Pushed::Wake) => {
                scheduler::schedule(Arc::<dyn LocalPort<M>>::clone(port));
                return Ok(());
            }
            Ok(Pushed::Queued | Pushed::Backlog) => return Ok(()),
            Ok(Pushed::Dead) => return Err(SendError::Dead),
            Err((back, room)) => {
                message = Some(back);
                room
            }
        };
        wait_for_room(port, &room).await;
    }
}

/// Ready when there may be room. The queue is checked again after the waiter is registered, so that no notification
/// is missed.
async fn wait_for_room<M>(port: &Arc<dyn LocalPort<M>>, room: &tokio::sync::Notify) {
    let mut notified = pin!(room.notified());
    if notified.as_mut().enable() || port.has_room() {
        return;
    }
    poll_fn(|task| notified.as_mut().poll(task)).await;
}

/// For callers that have only the call and no node.
impl ValueCall {
    /// The node that calls.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.to.node
    }
}
