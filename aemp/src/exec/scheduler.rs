//! Who runs ports that have something to do.
//!
//! Work that arises on a thread that is running ports already goes to that thread's run list, everything else
//! to the node's injector, which up to one *drainer* task per worker of the runtime empties.

use std::{
    cell::RefCell,
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

#[cfg(feature = "sim")]
use std::sync::atomic::{AtomicBool, Ordering};

#[cfg(feature = "sim")]
use tokio::task::AbortHandle;
use tokio::{
    runtime::{EnterGuard, Handle, RuntimeFlavor},
    task::JoinHandle,
};

use super::{current, slice::Slice};
use crate::{Node, port::any::AnyPort};

/// A port that has something to do; whoever owns this may run it.
pub(crate) type Work = Arc<dyn AnyPort>;

/// Messages handled before a drainer lets other tasks of the runtime run.
const BUDGET: usize = 1024;
/// Messages one port handles before the next port has its turn.
pub(crate) const TURN: usize = 128;
/// Run list length from which half of it is offered to other threads.
const SURPLUS: usize = 64;

/// The ports of one node that are ready to run, and the tasks that run them.
pub(crate) struct Scheduler {
    runtime: Handle,
    /// How many drainers may be at work at once.
    max: usize,
    injector: Mutex<Injector>,
    #[cfg(feature = "sim")]
    mortal: Option<Mortal>,
}

/// What can be ended without warning, as a crash does: a node of a simulation.
#[cfg(feature = "sim")]
#[derive(Default)]
struct Mortal {
    ended: AtomicBool,
    tasks: Mutex<Vec<AbortHandle>>,
}

struct Injector {
    ready: VecDeque<Work>,
    drainers: usize,
}

struct RunList {
    /// Address of the node whose ports this thread is running; 0: none.
    node: usize,
    list: VecDeque<Work>,
}

thread_local! {
    static RUN: RefCell<RunList> = const {
        RefCell::new(RunList { node: 0, list: VecDeque::new() })
    };
}

impl Scheduler {
    pub(crate) fn new(runtime: Handle) -> Self {
        let max = match runtime.runtime_flavor() {
            RuntimeFlavor::CurrentThread => 1,
            _ => runtime.metrics().num_workers().max(1),
        };
        let injector = Mutex::new(Injector {
            ready: VecDeque::new(),
            drainers: 0,
        });
        Self {
            runtime,
            max,
            injector,
            #[cfg(feature = "sim")]
            mortal: None,
        }
    }

    /// From now on everything that the node does can be [ended](Self::end) at once.
    #[cfg(feature = "sim")]
    pub(crate) fn make_mortal(&mut self) {
        self.mortal = Some(Mortal::default());
    }

    /// While the result lives, timers that are made on this thread are the node's.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.runtime.enter()
    }

    /// Starts a task of the node.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.runtime.spawn(task);
        #[cfg(feature = "sim")]
        if let Some(mortal) = &self.mortal {
            mortal.own(task.abort_handle());
        }
        task
    }

    /// Ends every task of the node where it is, and runs no port any more.
    #[cfg(feature = "sim")]
    pub(crate) fn end(&self) {
        if let Some(mortal) = &self.mortal {
            mortal.end();
        }
        let _ready = std::mem::take(&mut self.injector().ready);
    }

    /// The runtime is gone: there is nobody to run what waits.
    pub(crate) fn abandon(&self) {
        let _ready = std::mem::take(&mut self.injector().ready);
    }

    #[cfg_attr(
        not(feature = "sim"),
        expect(clippy::unused_self, reason = "only simulated nodes are mortal")
    )]
    fn is_over(&self) -> bool {
        #[cfg(feature = "sim")]
        if let Some(mortal) = &self.mortal {
            return mortal.ended.load(Ordering::Relaxed);
        }
        false
    }

    fn injector(&self) -> std::sync::MutexGuard<'_, Injector> {
        self.injector.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this thread is part of the node's runtime: handlers may sleep, spawn, open sockets.
    fn is_here(&self) -> bool {
        !self.is_over() && Handle::try_current().is_ok_and(|here| here.id() == self.runtime.id())
    }

    /// Offers work to the drainers, starting one if there is none to take it.
    fn inject(&self, node: &Node, work: Work) {
        let mut injector = self.injector();
        injector.ready.push_back(work);
        self.wake(node, injector);
    }

    fn wake(&self, node: &Node, mut injector: std::sync::MutexGuard<'_, Injector>) {
        if injector.drainers >= self.max || self.is_over() {
            return;
        }
        injector.drainers += 1;
        drop(injector);
        let node = node.clone();
        self.spawn(async move {
            while node.scheduler().drain(&node) {
                tokio::task::yield_now().await;
            }
        });
    }

    /// Lets an idle worker of the runtime take the drainer. A task that a worker has just started is run by that worker
    /// alone until it starts another, so a sender that does not pause would be sending to a port that never runs.
    #[cold]
    pub(crate) fn nudge(&self) {
        if self.max > 1 && RUN.with_borrow(|run| run.node == 0) {
            self.spawn(async {});
        }
    }

    /// One drainer's turn. Whether there is more to do.
    fn drain(&self, node: &Node) -> bool {
        let (mut budget, mut slice) = (BUDGET, Slice::begin());
        let Some(running) = Running::start(node) else {
            return false;
        };
        while budget > 0 && !slice.is_over() {
            running.run(&mut budget, &mut slice);
            if budget > 0 && !slice.is_over() && !self.refill() {
                return false;
            }
        }
        true
    }

    /// Moves a fair share of the injector to this thread's run list. If there is none, this drainer ends.
    fn refill(&self) -> bool {
        let mut injector = self.injector();
        let ready = injector.ready.len();
        if ready == 0 {
            injector.drainers -= 1;
            return false;
        }
        let share = ready.div_ceil(self.max).min(SURPLUS);
        RUN.with_borrow_mut(|run| run.list.extend(injector.ready.drain(..share)));
        true
    }

    /// Hands half of a long run list to other drainers.
    #[cold]
    fn share(&self, node: &Node, list: &mut VecDeque<Work>) {
        let mut injector = self.injector();
        if injector.drainers >= self.max && injector.ready.len() >= SURPLUS {
            return;
        }
        let keep = list.len() / 2;
        injector.ready.extend(list.drain(keep..));
        self.wake(node, injector);
    }
}

