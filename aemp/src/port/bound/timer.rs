//! Timers.

use std::{
    fmt,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{task::AbortHandle, time::Instant};

use super::{Closure, forget, keep, run_in, run_kept, start, take_kept};
use crate::{
    Cx, Node, Reason,
    guard::{self, Held},
    lock::Lock,
    message::Outcome,
    port::{
        any::AnyPort,
        extras::{Content, Job},
    },
};

/// Thirty years. A longer delay makes no difference, and this one can be added to any instant without overflow.
pub(crate) const LONGEST: Duration = Duration::from_secs(30 * 365 * 86_400);

/// The shortest interval, which is the resolution of tokio's timers.
pub(crate) const SHORTEST: Duration = Duration::from_millis(1);

/// A timer that has been set, a continuation ([`Cx::then`]), or a stream of a port ([`Cx::stream`]). Dropping it does not stop it; [`cancel`](Self::cancel) does.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), aemp::StartError> {
/// let node = aemp::Node::local()?;
/// let timer = node.after(std::time::Duration::ZERO, || unreachable!());
/// timer.cancel(); // before anything else could run
/// # Ok(()) }
/// ```
pub struct Timer(Set);

enum Set {
    /// The timer's port was dead when the timer was set.
    Nowhere,
    /// A timer of a port, with the number of the value that the port keeps.
    Port(Weak<dyn AnyPort>, u64),
    /// A timer that belongs to no port.
    Free(Arc<Free>, AbortHandle),
}

/// The closure of a timer without a port, until it is run or cancelled.
type Free = Lock<Held<Box<dyn FnOnce() + Send>>>;

impl Timer {
    pub(super) fn of_port(port: &Arc<dyn AnyPort>, id: Option<u64>) -> Self {
        Self(id.map_or(Set::Nowhere, |id| Set::Port(Arc::downgrade(port), id)))
    }

    /// Stops the timer and drops its closure. If the timer has run already, nothing happens.
    ///
    /// After this call the closure does not start, even if its time has come and the port is busy. A run that has
    /// started continues; for a timer of a port, only another thread can observe that.
    pub fn cancel(self) {
        match self.0 {
            Set::Nowhere => {}
            Set::Port(port, id) => {
                if let Some(port) = port.upgrade() {
                    forget(&*port, id);
                }
            }
            Set::Free(run, task) => {
                task.abort();
                guard::discard(take_free(&run));
            }
        }
    }
}

impl fmt::Debug for Timer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timer").finish_non_exhaustive()
    }
}

fn take_free(run: &Free) -> Option<Box<dyn FnOnce() + Send>> {
    run.lock().take()
}

/// The instant after `delay`, by the clock of the node's runtime, which may differ from that of the thread's runtime.
pub(crate) fn due(node: &Node, delay: Duration) -> Instant {
    let _runtime = node.scheduler().enter();
    Instant::now() + delay.min(LONGEST)
}

pub(crate) fn after(port: &Arc<dyn AnyPort>, delay: Duration, job: Job) -> Timer {
    let Some(id) = keep(&**port, Content::Job(job)) else {
        return Timer(Set::Nowhere);
    };
    let weak = Arc::downgrade(port);
    let (due, to) = (due(port.node(), delay), weak.clone());
    start(port, id, async move {
        tokio::time::sleep_until(due).await;
        if let Some(port) = to.upgrade() {
            run_in(port, Box::new(move |cx| run_once(cx, id)));
        }
    });
    Timer(Set::Port(weak, id))
}

/// Runs the closure of a timer, unless it was cancelled after this run had been queued.
fn run_once(cx: &mut Cx<'_>, id: u64) -> Result<(), Reason> {
    match take_kept(cx.port(), id).map(|kept| kept.content) {
        Some(Content::Job(job)) => cx.of_this_node(job),
        _ => Ok(()),
    }
}

pub(crate) fn every<O: Outcome>(
    port: &Arc<dyn AnyPort>,
    period: Duration,
    mut run: impl FnMut(&mut Cx<'_>) -> O + Send + 'static,
) -> Timer {
    let closure: Closure<()> = Box::new(move |cx, ()| run(cx).outcome());
    let Some(id) = keep(&**port, Content::Value(Box::new(closure))) else {
        return Timer(Set::Nowhere);
    };
    let weak = Arc::downgrade(port);
    let (first, to) = (due(port.node(), period), weak.clone());
    start(port, id, async move {
        let mut ticks = tokio::time::interval_at(first, period.min(LONGEST));
        let queued = Arc::new(AtomicBool::new(false));
        loop {
            ticks.tick().await;
            let Some(port) = to.upgrade() else { return };
            if queued.swap(true, Ordering::Relaxed) {
                continue;
            }
            let queued = Arc::clone(&queued);
            let job = move |cx: &mut Cx<'_>| {
                queued.store(false, Ordering::Relaxed);
                run_kept(cx, id, ())
            };
            run_in(port, Box::new(job));
        }
    });
    Timer(Set::Port(weak, id))
}

/// Sets a timer that belongs to no port.
pub(crate) fn free(node: &Node, delay: Duration, run: impl FnOnce() + Send + 'static) -> Timer {
    let run: Box<dyn FnOnce() + Send> = Box::new(run);
    let run: Arc<Free> = Arc::new(Lock::new(Held::new(run)));
    let (due, held) = (due(node, delay), Arc::clone(&run));
    let life = node.share_life();
    let task = node.scheduler().spawn(async move {
        tokio::select! {
            biased;
            _ = life.until_over() => guard::discard(take_free(&held)),
            () = tokio::time::sleep_until(due) => {
                if let Some(run) = take_free(&held) {
                    guard::shielded(run);
                }
            }
        }
    });
    Timer(Set::Free(run, task.abort_handle()))
}
