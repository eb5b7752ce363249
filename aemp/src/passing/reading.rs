//! The receiving side: elements on their way to one reader, which may be slow.

use std::task::{Context, Poll, Waker};

use super::queue::{Bounds, Element, Next, Queue};
use crate::{guard, lock::Lock};

/// A queue for one reader. It ends once, for a reason.
pub(crate) struct Reading<T, E>(Lock<Waiting<T, E>>);

struct Waiting<T, E> {
    elements: Queue<T>,
    reader: Option<Waker>,
    end: Option<E>,
}

impl<T: Element, E: Clone> Reading<T, E> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self(Lock::new(Waiting {
            elements: Queue::new(bounds),
            reader: None,
            end: None,
        }))
    }

    pub(crate) fn push(&self, element: T) {
        self.change(|waiting| waiting.elements.push(element));
    }

    /// Ends the queue, unless it has ended before. The reader gets the elements that wait.
    pub(crate) fn end(&self, reason: E) {
        self.change(|waiting| {
            waiting.end.get_or_insert(reason);
        });
    }

    /// The reason of the end.
    pub(crate) fn ended(&self) -> Option<E> {
        self.0.lock().end.clone()
    }

    /// Wakers are foreign code, so they run when the lock is free.
    fn change(&self, change: impl FnOnce(&mut Waiting<T, E>)) {
        let mut waiting = self.0.lock();
        change(&mut waiting);
        let reader = waiting.reader.take();
        drop(waiting);
        reader.into_iter().for_each(guard::wake);
    }

    /// The next element; [`Next::Nothing`] after the last one of a queue that has ended.
    pub(crate) fn poll(&self, task: &mut Context<'_>) -> Poll<Next<T>> {
        let next = self.0.lock().next();
        if let Some(next) = next {
            return Poll::Ready(next);
        }
        let waker = task.waker().clone();
        let mut waiting = self.0.lock();
        // It may have come meanwhile.
        let next = waiting.next();
        let unused = match next {
            Some(_) => Some(waker),
            None => waiting.reader.replace(waker),
        };
        drop(waiting);
        guard::discard(unused);
        next.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T: Element, E> Waiting<T, E> {
    /// The result of a poll, if there is one.
    fn next(&mut self) -> Option<Next<T>> {
        let next = self.elements.next();
        let is_ready = self.end.is_some() || !matches!(next, Next::Nothing);
        is_ready.then_some(next)
    }
}
