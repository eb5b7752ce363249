//! Code that is bound to a port and runs later in its context: timers, closures, futures. It dies with the port.
//!
//! The port keeps the code until it runs. A task, or a job in the port's queue, has only the number of the code. So
//! code that is removed under the port's lock never starts.

mod blocking;
pub(crate) mod concurrent;
mod later;
mod state;
mod timer;

use std::{
    any::Any,
    fmt,
    marker::PhantomData,
    sync::{Arc, Weak},
};

pub(crate) use self::timer::{LONGEST, SHORTEST, after, due, every, free};
pub use self::{blocking::Blocking, timer::Timer};
use super::{
    any::AnyPort,
    extras::{Content, Extras, Job, Kept},
    monitor::{self, Monitor},
    queue::Pushed,
};
use crate::{
    Cx, Reason,
    exec::scheduler,
    guard::{self, Foreign, Held},
    message::Outcome,
};

/// Lets the port keep a value, and returns its number. If the port is dead, the value is dropped and there is no number.
fn keep(port: &dyn AnyPort, content: Content) -> Option<u64> {
    let mut content = Some(content);
    let id = port.extras(|extras| content.take().map(|content| extras.keep(content)));
    guard::discard(content);
    id.flatten()
}

/// Takes the value with this number out of the port.
fn take_kept(port: &dyn AnyPort, id: u64) -> Option<Kept> {
    port.extras(|extras| extras.kept.remove(id)).flatten()
}

/// Removes the value with this number, and aborts its task.
pub(super) fn forget(port: &dyn AnyPort, id: u64) {
    if let Some(kept) = take_kept(port, id) {
        kept.end();
    }
}

/// Keeps values until the port dies or the guard is dropped.
pub(crate) fn guard(port: &Arc<dyn AnyPort>, values: impl Any + Send) -> Monitor {
    match keep(&**port, Content::Value(Box::new(values))) {
        Some(id) => Monitor::keeping(port, id),
        None => Monitor::gone(),
    }
}

/// Lets the port keep the closure that `make` makes from its number. If the port is dead, the closure is dropped and
/// there is no number.
pub(crate) fn keep_closure(
    port: &dyn AnyPort,
    make: impl FnOnce(u64) -> Closure<()>,
) -> Option<u64> {
    let id = port.extras(Extras::next_id)?;
    let mut content = Some(Content::Value(Box::new(make(id))));
    port.extras(|extras| {
        if let Some(content) = content.take() {
            extras.kept.insert(
                id,
                Kept {
                    content,
                    task: None,
                },
            );
        }
    });
    let kept = content.is_none();
    guard::discard(content);
    kept.then_some(id)
}

/// Queues a run of a kept closure.
pub(crate) fn call_kept(port: Arc<dyn AnyPort>, id: u64) {
    run_in(port, Box::new(move |cx| run_kept(cx, id, ())));
}

pub(crate) fn run_in(port: Arc<dyn AnyPort>, job: Job) {
    if port.job(job) == Pushed::Wake {
        scheduler::schedule(port);
    }
}

/// Starts the task of a kept value. It is aborted when the value is removed.
pub(super) fn start(
    port: &Arc<dyn AnyPort>,
    id: u64,
    future: impl Future<Output = ()> + Send + 'static,
) -> bool {
    let task = port.node().scheduler().spawn(future).abort_handle();
    let owned = port.extras(|extras| {
        let kept = extras.kept.get_mut(id);
        kept.map(|kept| kept.task = Some(task.clone())).is_some()
    });
    // The value may have been removed meanwhile, or the task may have ended.
    let owned = owned == Some(true);
    if !owned {
        task.abort();
    }
    owned
}

/// A closure that the port keeps and runs repeatedly.
pub(crate) type Closure<A> = Box<dyn FnMut(&mut Cx<'_>, A) -> Result<(), Reason> + Send>;

/// Takes a kept closure out of the port to run it, because user code must not run under a lock. `None` if it was
/// cancelled.
fn lend<C: 'static>(port: &dyn AnyPort, id: u64) -> Option<Box<C>> {
    let lent = port.extras(|extras| {
        let kept = extras.kept.get_mut(id)?;
        match std::mem::replace(&mut kept.content, Content::Lent) {
            Content::Value(closure) => Some(closure),
            _ => None,
        }
    });
    lent.flatten()?.downcast().ok()
}

/// Puts a closure that was lent back, unless it was cancelled meanwhile.
fn take_back<C: Send + 'static>(port: &dyn AnyPort, id: u64, closure: Box<C>) {
    let mut closure = Held::new(closure);
    port.extras(|extras| {
        if let Some(kept) = extras.kept.get_mut(id)
            && let Some(closure) = closure.take()
        {
            kept.content = Content::Value(closure);
        }
    });
}

/// Runs a kept closure, unless it was cancelled.
pub(crate) fn run_kept<A: 'static>(cx: &mut Cx<'_>, id: u64, argument: A) -> Result<(), Reason> {
    let Some(mut closure) = lend::<Closure<A>>(cx.port(), id) else {
        guard::discard(argument);
        return Ok(());
    };
    // The panic is caught here, so that the closure is not dropped during unwinding.
    let done = cx.of_this_node(|cx| guard::run(|| closure(cx, argument)));
    take_back(cx.port(), id, closure);
    done?
}

/// Removes the closure from the port when its last [`Psub`] is dropped.
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

/// A closure that runs in the context of the port that made it ([`Cx::psub`]). Cheap to clone. The closure is dropped
/// with the last clone, or with the port.
pub struct Psub<A> {
    port: Weak<dyn AnyPort>,
    callable: Option<Arc<Callable>>,
    marker: PhantomData<fn(A)>,
}

impl<A: Send + 'static> Psub<A> {
    /// Queues a run of the closure with `argument` at its port. If the port is dead, nothing happens.
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
        // The `Display` of an error is user code as well.
        let done = done.and_then(|output| guard::run(|| output.outcome())?);
        let Some(port) = weak.upgrade() else { return };
        take_kept(&*port, id);
        if let Err(reason) = done {
            monitor::kill(&port, reason);
        }
    });
}
