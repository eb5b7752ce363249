//! The queue between a sink and a consumer of the same process. A consumer on another node has a task here, which takes
//! the items from this queue ([`send`](super::send)).
//!
//! Items are moved, and never copied or encoded. The consumer takes all that wait in one step. Items, wakers and reasons
//! are dropped outside of the lock.

use std::{
    mem,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{
    error::{Ending, SinkError},
    items::Items,
    wait::poll_for,
    window::Credit,
};
use crate::{Reason, exec::seat, guard, lock::Lock};

pub(super) struct Pipe<T>(Lock<State<T>>);

struct State<T> {
    items: Items<T>,
    /// The number of items that the sink may still add.
    credit: Credit,
    phase: Phase,
    sink: Option<Waker>,
    consumer: Option<Waker>,
}

enum Phase {
    Open,
    /// The sink has ended the stream, and the consumer has not seen the end.
    Ended(Ending),
    /// The consumer is gone, or has seen the end.
    Gone(Reason),
}

impl<T> State<T> {
    /// The error of a sink that may not send any more.
    fn over(&self) -> Option<SinkError> {
        match &self.phase {
            Phase::Open => None,
            Phase::Ended(_) => Some(SinkError::Ended),
            Phase::Gone(reason) => Some(SinkError::Gone(reason.clone())),
        }
    }
}

impl<T> Pipe<T> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self(Lock::new(State {
            items: Items::default(),
            credit: Credit::default(),
            phase: Phase::Open,
            sink: None,
            consumer: None,
        })))
    }

    /// Ready when the sink may add an item.
    pub(super) fn poll_room(&self, task: &Context<'_>) -> Poll<Result<(), SinkError>> {
        let room = |state: &mut State<T>| match state.over() {
            Some(error) => Some(Err(error)),
            None => (state.credit.left() > 0).then_some(Ok(())),
        };
        poll_for(&self.0, task, room, |state| &mut state.sink)
    }

    /// Ready when the stream is over for the sink.
    pub(super) fn poll_over(&self, task: &Context<'_>) -> Poll<SinkError> {
        poll_for(&self.0, task, |state| state.over(), |state| &mut state.sink)
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.lock().over().is_some()
    }

    /// Adds an item, for which there must be room.
    pub(super) fn push(&self, item: T) -> Result<(), SinkError> {
        let mut state = self.0.lock();
        if let Some(error) = state.over() {
            drop(state);
            guard::discard(item);
            return Err(error);
        }
        let has_room = state.credit.spend(1);
        if has_room {
            state.items.push_back(item);
        }
        let consumer = state.consumer.take();
        drop(state);
        consumer.into_iter().for_each(seat::wake);
        assert!(has_room, "an item was sent before there was room for it");
        Ok(())
    }

    /// Ends the stream, if it is open.
    pub(super) fn end(&self, ending: Ending) {
        let mut state = self.0.lock();
        if !matches!(state.phase, Phase::Open) {
            return;
        }
        state.phase = Phase::Ended(ending);
        let wakers = [state.consumer.take(), state.sink.take()];
        drop(state);
        wakers.into_iter().flatten().for_each(seat::wake);
    }
}

/// The consumer's half of a pipe. Dropping it tells the sink.
pub(super) struct Outlet<T>(Arc<Pipe<T>>);

impl<T> Outlet<T> {
    pub(super) fn of(pipe: &Arc<Pipe<T>>) -> Self {
        Self(Arc::clone(pipe))
    }

    /// Lets the sink add so many items more.
    pub(super) fn grant(&self, items: u64) {
        let mut state = self.0.0.lock();
        state.credit.add(items);
        let sink = state.sink.take();
        drop(state);
        sink.into_iter().for_each(seat::wake);
    }

    /// Moves the waiting items into `into`, which must be empty. If there are none, returns the end of the stream.
    pub(super) fn poll(&self, into: &mut Items<T>, task: &Context<'_>) -> Poll<Option<Ending>> {
        let take = |state: &mut State<T>| {
            if !state.items.is_empty() {
                mem::swap(&mut state.items, into);
                return Some(None);
            }
            match mem::replace(&mut state.phase, Phase::Gone(Reason::normal())) {
                Phase::Ended(ending) => Some(Some(ending)),
                other => {
                    state.phase = other;
                    None
                }
            }
        };
        poll_for(&self.0.0, task, take, |state| &mut state.consumer)
    }

    /// Tells the sink that the consumer is gone. Waiting items are dropped.
    pub(super) fn leave(&self, reason: Reason) {
        let mut state = self.0.0.lock();
        if matches!(state.phase, Phase::Gone(_)) {
            return;
        }
        let before = mem::replace(&mut state.phase, Phase::Gone(reason));
        let items = mem::take(&mut state.items);
        let (sink, consumer) = (state.sink.take(), state.consumer.take());
        drop(state);
        sink.into_iter().for_each(seat::wake);
        drop(items);
        guard::discard((before, consumer));
    }
}

impl<T> Drop for Outlet<T> {
    fn drop(&mut self) {
        self.leave(Reason::normal());
    }
}