#[cfg(feature = "sim")]
impl Mortal {
    fn own(&self, task: AbortHandle) {
        if self.ended.load(Ordering::Relaxed) {
            return task.abort();
        }
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        // Those that have ended are forgotten when there is no room for another.
        if tasks.len() == tasks.capacity() {
            tasks.retain(|task| !task.is_finished());
        }
        tasks.push(task);
    }

    fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
        let tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.iter().for_each(AbortHandle::abort);
    }
}

/// Has the port run: on this thread if it is running ports of this node already, otherwise by a drainer.
pub(crate) fn schedule(work: Work) {
    let node = work.node().address();
    let outside = RUN.with_borrow_mut(|run| {
        if run.node != node {
            return Some(work);
        }
        run.list.push_back(work);
        if run.list.len() > SURPLUS && run.list.len().is_multiple_of(SURPLUS) {
            let node = run.list[0].node().clone();
            if node.scheduler().max > 1 {
                node.scheduler().share(&node, &mut run.list);
            }
        }
        None
    });
    if let Some(work) = outside {
        let node = work.node().clone();
        node.scheduler().inject(&node, work);
    }
}

/// Runs the port, and what it sets going, here and now: a caller who would only wait for it helps instead.
/// Inside of a handler, or on a thread that is no part of the node's runtime, the port is scheduled.
pub(crate) fn help(work: Work) {
    let node = work.node().clone();
    if !node.scheduler().is_here() {
        schedule(work);
        return;
    }
    let Some(running) = Running::start(&node) else {
        schedule(work);
        return;
    };
    let mut budget = TURN;
    RUN.with_borrow_mut(|run| run.list.push_back(work));
    while budget > 0 && running.run_one(&mut budget) {}
}

/// This thread runs ports of a node for as long as this lives; what is left on the run list then goes to the
/// drainers.
pub(crate) struct Running<'a> {
    node: &'a Node,
}

impl<'a> Running<'a> {
    /// `None` if this thread is running ports already.
    pub(crate) fn start(node: &'a Node) -> Option<Self> {
        RUN.with_borrow_mut(|run| {
            (run.node == 0).then(|| {
                run.node = node.address();
                Self { node }
            })
        })
    }

    /// Runs the ports of the run list until there is none, or the time is over.
    pub(crate) fn run(&self, budget: &mut usize, slice: &mut Slice) {
        while *budget > 0 && !slice.is_over() && self.run_one(budget) {
            slice.did(self.node, 1);
        }
    }

    /// Runs the next port of the run list. Whether there was one.
    #[expect(
        clippy::unused_self,
        reason = "only who is running may take from the run list"
    )]
    pub(crate) fn run_one(&self, budget: &mut usize) -> bool {
        let Some(work) = RUN.with_borrow_mut(|run| run.list.pop_front()) else {
            return false;
        };
        let _scope = current::Scope::enter(&*work);
        *budget = budget.saturating_sub(1);
        work.run(budget);
        true
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let mut rest = RUN.with_borrow_mut(|run| {
            run.node = 0;
            if run.list.is_empty() {
                VecDeque::new()
            } else {
                std::mem::take(&mut run.list)
            }
        });
        if !rest.is_empty() {
            let scheduler = self.node.scheduler();
            let mut injector = scheduler.injector();
            injector.ready.append(&mut rest);
            scheduler.wake(self.node, injector);
        }
    }
}
