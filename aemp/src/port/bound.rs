//! Code that is bound to a port and runs later in its context: timers, closures, futures. It dies with the port.
//!
//! The port keeps the code until it runs. A task, or a job in the port's queue, has only the number of the code. So
//! code that is removed under the port's lock never starts.

mod timer;

use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    sync::{Arc, Weak},
};

pub use self::timer::Timer;
pub(crate) use self::timer::{after, every, free};
use super::{
    any::AnyPort,
    extras::{Content, Job, Kept},
    monitor::{self, Monitor},
    queue::Pushed,
};
use crate::{
    Cx, Reason,
    exec::scheduler,
    guard::{self, Foreign},
    message::Outcome,
};

/// Has the port keep something, under the number that is returned. A dead port drops it, and has no numbers.
fn keep(port: &dyn AnyPort, content: Content) -> Option<u64> {
    let mut content = Some(content);
    let id = port.extras(|extras| content.take().map(|content| extras.keep(content)));
    guard::discard(content);
    id.flatten()
}

/// Takes what the port keeps under that number.
fn take(port: &dyn AnyPort, id: u64) -> Option<Kept> {
    port.extras(|extras| extras.kept.remove(id)).flatten()
}

/// Ends what the port keeps under that number.
pub(super) fn forget(port: &dyn AnyPort, id: u64) {
    if let Some(kept) = take(port, id) {
        kept.end();
    }
}

/// Has values dropped when the port dies, or with the guard.
pub(crate) fn guard(port: &Arc<dyn AnyPort>, values: impl Any + Send) -> Monitor {
    match keep(&**port, Content::Value(Box::new(values))) {
        Some(id) => Monitor::keeping(port, id),
        None => Monitor::gone(),
    }
}

fn run_in(port: Arc<dyn AnyPort>, job: Job) {
    if port.job(job) == Pushed::Wake {
        scheduler::schedule(port);
    }
}

/// Starts the task of what the port keeps under that number: it is aborted when that is forgotten.
fn start(
    port: &Arc<dyn AnyPort>,
    id: u64,
    future: impl Future<Output = ()> + Send + 'static,
) -> bool {
    let task = port.node().scheduler().spawn(future).abort_handle();
    let owned = port.extras(|extras| {
        let kept = extras.kept.get_mut(id);
        kept.map(|kept| kept.task = Some(task.clone())).is_some()
    });
    // It may have been forgotten meanwhile, or have come to its end.
    let owned = owned == Some(true);
    if !owned {
        task.abort();
    }
    owned
}

/// A closure that the port keeps, and runs again and again.
type Closure<A> = Box<dyn FnMut(&mut Cx<'_>, A) -> Result<(), Reason> + Send>;

/// Runs a closure that the port keeps; one that has been cancelled is not there any more. It is out of the port meanwhile:
/// nothing of the user runs under a lock.
fn run_kept<A: 'static>(cx: &mut Cx<'_>, id: u64, argument: A) -> Result<(), Reason> {
    let lent = cx.port().extras(|extras| {
        let kept = extras.kept.get_mut(id)?;
        match std::mem::replace(&mut kept.content, Content::Lent) {
            Content::Value(closure) => Some(closure),
            _ => None,
        }
    });
    let closure = lent.flatten().and_then(|lent| lent.downcast().ok());
    let Some(mut closure): Option<Box<Closure<A>>> = closure else {
        guard::discard(argument);
        return Ok(());
    };
    // Caught here, so that the closure is not dropped in the midst of a panic.
    let done = cx.of_this_node(|cx| guard::run(|| closure(cx, argument)));
    let mut closure = Some(closure);
    cx.port().extras(|extras| {
        if let Some(kept) = extras.kept.get_mut(id)
            && let Some(closure) = closure.take()
        {
            kept.content = Content::Value(closure);
        }
    });
    guard::discard(closure);
    done?
}

/// Has the port forget a closure that nobody can call any more.
struct Callable {
    port: Weak<dyn AnyPort>,
    id: u64,
}

impl Drop for Callable {
    fn drop(&mut self) {
        if let Some(port) = self.port.upgrade() {
            forget(&*port, self.id);
        }
    }
}

/// A closure that runs in the context of the port that it was made by. Cheap to clone; the closure is dropped with the last
/// clone, or with the port.
pub struct Psub<A> {
    port: Weak<dyn AnyPort>,
    callable: Option<Arc<Callable>>,
    marker: PhantomData<fn(A)>,
}

impl<A: Send + 'static> Psub<A> {
    /// Has the closure run with `argument`, after what is queued at its port. Nothing happens if the port is dead.
    pub fn call(&self, argument: A) {
        if let (Some(port), Some(callable)) = (self.port.upgrade(), &self.callable) {
            let callable = Arc::clone(callable);
            let job = Box::new(move |cx: &mut Cx<'_>| run_kept(cx, callable.id, argument));
            run_in(port, job);
        }
    }
}

impl<A> Clone for Psub<A> {
    fn clone(&self) -> Self {
        Self {
            port: self.port.clone(),
            callable: self.callable.clone(),
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
    mut run: impl FnMut(&mut Cx<'_>, A) -> O + Send + 'static,
) -> Psub<A> {
    let closure: Closure<A> = Box::new(move |cx, argument| run(cx, argument).outcome());
    let id = keep(&**port, Content::Value(Box::new(closure)));
    let weak = Arc::downgrade(port);
    let callable = id.map(|id| {
        let port = weak.clone();
        Arc::new(Callable { port, id })
    });
    Psub {
        port: weak,
        callable,
        marker: PhantomData,
    }
}

pub(crate) fn spawn<F>(port: &Arc<dyn AnyPort>, future: F)
where
    F: Future + Send + 'static,
    F::Output: Outcome,
{
    let future = Foreign::new(future);
    let Some(id) = keep(&**port, Content::Task) else {
        return;
    };
    let weak = Arc::downgrade(port);
    start(port, id, async move {
        let done = future.await;
        // The text of an error is foreign code as well.
        let done = done.and_then(|output| guard::run(|| output.outcome())?);
        let Some(port) = weak.upgrade() else { return };
        take(&*port, id);
        if let Err(reason) = done {
            monitor::kill(&port, reason);
        }
    });
}
