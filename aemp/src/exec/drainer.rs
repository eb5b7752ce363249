//! The ways in which ports are run: by drainers, in place by a caller, and on threads of their own.

use std::{cell::Cell, collections::VecDeque, sync::Arc, time::Instant};

use tokio::task::JoinHandle;

use super::{
    current,
    pace::{self, Manner},
    plan::Ticket,
    ready::{Lane, Work},
    scheduler::{Scheduler, When, schedule},
    seat::{self, Before, Doing, Mine, Seat},
    slice::{LARGE_TURN, Slice},
    stall,
    tally::Tally,
};
use crate::{message::Port, port::any::AnyPort};

/// The number of messages after which a drainer lets other tasks of the runtime run.
const BUDGET: usize = 1024;
/// The number of messages after which the next port has its turn.
pub(super) const TURN: usize = 128;
/// The number of ports that a caller runs in place: the called port, and ports that it makes ready, if all are trusted.
const IN_PLACE: usize = 16;
/// One of this many runs in place is timed.
const SAMPLE: u32 = 32;

/// The turn of a port: it may handle messages until the turn is over.
pub(crate) struct Turn<'a> {
    pub(crate) left: usize,
    seat: &'a Seat,
}

impl<'a> Turn<'a> {
    /// Starts the run of a port, which lasts as long as the result lives.
    #[inline]
    pub(crate) fn begin(&self, port: u64) -> Seated<'a> {
        Seated {
            seat: self.seat,
            before: Some(self.seat.enter(port)),
        }
    }

    /// Starts a message for this handler.
    #[inline]
    pub(crate) fn next_message(&mut self, handler: u32) {
        self.seat.next_message(handler);
    }

    /// The counts of the port's type at this seat, if the node counts.
    #[inline]
    pub(crate) fn tally<P: Port>(&self, scheduler: &Scheduler) -> Tally<'a> {
        match scheduler.is_counting() {
            true => self.seat.tallies.of::<P>(),
            false => Tally::OFF,
        }
    }

    /// Counts a handled message. Returns true if the turn is over.
    #[inline]
    pub(crate) fn did_one(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    pub(crate) fn end(&mut self) {
        self.left = 0;
    }

    /// True if a large message may be handled in this turn. It may on a thread that is not a worker.
    pub(crate) fn takes_large(&self) -> bool {
        self.seat.is_blocking()
    }
}

/// The run of a port.
pub(crate) struct Seated<'a> {
    seat: &'a Seat,
    before: Option<Before>,
}

impl Drop for Seated<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            self.seat.leave(before);
        }
    }
}

/// While this value lives, the thread runs ports of a node, or makes them ready. Afterwards the ports that are left
/// at its seat go to the drainers.
pub(crate) struct Active<'a> {
    scheduler: &'a Scheduler,
    seat: Mine,
    /// The lane in which the ports that are left at the seat will wait.
    lane: Lane,
    /// The thread's occupation before: a handler may run another runtime within itself.
    before: Doing,
}

impl<'a> Active<'a> {
    /// `None` if the thread is about to end.
    #[inline]
    pub(crate) fn begin(scheduler: &'a Scheduler) -> Option<Self> {
        stall::stir();
        Some(Self {
            scheduler,
            seat: scheduler.seat()?,
            lane: Lane::HERE,
            before: seat::set_doing(Doing::ports_of(scheduler.address())),
        })
    }

    /// As `begin`, for a connection that delivers. The stall detector treats it like a handler, because decoding of
    /// arguments runs user code.
    pub(crate) fn delivering(scheduler: &'a Scheduler, lane: Lane) -> Option<Delivering<'a>> {
        let mut active = Self::begin(scheduler)?;
        active.lane = lane;
        seat::set_doing(seat::doing().delivering());
        let before = Some(active.seat.enter(seat::NO_PORT));
        Some(Delivering { active, before })
    }

    /// Runs a port for at most `messages` messages. Returns the number of handled ones, at least one.
    fn run(&self, work: Work, is_quick: bool, messages: usize) -> usize {
        let quick = seat::set_quick(is_quick);
        let mut turn = Turn {
            left: messages,
            seat: &self.seat,
        };
        work.run(&mut turn);
        let left = turn.left.min(messages);
        seat::set_quick(quick);
        seat::after_handlers(&self.seat);
        (messages - left).max(1)
    }
}

impl Active<'_> {
    /// Ends the activity, and returns the ports that are left at the seat.
    fn end(&self) -> VecDeque<Work> {
        seat::after_handlers(&self.seat);
        let mut rest = VecDeque::new();
        while let Some(work) = self.seat.pop() {
            rest.push_back(work);
        }
        rest
    }
}

