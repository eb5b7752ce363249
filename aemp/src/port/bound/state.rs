//! Bound code that has the port's state: timers, continuations of futures, and streams.
//!
//! Such code is a job of the port's queue like other bound code, and gets the state from the worker that runs the port. So
//! it comes between two messages, and waits while an async handler has the state. The closure says the type of the state.
//! It is compared with the port's when the code is bound, so a wrong type is a panic at the place of the mistake.
//!
//! A closure that runs repeatedly is taken out of the port while it runs, as that of an interval. The task of a stream
//! polls for the next item when the job of the last one has run: that is its back-pressure, and at most one item of a
//! stream is in the queue.
//!
//! What could break it: a panic in a closure may leave the state half changed. It is not caught here, so it counts as a
//! panic of a handler. Left out: closures that are async; a handler that a closure sends to may be.

use std::{
    any::Any,
    future::poll_fn,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_core::Stream;
use tokio::sync::Notify;

use super::{
    forget, keep, start, take_kept,
    timer::{LONGEST, SHORTEST, Timer, due},
};
use crate::{
    Cx, Reason,
    exec::scheduler,
    guard::{self, Foreign, Held},
    message::{Outcome, Port},
    port::{
        any::AnyPort,
        extras::{Act, Content},
        monitor,
        queue::Pushed,
    },
};

/// A closure with the port's state that runs repeatedly.
type Often<A> = Box<dyn FnMut(&mut dyn Any, &mut Cx<'_>, A) -> Result<(), Reason> + Send>;

fn act_in(port: Arc<dyn AnyPort>, act: Act) {
    if port.act(act) == Pushed::Wake {
        scheduler::schedule(port);
    }
}

/// Runs user code with the state, which is of this type.
fn with<P: Port, O: Outcome>(
    state: &mut dyn Any,
    cx: &mut Cx<'_>,
    run: impl FnOnce(&mut P, &mut Cx<'_>) -> O,
) -> Result<(), Reason> {
    match state.downcast_mut() {
        Some(state) => cx.of_this_node(|cx| run(state, cx)).outcome(),
        None => unreachable!("the type was compared when the code was bound"),
    }
}

/// Runs the closure with this number once, unless it was cancelled.
fn run_once(state: &mut dyn Any, cx: &mut Cx<'_>, id: u64) -> Result<(), Reason> {
    match take_kept(cx.port(), id).map(|kept| kept.content) {
        Some(Content::Act(act)) => act(state, cx),
        _ => Ok(()),
    }
}

/// Runs the closure with this number, unless it was cancelled. A panic unwinds to the worker, and the closure is dropped on
/// the way.
fn run_often<A: 'static>(
    state: &mut dyn Any,
    cx: &mut Cx<'_>,
    id: u64,
    argument: A,
) -> Result<(), Reason> {
    let lent = cx.port().extras(|extras| {
        let kept = extras.kept.get_mut(id)?;
        match std::mem::replace(&mut kept.content, Content::Lent) {
            Content::Value(closure) => Some(closure),
            _ => None,
        }
    });
    let closure = lent.flatten().and_then(|lent| lent.downcast().ok());
    let Some(closure): Option<Box<Often<A>>> = closure else {
        guard::discard(argument);
        return Ok(());
    };
    let mut closure = Held::new(closure);
    let done = match closure.get_mut() {
        Some(closure) => closure(state, cx, argument),
        None => Ok(()),
    };
    cx.port().extras(|extras| {
        if let Some(kept) = extras.kept.get_mut(id)
            && let Some(closure) = closure.take()
        {
            kept.content = Content::Value(closure);
        }
    });
    done
}

/// Panics if `P` is not the type of the port's state.
#[track_caller]
fn check<P: Port>(cx: &Cx<'_>) {
    let port = cx.port();
    assert!(
        port.is_of::<P>(),
        "the closure takes the state of a {}, and this port is a {}",
        std::any::type_name::<P>(),
        port.type_name(),
    );
}

/// Keeps a closure that runs after the delay.
fn after(cx: &Cx<'_>, delay: Duration, act: Act) -> Option<u64> {
    let port = cx.arc();
    let id = keep(&*port, Content::Act(act))?;
    let (due, weak) = (due(port.node(), delay), Arc::downgrade(&port));
    start(&port, id, async move {
        tokio::time::sleep_until(due).await;
        if let Some(port) = weak.upgrade() {
            act_in(port, Box::new(move |state, cx| run_once(state, cx, id)));
        }
    });
    Some(id)
}

impl Cx<'_> {
    /// Runs `run` with the port's state after a delay. The closure names the type of the state:
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Cx, Node, port};
    ///
    /// struct Session { open: bool }
    ///
    /// #[port]
    /// impl Session {
    ///     #[rcv]
    ///     fn close(&mut self, cx: &mut Cx<'_>) {
    ///         cx.after_with(Duration::from_millis(10), |me: &mut Self, _| me.open = false);
    ///     }
    ///
    ///     #[rcv]
    ///     fn is_open(&self) -> bool { self.open }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let session = Node::local()?.port(Session { open: true });
    /// session.close();
    /// assert!(session.is_open().await?);
    /// tokio::time::sleep(Duration::from_millis(50)).await;
    /// assert!(!session.is_open().await?);
    /// # Ok(()) }
    /// ```
    ///
    /// *Semantics.* The closure runs between two messages, behind those that are queued when the time has come. If it
    /// returns an error or panics, the port dies as of a handler. It is dropped with the port.
    ///
    /// *Limits.* It waits while an async handler runs, as messages do. A queued kill or stop comes before it.
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state. In a handler, the port dies with the text.
    #[track_caller]
    pub fn after_with<P: Port, O: Outcome>(
        &self,
        delay: Duration,
        run: impl FnOnce(&mut P, &mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        check::<P>(self);
        let act: Act = Box::new(move |state, cx| with(state, cx, run));
        Timer::of_port(&self.arc(), after(self, delay, act))
    }

    /// Runs `run` with the port's state once in each `period`, for the first time after one period. While a run is
    /// still queued, no further run is added. See [`after_with`](Self::after_with).
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state.
    #[track_caller]
    pub fn every_with<P: Port, O: Outcome>(
        &self,
        period: Duration,
        mut run: impl FnMut(&mut P, &mut Cx<'_>) -> O + Send + 'static,
    ) -> Timer {
        check::<P>(self);
        let often: Often<()> = Box::new(move |state, cx, ()| with(state, cx, &mut run));
        let port = self.arc();
        let Some(id) = keep(&*port, Content::Value(Box::new(often))) else {
            return Timer::of_port(&port, None);
        };
        let period = period.clamp(SHORTEST, LONGEST);
        let (first, weak) = (due(port.node(), period), Arc::downgrade(&port));
        start(&port, id, async move {
            let mut ticks = tokio::time::interval_at(first, period);
            let queued = Arc::new(AtomicBool::new(false));
            loop {
                ticks.tick().await;
                let Some(port) = weak.upgrade() else { return };
                if queued.swap(true, Ordering::Relaxed) {
                    continue;
                }
                let queued = Arc::clone(&queued);
                let act: Act = Box::new(move |state, cx| {
                    queued.store(false, Ordering::Relaxed);
                    run_often(state, cx, id, ())
                });
                act_in(port, act);
            }
        });
        Timer::of_port(&port, Some(id))
    }

    /// Sets the timer of this name: `run` gets the port's state after a delay. A timer of the same name that has not run
    /// yet is replaced. See [`after_with`](Self::after_with).
    ///
    /// ```
    /// use std::time::Duration;
    /// use aemp::{Cx, port};
    ///
    /// struct Draft { text: String }
    ///
    /// #[port]
    /// impl Draft {
    ///     #[rcv]
    ///     fn edit(&mut self, cx: &mut Cx<'_>, text: String) {
    ///         self.text = text;
    ///         // Saved when there was no change for a second.
    ///         cx.timer("save", Duration::from_secs(1), |me: &mut Self, _| println!("{}", me.text));
    ///     }
    ///
    ///     #[rcv]
    ///     fn discard(&mut self, cx: &mut Cx<'_>) { cx.cancel_timer("save"); }
    /// }
    /// ```
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state.
    #[doc(alias = "debounce")]
    #[track_caller]
    pub fn timer<P: Port, O: Outcome>(
        &self,
        name: &str,
        delay: Duration,
        run: impl FnOnce(&mut P, &mut Cx<'_>) -> O + Send + 'static,
    ) {
        check::<P>(self);
        self.cancel_timer(name);
        let named: Box<str> = name.into();
        let act: Act = Box::new(move |state, cx| {
            // Only the timer that the name means can run.
            cx.port().extras(|extras| extras.take_name(&named));
            with(state, cx, run)
        });
        if let Some(id) = after(self, delay, act) {
            self.port().extras(|extras| extras.name(name, id));
        }
    }

    /// Cancels the timer of this name. Returns whether there was one that had not run.
    pub fn cancel_timer(&self, name: &str) -> bool {
        let id = self.port().extras(|extras| extras.take_name(name));
        let id = id.flatten();
        if let Some(id) = id {
            forget(self.port(), id);
        }
        id.is_some()
    }

    /// Runs a future, such as a call, as a task of this port, and then `run` with the port's state and the output. The
    /// port goes on handling messages meanwhile.
    ///
    /// ```
    /// use aemp::{CallError, Cx, Node, Reply, port};
    ///
    /// struct Price { cents: i64 }
    ///
    /// #[port]
    /// impl Price {
    ///     #[rcv]
    ///     fn get(&self) -> i64 { self.cents }
    /// }
    ///
    /// struct Shop { price: PriceRef, sold: i64 }
    ///
    /// #[port]
    /// impl Shop {
    ///     #[rcv]
    ///     fn buy(&mut self, cx: &mut Cx<'_>, reply: Reply<i64>) {
    ///         cx.then(self.price.get(), |me: &mut Self, _, price: Result<i64, CallError>| {
    ///             me.sold += 1;
    ///             reply.send(price?);
    ///             Ok::<_, CallError>(())
    ///         });
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = Node::local()?;
    /// let price = node.port(Price { cents: 250 });
    /// let shop = node.port(Shop { price, sold: 0 });
    /// assert_eq!(shop.buy().await?, 250);
    /// # Ok(()) }
    /// ```
    ///
    /// *Semantics.* The continuation is queued when the future is ready, behind the messages that are queued by then.
    /// Several futures run at the same time, and their continuations come in the order in which they are ready. If the
    /// future or `run` panics, or `run` returns an error, the port dies. When the port dies, the future is cancelled, and
    /// both are dropped. A call in it is cancelled as any dropped call.
    ///
    /// *Limits.* The future is a task of the runtime. The number of such tasks has no limit here. A port that drains
    /// ([`Handle::stop`](crate::Handle::stop)) does not wait for futures that are not ready.
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state.
    #[doc(alias = "pipe_to_self")]
    #[doc(alias = "wait")]
    #[track_caller]
    pub fn then<P: Port, F, O: Outcome>(
        &self,
        future: F,
        run: impl FnOnce(&mut P, &mut Cx<'_>, F::Output) -> O + Send + 'static,
    ) -> Timer
    where
        F: IntoFuture,
        F::IntoFuture: Send + 'static,
        F::Output: Send + 'static,
    {
        check::<P>(self);
        let port = self.arc();
        let future = Foreign::new(future.into_future());
        let mut run = Held::new(run);
        let Some(id) = keep(&*port, Content::Task) else {
            return Timer::of_port(&port, None);
        };
        let weak = Arc::downgrade(&port);
        start(&port, id, async move {
            let output = future.await;
            let (Some(port), Some(run)) = (weak.upgrade(), run.take()) else {
                return;
            };
            match output {
                Ok(output) => {
                    let act: Act = Box::new(move |state, cx| {
                        if take_kept(cx.port(), id).is_none() {
                            // It was cancelled after it had been queued.
                            guard::discard((run, output));
                            return Ok(());
                        }
                        with(state, cx, |state, cx| run(state, cx, output))
                    });
                    act_in(port, act);
                }
                Err(reason) => {
                    guard::discard(run);
                    monitor::kill(&port, reason);
                }
            }
        });
        Timer::of_port(&port, Some(id))
    }

    /// Runs `run` with the port's state for each item of a stream, and at its end with `None`.
    ///
    /// ```
    /// use std::{pin::Pin, task::{Context, Poll}};
    /// use aemp::{Cx, Node, port};
    /// use futures_core::Stream;
    ///
    /// struct Countdown(u32);
    ///
    /// impl Stream for Countdown {
    ///     type Item = u32;
    ///
    ///     fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<u32>> {
    ///         self.0 = self.0.saturating_sub(1);
    ///         Poll::Ready((self.0 > 0).then_some(self.0))
    ///     }
    /// }
    ///
    /// #[derive(Default)]
    /// struct Sum(u32);
    ///
    /// #[port]
    /// impl Sum {
    ///     #[start]
    ///     fn start(&mut self, cx: &mut Cx<'_>) {
    ///         cx.stream(Countdown(4), |me: &mut Self, cx, item| match item {
    ///             Some(n) => me.0 += n,
    ///             None => cx.kill(format!("{}", me.0)),
    ///         });
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sum = Node::local()?.port(Sum::default());
    /// assert_eq!(sum.closed().await.to_string(), "6");
    /// # Ok(()) }
    /// ```
    ///
    /// *Semantics.* The next item is polled when `run` has returned for the last one. So a slow port slows its streams
    /// down, and at most one item of each is in the queue. If the stream or `run` panics, or `run` returns an error,
    /// the port dies. The stream is dropped at its end, when it is cancelled, and with the port.
    ///
    /// *Limits.* An item costs one wake-up of a task and one job. Messages of other senders come in between.
    ///
    /// # Panics
    ///
    /// Panics if `P` is not the type of this port's state.
    #[doc(alias = "attach_stream")]
    #[track_caller]
    pub fn stream<P: Port, S, O: Outcome>(
        &self,
        stream: S,
        mut run: impl FnMut(&mut P, &mut Cx<'_>, Option<S::Item>) -> O + Send + 'static,
    ) -> Timer
    where
        S: Stream + Send + 'static,
        S::Item: Send + 'static,
    {
        check::<P>(self);
        let often: Often<Option<S::Item>> = Box::new(move |state, cx, item| {
            with(state, cx, |state: &mut P, cx| run(state, cx, item))
        });
        let (port, stream) = (self.arc(), Held::new(Box::pin(stream)));
        let Some(id) = keep(&*port, Content::Value(Box::new(often))) else {
            return Timer::of_port(&port, None);
        };
        start(&port, id, feed(Arc::downgrade(&port), id, stream));
        Timer::of_port(&port, Some(id))
    }
}

/// Feeds a stream to the closure with this number.
async fn feed<S>(port: std::sync::Weak<dyn AnyPort>, id: u64, mut stream: Held<Pin<Box<S>>>)
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    let handled = Arc::new(Notify::new());
    loop {
        let item = poll_fn(|task| {
            guard::poll(|| match stream.get_mut() {
                Some(stream) => stream.as_mut().poll_next(task),
                None => std::task::Poll::Ready(None),
            })
        })
        .await;
        let Some(port) = port.upgrade() else { return };
        let item = match item {
            Ok(item) => item,
            Err(reason) => return monitor::kill(&port, reason),
        };
        let (is_last, done) = (item.is_none(), Arc::clone(&handled));
        let act: Act = Box::new(move |state, cx| {
            let outcome = run_often(state, cx, id, item);
            if is_last {
                forget(cx.port(), id);
            }
            done.notify_one();
            outcome
        });
        act_in(port, act);
        if is_last {
            return;
        }
        handled.notified().await;
    }
}
