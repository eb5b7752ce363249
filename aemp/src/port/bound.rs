//! Code that belongs to a port and runs later in its context: timers, closures, futures. It dies with the port.

use std::{
    fmt,
    marker::PhantomData,
    pin::pin,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::AbortHandle, time::Instant};

use super::{
    any::{AnyPort, take_id},
    extras::Job,
    queue::Pushed,
};
use crate::{Cx, exec::scheduler, message::Outcome};

/// Thirty years: what is later than that need not be told from never, and can still be added to any instant.
const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// A timer that has been set. It runs on if this is dropped; [`cancel`](Self::cancel) stops it.
#[derive(Debug)]
pub struct Timer {
    task: Option<AbortHandle>,
    port: Weak<dyn AnyPort>,
    id: u64,
}

impl Timer {
    /// A timer that belongs to no port.
    pub(crate) fn free(task: AbortHandle) -> Self {
        let port: Weak<super::cell::Cell<super::Untyped>> = Weak::new();
        Self {
            task: Some(task),
            port,
            id: 0,
        }
    }

    /// Stops the timer and drops what it would have run. Nothing happens if it has fired already.
    pub fn cancel(self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        if let Some(port) = self.port.upgrade() {
            forget(&port, self.id);
        }
    }
}

impl fmt::Debug for dyn AnyPort + '_ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.port_id())
    }
}

/// Drops, outside of the port's lock, whatever the port holds under this ID.
fn forget(port: &Arc<dyn AnyPort>, id: u64) {
    let held = port.extras(|extras| {
        let task = take_id(&mut extras.tasks, id);
        let guard = take_id(&mut extras.guards, id);
        (task, guard, extras.jobs.remove(&id))
    });
    if let Some((task, guard, job)) = held {
        if let Some(task) = task {
            task.abort();
        }
        crate::guard::discard(guard);
        crate::guard::discard(job);
    }
}

fn run_in(port: &Arc<dyn AnyPort>, job: Job) {
    if port.job(job) == Pushed::Wake {
        scheduler::schedule(Arc::clone(port));
    }
}

pub(crate) fn after(port: &Arc<dyn AnyPort>, delay: Duration, job: Job) -> Timer {
    let mut job = Some(job);
    let id = port.extras(|extras| {
        let id = extras.next_id();
        extras.jobs.extend(job.take().map(|job| (id, job)));
        id
    });
    let weak = Arc::downgrade(port);
    let Some(id) = id else {
        return Timer {
            task: None,
            port: weak,
            id: 0,
        };
    };
    let due = Instant::now() + delay.min(LONGEST);
    let task = spawn_owned(port, id, {
        let weak = weak.clone();
        async move {
            tokio::time::sleep_until(due).await;
            if let Some(port) = weak.upgrade() {
                let job = port.extras(|extras| {
                    take_id(&mut extras.tasks, id);
                    extras.jobs.remove(&id)
                });
                if let Some(job) = job.flatten() {
                    run_in(&port, job);
                }
            }
        }
    });
    Timer {
        task: Some(task),
        port: weak,
        id,
    }
}

/// Starts a task that is aborted when the port dies.
fn spawn_owned(
    port: &Arc<dyn AnyPort>,
    id: u64,
    future: impl Future<Output = ()> + Send + 'static,
) -> AbortHandle {
    let task = port.node().scheduler().spawn(future).abort_handle();
    let kept = port.extras(|extras| {
        // Tasks that have ended need no abort.
        extras.tasks.retain(|(_, task)| !task.is_finished());
        extras.tasks.push((id, task.clone()));
    });
    if kept.is_none() {
        task.abort();
    }
    task
}

type Shared<F> = Arc<Mutex<F>>;

/// Gives a closure to the port to keep: the weak reference ends when the port dies.
fn keep<F: Send + 'static>(port: &Arc<dyn AnyPort>, run: F) -> (u64, Weak<Mutex<F>>) {
    let shared: Shared<F> = Arc::new(Mutex::new(run));
    let weak = Arc::downgrade(&shared);
    let mut shared = Some(shared);
    let id = port.extras(|extras| {
        let id = extras.next_id();
        if let Some(shared) = shared.take() {
            extras.guards.push((id, Box::new(shared)));
        }
        id
    });
    (id.unwrap_or_default(), weak)
}

