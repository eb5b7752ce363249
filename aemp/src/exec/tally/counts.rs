//! The counts of one seat, and those of a node that belong to no seat.

use std::{
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
use crate::{Node, Reason, exec::seat, message::Port};

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
pub(super) struct Count(AtomicU64);

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
    pub(super) fn add(&self, more: u64) {
        self.set(self.get() + more);
    }
}

#[derive(Default)]
pub(super) struct TimeCounts {
    nanos: Count,
    classes: [Count; CLASSES],
}

impl TimeCounts {
    pub(super) fn add(&self, weight: u64, took: Duration) {
        let nanos = nanos(took);
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

pub(super) fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

#[derive(Default)]
pub(super) struct HandlerCounts {
    handled: Count,
    /// The value of `handled` up to which messages have been weighed.
    weighed: Count,
    /// The calls among them that were not handled, because no caller waited for them any more.
    unwanted: Count,
    times: TimeCounts,
    /// The calls of this handler, within the node and to others.
    pub(super) calls: OnceLock<Box<[CallsCounts; 2]>>,
}

#[derive(Default)]
pub(super) struct CallsCounts {
    pub(super) ended: [Count; CallEnd::ALL.len()],
    pub(super) times: TimeCounts,
}

#[cfg(feature = "metrics")]
#[derive(Default)]
struct CallCounts {
    ended: Count,
    times: TimeCounts,
}

/// The counts of one port type at one seat.
pub(super) struct TypeCounts {
    /// The last one is for code that is not a handler.
    handlers: Box<[HandlerCounts]>,
    deaths: [Count; KINDS.len()],
}

impl TypeCounts {
    #[inline]
    pub(super) fn handler(&self, handler: u32) -> &HandlerCounts {
        &self.handlers[(handler as usize).min(self.handlers.len() - 1)]
    }
}

/// The counts of one seat.
#[derive(Default)]
pub(crate) struct Tallies {
    /// By the numbers of the types. Made by the first count.
    types: OnceLock<Box<[OnceLock<TypeCounts>]>>,
    #[cfg(feature = "metrics")]
    calls: OnceLock<Box<[[CallCounts; CallEnd::ALL.len()]; 2]>>,
}

impl Tallies {
    /// The counts of a port type.
    #[inline]
    pub(crate) fn of<P: Port>(&self) -> Tally<'_> {
        Tally(Some(self.numbered(types::of::<P>())))
    }

    #[inline]
    pub(super) fn numbered(&self, number: u32) -> &TypeCounts {
        let types = self.types.get();
        match types.and_then(|types| types[number as usize].get()) {
            Some(counts) => counts,
            None => self.first(number),
        }
    }

    #[cold]
    fn first(&self, number: u32) -> &TypeCounts {
        let places = || std::iter::repeat_with(OnceLock::new);
        let types = self.types.get_or_init(|| places().take(NUMBERS).collect());
        types[number as usize].get_or_init(|| {
            let handlers = std::iter::repeat_with(HandlerCounts::default);
            TypeCounts {
                handlers: handlers.take(types::handlers(number) + 1).collect(),
                deaths: Default::default(),
            }
        })
    }

    #[cfg(feature = "metrics")]
    pub(super) fn ended(&self, place: usize, end: CallEnd, time: Option<(u64, Duration)>) {
        let counts = &self.calls.get_or_init(Box::default)[place][end as usize];
        counts.ended.add(1);
        if let Some((weight, took)) = time {
            counts.times.add(weight, took);
        }
    }

    /// Adds the counts up.
    pub(super) fn add_to(&self, sum: &mut Sum) {
        let types = self.types.get().into_iter().flatten();
        for (number, counts) in (0..).zip(types) {
            if let Some(counts) = counts.get() {
                counts.add_to(number, sum);
            }
        }
        #[cfg(feature = "metrics")]
        if let Some(calls) = self.calls.get() {
            let sums = sum.calls.iter_mut().flatten();
            for (sum, counts) in sums.zip(calls.iter().flatten()) {
                sum.ended += counts.ended.get();
                sum.times.add(&counts.times.get());
            }
        }
    }
}

impl TypeCounts {
    fn add_to(&self, number: u32, sum: &mut Sum) {
        let of_type = sum.of(number, self.handlers.len() - 1);
        for (sum, deaths) in of_type.deaths.iter_mut().zip(&self.deaths) {
            *sum += deaths.get();
        }
        for (sum, counts) in of_type.handlers.iter_mut().zip(&self.handlers) {
            sum.handled += counts.handled.get();
            sum.unwanted += counts.unwanted.get();
            sum.times.add(&counts.times.get());
            let calls = counts
                .calls
                .get()
                .into_iter()
                .flat_map(|calls| calls.iter());
            for (sum, counts) in sum.calls.iter_mut().zip(calls) {
                sum.times.add(&counts.times.get());
                for (sum, ended) in sum.ended.iter_mut().zip(&counts.ended) {
                    *sum += ended.get();
                }
            }
        }
    }
}

/// The counts of one port type at one seat, if the node counts.
pub(crate) struct Tally<'a>(Option<&'a TypeCounts>);

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
    /// Nothing is counted.
    pub(crate) const OFF: Self = Tally(None);

    /// Counts a message. `timed` is true if it is timed in any case.
    #[inline]
    pub(crate) fn begin(&self, handler: u32, timed: bool) -> Weight {
        let Some(counts) = self.0 else {
            return Weight(0);
        };
        let counts = counts.handler(handler);
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
        if let Some(counts) = self.0.filter(|_| weight.is_timed()) {
            counts.handler(handler).times.add(weight.0, took);
        }
    }
}

/// Counts at this thread's seat, or in the past if it has none.
pub(super) fn here(node: &Node, seated: impl FnOnce(&Tallies), past: impl FnOnce(&mut Sum)) {
    let scheduler = node.scheduler();
    if seat::with(scheduler.address(), |seat| seated(&seat.tallies)).is_none() {
        past(&mut scheduler.past().ended.lock());
    }
}

/// Counts a call that is not handled.
#[cold]
pub(crate) fn unwanted<P: Port>(node: &Node, handler: u32) {
    if !node.scheduler().is_counting() {
        return;
    }
    let number = types::of::<P>();
    here(
        node,
        |tallies| tallies.numbered(number).handler(handler).unwanted.add(1),
        |sum| {
            let own = types::handlers(number);
            let of_type = sum.of(number, own);
            of_type.handlers[(handler as usize).min(own)].unwanted += 1;
        },
    );
}

/// Counts the death of a port.
pub(crate) fn died<P: Port>(node: &Node, reason: &Reason) {
    let (number, kind) = (types::of::<P>(), kind(reason));
    here(
        node,
        |tallies| tallies.numbered(number).deaths[kind].add(1),
        |sum| sum.of(number, types::handlers(number)).deaths[kind] += 1,
    );
}

/// The place of a reason's kind among [`KINDS`].
fn kind(reason: &Reason) -> usize {
    if reason.is_normal() {
        return 0;
    }
    let known = KINDS.iter().position(|kind| *kind == reason.kind());
    known.unwrap_or(KINDS.len() - 1)
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
        if !scheduler.is_counting() {
            return Self::NONE;
        }
        let Some(seat) = scheduler.seat() else {
            return Self::NONE;
        };
        // One that has waited is probably slow, though its first poll is quick.
        let timed = began.is_some() || P::record().waits(handler);
        let weight = seat.tallies.of::<P>().begin(handler, timed);
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
