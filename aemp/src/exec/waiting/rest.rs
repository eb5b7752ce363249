//! The task of a run that rests: its port is idle, and the next run of the port continues in it.
//!
//! A port whose handlers wait, and whose queue is short, would otherwise need a new task for nearly each message. The
//! port itself is data while its task rests: state and queue are in the cell, and plain handlers run as always. The next
//! async handler that will probably wait is *given* to the task, with the port's state. So a resting task is a cache,
//! which may be closed at any time.
//!
//! Each node has at most [`MOST`] resting tasks, so idle ports stay small. A task that comes too late looks at one place:
//! it takes the place of a task that has ended, and sometimes closes one that has not been used since the last look.
//! Otherwise the task that has come ends. The cost is the same for any number of ports.
//!
//! Left out: blocking ports, whose handlers run on threads of their own, and nodes without a clock of their own
//! (simulated ones), which must not depend on earlier events.

use std::{
    any::Any,
    future::poll_fn,
    mem,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use super::Running;
use crate::{guard, lock::Lock, message::Port, port::cell::Cell};

/// The greatest number of resting tasks of a node.
const MOST: usize = 1024;
/// One of this many tasks that come when all places are taken may close another one. So ports that are many do not close
/// each other's tasks all the time. It has no divisor in common with the number of places, each of which has its turn.
const RARELY: usize = 17;

/// A task that rests between the runs of its port.
pub(super) struct Rest<P: Port> {
    port: Weak<Cell<P>>,
    stage: Lock<Stage<P>>,
    /// True if the task has been used since the last look at it.
    used: AtomicBool,
}

enum Stage<P: Port> {
    /// The port is elsewhere. With the waker of the task, if it waits.
    Rests(Option<Waker>),
    /// The port continues in the task.
    Given(Running<P>),
    /// The task ends, or has ended.
    Closed,
}

/// A task that can be closed.
pub(crate) trait Close: Any + Send + Sync {
    /// Lets the task end, unless its port has just been given to it. The caller wakes it, outside of all locks.
    fn close(&self) -> Result<Option<Waker>, InUse>;

    /// True if the task has been used since the last call of this.
    fn was_used(&self) -> bool;
}

/// A port has been given to the task.
#[derive(Debug)]
pub(crate) struct InUse;

impl<P: Port> Close for Rest<P> {
    fn close(&self) -> Result<Option<Waker>, InUse> {
        let mut stage = self.stage.lock();
        let waker = match &mut *stage {
            Stage::Given(_) => return Err(InUse),
            Stage::Closed => None,
            Stage::Rests(waker) => waker.take(),
        };
        *stage = Stage::Closed;
        Ok(waker)
    }

    fn was_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

/// The port's hold on its task. The task ends with it.
pub(crate) struct Resting(Arc<dyn Close>);

impl Drop for Resting {
    fn drop(&mut self) {
        if let Ok(Some(waker)) = self.0.close() {
            guard::wake(waker);
        }
    }
}

impl Resting {
    pub(super) fn new<P: Port>(rest: &Arc<Rest<P>>) -> Self {
        Self(Arc::<Rest<P>>::clone(rest))
    }

    /// The task of a port of this type.
    pub(super) fn task<P: Port>(&self) -> Option<Arc<Rest<P>>> {
        let any: Arc<dyn Any + Send + Sync> = Arc::<dyn Close>::clone(&self.0);
        any.downcast().ok()
    }
}

impl<P: Port> Rest<P> {
    /// A place among the resting tasks of the node, if there is one.
    pub(super) fn enter(port: &Arc<Cell<P>>, places: &Places) -> Option<Arc<Self>> {
        let rest = || {
            Arc::new(Self {
                port: Arc::downgrade(port),
                stage: Lock::new(Stage::Rests(None)),
                used: AtomicBool::new(true),
            })
        };
        places.enter(rest)
    }

    /// Continues with the port in the task. `Err` if the task has been closed.
    pub(super) fn give(&self, running: Running<P>) -> Result<(), Running<P>> {
        self.used.store(true, Ordering::Relaxed);
        let mut stage = self.stage.lock();
        let Stage::Rests(waker) = &mut *stage else {
            return Err(running);
        };
        let waker = waker.take();
        *stage = Stage::Given(running);
        drop(stage);
        waker.into_iter().for_each(guard::wake);
        Ok(())
    }

    fn poll(&self, task: &mut Context<'_>) -> Poll<Option<Running<P>>> {
        let mut stage = self.stage.lock();
        match mem::replace(&mut *stage, Stage::Rests(None)) {
            Stage::Given(running) => Poll::Ready(Some(running)),
            Stage::Closed => {
                *stage = Stage::Closed;
                Poll::Ready(None)
            }
            Stage::Rests(before) => {
                // The waker is one of the node's runtime, and its clone is the count of a reference.
                let waker = before.filter(|before| before.will_wake(task.waker()));
                *stage = Stage::Rests(Some(waker.unwrap_or_else(|| task.waker().clone())));
                Poll::Pending
            }
        }
    }
}

/// The task's own hold. If the runtime drops it, the port that was given to it dies.
pub(super) struct Owner<P: Port>(pub(super) Arc<Rest<P>>);

impl<P: Port> Owner<P> {
    /// The next run of the port. `None` if the task is to end.
    pub(super) async fn next(&self) -> Option<Running<P>> {
        poll_fn(|task| self.0.poll(task)).await
    }
}

impl<P: Port> Drop for Owner<P> {
    fn drop(&mut self) {
        let before = mem::replace(&mut *self.0.stage.lock(), Stage::Closed);
        drop(before);
        let Some(cell) = self.0.port.upgrade() else {
            return;
        };
        let own: *const Rest<P> = Arc::as_ptr(&self.0);
        let resting = {
            let mut inner = cell.lock();
            let extras = inner.extras.as_mut();
            extras.and_then(|extras| {
                let is_own = |resting: &mut Resting| Arc::as_ptr(&resting.0).cast() == own;
                extras.resting.take_if(is_own)
            })
        };
        drop(resting);
    }
}

/// The resting tasks of a node.
#[derive(Default)]
pub(in crate::exec) struct Places(Lock<Turns>);

#[derive(Default)]
struct Turns {
    places: Vec<Weak<dyn Close>>,
    /// The number of tasks that came when all places were taken.
    late: usize,
}

impl Places {
    fn enter<R: Close>(&self, rest: impl FnOnce() -> Arc<R>) -> Option<Arc<R>> {
        let mut turns = self.0.lock();
        if turns.places.len() < MOST {
            let rest = rest();
            let weak = Arc::downgrade(&rest);
            turns.places.push(weak);
            return Some(rest);
        }
        turns.late = turns.late.wrapping_add(1);
        let at = turns.late % MOST;
        let is_free = turns.places[at].strong_count() == 0;
        if !is_free && !turns.late.is_multiple_of(RARELY) {
            return None;
        }
        let unused = turns.places[at].upgrade();
        let waker = match &unused {
            Some(rest) if rest.was_used() => return None,
            Some(rest) => rest.close().ok()?,
            None => None,
        };
        let rest = rest();
        turns.places[at] = Arc::<R>::downgrade(&rest);
        drop(turns);
        waker.into_iter().for_each(guard::wake);
        drop(unused);
        Some(rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Fake {
        used: AtomicBool,
        closed: AtomicBool,
    }

    impl Close for Fake {
        fn close(&self) -> Result<Option<Waker>, InUse> {
            self.closed.store(true, Ordering::Relaxed);
            Ok(None)
        }

        fn was_used(&self) -> bool {
            self.used.swap(false, Ordering::Relaxed)
        }
    }

    #[test]
    fn a_task_that_is_not_used_makes_room() {
        let places = Places::default();
        let enter = || places.enter(Arc::<Fake>::default);
        let mut all: Vec<_> = (0..MOST).map(|_| enter().unwrap()).collect();
        all[RARELY].used.store(true, Ordering::Relaxed);
        let mut late: Vec<_> = (0..3 * RARELY).map(|_| enter()).collect();
        late.retain(Option::is_some);
        let closed: Vec<_> = (0..MOST)
            .filter(|at| all[*at].closed.load(Ordering::Relaxed))
            .collect();
        assert_eq!(closed, [2 * RARELY, 3 * RARELY], "the first one was used");
        assert_eq!(late.len(), closed.len());
        all[3 * RARELY + 1] = Arc::default();
        assert!(enter().is_some(), "the place of one that has ended");
        assert!(enter().is_none());
        assert_eq!(places.0.lock().places.len(), MOST);
    }
}
