//! Code that runs with a context.

use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll},
};

use super::SpanContext;
use crate::exec::spans::{self, Carried};

impl SpanContext {
    /// The context of the code that is running: of the handler that this thread runs, or of [`run`](Self::run) or
    /// [`scope`](Self::scope).
    #[must_use]
    pub fn current() -> Option<Self> {
        spans::current()
    }

    /// Runs a function. The messages that it sends carry this context.
    pub fn run<R>(&self, run: impl FnOnce() -> R) -> R {
        Carried::new(Some(self.clone())).run(run)
    }

    /// Gives a future this context whenever it is polled: for tasks that a handler starts, and for programs that are no
    /// ports.
    ///
    /// ```
    /// use aemp::{Cx, port, span::SpanContext};
    ///
    /// struct Mirror { other: MirrorRef }
    ///
    /// #[port]
    /// impl Mirror {
    ///     #[rcv]
    ///     fn copy(&mut self, cx: &mut Cx<'_>, page: u64) {
    ///         let other = self.other.clone();
    ///         let copying = async move { other.copy(page); };
    ///         match SpanContext::current() {
    ///             Some(context) => cx.spawn(context.scope(copying)),
    ///             None => cx.spawn(copying),
    ///         }
    ///     }
    /// }
    /// ```
    pub fn scope<F: Future>(&self, future: F) -> Scoped<F> {
        Scoped {
            carried: Carried::new(Some(self.clone())),
            future: Box::pin(future),
        }
    }
}

/// A future with a context. Made by [`SpanContext::scope`].
pub struct Scoped<F> {
    carried: Carried,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Scoped<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<F::Output> {
        let Self { carried, future } = &mut *self;
        carried.run(|| future.as_mut().poll(task))
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("carried", &self.carried)
            .finish_non_exhaustive()
    }
}
