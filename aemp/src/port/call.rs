//! Calls: a message with a reply, awaited.

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
    slot::{LocalReply, Slot, Taken},
};
use crate::{
    CallError, Node, SendError,
    exec::{drainer, scheduler},
    message::{Encoding, Message},
};

/// A call of a port: a future of its answer. The message is sent when it is first polled.
///
/// Without a [`timeout`](Self::timeout) the called port is monitored, so the call ends when the port dies or its node
/// is lost. Made by the methods of a typed handle:
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
/// # Cancel safety
///
/// Dropping it cleans up: reply port, monitor and timer are gone, and an answer that still comes vanishes. The
/// message, once sent, is handled all the same.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<M: Message, T> {
    handle: Handle<M>,
    message: Option<M>,
    slot: Arc<Slot<T>>,
    limit: Limit,
    far: Option<Far>,
}

/// What a call leaves standing while it waits, beside its slot: gone when dropped.
struct Far {
    _reply: Option<LocalReply>,
    _monitor: Option<CallMonitor>,
}

/// How long a call may take.
enum Limit {
    None,
    After(Duration),
    Running(Pin<Box<Sleep>>),
}

impl Limit {
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        match self {
            Self::None => Poll::Pending,
            Self::After(limit) => {
                let sleep = Box::pin(tokio::time::sleep(*limit));
                *self = Self::Running(sleep);
                self.poll(task)
            }
            Self::Running(sleep) => sleep.as_mut().poll(task),
        }
    }

    fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}