pub(crate) fn every<O: Outcome>(
    port: &Arc<dyn AnyPort>,
    period: Duration,
    run: impl FnMut(&mut Cx<'_>) -> O + Send + 'static,
) -> Timer {
    let (id, run) = keep(port, run);
    let weak = Arc::downgrade(port);
    let period = period.min(LONGEST);
    let mut ticks = tokio::time::interval_at(Instant::now() + period, period);
    let task = spawn_owned(port, id, {
        let weak = weak.clone();
        async move {
            let queued = Arc::new(AtomicBool::new(false));
            loop {
                ticks.tick().await;
                let Some(port) = weak.upgrade() else { return };
                if queued.swap(true, Ordering::Relaxed) {
                    continue;
                }
                let (queued, run) = (Arc::clone(&queued), run.clone());
                let job: Job = Box::new(move |cx| {
                    queued.store(false, Ordering::Relaxed);
                    call(&run, |run| run(cx).outcome())
                });
                run_in(&port, job);
            }
        }
    });
    Timer {
        task: Some(task),
        port: weak,
        id,
    }
}

/// Calls a closure that the port keeps; one that has been cancelled is not there any more.
fn call<F, E>(run: &Weak<Mutex<F>>, with: impl FnOnce(&mut F) -> Result<(), E>) -> Result<(), E> {
    match run.upgrade() {
        Some(run) => with(&mut run.lock().unwrap_or_else(PoisonError::into_inner)),
        None => Ok(()),
    }
}

/// Has the port forget a closure that nobody can call any more.
struct Kept {
    port: Weak<dyn AnyPort>,
    id: u64,
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(port) = self.port.upgrade() {
            forget(&port, self.id);
        }
    }
}

/// A closure that runs in the context of the port that it was made by. Cheap to clone; the closure is dropped with the last
/// clone, or with the port.
pub struct Psub<A> {
    port: Weak<dyn AnyPort>,
    job: Arc<dyn Fn(A) -> Job + Send + Sync>,
    marker: PhantomData<fn(A)>,
}

impl<A> Psub<A> {
    /// Has the closure run with `argument`, after what is queued at its port. Nothing happens if the port is dead.
    pub fn call(&self, argument: A) {
        if let Some(port) = self.port.upgrade() {
            run_in(&port, (self.job)(argument));
        }
    }
}

impl<A> Clone for Psub<A> {
    fn clone(&self) -> Self {
        Self {
            port: self.port.clone(),
            job: Arc::clone(&self.job),
            marker: PhantomData,
        }
    }
}

impl<A> fmt::Debug for Psub<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Psub").finish_non_exhaustive()
    }
}

pub(crate) fn psub<A: Send + 'static, O: Outcome>(
    port: &Arc<dyn AnyPort>,
    run: impl FnMut(&mut Cx<'_>, A) -> O + Send + 'static,
) -> Psub<A> {
    let (id, run) = keep(port, run);
    let kept = Arc::new(Kept {
        port: Arc::downgrade(port),
        id,
    });
    Psub {
        port: Arc::downgrade(port),
        job: Arc::new(move |argument| {
            let (run, kept) = (run.clone(), Arc::clone(&kept));
            Box::new(move |cx| {
                let _kept = kept;
                call(&run, |run| run(cx, argument).outcome())
            })
        }),
        marker: PhantomData,
    }
}

pub(crate) fn spawn<F>(port: &Arc<dyn AnyPort>, future: F)
where
    F: Future + Send + 'static,
    F::Output: Outcome,
{
    let Some(id) = port.extras(super::extras::Extras::next_id) else {
        return;
    };
    let weak = Arc::downgrade(port);
    spawn_owned(port, id, async move {
        let done = caught(future).await;
        let Some(port) = weak.upgrade() else { return };
        if let Err(reason) = done {
            super::monitor::kill(&port, reason);
        }
    });
}

async fn caught<F: Future<Output: Outcome>>(future: F) -> Result<(), crate::Reason> {
    let mut future = pin!(future);
    std::future::poll_fn(|task| {
        // The text of an error is foreign code as well.
        crate::guard::poll(|| future.as_mut().poll(task).map(Outcome::outcome)).map(|done| done?)
    })
    .await
}
