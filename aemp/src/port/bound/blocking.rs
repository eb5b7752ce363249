//! Work of a port that blocks its thread: on tokio's threads for blocking code, with a future of the result.
//!
//! The work has no tie to the port; its future has. So it is forgotten where the future is dropped: with a cancelled
//! handler, with a continuation ([`Cx::then`]) of a port that has died. In a simulation it runs in place when it is
//! polled, because another thread would make the order of events random.

use std::{
    fmt,
    panic::resume_unwind,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::task::JoinHandle;

use crate::{
    Cx, Reason,
    guard::{self, Held},
};

/// Work on a thread for blocking code: a future of its result, made by [`Cx::blocking`].
///
/// # Cancel safety
///
/// Work that has not begun when this is dropped does not begin. The result of work that has begun is dropped.
#[must_use = "the work is forgotten when this is dropped: await it, or pass it to `Cx::then`"]
pub struct Blocking<T: Send + 'static>(Place<T>);

enum Place<T> {
    Thread(JoinHandle<Result<Held<T>, Reason>>),
    /// Within the first poll.
    Here(Held<Box<dyn FnOnce() -> T + Send>>),
}

impl<T: Send + 'static> Future for Blocking<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<T> {
        let done = match &mut self.0 {
            Place::Thread(thread) => match ready!(Pin::new(thread).poll(task)) {
                Ok(done) => done.map(|mut result| result.take()),
                // The runtime is going away, and this task with it.
                Err(_) => return Poll::Pending,
            },
            Place::Here(work) => work.take().map(guard::run).transpose(),
        };
        match done {
            Ok(Some(result)) => Poll::Ready(result),
            Ok(None) => Poll::Pending,
            Err(reason) => {
                let text = reason.get(1).and_then(|text| text.as_str());
                // As a panic of the code that waits. The panic hook has been called already.
                resume_unwind(Box::new(text.unwrap_or_default().to_owned()))
            }
        }
    }
}

impl<T: Send + 'static> Drop for Blocking<T> {
    fn drop(&mut self) {
        if let Place::Thread(thread) = &self.0 {
            thread.abort();
        }
    }
}

impl<T: Send + 'static> fmt::Debug for Blocking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blocking").finish_non_exhaustive()
    }
}

impl Cx<'_> {
    /// Runs code that blocks its thread, or computes for long, on a thread for blocking code. Returns a future of the
    /// result: for [`then`](Self::then), or to be awaited in an `async` handler.
    ///
    /// ```
    /// use aemp::{Cx, Node, Reply, port};
    ///
    /// struct Hasher { done: u64 }
    ///
    /// #[port]
    /// impl Hasher {
    ///     #[rcv]
    ///     fn sum(&mut self, cx: &mut Cx<'_>, upto: u64, reply: Reply<u64>) {
    ///         let work = cx.blocking(move || (1..=upto).sum::<u64>());
    ///         cx.then(work, |me: &mut Self, _, sum| {
    ///             me.done += 1;
    ///             reply.send(sum);
    ///         });
    ///     }
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let hasher = Node::local()?.port(Hasher { done: 0 });
    /// assert_eq!(hasher.sum(100_000).await?, 5_000_050_000);
    /// # Ok(()) }
    /// ```
    ///
    /// *Semantics.* The work begins at once, if a thread is free. If it panics, the code that awaits it panics with the
    /// same text, so the port dies. When the future is dropped, as by the port's death, work that waits for a thread
    /// is dropped, and the result of work that runs is dropped when it comes.
    ///
    /// *Limits.* A thread cannot be interrupted: work that runs goes on after the port's death, and may still have
    /// effects elsewhere. The number of threads is the runtime's (`max_blocking_threads`, 512 by default); more work
    /// waits. In a simulation the work runs in place, and takes no time. A port all of whose handlers block is better
    /// off as [`#[port(blocking)]`](macro@crate::port).
    #[doc(alias = "spawn_blocking")]
    pub fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Blocking<T> {
        let scheduler = self.node().scheduler();
        if scheduler.is_timeless() {
            let work: Box<dyn FnOnce() -> T + Send> = Box::new(work);
            return Blocking(Place::Here(Held::new(work)));
        }
        let mut work = Held::new(work);
        let thread = scheduler
            .runtime()
            .spawn_blocking(move || match work.take() {
                Some(work) => guard::run(work).map(Held::new),
                None => Err(Reason::normal()),
            });
        Blocking(Place::Thread(thread))
    }
}
