//! The sending half of a stream of items.

use std::{
    fmt,
    future::poll_fn,
    panic::resume_unwind,
    pin::{Pin, pin},
    sync::{Arc, Weak},
    task::{Context, Poll, ready},
};

use futures_core::Stream;
use tokio::task::coop::consume_budget;

use super::{
    error::{Ending, SinkError, StreamedError, no_end, not_normal},
    pipe::Pipe,
};
use crate::{Reason, guard, message, port::any::AnyPort};

/// The sending half of a stream of items, made by [`Node::streamed`](crate::Node::streamed). The [module](super)
/// describes streams.
///
/// The stream is whole only after [`finish`](Self::finish). A sink that is dropped before is an error at the consumer.
///
/// It is a [`futures_sink::Sink`] as well. Its `poll_close` is `finish`, and its `poll_flush` is always ready, because an
/// item is on its way when it has been sent.
#[doc(alias = "Sender")]
#[doc(alias = "SinkRef")]
pub struct ItemSink<T> {
    pipe: Arc<Pipe<T>>,
    /// The port whose task sends the items. Its death is the reason if the stream ends early.
    port: Option<Weak<dyn AnyPort>>,
}

impl<T> ItemSink<T> {
    pub(super) fn new(pipe: Arc<Pipe<T>>) -> Self {
        Self { pipe, port: None }
    }

    /// A sink of a task of this port.
    pub(super) fn of_port(mut self, port: &Arc<dyn AnyPort>) -> Self {
        self.port = Some(Arc::downgrade(port));
        self
    }

    /// Sends an item when the consumer's window has room for it.
    ///
    /// # Errors
    ///
    /// [`SinkError::Gone`] if there is no consumer any more.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped before it is ready, the item has not been sent.
    pub async fn send(&mut self, item: T) -> Result<(), SinkError> {
        poll_fn(|task| self.poll_room(task)).await?;
        self.pipe.push(item)
    }

    /// Sends an item if the window has room for it now. Otherwise returns it.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn try_send(&mut self, item: T) -> Result<Option<T>, SinkError> {
        let task = Context::from_waker(std::task::Waker::noop());
        match self.pipe.poll_room(&task) {
            Poll::Ready(room) => room.and_then(|()| self.pipe.push(item)).map(|()| None),
            Poll::Pending => Ok(Some(item)),
        }
    }

    /// Ends the stream. The consumer gets the end behind all items.
    pub fn finish(self) {
        self.pipe.end(Ending::Whole);
    }

    /// Ends the stream with an error. The consumer gets it behind all items, as [`StreamedError::Failed`]. The reason of a
    /// normal end becomes `no_end`, so that it cannot be taken for the end of a whole stream.
    pub fn fail(self, reason: impl Into<Reason>) {
        self.broken(reason.into());
    }

    fn broken(&self, reason: Reason) {
        let reason = not_normal(reason);
        self.pipe.end(Ending::Broken(StreamedError::Failed(reason)));
    }

    /// Ready when the consumer is gone. The reason is that of a normal end if it has dropped the stream.
    ///
    /// # Cancel safety
    ///
    /// It may be dropped and called again.
    pub async fn closed(&mut self) -> Reason {
        match poll_fn(|task| self.pipe.poll_over(task)).await {
            SinkError::Gone(reason) => reason,
            SinkError::Ended => Reason::normal(),
        }
    }

    /// True if the consumer is gone, or the sink has been closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.pipe.is_over()
    }

    /// Sends all items of a stream, and the end. Stops when the consumer is gone.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn forward(mut self, items: impl Stream<Item = T>) -> Result<(), SinkError> {
        let mut items = pin!(items);
        while let Some(item) = self.next_of(items.as_mut()).await? {
            self.pipe.push(item)?;
        }
        self.finish();
        Ok(())
    }

    /// Sends the items of a stream up to its first error, with which the stream [fails](Self::fail). A [`Reason`] is kept,
    /// and another error becomes `die, TEXT`.
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub async fn forward_results<E: fmt::Display + 'static>(
        mut self,
        items: impl Stream<Item = Result<T, E>>,
    ) -> Result<(), SinkError> {
        let mut items = pin!(items);
        while let Some(item) = self.next_of(items.as_mut()).await? {
            match item {
                Ok(item) => self.pipe.push(item)?,
                Err(error) => {
                    self.fail(message::failure(error));
                    return Ok(());
                }
            }
        }
        self.finish();
        Ok(())
    }

    /// The next item of a stream, when there is room for it. If the stream panics, the consumer gets the text as well.
    async fn next_of<S: Stream>(
        &mut self,
        mut items: Pin<&mut S>,
    ) -> Result<Option<S::Item>, SinkError> {
        poll_fn(|task| {
            ready!(self.poll_room(task))?;
            match guard::poll(|| items.as_mut().poll_next(task)) {
                Poll::Ready(Ok(item)) => Poll::Ready(Ok(item)),
                Poll::Ready(Err(reason)) => {
                    let text = reason.get(1).and_then(|text| text.as_str());
                    let text = text.unwrap_or_default().to_owned();
                    self.broken(reason);
                    // As a panic of the code that waits. The panic hook has been called already.
                    resume_unwind(Box::new(text))
                }
                Poll::Pending => self.pipe.poll_over(task).map(Err),
            }
        })
        .await
    }

    /// Ready when there is room, within the budget of the task: a consumer that keeps up would otherwise let the task run
    /// for ever.
    fn poll_room(&self, task: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        ready!(self.pipe.poll_room(task))?;
        pin!(consume_budget()).poll(task).map(Ok)
    }
}

impl<T> futures_sink::Sink<T> for ItemSink<T> {
    type Error = SinkError;

    fn poll_ready(self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        self.poll_room(task)
    }

    /// # Panics
    ///
    /// Panics if `poll_ready` has not been ready before.
    fn start_send(self: Pin<&mut Self>, item: T) -> Result<(), SinkError> {
        self.pipe.push(item)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Result<(), SinkError>> {
        self.pipe.end(Ending::Whole);
        Poll::Ready(Ok(()))
    }
}

impl<T> Drop for ItemSink<T> {
    fn drop(&mut self) {
        if self.pipe.is_over() {
            return;
        }
        let died = self.port.as_ref().and_then(|port| match port.upgrade() {
            Some(port) => port.died(),
            None => Some(no_end("its port has died")),
        });
        self.broken(died.unwrap_or_else(|| no_end("the sink was dropped before the end")));
    }
}

impl<T> fmt::Debug for ItemSink<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ItemSink")
            .field("closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}
