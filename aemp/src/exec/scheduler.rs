//! Which tasks run the ports that have something to do.
//!
//! Ready ports wait in the node's *injector*, or at the *seat* of the thread whose handlers made them ready. Up to
//! one *drainer* task per worker of the runtime empties them; a drainer that has nothing to do takes from the others'
//! seats. How a worker comes to help is decided here, in one place: see [`schedule`].

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio::{
    runtime::{EnterGuard, Handle, RuntimeFlavor},
    task::JoinHandle,
};

#[cfg(feature = "sim")]
use super::mortal::Mortal;
use super::{
    drainer,
    pace::Manner,
    plan::{By, Plan, Ticket},
    seat::{self, Mine, Seat},
    watch,
};
use crate::{Node, port::any::AnyPort};

/// A port that has something to do; the owner of this is the one that may run it.
pub(crate) type Work = Arc<dyn AnyPort>;

/// Trusted ports that may wait at one seat before another worker is called for.
const FEW: usize = 32;

/// The ports of one node that are ready to run, and the tasks that run them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scheduler(Arc<Shared>);

struct Shared {
    runtime: Handle,
    /// Whether the runtime has more than one worker.
    is_shared: bool,
    injector: Mutex<Injector>,
    /// Whether another drainer could be started, and none is on its way: read without the injector's lock, by every
    /// handler that sends.
    wanted: AtomicBool,
    seats: RwLock<Vec<Arc<Seat>>>,
    #[cfg(feature = "sim")]
    mortal: Option<Mortal>,
}

struct Injector {
    ready: VecDeque<Work>,
    plan: Plan,
}

/// How soon a drainer that is started has to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// When this task gives way: nothing that takes long comes before.
    Soon,
    /// At once, on another worker if one is idle.
    Now,
}

impl Scheduler {
    pub(crate) fn new(runtime: Handle) -> Self {
        let max = match runtime.runtime_flavor() {
            RuntimeFlavor::CurrentThread => 1,
            _ => runtime.metrics().num_workers().max(1),
        };
        let injector = Mutex::new(Injector {
            ready: VecDeque::new(),
            plan: Plan::new(max),
        });
        Self(Arc::new(Shared {
            runtime,
            is_shared: max > 1,
            injector,
            wanted: AtomicBool::new(true),
            seats: RwLock::default(),
            #[cfg(feature = "sim")]
            mortal: None,
        }))
    }