impl Drop for Active<'_> {
    #[inline]
    fn drop(&mut self) {
        seat::after_handlers(&self.seat);
        if self.seat.has_work() {
            let mut rest = self.end();
            seat::resume(self.before);
            self.scheduler.hand_over(self.lane, &mut rest);
        } else {
            seat::resume(self.before);
        }
    }
}

/// The place of a run that continues after an async handler: within the run that began it, or in a task of its own.
pub(super) enum Here<'a> {
    InPlace(Mine),
    /// With the setting before: a handler may be polled within that of another node.
    Task(Active<'a>, bool),
}

impl<'a> Here<'a> {
    /// `None` if the thread is about to end.
    pub(super) fn begin(port: &'a dyn AnyPort) -> Option<Self> {
        let scheduler = port.node().scheduler();
        if seat::active() == scheduler.address() {
            return scheduler.seat().map(Self::InPlace);
        }
        let active = Active::begin(scheduler)?;
        let trusted = port.manner() == Manner::Quick;
        if !trusted {
            // As in a drainer: the tasks that this thread has woken must not wait for the next handler.
            scheduler.displace();
        }
        Some(Self::Task(active, seat::set_quick(trusted)))
    }

    /// The rest of a turn.
    pub(super) fn turn(&self, left: usize) -> Turn<'_> {
        let seat = match self {
            Self::InPlace(seat) => seat,
            Self::Task(active, _) => &active.seat,
        };
        Turn { left, seat }
    }
}

impl Drop for Here<'_> {
    fn drop(&mut self) {
        if let Self::Task(_, before) = self {
            seat::set_quick(*before);
        }
    }
}

/// While this value lives, a connection delivers.
pub(crate) struct Delivering<'a> {
    active: Active<'a>,
    before: Option<Before>,
}

impl Drop for Delivering<'_> {
    fn drop(&mut self) {
        if let Some(before) = self.before.take() {
            self.active.seat.leave(before);
        }
    }
}

/// A task that runs ready ports until there are none.
struct Drainer {
    scheduler: Scheduler,
    ticket: Ticket,
    state: State,
}

enum State {
    /// The task has not begun, or has yielded. If it is dropped now, the runtime is gone.
    Away,
    /// The task is running. If it is dropped now, it has failed.
    Running,
    Ended,
}

/// The drainer's task. The drainer exists before the first poll, so that the end of the runtime is noticed.
pub(super) fn run(
    scheduler: Scheduler,
    ticket: Ticket,
) -> impl Future<Output = ()> + Send + 'static {
    let mut drainer = Drainer {
        scheduler,
        ticket,
        state: State::Away,
    };
    async move {
        while drainer.turn() {
            tokio::task::yield_now().await;
        }
    }
}

impl Drainer {
    /// Runs ports for one turn. Returns true if there is more to do.
    fn turn(&mut self) -> bool {
        self.state = State::Running;
        let more = self.run();
        self.state = if more { State::Away } else { State::Ended };
        more
    }

    fn run(&mut self) -> bool {
        let scheduler = self.scheduler.clone();
        let Some(active) = Active::begin(&scheduler) else {
            return true;
        };
        let (mut budget, mut slice) = (BUDGET, Slice::begin(scheduler.is_timeless()));
        while budget > 0 && !slice.is_over() {
            let Some(work) = self.next(&active.seat) else {
                if scheduler.leave(&mut self.ticket) {
                    return false;
                }
                slice.did(1);
                continue;
            };
            if scheduler.is_over() {
                continue;
            }
            let trusted = work.manner() == Manner::Quick;
            if !trusted {
                self.call_others(&active.seat);
            }
            let done = active.run(work, trusted, TURN.min(budget));
            budget = budget.saturating_sub(done);
            slice.did(1);
            if !trusted {
                slice.read_clock();
            }
        }
        let mut rest = active.end();
        scheduler.pause(&mut rest, &mut self.ticket);
        true
    }

    /// Calls other workers if something waits that must not wait for the next port: other ports, or a task that was
    /// started or woken on this thread.
    fn call_others(&self, own: &Mine) {
        let scheduler = &self.scheduler;
        if scheduler.is_wanted() && (own.has_work() || scheduler.is_left_elsewhere(own)) {
            scheduler.wake(When::Now);
        } else {
            scheduler.displace();
        }
    }

