//! The receiving half of a stream, for all sources of items.

use std::{
    mem,
    pin::pin,
    task::{Context, Poll, ready},
};

use aemp_codec::PortId;
use tokio::task::coop::consume_budget;

use super::{
    StreamedError, WINDOW,
    error::Ending,
    items::Items,
    pipe::Outlet,
    receive::{Incoming, Unused},
    window::Window,
};

pub(super) struct Half<T> {
    pub(super) from: Source<T>,
    pub(super) window: Window,
    /// Items that the consumer has not taken yet.
    pub(super) ready: Items<T>,
}

pub(super) enum Source<T> {
    /// A sink of this process.
    Pipe(Outlet<T>),
    /// A port, which has not been asked for items.
    Unused(Unused<T>),
    /// A port.
    Port(Box<Incoming<T>>),
    /// The stream ends behind the items that are ready.
    Ending(Ending),
    /// It was sent in a message: this port sends the items.
    Sent(Option<PortId>),
    Over,
}

impl<T> Half<T> {
    pub(super) fn new(from: Source<T>) -> Self {
        Self {
            from,
            window: Window::growing(WINDOW),
            ready: Items::default(),
        }
    }

    /// A half without a stream.
    pub(super) fn sent(by: Option<PortId>) -> Self {
        Self::new(Source::Sent(by))
    }

    /// Grants the sender the room that the window has for it.
    pub(super) fn grant(&mut self) {
        if matches!(&self.from, Source::Pipe(_) | Source::Port(_))
            && let Some(items) = self.window.grant()
        {
            match &self.from {
                Source::Pipe(outlet) => outlet.grant(items),
                Source::Port(incoming) => incoming.grant(items),
                _ => {}
            }
        }
    }

    pub(super) fn poll_next(
        &mut self,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<T, StreamedError>>> {
        loop {
            if let Some(item) = self.ready.pop_front() {
                self.window.took_one();
                self.grant();
                return Poll::Ready(Some(Ok(item)));
            }
            let ending = match &mut self.from {
                Source::Pipe(outlet) => ready!(outlet.poll(&mut self.ready, task)),
                Source::Port(incoming) => match incoming.poll(&mut self.ready, task) {
                    Poll::Ready(ending) => {
                        self.window.came(incoming.item_bytes());
                        ending
                    }
                    Poll::Pending => {
                        if let Some(for_credit) = incoming.waits_for_credit() {
                            self.window.waits(for_credit, incoming.item_bytes());
                            self.grant();
                        }
                        return Poll::Pending;
                    }
                },
                Source::Unused(unused) => {
                    let credit = self.window.grant().unwrap_or(1);
                    self.from = match unused.begin(credit) {
                        Some(incoming) => Source::Port(Box::new(incoming)),
                        None => Source::Over,
                    };
                    continue;
                }
                Source::Ending(_) => match mem::replace(&mut self.from, Source::Over) {
                    Source::Ending(Ending::Broken(error)) => return Poll::Ready(Some(Err(error))),
                    _ => return Poll::Ready(None),
                },
                Source::Sent(_) => {
                    self.from = Source::Over;
                    return Poll::Ready(Some(Err(StreamedError::Sent)));
                }
                Source::Over => return Poll::Ready(None),
            };
            if let Some(ending) = ending {
                self.from = Source::Ending(ending);
            }
            // Several items for one unit of the task's budget.
            ready!(pin!(consume_budget()).poll(task));
        }
    }
}
