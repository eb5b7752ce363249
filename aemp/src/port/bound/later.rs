//! Continuations of futures, and streams, with the port's state.
//!
//! Each is a task that the port keeps, and a job of the port for each result (`state`). The task of a stream polls for
//! the next item when the job of the last one has run: that is its back-pressure, and at most one item of a stream is
//! queued.
//!
//! Dangers: a stream that is always ready costs its port one job after another; messages come in between,
//! because each job is queued behind them. Left out: a limit of the number of continuations of a port.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Weak},
    task::Poll,
};

use futures_core::Stream;
use tokio::sync::Notify;

use super::{
    forget, keep, start,
    state::{Often, act_in, check, run_often, with},
    take_kept,
    timer::Timer,
};
use crate::{
    Cx,
    exec::spans::Carried,
    guard::{self, Foreign, Held},
    message::{Outcome, Port},
    port::{
        any::AnyPort,
        extras::{Act, Content},
        monitor,
    },
};

impl Cx<'_> {
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
    /// future or `run` panics, or `run` returns an error, the port dies. When the port dies, the future is cancelled,
    /// and both are dropped. A call in it is cancelled as any dropped call.
    ///
    /// With the feature `trace`, the messages of the future and of `run` belong to the span of the present handler.
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
        let (mut future, span) = (future, Carried::now());
        start(&port, id, async move {
            let output = poll_fn(|task| span.run(|| Pin::new(&mut future).poll(task))).await;
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
                        span.run(|| with(state, cx, |state, cx| run(state, cx, output)))
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
async fn feed<S>(port: Weak<dyn AnyPort>, id: u64, mut stream: Held<Pin<Box<S>>>)
where
    S: Stream + Send + 'static,
    S::Item: Send + 'static,
{
    let handled = Arc::new(Notify::new());
    loop {
        let item = poll_fn(|task| {
            guard::poll(|| match stream.get_mut() {
                Some(stream) => stream.as_mut().poll_next(task),
                None => Poll::Ready(None),
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
