//! The choice of the task that runs a ready port.
//!
//! Ready ports wait in the node's *injector*, or at the *seat* of the thread whose handlers made them ready. At most
//! one *drainer* task for each worker of the runtime empties them. A drainer without work steals from the seats of
//! other threads. [`schedule`] decides whether another worker is called.

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    runtime::{EnterGuard, Handle, RuntimeFlavor},
    sync::Semaphore,
    task::JoinHandle,
    time::{Instant, Sleep, sleep_until},
};

#[cfg(feature = "sim")]
use super::mortal::Mortal;
use super::{
    drainer,
    pace::Manner,
    plan::{By, Plan, Ticket},
    ready::{Lane, Ready, Work},
    seat::{self, Mine, Seat},
    stall,
    tally::{Past, Sum, Switch, Was},
    waiting::rest::Places,
};
use crate::{
    Node, Reason, guard,
    lock::{Lock, SharedLock},
};

/// The number of trusted ports that may wait at one seat before another worker is called.
const FEW: usize = 32;

/// The ready ports of one node, and the tasks that run them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Scheduler(Arc<Shared>);

struct Shared {
    runtime: Handle,
    /// True if the runtime has more than one worker.
    is_shared: bool,
    injector: Lock<Injector>,
    /// True if another drainer may be started, and none is on its way. Every handler that sends reads it, without the
    /// injector's lock.
    wanted: AtomicBool,
    large: Arc<Semaphore>,
    searches: Arc<tokio::sync::Mutex<()>>,
    /// True if the runtime has been found to have no clock.
    clockless: AtomicBool,
    seats: SharedLock<Vec<Arc<Seat>>>,
    places: Places,
    counting: Switch,
    past: Past,
    /// The number of calls that were not handled, because no caller waited for them any more.
    unwanted: AtomicU64,
    #[cfg(feature = "sim")]
    mortal: Option<Mortal>,
}

struct Injector {
    ready: Ready<Work>,
    plan: Plan,
}

