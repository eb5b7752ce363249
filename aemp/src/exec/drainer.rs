//! The ways in which ports are run: by drainers, in place by a caller, and on threads of their own.

use std::{cell::Cell, collections::VecDeque, sync::Arc, time::Instant};

use super::{
    current, pace,
    plan::Ticket,
    scheduler::{Scheduler, When, Work, schedule},
    seat::{self, Before, Mine, Seat},
    slice::Slice,
    watch,
};
use crate::port::any::AnyPort;

/// Messages handled before a drainer lets other tasks of the runtime run.
const BUDGET: usize = 1024;
/// Messages one port handles before the next port has its turn.
const TURN: usize = 128;
/// Ports that a caller runs in place: the one that it calls, and what that makes ready, as far as all are trusted.
const IN_PLACE: usize = 16;
/// One in so many runs in place is timed.
const SAMPLE: u32 = 32;

/// What a port is given to do: messages, until its turn is over.
pub(crate) struct Turn<'a> {
    pub(crate) left: usize,
    seat: &'a Seat,
}

impl Turn<'_> {
    /// The next message is for that handler.
    #[inline]
    pub(crate) fn next_message(&mut self, handler: u32) {
        self.seat.next_message(handler);
    }

    /// A message has been handled. Whether the turn is over.
    #[inline]
    pub(crate) fn did_one(&mut self) -> bool {
        self.left = self.left.saturating_sub(1);
        self.left == 0
    }

    pub(crate) fn end(&mut self) {
        self.left = 0;
    }
}

/// This thread runs ports of a node, or has ports made ready, for as long as this lives. What is left at the seat then goes to the
/// drainers.
pub(crate) struct Active<'a> {
    scheduler: &'a Scheduler,
    seat: Mine,
    /// What the thread was doing: a handler may run another runtime within itself.
    before: usize,
    /// Whether that has something to send when its handler returns.
    later: bool,
    /// Whether that returns soon.
    quick: bool,
}

impl<'a> Active<'a> {
    /// `None` when the thread is about to end.
    pub(crate) fn begin(scheduler: &'a Scheduler) -> Option<Self> {
        watch::stir();
        let before = seat::active();
        let seat = scheduler.seat()?;
        seat::set_active(scheduler.address());
        Some(Self {
            scheduler,
            seat,
            before,
            later: seat::set_later(false),
            // Between the ports that it runs nothing takes long.
            quick: seat::set_quick(true),
        })
    }

    /// The same for a connection that delivers: the watch sees it as it sees a handler, because the code of the user that reads arguments is
    /// part of it.
    pub(crate) fn delivering(scheduler: &'a Scheduler) -> Option<Delivering<'a>> {
        let active = Self::begin(scheduler)?;
        let before = Some(active.seat.enter(seat::NO_PORT));
        Some(Delivering { active, before })
    }

    /// Runs a port for so many messages at most; how many it has handled, and one for itself.
    fn run(&self, work: Work, is_quick: bool, messages: usize) -> usize {
        let quick = seat::set_quick(is_quick);
        let before = self.seat.enter(work.number());
        let mut turn = Turn {
            left: messages,
            seat: &self.seat,
        };
        {
            let _scope = current::Scope::enter(&*work);
            work.run(&mut turn);
        }
        let left = turn.left.min(messages);
        self.seat.leave(before);
        seat::set_quick(quick);
        seat::after_handlers(&self.seat);
        messages - left + 1
    }
}

impl Active<'_> {
    /// Ends it without handing over what is left.
    fn end(&self) -> VecDeque<Work> {
        seat::after_handlers(&self.seat);
        let mut rest = VecDeque::new();
        while let Some(work) = seat::pop() {
            rest.push_back(work);
        }
        rest
    }
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        let mut rest = self.end();
        seat::set_active(self.before);
        if self.before != 0 {
            // The seat that was used before comes first again.
            seat::restore(self.before);
        }
        seat::set_later(self.later);
        seat::set_quick(self.quick);
        if !rest.is_empty() {
            self.scheduler.hand_over(&mut rest);
        }
    }
}

