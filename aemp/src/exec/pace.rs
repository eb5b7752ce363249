//! The pace of ports and handlers: how quick they have been. It decides where they may run.
//!
//! A word of each port, shared with its number, counts quick runs. A record of each port type knows its quick handlers,
//! which then need no clock. Only a trusted port runs in place in a call's `poll`, and only a trusted port has its
//! arguments read on the connection's task. An untrusted port gets the packet as it is (`Envelope::Unread`) and decodes
//! it in its own turn.

use std::{
    sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering},
    time::Duration,
};

use super::tally::Number;

/// The number of quick runs in a row after which a handler counts as quick, and a port may run on its callers' tasks.
const PROBATION: u8 = 16;
/// A longer run is not quick: other tasks of the same worker begin to notice the delay.
const QUICK: Duration = Duration::from_micros(100);
/// A run of this length marks its handler or port as slow for ever.
const SLOW: Duration = Duration::from_millis(1);

/// The number of handlers of a type that have records of their own. All further ones share one.
pub(super) const HANDLERS: usize = 23;
/// The number for code that is not a handler, such as closures and timers.
pub(crate) const CLOSURE: u32 = u32::MAX;

/// The bits of a port's word that hold its number.
const NUMBER: u64 = (1 << 56) - 1;
const ONE_RUN: u64 = 1 << 56;
const RUNS: u64 = 0x1f << 56;
const TRUSTED: u64 = PROBATION as u64 * ONE_RUN;
const WAS_SLOW: u64 = 1 << 63;
const HAS_ENDED: u64 = 1 << 62;

/// The way in which a port is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It probably returns soon. The stall detector notices if it does not.
    Quick,
    /// It may take any time.
    Unknown,
    /// It runs on threads of its own.
    Blocking,
}

/// The observed speed of one port, in one word with its number, because every port has both.
///
/// A new port runs on drainers. After some runs without a slow one it is *trusted*: it may run in place on its
/// callers' tasks, if the handlers of its type are known to be quick. A port that was slow once is never trusted
/// again.
pub(crate) struct Pace(AtomicU64);

impl Pace {
    /// A port without observations.
    pub(crate) fn unknown(number: u64) -> Self {
        Self(AtomicU64::new(number))
    }

    /// A port that runs on threads of its own.
    pub(crate) fn slow_from_birth(number: u64) -> Self {
        Self(AtomicU64::new(number | WAS_SLOW))
    }

    #[inline]
    pub(crate) fn number(&self) -> u64 {
        self.0.load(Ordering::Relaxed) & NUMBER
    }

    /// True if the port has been quick for a while, and was never slow.
    #[inline]
    pub(crate) fn is_trusted(&self) -> bool {
        self.0.load(Ordering::Relaxed) & !NUMBER == TRUSTED
    }

    #[inline]
    pub(crate) fn was_slow(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WAS_SLOW != 0
    }

    /// Counts a quick run. Only the thread that runs the port may call this.
    fn quick(&self) {
        if self.0.load(Ordering::Relaxed) & RUNS < TRUSTED {
            self.0.fetch_add(ONE_RUN, Ordering::Relaxed);
        }
    }

    /// Starts the observation again.
    pub(crate) fn demote(&self) {
        let kept = NUMBER | WAS_SLOW | HAS_ENDED;
        self.0.fetch_and(kept, Ordering::Relaxed);
    }

    /// Marks the port as slow for ever.
    pub(crate) fn slow(&self) {
        self.0.fetch_or(WAS_SLOW, Ordering::Relaxed);
    }

    /// Marks the port as one that accepts nothing more: it has been stopped, or it dies. Called under the port's lock.
    pub(crate) fn ended(&self) {
        self.0.fetch_or(HAS_ENDED, Ordering::Relaxed);
    }

    /// True if the port accepts nothing more, without its lock.
    #[inline]
    pub(crate) fn has_ended(&self) -> bool {
        self.0.load(Ordering::Relaxed) & HAS_ENDED != 0
    }
}

/// The observed speed of the handlers of a port type, in all of its ports. A new port needs no clock if the handlers
/// of its type are known.
#[derive(Debug)]
pub struct Record {
    /// A bit for each handler that is known to be quick.
    quick: AtomicU32,
    /// A bit for each handler that was slow once.
    slow: AtomicU32,
    /// A bit for each async handler that had to wait the last time.
    waits: AtomicU32,
    /// The quick runs of the handlers that are not known yet.
    runs: [AtomicU8; HANDLERS + 1],
    /// The number of the type, for its counts.
    number: Number,
}

