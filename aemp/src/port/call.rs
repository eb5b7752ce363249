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
//!   caller's node sends unasked; `peer::callers` receives it. A kept reply hears of it at once, a call that is still
//!   queued will hear of it. For callers on Perl nodes, the reply port is monitored as soon as the program asks
//!   `Reply::is_wanted`.
//! - A time limit, the call's own or the node's, begins with the first poll. The slot keeps the time at which it is over,
//!   for a handler of this node. For another node of this project it is in the name of the reply port (`node::names`).
//! - A Perl caller hears of an answer that cannot be sent, and of a call that is not understood, by an answer without
//!   values and a kill behind it. The reference's `cal` reports its failures in the same way.
//!
//! A port that cannot decode a call refuses it (`Undecoded::Refused`) while there is a caller. An unknown message is no
//! reason to die for all other clients of the port; `#[port(strict)]` chooses the other rule.

mod value;
mod waiting;

use std::{
    fmt,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::task::coop::consume_budget;

pub use self::value::ValueCall;
use self::waiting::{CallMonitor, Far, Limit, Waiting};
use super::{
    handle::{Handle, To, core, upcast},
    queue::Pushed,
    slot::{Outcome, Slot},
};
use crate::{
    CallError, Node, Sent,
    exec::{
        circle::{self, Edge},
        drainer, scheduler, spans,
        tally::{CallEnd, Called},
    },
    message::Message,
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
    sending: Sending,
    waiting: Waiting<T>,
}

/// The facts about a sent message that a search for circles needs (`exec::circle`).
struct Sending {
    /// True if the reply is in the message, because a generated method has made both.
    whole: bool,
    handler: u32,
    /// True if the port was at work when the message came.
    busy: bool,
    /// The number of the port's own run that has sent the message, if one has.
    run: u64,
}

impl<M: Message, T: Send + 'static> Call<M, T> {
    pub(crate) fn new(handle: Handle<M>, message: M, slot: Arc<Slot<T>>) -> Self {
        Self {
            handle,
            message: Some(message),
            sending: Sending {
                whole: false,
                handler: 0,
                busy: false,
                run: 0,
            },
            waiting: Waiting::new(slot),
        }
    }

    /// The call of a generated method, whose message has the reply in it.
    pub(crate) fn whole(mut self) -> Self {
        self.sending.whole = true;
        self
    }

    /// The node that calls.
    pub(super) fn caller(&self) -> &Node {
        self.handle.node()
    }

    /// Sets a time limit, counted from the first poll. When it is over, the call ends with [`CallError::Timeout`].
    /// The limit has no other effect. Without it, the limit of the [node](crate::NodeBuilder::call_timeout) counts, if
    /// there is one; [`Duration::MAX`] is no limit.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.waiting.limit = Limit::set(limit);
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
        self.waiting.forget();
        match self.message.take() {
            Some(message) => self.handle.post(message),
            // The call has been polled, so the message has been sent.
            None => Sent::ok(),
        }
    }

    fn send(&mut self, message: M) -> Result<(), CallError> {
        let handler = message.handler();
        let meter = &mut self.waiting.meter;
        let node = || self.handle.node();
        meter.begin(node, || match &self.handle.to {
            To::Local(port) => Called::here(&**port, handler),
            To::Far(_) => Called::of::<M>(true, handler),
        });
        self.waiting.begin(self.handle.node())?;
        self.sending.handler = handler;
        let _calling = spans::calling(self.handle.node());
        match &self.handle.to {
            To::Local(port) => {
                match port.push(message) {
                    // With a time limit the handler must not run in place, because it could run past the limit.
                    Pushed::Wake if self.waiting.limit.is_none() => {
                        drainer::help(port.node().scheduler(), upcast(port), handler);
                    }
                    Pushed::Wake => scheduler::schedule(upcast(port)),
                    Pushed::Queued | Pushed::Backlog => {
                        self.sending.busy = true;
                        self.waiting.meter.waits();
                        self.sending.run = circle::run_of(&*core(port));
                    }
                    Pushed::Dead => return Err(CallError::Died(upcast(port).epitaph())),
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

    /// Notes that the call waits, for the handler that is being polled.
    fn note(&self) {
        circle::see(|| self.handle.id());
        let To::Local(port) = &self.handle.to else {
            return;
        };
        // A time limit ends the wait.
        if !self.waiting.limit.is_none() {
            return;
        }
        let Sending {
            whole,
            handler,
            busy,
            run,
        } = self.sending;
        circle::note(busy, || {
            let port = core(port);
            let returns = port.returns(handler) || run != 0 && run == circle::run_of(&*port);
            Edge {
                port,
                call: Arc::<Slot<T>>::downgrade(&self.waiting.slot),
                certain: whole && returns,
            }
        });
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
            scheduler::schedule(upcast(port));
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
            return this.waiting.end(this.handle.node(), Err(error));
        }
        loop {
            let answer = match this.waiting.slot.poll(task) {
                Poll::Ready(Outcome::Answer(answer)) => {
                    this.waiting.answered(|| this.handle.node());
                    return Poll::Ready(Ok(answer));
                }
                Poll::Ready(outcome) => match outcome.into_result() {
                    Some(answer) => answer,
                    None => match this.abandoned() {
                        Ok(()) => continue,
                        Err(error) => Err(error),
                    },
                },
                Poll::Pending => {
                    this.note();
                    Err(ready!(this.waiting.limit.poll(this.handle.node(), task)))
                }
            };
            return this.waiting.end(this.handle.node(), answer);
        }
    }
}

impl<M: Message, T> Unpin for Call<M, T> {}

impl<M: Message, T> Drop for Call<M, T> {
    fn drop(&mut self) {
        let node = || self.handle.node();
        self.waiting.meter.end(node, CallEnd::Dropped);
    }
}

impl<M: Message, T> fmt::Debug for Call<M, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("port", &self.handle.id())
            .field("sent", &self.message.is_none())
            .finish_non_exhaustive()
    }
}