/// A connection delivers for as long as this lives.
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

/// A task that runs what is ready until nothing is.
struct Drainer {
    scheduler: Scheduler,
    ticket: Ticket,
    state: State,
}

enum State {
    /// Not begun, or given way: whoever drops it now is the runtime.
    Away,
    /// Dropped like that, it has failed.
    Running,
    Ended,
}

/// The task. It exists before it is polled for the first time, so that a runtime that is gone is noticed.
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
    /// Whether there is more to do.
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
            let trusted = work.is_likely_quick();
            if !trusted {
                self.call_others(&active.seat);
            }
            let done = active.run(work, trusted, TURN.min(budget));
            budget = budget.saturating_sub(done);
            slice.did(1);
            if !trusted {
                slice.look();
            }
        }
        let mut rest = active.end();
        scheduler.pause(&mut rest, &mut self.ticket);
        true
    }

    /// What waits must not wait for the port that is run next: neither other ports, nor a task that has been started or woken on
    /// this thread.
    fn call_others(&self, own: &Seat) {
        let scheduler = &self.scheduler;
        if scheduler.is_wanted() && (!seat::is_empty() || scheduler.is_left_elsewhere(own)) {
            scheduler.wake(When::Now);
        } else {
            scheduler.displace();
        }
    }

    fn next(&mut self, own: &Seat) -> Option<Work> {
        if let Some(work) = seat::pop() {
            return Some(work);
        }
        if self.scheduler.refill(&mut self.ticket) {
            return seat::pop();
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

/// Runs the port here and now if it is trusted with that handler: a caller that would only wait for it helps instead. Otherwise, and
/// inside of a handler, and on a thread that is no part of the node's runtime, the port is scheduled.
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

/// Runs what a port that was run in place has made ready.
fn follow(active: &Active<'_>) {
    for _ in 1..IN_PLACE {
        let Some(next) = seat::pop() else { return };
        if !next.is_likely_quick() {
            return schedule(next);
        }
        active.run(next, true, IN_PLACE);
    }
}

/// Runs a port that blocks on a thread of its own, as long as it has something to do.
pub(super) fn run_blocking(scheduler: &Scheduler, work: Work) {
    let mut blocking = Blocking(Some(work));
    let own = scheduler.clone();
    scheduler.runtime().spawn_blocking(move || {
        let Some(work) = blocking.0.take() else {
            return;
        };
        let Some(active) = Active::begin(&own) else {
            return;
        };
        seat::set_blocking(true);
        active.run(work, false, TURN);
        seat::set_blocking(false);
    });
}

/// A port that waits for a thread. The runtime drops it if it is gone.
struct Blocking(Option<Work>);

impl Drop for Blocking {
    fn drop(&mut self) {
        if let Some(work) = self.0.take() {
            work.node().runtime_gone();
        }
    }
}

/// A task of its own polls an async handler of a port: the watch sees that as it sees any other handler.
pub(super) struct Occupied(Option<(Mine, Before, [bool; 2])>);

impl Occupied {
    pub(super) fn enter(port: &dyn AnyPort, handler: u32) -> Self {
        if seat::active() != 0 {
            // The first poll is part of a run, which is seen already.
            return Self(None);
        }
        watch::stir();
        let Some(seat) = port.node().scheduler().seat() else {
            return Self(None);
        };
        let before = seat.enter(port.number());
        seat.next_message(handler);
        let quick = seat::set_quick(port.is_likely_quick());
        Self(Some((seat, before, [seat::set_handling(true), quick])))
    }
}

impl Drop for Occupied {
    fn drop(&mut self) {
        if let Some((seat, before, [handling, quick])) = self.0.take() {
            seat.leave(before);
            seat::set_handling(handling);
            seat::set_quick(quick);
            seat::after_async_handler();
        }
    }
}