impl Record {
    /// A record without observations.
    #[expect(clippy::new_without_default, reason = "it is made in statics alone")]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            quick: AtomicU32::new(0),
            slow: AtomicU32::new(0),
            waits: AtomicU32::new(0),
            runs: [const { AtomicU8::new(0) }; HANDLERS + 1],
            number: Number::new(),
        }
    }

    /// A record for several types.
    pub(crate) const fn shared() -> Self {
        Self {
            number: Number::shared(),
            ..Self::new()
        }
    }

    #[inline]
    pub(crate) fn number(&self) -> &Number {
        &self.number
    }

    /// True if this handler has always been quick.
    #[inline]
    pub(crate) fn is_quick(&self, handler: u32) -> bool {
        self.quick.load(Ordering::Relaxed) & bit(handler) != 0
    }

    /// True if some handlers are quick, and none was ever slow.
    #[inline]
    pub(crate) fn is_all_quick(&self) -> bool {
        self.quick.load(Ordering::Relaxed) != 0 && self.slow.load(Ordering::Relaxed) == 0
    }

    /// True if this async handler had to wait the last time.
    pub(crate) fn waits(&self, handler: u32) -> bool {
        self.waits.load(Ordering::Relaxed) & bit(handler) != 0
    }

    /// Records whether this async handler had to wait.
    #[inline]
    pub(crate) fn learn_wait(&self, handler: u32, waited: bool) {
        if self.waits(handler) != waited {
            // Of two handlers that write at once, one may be forgotten until the next time.
            self.waits.fetch_xor(bit(handler), Ordering::Relaxed);
        }
    }

    fn learn(&self, handler: u32, took: Duration) {
        let runs = &self.runs[place(handler)];
        if took > QUICK {
            runs.store(0, Ordering::Relaxed);
            self.quick.fetch_and(!bit(handler), Ordering::Relaxed);
        }
        if took >= SLOW {
            self.slow.fetch_or(bit(handler), Ordering::Relaxed);
        }
        let decided = self.slow.load(Ordering::Relaxed) | self.quick.load(Ordering::Relaxed);
        if took > QUICK || decided & bit(handler) != 0 {
            return;
        }
        let before = runs.load(Ordering::Relaxed);
        runs.store(before.saturating_add(1), Ordering::Relaxed);
        if before + 1 >= PROBATION {
            self.quick.fetch_or(bit(handler), Ordering::Relaxed);
        }
    }

    /// Marks the handler as slow.
    pub(crate) fn slow(&self, handler: u32) {
        self.learn(handler, SLOW);
    }
}

fn place(handler: u32) -> usize {
    (handler as usize).min(HANDLERS)
}

fn bit(handler: u32) -> u32 {
    1 << place(handler)
}

/// True if a run of this handler must be timed. A handler that is known to be quick makes further ports of its type
/// trusted without a clock.
#[inline]
pub(crate) fn is_unknown(pace: &Pace, record: &Record, handler: u32) -> bool {
    if !record.is_quick(handler) {
        return true;
    }
    if !pace.is_trusted() {
        pace.quick();
    }
    false
}

/// The way to run a port, if its type does not determine it.
#[inline]
pub(crate) fn manner(pace: &Pace, record: &Record) -> Manner {
    if pace.is_trusted() || record.is_all_quick() && !pace.was_slow() {
        Manner::Quick
    } else {
        Manner::Unknown
    }
}

/// Records the duration of a run of this handler.
pub(crate) fn learn(pace: &Pace, record: &Record, handler: u32, took: Duration) {
    record.learn(handler, took);
    if took >= SLOW {
        pace.slow();
    } else if took > QUICK {
        pace.demote();
    } else {
        pace.quick();
    }
}

/// True if a run of this length makes a port untrusted.
pub(crate) fn is_doubtful(took: Duration) -> bool {
    took > QUICK
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBER_OF_PORT: u64 = 0x00ab_cdef_1234_5678;

    fn run(pace: &Pace, record: &Record, times: u8, took: Duration) {
        for _ in 0..times {
            if is_unknown(pace, record, 3) {
                learn(pace, record, 3, took);
            }
        }
    }

    #[test]
    fn trust_is_earned_by_port_and_handler() {
        let (first, second, record) = (Pace::unknown(1), Pace::unknown(2), Record::new());
        run(&first, &record, PROBATION - 1, QUICK);
        assert!(!first.is_trusted() && !record.is_quick(3));
        run(&first, &record, 1, QUICK);
        assert!(first.is_trusted() && record.is_quick(3) && record.is_all_quick());
        assert!(!record.is_quick(4) && !record.is_quick(CLOSURE));
        // The second port of the type needs no clock, but must prove itself.
        assert!(!second.is_trusted() && !is_unknown(&second, &record, 3));
        run(&second, &record, PROBATION, SLOW);
        assert!(second.is_trusted());
    }

    #[test]
    fn the_count_of_runs_stays_within_its_bits() {
        let (pace, record) = (Pace::unknown(NUMBER_OF_PORT), Record::new());
        for handler in [3, 1000, CLOSURE] {
            (0..200).for_each(|_| learn(&pace, &record, handler, Duration::ZERO));
        }
        assert!(pace.is_trusted() && !pace.was_slow() && pace.number() == NUMBER_OF_PORT);
        pace.demote();
        pace.slow();
        assert!(!pace.is_trusted() && pace.was_slow() && pace.number() == NUMBER_OF_PORT);
    }

    #[test]
    fn the_end_of_a_port_is_kept_and_takes_its_trust() {
        let (pace, record) = (Pace::unknown(NUMBER_OF_PORT), Record::new());
        run(&pace, &record, PROBATION, Duration::ZERO);
        assert!(pace.is_trusted() && !pace.has_ended());
        pace.ended();
        pace.demote();
        run(&pace, &record, 200, Duration::ZERO);
        assert!(pace.has_ended() && !pace.is_trusted() && pace.number() == NUMBER_OF_PORT);
    }

    #[test]
    fn trust_restarts_after_a_delay_and_never_after_a_slow_run() {
        let (pace, record) = (Pace::unknown(1), Record::new());
        run(&pace, &record, PROBATION, Duration::ZERO);
        learn(&pace, &record, 3, QUICK * 2);
        assert!(!pace.is_trusted() && !pace.was_slow() && !record.is_quick(3));
        run(&pace, &record, PROBATION, Duration::ZERO);
        assert!(pace.is_trusted() && record.is_quick(3));
        learn(&pace, &record, 3, SLOW);
        run(&pace, &record, 200, Duration::ZERO);
        assert!(
            !pace.is_trusted() && pace.was_slow() && !record.is_quick(3) && !record.is_all_quick()
        );
    }
}