    /// From now on everything that the node does can be [ended](Self::end) at once.
    #[cfg(feature = "sim")]
    pub(crate) fn make_mortal(&mut self) {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.mortal = Some(Mortal::default());
        }
    }

    /// Has the watch look after what the node runs. What a simulated node does is not a matter of real time.
    pub(crate) fn watch_over(&self, node: &Node) {
        watch::look_after(self.clone(), node.downgrade());
    }

    /// While the result lives, timers that are made on this thread are the node's.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.0.runtime.enter()
    }

    /// The node's runtime.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// Tells nodes apart.
    #[inline]
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// Whether the node is a simulated one: real time does not count for what it does.
    #[cfg_attr(
        not(feature = "sim"),
        expect(clippy::unused_self, reason = "only simulated nodes have no time")
    )]
    pub(crate) fn is_timeless(&self) -> bool {
        #[cfg(feature = "sim")]
        return self.0.mortal.is_some();
        #[cfg(not(feature = "sim"))]
        false
    }

    /// Starts a task of the node.
    pub(crate) fn spawn<F>(&self, task: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let task = self.0.runtime.spawn(task);
        #[cfg(feature = "sim")]
        if let Some(mortal) = &self.0.mortal {
            mortal.own(task.abort_handle());
        }
        task
    }

    /// Ends every task of the node where it is, and runs no port any more.
    #[cfg(feature = "sim")]
    pub(crate) fn end(&self) {
        if let Some(mortal) = &self.0.mortal {
            mortal.end();
        }
        let _ready = std::mem::take(&mut self.injector().ready);
    }

    /// The runtime is gone: nothing that waits will be run.
    pub(crate) fn abandon(&self) {
        let ready = {
            let mut injector = self.injector();
            injector.plan.runtime_gone();
            self.remember_wanted(&injector);
            std::mem::take(&mut injector.ready)
        };
        for seat in self.seats() {
            while !seat.stealer().is_empty() {
                // It is dead already, or will be when it is run.
                drop(seat.stealer().steal());
            }
        }
        drop(ready);
    }

    /// Whether the node has crashed in a simulation.
    #[cfg_attr(
        not(feature = "sim"),
        expect(clippy::unused_self, reason = "only simulated nodes are mortal")
    )]
    pub(super) fn is_over(&self) -> bool {
        #[cfg(feature = "sim")]
        if let Some(mortal) = &self.0.mortal {
            return mortal.is_over();
        }
        false
    }

    fn injector(&self) -> MutexGuard<'_, Injector> {
        self.0
            .injector
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this thread is part of the node's runtime: handlers may sleep, spawn, open sockets.
    pub(super) fn is_here(&self) -> bool {
        !self.is_over() && Handle::try_current().is_ok_and(|here| here.id() == self.0.runtime.id())
    }

    /// This thread's seat.
    #[inline]
    pub(super) fn seat(&self) -> Option<Mine> {
        seat::own(self.address(), |new| {
            let seats = self.0.seats.write();
            let mut seats = seats.unwrap_or_else(PoisonError::into_inner);
            // Threads come and go, of pools for what blocks above all.
            seats.retain(|seat| Arc::strong_count(seat) > 1);
            seats.push(Arc::clone(new));
        })
    }

    pub(super) fn seats(&self) -> Vec<Arc<Seat>> {
        let seats = self.0.seats.read();
        seats.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Offers work to the drainers, starting one if there is none to take it.
    fn inject(&self, work: Work, when: When) {
        let mut injector = self.injector();
        if injector.plan.is_gone() {
            drop(injector);
            return work.node().runtime_gone();
        }
        injector.ready.push_back(work);
        self.start_drainer(injector, By::Task, when);
    }

    /// What this thread's seat has left is for others.
    pub(super) fn hand_over(&self, work: &mut VecDeque<Work>) {
        let mut injector = self.injector();
        if injector.plan.is_gone() {
            drop(injector);
            return end_all(work);
        }
        injector.ready.append(work);
        self.start_drainer(injector, By::Task, When::Soon);
    }

    /// A drainer gives way. What its seat has left is for others, or for itself when it comes back.
    pub(super) fn pause(&self, work: &mut VecDeque<Work>, ticket: &mut Ticket) {
        let mut injector = self.injector();
        injector.plan.pause(ticket);
        self.remember_wanted(&injector);
        if injector.plan.is_gone() {
            drop(injector);
            return end_all(work);
        }
        injector.ready.append(work);
    }

    /// Whether another drainer could be started, and none is on its way.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }

    /// Starts a drainer, if there are workers for one more.
    pub(super) fn wake(&self, when: When) {
        self.start_drainer(self.injector(), By::Task, when);
    }

    fn start_drainer(&self, mut injector: MutexGuard<'_, Injector>, by: By, when: When) {
        if self.is_over() {
            return;
        }
        let Some(ticket) = injector.plan.start(by) else {
            return;
        };
        self.remember_wanted(&injector);
        drop(injector);
        watch::stir();
        self.spawn(drainer::run(self.clone(), ticket));
        if when == When::Now {
            self.displace();
        }
    }

    /// What a worker's task starts waits until the task gives way, and no other worker can take it, unless it is
    /// pushed from its place by something else that is started.
    pub(super) fn displace(&self) {
        if self.0.is_shared && self.is_here() {
            self.spawn(async {});
        }
    }

    /// Lets an idle worker of the runtime take the drainer that a sender's task has started: the sender does not pause.
    #[cold]
    pub(crate) fn nudge(&self) {
        if seat::active() == 0 {
            self.displace();
        }
    }

    fn remember_wanted(&self, injector: &Injector) {
        let wanted = injector.plan.wants();
        self.0.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Moves a fair share of what is ready to the drainer's seat. Whether there was any. If more is left, another
    /// worker is called.
    pub(super) fn refill(&self, ticket: &mut Ticket, own: &Mine) -> bool {
        let mut injector = self.injector();
        let ready = injector.ready.len();
        let share = injector.plan.share(ready, ticket);
        self.remember_wanted(&injector);
        if share == 0 {
            return false;
        }
        let share = injector.ready.drain(..share);
        share.for_each(|work| own.push(work));
        if !injector.ready.is_empty() {
            self.start_drainer(injector, By::Task, When::Now);
        }
        true
    }

    /// A drainer has found something at another's seat.
    pub(super) fn found(&self, ticket: &mut Ticket) {
        if ticket.is_searching() {
            let mut injector = self.injector();
            injector.plan.found(ticket);
            self.remember_wanted(&injector);
        }
    }

    /// Whether something waits at another's seat.
    pub(super) fn is_left_elsewhere(&self, own: &Seat) -> bool {
        let seats = self.0.seats.read().unwrap_or_else(PoisonError::into_inner);
        seats
            .iter()
            .any(|seat| !std::ptr::eq(&**seat, own) && !seat.stealer().is_empty())
    }

    /// Takes something from the seat of another thread.
    pub(super) fn steal(&self, own: &Mine) -> Option<Work> {
        let seats = self.0.seats.read().unwrap_or_else(PoisonError::into_inner);
        let others = seats.iter().filter(|seat| !Arc::ptr_eq(seat, own));
        let mut others = others.filter(|seat| !seat.stealer().is_empty());
        others.find_map(|seat| own.steal_from(seat))
    }

    /// A drainer ends, unless something has become ready that nobody else will run.
    pub(super) fn leave(&self, ticket: &mut Ticket) -> bool {
        let mut injector = self.injector();
        let ready = injector.ready.len();
        let ended = injector.plan.leave(ready, ticket);
        self.remember_wanted(&injector);
        ended
    }

    /// A drainer has failed, by a fault of ours: another goes on.
    #[cold]
    pub(super) fn failed(&self, ticket: &mut Ticket) {
        let mut injector = self.injector();
        injector.plan.end(ticket);
        self.remember_wanted(&injector);
        self.start_drainer(injector, By::Task, When::Soon);
    }

    /// The runtime has dropped a drainer, and so will drop everything that is started.
    pub(super) fn runtime_gone(&self, ticket: &mut Ticket) {
        let mut ready = {
            let mut injector = self.injector();
            injector.plan.end(ticket);
            injector.plan.runtime_gone();
            self.remember_wanted(&injector);
            std::mem::take(&mut injector.ready)
        };
        end_all(&mut ready);
    }

    /// What the watch has found out: so many handlers do not return. Whether something waits for a drainer.
    pub(super) fn look(&self, stuck: usize) -> bool {
        let waiting = self.seats().iter().any(|seat| !seat.stealer().is_empty());
        let mut injector = self.injector();
        let waiting = waiting || !injector.ready.is_empty();
        let wanted = injector.plan.look(stuck, waiting);
        self.remember_wanted(&injector);
        if wanted {
            self.start_drainer(injector, By::Watch, When::Soon);
        }
        waiting
    }
}

/// The runtime of these ports is gone.
fn end_all(ready: &mut VecDeque<Work>) {
    for work in ready.drain(..) {
        work.node().runtime_gone();
    }
}

/// A port is ready. Within a handler it waits at the thread's seat, where the thread finds it next and idle workers
/// find it first.
///
/// Another worker is called at once, unless all that could keep the port waiting has shown to be quick.
pub(crate) fn schedule(work: Work) {
    let scheduler = work.node().scheduler();
    let trusted = match work.manner() {
        Manner::Blocking => return drainer::run_blocking(&scheduler.clone(), work),
        manner => manner == Manner::Quick,
    };
    if seat::active() != scheduler.address() {
        let when = if trusted { When::Soon } else { When::Now };
        return scheduler.clone().inject(work, when);
    }
    // Relaxed, and so perhaps out of date: the watch finds what is left lying because of that.
    let wanted = scheduler.0.wanted.load(Ordering::Relaxed) && !(trusted && seat::is_quick(FEW));
    let helped = wanted.then(|| scheduler.clone());
    seat::push(work);
    if let Some(scheduler) = helped {
        scheduler.wake(When::Now);
    }
}