impl<M: Message, T: Send + 'static> Call<M, T> {
    pub(crate) fn new(handle: Handle<M>, message: M, slot: Arc<Slot<T>>) -> Self {
        Self {
            handle,
            message: Some(message),
            slot,
            limit: Limit::None,
            far: None,
        }
    }

    /// Waits at most this long, counted from the first poll; then the call ends with [`CallError::Timeout`].
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Limit::After(limit);
        self
    }

    fn send(&mut self, message: M) -> Result<(), CallError> {
        match &self.handle.to {
            To::Local(port) => {
                let handler = message.handler();
                match port.push(message) {
                    // A limit is to be kept whatever the handler does.
                    Pushed::Wake if self.limit.is_none() => {
                        drainer::help(Arc::<dyn LocalPort<M>>::clone(port), handler);
                    }
                    Pushed::Wake => scheduler::schedule(Arc::<dyn LocalPort<M>>::clone(port)),
                    Pushed::Queued | Pushed::Backlog => {}
                    Pushed::Dead => {
                        let port: Arc<dyn AnyPort> = Arc::<dyn LocalPort<M>>::clone(port);
                        return Err(CallError::Died(port.epitaph()));
                    }
                }
            }
            To::Far(to) => {
                let monitor = self
                    .limit
                    .is_none()
                    .then(|| CallMonitor::new(to, &self.slot));
                let mut encoding = Encoding::new(&to.node);
                let sent = to.send_with(|out| message.encode(out, &mut encoding));
                self.far = Some(Far {
                    _reply: encoding.reply,
                    _monitor: monitor,
                });
                sent.check()?;
            }
        }
        Ok(())
    }

    /// A reply dropped without an answer: because the port has died, is dying, or did not want to answer.
    fn abandoned(&self) -> Result<(), CallError> {
        let To::Local(port) = &self.handle.to else {
            return Err(CallError::NoReply);
        };
        if let Some(reason) = port.died() {
            return Err(CallError::Died(reason));
        }
        // A port whose handler has failed is not marked dead before its message is dropped. Whether it is
        // failing shows in what becomes of the next thing in its queue.
        let probe = Probe(Arc::clone(&self.slot));
        let pushed = port.job(Box::new(move |_| {
            probe.0.complete(Err(CallError::NoReply));
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
        self.0.abandon();
    }
}

impl<M: Message, T: Send + 'static> Future for Call<M, T> {
    type Output = Result<T, CallError>;

    fn poll(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // Calls of idle ports are answered in place, so a loop of them would never let others run.
        ready!(pin!(consume_budget()).poll(task));
        if let Some(message) = this.message.take()
            && let Err(error) = this.send(message)
        {
            this.far = None;
            return Poll::Ready(Err(error));
        }
        loop {
            let answer = match this.slot.poll(task) {
                Poll::Ready(Taken::Done(answer)) => answer,
                Poll::Ready(Taken::Abandoned) => match this.abandoned() {
                    Ok(()) => continue,
                    Err(error) => Err(error),
                },
                Poll::Pending => {
                    ready!(this.limit.poll(task));
                    Err(CallError::Timeout)
                }
            };
            this.far = None;
            return Poll::Ready(answer);
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

/// Monitors the called port for as long as the call waits.
pub(crate) struct CallMonitor(Option<Monitor>);

impl CallMonitor {
    fn new<T: Send + 'static>(to: &Destination, slot: &Arc<Slot<T>>) -> Self {
        let slot = Arc::clone(slot);
        Self(Some(to.monitor(Action::Call(Box::new(move |reason| {
            slot.complete(Err(CallError::Died(reason.clone())));
        })))))
    }
}

impl Drop for CallMonitor {
    fn drop(&mut self) {
        // A program that calls a port once calls it again: the other node is not told each time.
        if let Some(monitor) = self.0.take() {
            monitor.release();
        }
    }
}

/// A call of a port by its ID: a future of the values that it answers with. Made by [`Node::cal`].
#[must_use = "a call is sent when it is awaited"]
pub struct ValueCall {
    to: Destination,
    message: Option<Vec<Value>>,
    slot: Arc<Slot<Vec<Value>>>,
    limit: Limit,
    far: Option<Far>,
}

impl ValueCall {
    pub(crate) fn new(to: Destination, message: Vec<Value>) -> Self {
        Self {
            to,
            message: Some(message),
            slot: Slot::new(),
            limit: Limit::None,
            far: None,
        }
    }

    /// Waits at most this long, counted from the first poll; then the call ends with [`CallError::Timeout`].
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.limit = Limit::After(limit);
        self
    }

    fn send(&mut self, message: &[Value]) -> Result<(), SendError> {
        let monitor = self
            .limit
            .is_none()
            .then(|| CallMonitor::new(&self.to, &self.slot));
        let reply = LocalReply::open(&self.to.node, Arc::clone(&self.slot), |answer| {
            answer.rest()
        });
        let sent = self
            .to
            .send_with(|out| write_call(out, message, &reply.id()));
        self.far = Some(Far {
            _reply: Some(reply),
            _monitor: monitor,
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
            this.far = None;
            return Poll::Ready(Err(error.into()));
        }
        let answer = match this.slot.poll(task) {
            Poll::Ready(Taken::Done(answer)) => answer,
            Poll::Ready(Taken::Abandoned) => Err(CallError::NoReply),
            Poll::Pending => {
                ready!(this.limit.poll(task));
                Err(CallError::Timeout)
            }
        };
        this.far = None;
        Poll::Ready(answer)
    }
}

impl fmt::Debug for ValueCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ValueCall")
            .field("port", &self.to.id)
            .finish_non_exhaustive()
    }
}

/// Sends a message to a port with a bounded queue, waiting for room.
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

/// Ready when there may be room; asked again with the waiter registered, so that no notice is missed.
async fn wait_for_room<M>(port: &Arc<dyn LocalPort<M>>, room: &tokio::sync::Notify) {
    let mut notified = pin!(room.notified());
    if notified.as_mut().enable() || port.has_room() {
        return;
    }
    poll_fn(|task| notified.as_mut().poll(task)).await;
}

/// The node that a call belongs to, for those who only have the call.
impl ValueCall {
    /// The node that calls.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.to.node
    }
}