    fn next(&mut self, own: &Mine) -> Option<Work> {
        if let Some(work) = own.pop() {
            return Some(work);
        }
        if self.scheduler.refill(&mut self.ticket, own) {
            return own.pop();
        }
        let stolen = self.scheduler.steal(own)?;
        self.scheduler.found(&mut self.ticket);
        Some(stolen)
    }
}

impl Drop for Drainer {
    fn drop(&mut self) {
        if self.scheduler.is_over() {
            return;
        }
        match self.state {
            State::Away => self.scheduler.runtime_gone(&mut self.ticket),
            State::Running => self.scheduler.failed(&mut self.ticket),
            State::Ended => {}
        }
    }
}

thread_local! {
    static RUNS_IN_PLACE: Cell<u32> = const { Cell::new(0) };
}

/// Runs the port in place if it is trusted with this handler, because its caller would only wait. Otherwise, and
/// within a handler, and on a thread outside of the node's runtime, the port is scheduled.
pub(crate) fn help(scheduler: &Scheduler, work: Work, handler: u32) {
    if seat::active() != 0 || !work.trusts(handler) || !scheduler.is_here() || current::has_span() {
        return schedule(work);
    }
    let Some(active) = Active::begin(scheduler) else {
        return schedule(work);
    };
    let runs = RUNS_IN_PLACE.get().wrapping_add(1);
    RUNS_IN_PLACE.set(runs);
    if runs.is_multiple_of(SAMPLE) {
        let (timed, began) = (Arc::clone(&work), Instant::now());
        active.run(work, true, IN_PLACE);
        if pace::is_doubtful(began.elapsed()) {
            timed.pace().demote();
        }
    } else {
        active.run(work, true, IN_PLACE);
    }
    follow(&active);
}

/// Runs the ports that a port in place has made ready.
fn follow(active: &Active<'_>) {
    for _ in 1..IN_PLACE {
        let Some(next) = active.seat.pop() else {
            return;
        };
        if next.manner() != Manner::Quick {
            return schedule(next);
        }
        active.run(next, true, IN_PLACE);
    }
}

/// Runs a blocking port on a thread of its own until its queue is empty.
pub(super) fn run_blocking(scheduler: &Scheduler, work: Work) {
    on_own_thread(scheduler, Blocking(Some(work)));
}

/// Runs a port for one turn.
fn on_own_thread(scheduler: &Scheduler, mut blocking: Blocking) -> JoinHandle<()> {
    let own = scheduler.clone();
    scheduler.runtime().spawn_blocking(move || {
        let Some(work) = blocking.0.take() else {
            return;
        };
        let Some(active) = Active::begin(&own) else {
            return;
        };
        active.seat.set_blocking(true);
        active.run(work, false, TURN);
        active.seat.set_blocking(false);
    })
}

/// Runs a port whose next message is large on a separate thread, for one turn. The number of such runs is limited.
pub(super) fn run_elsewhere(work: Work) {
    let scheduler = work.node().scheduler().clone();
    let (blocking, own) = (Blocking(Some(work)), scheduler.clone());
    scheduler.spawn(async move {
        let permit = own.large().acquire_owned().await;
        // A handler may take any time, so the permit is given back after a while.
        let _ = tokio::time::timeout(LARGE_TURN, on_own_thread(&own, blocking)).await;
        drop(permit);
    });
}

/// A port that waits for a thread. If the runtime is gone, it drops this.
struct Blocking(Option<Work>);

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work.node().runtime_gone();
        }
    }
}

/// A task polls an async handler. The stall detector treats it like any other handler.
pub(crate) struct Occupied(Option<(Mine, Before, Doing)>);

impl Occupied {
    pub(crate) fn enter(port: &dyn AnyPort, handler: u32) -> Self {
        if seat::active() != 0 {
            // The first poll is part of a run, which the stall detector sees already.
            return Self(None);
        }
        stall::stir();
        let Some(seat) = port.node().scheduler().seat() else {
            return Self(None);
        };
        let before = seat.enter(port.number());
        seat.next_message(handler);
        let doing = seat::set_handling(port.manner() == Manner::Quick);
        Self(Some((seat, before, doing)))
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        if let Some((seat, before, doing)) = self.0.take() {
            seat.leave(before);
            seat::after_async_handler();
            seat::set_doing(doing);
        }
    }
}