/// The urgency of a new drainer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// The moment at which the current task yields: nothing before that takes long.
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
        let injector = Lock::new(Injector {
            ready: Ready::default(),
            plan: Plan::new(max),
        });
        Self(Arc::new(Shared {
            runtime,
            is_shared: max > 1,
            injector,
            wanted: AtomicBool::new(true),
            large: Arc::new(Semaphore::new((max / 2).max(1))),
            searches: Arc::default(),
            clockless: AtomicBool::new(false),
            seats: SharedLock::default(),
            places: Places::default(),
            counting: Switch::default(),
            past: Past::default(),
            unwanted: AtomicU64::new(0),
            #[cfg(feature = "sim")]
            mortal: None,
        }))
    }

    /// Allows to [end](Self::end) everything that the node does at once.
    #[cfg(feature = "sim")]
    pub(crate) fn make_mortal(&mut self) {
        if let Some(shared) = Arc::get_mut(&mut self.0) {
            shared.mortal = Some(Mortal::default());
        }
    }

    /// Lets the stall detector observe this node. A simulated node has no real time, so it is not observed.
    pub(crate) fn watch_over(&self, node: &Node) {
        stall::observe(self.clone(), node.downgrade());
    }

    /// While the result lives, timers that are made on this thread belong to the node's runtime.
    pub(crate) fn enter(&self) -> EnterGuard<'_> {
        self.0.runtime.enter()
    }

    /// The node's runtime.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.0.runtime
    }

    /// The identity of the scheduler, and so of its node.
    #[inline]
    pub(super) fn address(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// True if the node is simulated, so that real time does not count.
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

    /// Aborts every task of the node, and runs no more ports.
    #[cfg(feature = "sim")]
    pub(crate) fn end(&self) {
        if let Some(mortal) = &self.0.mortal {
            mortal.end();
        }
        let _ready = self.injector().ready.take_all();
    }

    /// Drops the ready ports, because the runtime is gone.
    pub(crate) fn abandon(&self) {
        let ready = {
            let mut injector = self.injector();
            injector.plan.runtime_gone();
            self.remember_wanted(&injector);
            injector.ready.take_all()
        };
        for seat in self.seats() {
            while !seat.stealer().is_empty() {
                // The port is dead already, or dies when it is run.
                drop(seat.stealer().steal());
            }
        }
        drop(ready);
    }

    /// True if the node has crashed in a simulation.
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
        self.0.injector.lock()
    }

    /// True if this thread belongs to the node's runtime, where handlers may sleep, spawn and open sockets.
    pub(super) fn is_here(&self) -> bool {
        !self.is_over() && Handle::try_current().is_ok_and(|here| here.id() == self.0.runtime.id())
    }

    /// This thread's seat.
    #[inline]
    pub(super) fn seat(&self) -> Option<Mine> {
        seat::own(self.address(), |new| {
            let mut seats = self.0.seats.write();
            // Threads come and go, above all those of pools for blocking code.
            seats.retain(|seat| {
                let ended = Arc::strong_count(seat) == 1;
                if ended {
                    self.0.past.add(&seat.tallies);
                }
                !ended
            });
            seats.push(Arc::clone(new));
        })
    }

    /// The places of tasks that rest.
    pub(super) fn places(&self) -> &Places {
        &self.0.places
    }

    /// True if messages and calls are counted.
    #[inline]
    pub(crate) fn is_counting(&self) -> bool {
        self.0.counting.is_on()
    }

    /// Counts messages and calls from now on for a while. Returns true if they have been counted before.
    pub(crate) fn count_for_a_while(&self) -> bool {
        let Was::Off(over) = self.0.counting.hold(Instant::now()) else {
            return true;
        };
        self.check_later(&self.0, over, |shared, now| shared.counting.check(now));
        false
    }

    /// Calls `check` at the first time and then at each time that it returns, until it returns none or its owner is gone.
    pub(crate) fn check_later<T: Send + Sync + 'static>(
        &self,
        owner: &Arc<T>,
        first: Instant,
        check: fn(&T, Instant) -> Option<Instant>,
    ) {
        let owner = Arc::downgrade(owner);
        self.spawn(async move {
            let mut next = Some(first);
            while let Some(at) = next {
                sleep_until(at).await;
                next = owner
                    .upgrade()
                    .and_then(|owner| check(&owner, Instant::now()));
            }
        });
    }

    /// The counts that belong to no seat.
    pub(crate) fn past(&self) -> &Past {
        &self.0.past
    }

    /// The number of calls that were not handled, because no caller waited for them any more.
    pub(crate) fn unwanted(&self) -> &AtomicU64 {
        &self.0.unwanted
    }

    /// The counts of all seats, also of those that are gone.
    pub(crate) fn sum(&self) -> Sum {
        // A seat is added to the past under the write lock.
        let seats = self.0.seats.read();
        self.0.past.sum(seats.iter().map(|seat| &seat.tallies))
    }

    /// The number of ports in the injector.
    pub(super) fn ready(&self) -> usize {
        self.injector().ready.len()
    }

    pub(super) fn seats(&self) -> Vec<Arc<Seat>> {
        self.0.seats.read().clone()
    }

    /// Offers a port to the drainers, and starts one if necessary.
    fn inject(&self, work: Work, when: When) {
        let mut injector = self.injector();
        if injector.plan.is_gone() {
            drop(injector);
            return work.node().runtime_gone();
        }
        injector.ready.push(work);
        self.start_drainer(injector, By::Task, when);
    }

    /// Moves the ports that are left at this thread's seat to a lane of the injector.
    pub(super) fn hand_over(&self, lane: Lane, work: &mut VecDeque<Work>) {
        let mut injector = self.injector();
        if injector.plan.is_gone() {
            drop(injector);
            return end_all(work);
        }
        injector.ready.append(lane, work);
        self.start_drainer(injector, By::Task, When::Soon);
    }

    /// The permits for long work that can be deferred: decoding of large packets, and ports that handle them. There are
    /// so few that some processors are left to the workers.
    pub(crate) fn large(&self) -> Arc<Semaphore> {
        Arc::clone(&self.0.large)
    }

    /// Held by the search for a circle of calls (`circle`).
    pub(crate) fn searches(&self) -> Arc<tokio::sync::Mutex<()>> {
        Arc::clone(&self.0.searches)
    }

    /// A timer of the node's runtime. The code that polls it may have no runtime.
    ///
    /// # Errors
    ///
    /// The panic of tokio, if the runtime has no clock.
    pub(crate) fn sleep(&self, delay: Duration) -> Result<Pin<Box<Sleep>>, Reason> {
        guard::run(|| {
            let _runtime = self.enter();
            Box::pin(tokio::time::sleep(delay))
        })
    }

    /// A timer for the search for a circle of calls. `None` if the runtime has no clock, which is tried once, because
    /// tokio panics then.
    pub(super) fn search_timer(&self, delay: Duration) -> Option<Pin<Box<Sleep>>> {
        if self.0.clockless.load(Ordering::Relaxed) {
            return None;
        }
        let timer = self.sleep(delay);
        if timer.is_err() {
            self.0.clockless.store(true, Ordering::Relaxed);
        }
        timer.ok()
    }

    /// Records that a drainer yields. The ports left at its seat go to the injector, where other drainers or it
    /// itself find them.
    pub(super) fn pause(&self, work: &mut VecDeque<Work>, ticket: &mut Ticket) {
        let mut injector = self.injector();
        injector.plan.pause(ticket);
        self.remember_wanted(&injector);
        if injector.plan.is_gone() {
            drop(injector);
            return end_all(work);
        }
        injector.ready.append(Lane::HERE, work);
    }

    /// True if another drainer may be started, and none is on its way.
    pub(super) fn is_wanted(&self) -> bool {
        self.0.wanted.load(Ordering::Relaxed)
    }

    /// Starts a drainer, if there is a worker for it.
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
        stall::stir();
        self.spawn(drainer::run(self.clone(), ticket));
        if when == When::Now {
            self.displace();
        }
    }

    /// Pushes a task out of tokio's reserved slot. A task that a worker's task starts waits in that slot until the
    /// current task yields, and no other worker can take it, unless another started task takes the slot.
    pub(super) fn displace(&self) {
        if self.0.is_shared && self.is_here() {
            self.spawn(async {});
        }
    }

    /// Lets an idle worker take the drainer that the sender's task has started. The sender does not yield.
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

    /// Moves a fair share of the ready ports to the drainer's seat, and calls another worker if more are left.
    /// Returns true if there were any.
    pub(super) fn refill(&self, ticket: &mut Ticket, own: &Mine) -> bool {
        let mut injector = self.injector();
        let ready = injector.ready.len();
        let share = injector.plan.share(ready, ticket);
        self.remember_wanted(&injector);
        if share == 0 {
            return false;
        }
        injector.ready.take(share, |work| own.push(work));
        if !injector.ready.is_empty() {
            self.start_drainer(injector, By::Task, When::Now);
        }
        true
    }

    /// Records that a drainer has stolen a port.
    pub(super) fn found(&self, ticket: &mut Ticket) {
        if ticket.is_searching() {
            let mut injector = self.injector();
            injector.plan.found(ticket);
            self.remember_wanted(&injector);
        }
    }

    /// True if ports wait at another seat.
    pub(super) fn is_left_elsewhere(&self, own: &Seat) -> bool {
        let seats = self.0.seats.read();
        seats
            .iter()
            .any(|seat| !std::ptr::eq(&**seat, own) && !seat.stealer().is_empty())
    }

    /// Steals a port from another seat.
    pub(super) fn steal(&self, own: &Mine) -> Option<Work> {
        let seats = self.0.seats.read();
        let others = seats.iter().filter(|seat| !Arc::ptr_eq(seat, own));
        let mut others = others.filter(|seat| !seat.stealer().is_empty());
        others.find_map(|seat| own.steal_from(seat))
    }

    /// Ends a drainer, unless a port has become ready meanwhile. Returns true if it ends.
    pub(super) fn leave(&self, ticket: &mut Ticket) -> bool {
        let mut injector = self.injector();
        let ready = injector.ready.len();
        let ended = injector.plan.leave(ready, ticket);
        self.remember_wanted(&injector);
        ended
    }

    /// Replaces a drainer that has failed by a fault of ours.
    #[cold]
    pub(super) fn failed(&self, ticket: &mut Ticket) {
        let mut injector = self.injector();
        injector.plan.end(ticket);
        self.remember_wanted(&injector);
        self.start_drainer(injector, By::Task, When::Soon);
    }

    /// Records that the runtime has dropped a drainer, and will drop every other task.
    pub(super) fn runtime_gone(&self, ticket: &mut Ticket) {
        let mut ready = {
            let mut injector = self.injector();
            injector.plan.end(ticket);
            injector.plan.runtime_gone();
            self.remember_wanted(&injector);
            injector.ready.take_all()
        };
        end_all(&mut ready);
    }

    /// Takes a report of the stall detector: the number of handlers that do not return. Returns true if a port waits
    /// for a drainer.
    pub(super) fn report_stuck(&self, stuck: usize) -> bool {
        let waiting = self.seats().iter().any(|seat| !seat.stealer().is_empty());
        let mut injector = self.injector();
        let waiting = waiting || !injector.ready.is_empty();
        let wanted = injector.plan.report(stuck, waiting);
        self.remember_wanted(&injector);
        if wanted {
            self.start_drainer(injector, By::StallDetector, When::Soon);
        }
        waiting
    }
}

/// Ends ready ports after their runtime has gone.
fn end_all(ready: &mut VecDeque<Work>) {
    for work in ready.drain(..) {
        work.node().runtime_gone();
    }
}

/// Schedules a ready port. Within a handler the port waits at the thread's seat, where the thread finds it next, or
/// an idle worker steals it.
///
/// Another worker is called at once, unless everything that could delay the port is known to be quick.
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
    // Relaxed, and so perhaps out of date: the stall detector finds ports that are left waiting because of that.
    let wanted = scheduler.0.wanted.load(Ordering::Relaxed) && !(trusted && seat::is_quick(FEW));
    let helped = wanted.then(|| scheduler.clone());
    seat::push(work);
    if let Some(scheduler) = helped {
        scheduler.wake(When::Now);
    }
}
