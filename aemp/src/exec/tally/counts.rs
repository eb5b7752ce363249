//! The counts of one seat, and those of a node that belong to no seat.

use std::{
    cell::Cell,
    collections::BTreeMap,
    sync::{
        OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use super::{
    CLASSES, CallEnd, SAMPLE, Sum, Times,
    sum::class,
    types::{self, NUMBERS},
};
use crate::{Node, Reason, exec::seat, lock::Lock, message::Port};

/// The kinds of reasons that have counts of their own. Peers and ports choose the kinds of their kills, so all others
/// share one.
pub(crate) const KINDS: [&str; 7] = [
    "normal",
    "die",
    "unhandled_message",
    "no_such_port",
    "transport_error",
    "shutdown",
    types::OTHER,
];

/// A count that one thread writes, and others read.
#[derive(Debug, Default)]
struct Count(AtomicU64);

impl Count {
    #[inline]
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline]
    fn set(&self, count: u64) {
        self.0.store(count, Ordering::Relaxed);
    }

    #[inline]
    fn add(&self, more: u64) {
        self.set(self.get() + more);
    }
}

#[derive(Default)]
struct TimeCounts {
    nanos: Count,
    classes: [Count; CLASSES],
}

impl TimeCounts {
    fn add(&self, weight: u64, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        self.nanos.add(nanos.saturating_mul(weight));
        self.classes[class(nanos)].add(weight);
    }

    fn get(&self) -> Times {
        Times {
            nanos: self.nanos.get(),
            classes: std::array::from_fn(|at| self.classes[at].get()),
        }
    }
}

#[derive(Default)]
struct HandlerCounts {
    handled: Count,
    /// The value of `handled` up to which messages have been weighed.
    weighed: Count,
    /// The calls among them that were not handled, because nobody waited for them any more.
    unwanted: Count,
    times: TimeCounts,
}

#[derive(Default)]
struct CallCounts {
    ended: Count,
    times: TimeCounts,
}

/// The counts of one seat.
pub(crate) struct Tallies {
    /// By the numbers of the types.
    types: Box<[OnceLock<Box<[HandlerCounts]>>]>,
    calls: Box<[[CallCounts; CallEnd::ALL.len()]; 2]>,
}

impl Default for Tallies {
    fn default() -> Self {
        Self {
            types: std::iter::repeat_with(OnceLock::new)
                .take(NUMBERS)
                .collect(),
            calls: Box::default(),
        }
    }
}

impl Tallies {
    /// The counts of a port type.
    #[inline]
    pub(crate) fn of<P: Port>(&self) -> Tally<'_> {
        let number = P::record().number().get();
        match self.types.get(number as usize).and_then(OnceLock::get) {
            Some(handlers) => Tally(handlers),
            None => self.first::<P>(),
        }
    }

    #[cold]
    fn first<P: Port>(&self) -> Tally<'_> {
        let number = match P::record().number() {
            number if number.get() == 0 => number.give::<P>(),
            number => number.get(),
        };
        let make = || {
            let handlers = std::iter::repeat_with(HandlerCounts::default);
            handlers.take(types::handlers(number) + 1).collect()
        };
        Tally(self.types[number as usize].get_or_init(make))
    }

    /// Adds the counts up.
    pub(super) fn add_to(&self, sum: &mut Sum) {
        for (number, handlers) in (0..).zip(&self.types) {
            let Some(handlers) = handlers.get() else {
                continue;
            };
            let sums = sum.types.entry(number).or_default();
            sums.resize_with(handlers.len(), Default::default);
            for (sum, counts) in sums.iter_mut().zip(handlers) {
                sum.handled += counts.handled.get();
                sum.unwanted += counts.unwanted.get();
                sum.times.add(&counts.times.get());
            }
        }
        let sums = sum.calls.iter_mut().flatten();
        for (sum, counts) in sums.zip(self.calls.iter().flatten()) {
            sum.ended += counts.ended.get();
            sum.times.add(&counts.times.get());
        }
    }
}

/// The counts of one port type at one seat. The last one is for code that is not a handler.
pub(crate) struct Tally<'a>(&'a [HandlerCounts]);

/// The number of messages for which a time stands. Zero if none is taken.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Weight(u64);

impl Weight {
    #[inline]
    pub(crate) fn is_timed(self) -> bool {
        self.0 != 0
    }
}

impl Tally<'_> {
    #[inline]
    fn handler(&self, handler: u32) -> &HandlerCounts {
        &self.0[(handler as usize).min(self.0.len() - 1)]
    }

    /// Counts a message. `timed` is true if it is timed in any case.
    #[inline]
    pub(crate) fn begin(&self, handler: u32, timed: bool) -> Weight {
        let counts = self.handler(handler);
        let handled = counts.handled.get() + 1;
        counts.handled.set(handled);
        if !timed && !handled.is_multiple_of(SAMPLE) {
            return Weight(0);
        }
        let since = handled - counts.weighed.get();
        counts.weighed.set(handled);
        Weight(since)
    }

    /// Records the time that a message took.
    #[inline]
    pub(crate) fn took(&self, handler: u32, weight: Weight, took: Duration) {
        if weight.is_timed() {
            self.handler(handler).times.add(weight.0, took);
        }
    }
}

