//! Tasks whose end is always reported.
//!
//! `Drop` reports the end of a task to its starter: its return, its panic, or its drop, even before
//! its first poll.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use crate::{Reason, guard};

/// The way in which a task has ended.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ending {
    Returned,
    /// It has panicked, with this text.
    Panicked(Reason),
    /// It was aborted, or its runtime has gone away.
    Dropped,
}

/// A future that reports its end once. It reports also if it is dropped before its first poll, as on a runtime that
/// has gone.
pub(crate) struct Owned<T: FnOnce(Ending)> {
    future: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    tell: Option<T>,
}

/// Wraps a future so that `ended` is called at its end.
pub(crate) fn owned<T: FnOnce(Ending) + Send + Unpin>(
    future: impl Future<Output = ()> + Send + 'static,
    tell: T,
) -> Owned<T> {
    Owned {
        future: Some(Box::pin(future)),
        tell: Some(tell),
    }
}

impl<T: FnOnce(Ending)> Owned<T> {
    /// Drops the future before its end is reported.
    fn end(&mut self, ending: Ending) {
        guard::discard(self.future.take());
        if let Some(tell) = self.tell.take() {
            guard::shielded(|| tell(ending));
        }
    }
}

impl<T: FnOnce(Ending) + Unpin> Future for Owned<T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let Some(future) = &mut self.future else {
            return Poll::Ready(());
        };
        match guard::run(|| future.as_mut().poll(task)) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(())) => self.end(Ending::Returned),
            Err(reason) => self.end(Ending::Panicked(reason)),
        }
        Poll::Ready(())
    }
}

impl<T: FnOnce(Ending)> Drop for Owned<T> {
    fn drop(&mut self) {
        self.end(Ending::Dropped);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};

    use tokio::runtime::Builder;

    use super::*;

    fn reported(
        future: impl Future<Output = ()> + Send + 'static,
    ) -> (impl Future, Receiver<Ending>) {
        let (tell, told) = channel();
        (
            owned(future, move |ending| tell.send(ending).unwrap()),
            told,
        )
    }

    #[test]
    fn every_end_is_reported_once() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (task, returned) = reported(async {});
        runtime.block_on(task);
        let (task, panicked) = reported(async { panic!("oh") });
        runtime.block_on(task);
        let (task, unpolled) = reported(async {});
        drop(task);
        let (task, gone) = reported(std::future::pending());
        runtime.spawn(async move { drop(task.await) });
        drop(runtime);
        let all = |ends: Receiver<Ending>| ends.into_iter().collect::<Vec<_>>();
        assert_eq!(all(returned), [Ending::Returned]);
        assert_eq!(all(panicked), [Ending::Panicked(Reason::die("oh"))]);
        assert_eq!(all(unpolled), [Ending::Dropped]);
        assert_eq!(all(gone), [Ending::Dropped]);
    }

    #[test]
    fn the_contents_of_the_future_are_dropped_before_the_report() {
        let held = std::sync::Arc::new(());
        let (weak, (tell, told)) = (std::sync::Arc::downgrade(&held), channel());
        drop(owned(async move { drop(held) }, move |_| {
            tell.send(weak.upgrade().is_none()).unwrap();
        }));
        assert!(told.recv().unwrap());
    }
}
