//! Which tasks run the ports that have something to do.
//!
//! Ready ports wait in the node's *injector*, or at the *seat* of the thread whose handlers made them ready. Up to one *drainer*
//! task per worker of the runtime empties them; a drainer that has nothing to do takes from the others' seats. How a worker
//! comes to help is decided here, in one place: see [`schedule`].

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
    seat::{self, Seat},
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
    /// How many drainers the runtime has workers for.
    max: usize,
    injector: Mutex<Injector>,
    /// Whether another drainer could be started, and none is on its way: read without the injector's lock, by every handler that sends.
    wanted: AtomicBool,
    seats: RwLock<Vec<Arc<Seat>>>,
    #[cfg(feature = "sim")]
    mortal: Option<Mortal>,
}

struct Injector {
    ready: VecDeque<Work>,
    drainers: usize,
    /// Drainers whose handler does not return. Each of them may be replaced: its worker is lost, or has been given to another thread
    /// (`block_in_place`).
    stuck: usize,
    search: Search,
    /// The runtime is gone.
    gone: bool,
}

/// Whether a drainer has been started that has found nothing to do yet. There is one at a time at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Search {
    None,
    On,
    /// The watch has seen it: it should have begun by now.
    Late,
    /// The watch has started another in its place, because it waits behind a task that does not give way.
    Replaced,
}

/// What the drainer has that searches. It is given back by who has found something, or given up.
#[derive(Debug)]
#[must_use]
pub(super) struct Searching(());

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
            drainers: 0,
            stuck: 0,
            search: Search::None,
            gone: false,
        });
        Self(Arc::new(Shared {
            runtime,
            max,
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
            injector.gone = true;
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
    pub(super) fn seat(&self) -> Option<Arc<Seat>> {
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
        if injector.gone {
            drop(injector);
            return work.node().runtime_gone();
        }
        injector.ready.push_back(work);
        self.start_drainer(injector, when);
    }

    fn inject_all(&self, work: &mut VecDeque<Work>, when: When) {
        let mut injector = self.injector();
        injector.ready.append(work);
        self.start_drainer(injector, when);
    }

    /// What this thread's seat has left is for others, or for this drainer when it has given way.
    pub(super) fn hand_over(&self, work: &mut VecDeque<Work>, goes_on: bool) {
        if goes_on {
            self.injector().ready.append(work);
        } else {
            self.inject_all(work, When::Soon);
        }
    }

    /// Whether another drainer could be started, and none is on its way.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }

    /// Starts a drainer, if there are workers for one more.
    pub(super) fn wake(&self, when: When) {
        self.start_drainer(self.injector(), when);
    }

    fn start_drainer(&self, mut injector: MutexGuard<'_, Injector>, when: When) {
        if !injector.wants_drainer(self.0.max) || self.is_over() {
            return;
        }
        let searching = injector.begin_search();
        self.remember_wanted(&injector);
        drop(injector);
        watch::stir();
        self.spawn(drainer::run(self.clone(), searching));
        if when == When::Now {
            self.displace();
        }
    }

    /// What a worker's task starts waits until the task gives way, and no other worker can take it, unless it is pushed from
    /// its place by something else that is started.
    fn displace(&self) {
        if self.0.max > 1 && self.is_here() {
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
        let wanted = injector.wants_drainer(self.0.max);
        self.0.wanted.store(wanted, Ordering::Relaxed);
    }

    /// Moves a fair share of what is ready to the drainer's seat. Whether there was any. If more is left, another worker is called.
    pub(super) fn refill(&self, searching: &mut Option<Searching>) -> bool {
        let mut injector = self.injector();
        if injector.drainers > self.0.max + injector.stuck {
            return false;
        }
        let ready = injector.ready.len();
        if ready == 0 {
            return false;
        }
        injector.end_search(searching.take());
        let share = ready.div_ceil(self.0.max).min(64);
        injector.ready.drain(..share).for_each(seat::push);
        self.remember_wanted(&injector);
        if !injector.ready.is_empty() {
            self.start_drainer(injector, When::Now);
        }
        true
    }

    /// A drainer that was searching has found something at another's seat.
    pub(super) fn found(&self, searching: Searching) {
        let mut injector = self.injector();
        injector.end_search(Some(searching));
        self.remember_wanted(&injector);
    }

    /// Takes something from the seat of another thread.
    pub(super) fn steal(&self, own: &Seat) -> Option<Work> {
        let seats = self.0.seats.read().unwrap_or_else(PoisonError::into_inner);
        let others = seats.iter().filter(|seat| !std::ptr::eq(&***seat, own));
        let mut others = others.filter(|seat| !seat.stealer().is_empty());
        others.find_map(|seat| seat::steal_from(seat))
    }

    /// A drainer ends, unless something has become ready that nobody else will run.
    pub(super) fn leave(&self, searching: &mut Option<Searching>) -> bool {
        let mut injector = self.injector();
        let surplus = injector.drainers > self.0.max + injector.stuck;
        if !injector.ready.is_empty() && !surplus {
            return false;
        }
        injector.drainers -= 1;
        injector.end_search(searching.take());
        self.remember_wanted(&injector);
        true
    }

    /// The runtime has dropped a drainer, and so will drop everything that is started.
    pub(super) fn runtime_gone(&self, searching: Option<Searching>) {
        let ready = {
            let mut injector = self.injector();
            injector.drainers -= 1;
            injector.end_search(searching);
            injector.gone = true;
            std::mem::take(&mut injector.ready)
        };
        for work in ready {
            work.node().runtime_gone();
        }
    }

    /// What the watch has found out: so many handlers do not return. Whether something waits although a drainer could be started.
    pub(super) fn set_stuck(&self, stuck: usize) -> bool {
        let waiting = self.seats().iter().any(|seat| !seat.stealer().is_empty());
        let mut injector = self.injector();
        injector.stuck = stuck;
        let waiting = waiting || !injector.ready.is_empty();
        if waiting {
            injector.doubt_search();
        }
        let wanted = waiting && injector.wants_drainer(self.0.max);
        self.remember_wanted(&injector);
        wanted
    }
}

impl Injector {
    fn wants_drainer(&self, max: usize) -> bool {
        let searched = matches!(self.search, Search::On | Search::Late);
        !searched && !self.gone && self.drainers < max + self.stuck
    }

    fn begin_search(&mut self) -> Searching {
        self.drainers += 1;
        self.search = Search::On;
        Searching(())
    }

    fn end_search(&mut self, searching: Option<Searching>) {
        if searching.is_some() {
            self.search = Search::None;
        }
    }

    /// Something waits, and the watch has come by.
    fn doubt_search(&mut self) {
        self.search = match self.search {
            Search::On => Search::Late,
            // It counts as one that is stuck until it begins.
            Search::Late => {
                self.stuck += 1;
                Search::Replaced
            }
            other => other,
        };
    }
}

/// A port is ready. Within a handler it waits at the thread's seat, where the thread finds it next and idle workers find it first.
///
/// Another worker is called at once, unless all that could keep the port waiting has shown to be quick.
pub(crate) fn schedule(work: Work) {
    let scheduler = work.node().scheduler();
    if work.is_blocking() {
        return drainer::run_blocking(&scheduler.clone(), work);
    }
    let trusted = work.is_likely_quick();
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