/// Counts a call that is not handled.
#[cold]
pub(crate) fn unwanted<P: Port>(node: &Node, handler: u32) {
    let counted = seat::with(node.scheduler().address(), |seat| {
        seat.tallies.of::<P>().handler(handler).unwanted.add(1);
    });
    if counted.is_some() {
        return;
    }
    // A concurrent handler is in a task, whose thread may have no seat.
    let number = match P::record().number() {
        number if number.get() == 0 => number.give::<P>(),
        number => number.get(),
    };
    let mut past = node.scheduler().past().ended.lock();
    let sums = past.types.entry(number).or_default();
    let own = types::handlers(number);
    sums.resize_with(own + 1, Default::default);
    sums[(handler as usize).min(own)].unwanted += 1;
}

/// The time of an async handler, which may end on another thread.
#[derive(Clone, Copy)]
pub(crate) struct Timer(Option<(Weight, Instant)>);

impl Timer {
    pub(crate) const NONE: Self = Self(None);

    /// Counts a message whose handler starts now. `began` is the present time, if it is timed in any case.
    #[inline]
    pub(crate) fn start<P: Port>(node: &Node, handler: u32, began: Option<Instant>) -> Self {
        let scheduler = node.scheduler();
        let Some(seat) = scheduler.seat() else {
            return Self::NONE;
        };
        let weight = seat.tallies.of::<P>().begin(handler, began.is_some());
        let is_timed = weight.is_timed() && !scheduler.is_timeless();
        Self(is_timed.then(|| (weight, began.unwrap_or_else(Instant::now))))
    }

    pub(crate) fn end<P: Port>(self, node: &Node, handler: u32) {
        if let Some((weight, began)) = self.0 {
            seat::with(node.scheduler().address(), |seat| {
                seat.tallies
                    .of::<P>()
                    .took(handler, weight, began.elapsed());
            });
        }
    }
}

/// The counts of a node that belong to no seat.
#[derive(Default)]
pub(crate) struct Past {
    /// Those of seats whose threads have ended.
    ended: Lock<Sum>,
    deaths: [AtomicU64; KINDS.len()],
    restarts: AtomicU64,
    slow: AtomicU64,
    limits: Lock<BTreeMap<&'static str, u64>>,
}

impl Past {
    /// Adds the counts of a seat whose thread has ended.
    pub(crate) fn add(&self, ended: &Tallies) {
        ended.add_to(&mut self.ended.lock());
    }

    pub(crate) fn died(&self, reason: &Reason) {
        let kind = match reason.is_normal() {
            true => 0,
            false => KINDS
                .iter()
                .position(|kind| *kind == reason.kind())
                .unwrap_or(KINDS.len() - 1),
        };
        self.deaths[kind].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn restarted(&self, times: u64) {
        self.restarts.fetch_add(times, Ordering::Relaxed);
    }

    pub(crate) fn was_slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reached(&self, limit: &'static str) {
        *self.limits.lock().entry(limit).or_default() += 1;
    }

    /// Everything that was counted, with that of these seats.
    pub(crate) fn sum<'a>(&self, seats: impl Iterator<Item = &'a Tallies>) -> Sum {
        let mut sum = self.ended.lock().clone();
        seats.for_each(|seat| seat.add_to(&mut sum));
        sum
    }

    /// The deaths, by the kinds of their reasons.
    pub(crate) fn deaths(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let deaths = KINDS.into_iter().zip(&self.deaths);
        deaths.map(|(kind, deaths)| (kind, deaths.load(Ordering::Relaxed)))
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn slow(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    pub(crate) fn limits(&self) -> BTreeMap<&'static str, u64> {
        self.limits.lock().clone()
    }
}

thread_local! {
    static CALLS: Cell<u64> = const { Cell::new(0) };
}

/// The measurement of one call.
#[derive(Default)]
pub(crate) enum CallMeter {
    /// It has not begun, or has ended.
    #[default]
    Idle,
    Within(Option<Instant>),
    Far(Instant),
}

impl CallMeter {
    /// The call is sent: to another node, or within this one.
    #[inline]
    pub(crate) fn begin(&mut self, far: bool) {
        if far {
            *self = Self::Far(Instant::now());
            return;
        }
        let calls = CALLS.get().wrapping_add(1);
        CALLS.set(calls);
        *self = Self::Within(calls.is_multiple_of(SAMPLE).then(Instant::now));
    }

    /// The call has ended. Does nothing if that is known already.
    #[inline]
    pub(crate) fn end(&mut self, node: &Node, end: CallEnd) {
        let (far, began, weight) = match std::mem::take(self) {
            Self::Idle => return,
            Self::Within(began) => (false, began, SAMPLE),
            Self::Far(began) => (true, Some(began), 1),
        };
        let time = began.map(|began| (weight, began.elapsed()));
        let (place, end) = (usize::from(far), end as usize);
        let counted = seat::with(node.scheduler().address(), |seat| {
            let counts = &seat.tallies.calls[place][end];
            counts.ended.add(1);
            if let Some((weight, took)) = time {
                counts.times.add(weight, took);
            }
        });
        if counted.is_none() {
            elsewhere(node, place, end, time);
        }
    }
}

/// Counts a call of a thread without a seat.
#[cold]
fn elsewhere(node: &Node, place: usize, end: usize, time: Option<(u64, Duration)>) {
    let mut past = node.scheduler().past().ended.lock();
    let counts = &mut past.calls[place][end];
    counts.ended += 1;
    if let Some((weight, took)) = time {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        counts.times.count(weight, nanos);
    }
}
