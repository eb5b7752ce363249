//! The events of one subscriber, between the topic's task and the reader.

use std::{
    sync::Arc,
    task::{Context, Poll, Waker},
};

use super::{
    Slow, TopicEvent,
    event::Item,
    pending::{Pending, Pushed},
    slow::Key,
};
use crate::{guard, lock::Lock, passing::queue::Next};

/// The events that wait for one reader. Code of the user (keys, wakers, `Drop` of messages) runs outside of its lock.
pub(super) struct Mailbox<T> {
    waiting: Lock<Waiting<T>>,
    key: Option<Arc<Key<T>>>,
}

struct Waiting<T> {
    pending: Pending<Item<T>>,
    phase: Phase,
}

enum Phase {
    /// More may come. The waker is that of a reader that waits.
    Open(Option<Waker>),
    /// Nothing more comes: the topic's task or the reader has ended, or the reader was too slow.
    Ended,
}

impl<T> Mailbox<T> {
    pub(super) fn new(slow: Slow<T>) -> Self {
        let pending = Pending::new(slow.full, slow.capacity);
        Self {
            waiting: Lock::new(Waiting {
                pending,
                phase: Phase::Open(None),
            }),
            key: slow.key,
        }
    }

    /// Adds an event. Returns false if the subscriber takes no more.
    pub(super) fn push(&self, item: Item<T>) -> bool {
        let key = match (&self.key, item.message()) {
            (Some(key), Some(message)) => key_of(&**key, message),
            _ => None,
        };
        let mut waiting = self.waiting.lock();
        let Phase::Open(reader) = &mut waiting.phase else {
            drop(waiting);
            return false;
        };
        let reader = reader.take();
        let pushed = waiting.pending.push(key, item);
        let is_over = matches!(pushed, Pushed::Over(_));
        if is_over {
            waiting.phase = Phase::Ended;
        }
        drop(waiting);
        drop(pushed);
        reader.into_iter().for_each(guard::wake);
        !is_over
    }

    /// Nothing more comes. The reader gets the waiting messages.
    pub(super) fn end(&self) {
        let mut waiting = self.waiting.lock();
        let before = std::mem::replace(&mut waiting.phase, Phase::Ended);
        drop(waiting);
        if let Phase::Open(reader) = before {
            reader.into_iter().for_each(guard::wake);
        }
    }

    /// The next event; nothing after the last one.
    pub(super) fn poll(&self, task: &mut Context<'_>) -> Poll<Option<TopicEvent<T>>> {
        let next = self.waiting.lock().pending.next();
        if !matches!(next, Next::Nothing) {
            return Poll::Ready(event(next));
        }
        let waker = task.waker().clone();
        let mut waiting = self.waiting.lock();
        // It may have come meanwhile.
        let next = waiting.pending.next();
        let (polled, unused) = match (&mut waiting.phase, next) {
            (_, next @ (Next::One(_) | Next::Lost(_))) => (Poll::Ready(next), Some(waker)),
            (Phase::Open(reader), Next::Nothing) => (Poll::Pending, reader.replace(waker)),
            (Phase::Ended, Next::Nothing) => (Poll::Ready(Next::Nothing), Some(waker)),
        };
        drop(waiting);
        guard::discard(unused);
        polled.map(event)
    }
}

fn event<T>(next: Next<Item<T>>) -> Option<TopicEvent<T>> {
    match next {
        Next::One(item) => item.event(),
        Next::Lost(lost) => Some(TopicEvent::Missed(lost)),
        Next::Nothing => None,
    }
}

/// The key of a message. A message whose key panics has none: it replaces no other.
fn key_of<T>(key: &Key<T>, message: &T) -> Option<Arc<str>> {
    match guard::attempt(|| key(message)) {
        Ok(key) => Some(key.into()),
        Err(text) => {
            crate::log::error!("the key of a message of a topic: {text}");
            None
        }
    }
}
