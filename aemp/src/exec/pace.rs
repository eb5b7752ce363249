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

/// Quick runs in a row before a handler is known to be quick, and before a port is run on the tasks of its callers.
const PROBATION: u8 = 16;
/// A run that takes longer is not quick. Others of the same worker begin to notice that they have to wait.
const QUICK: Duration = Duration::from_micros(100);
/// A run that takes this long is slow, once and for all.
const SLOW: Duration = Duration::from_millis(1);

/// How many handlers of a type are told apart; all further ones count as one.
const HANDLERS: usize = 23;
/// Code that is no handler: closures, timers.
pub(crate) const CLOSURE: u32 = HANDLERS as u32;

/// Bits of a port's word that are its number.
const NUMBER: u64 = (1 << 56) - 1;
const ONE_RUN: u64 = 1 << 56;
const RUNS: u64 = 0x1f << 56;
const TRUSTED: u64 = PROBATION as u64 * ONE_RUN;
const WAS_SLOW: u64 = 1 << 63;

/// How a port is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is likely to return soon. If that is an error, the watch finds out.
    Quick,
    /// It may take any time.
    Unknown,
    /// On threads of its own.
    Blocking,
}

/// What has been seen of one port, in a word with its number, because every port has both.
///
/// A port begins on probation: it runs on drainers. After some runs without a slow one it is *trusted*, and may be
/// run in place on its callers' tasks, as far as its type's handlers are known to be quick. A port that was slow once
/// is never trusted again.
pub(crate) struct Pace(AtomicU64);

impl Pace {
    /// A port that nothing is known of.
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

    /// Whether it has been quick for a while, and never slow.
    #[inline]
    pub(crate) fn is_trusted(&self) -> bool {
        self.0.load(Ordering::Relaxed) & !NUMBER == TRUSTED
    }

    #[inline]
    pub(crate) fn was_slow(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WAS_SLOW != 0
    }

    /// Another quick run. To be called by the runner alone.
    fn quick(&self) {
        if self.0.load(Ordering::Relaxed) & RUNS < TRUSTED {
            self.0.fetch_add(ONE_RUN, Ordering::Relaxed);
        }
    }

    /// It has to show again that it is quick.
    pub(crate) fn demote(&self) {
        self.0.fetch_and(NUMBER | WAS_SLOW, Ordering::Relaxed);
    }

    /// It is never trusted again.
    pub(crate) fn slow(&self) {
        self.0.fetch_or(WAS_SLOW, Ordering::Relaxed);
    }
}

/// What has been seen of the handlers of a type of ports, in all of its ports. A new port is not watched with a clock
/// if its type's handlers are known.
#[derive(Debug)]
pub struct Record {
    /// A bit for each handler that is known to be quick.
    quick: AtomicU32,
    /// A bit for each that was slow once.
    slow: AtomicU32,
    /// Quick runs of those that are not known yet.
    runs: [AtomicU8; HANDLERS + 1],
}

impl Record {
    /// Nothing has been seen.
    #[expect(clippy::new_without_default, reason = "it is made in statics alone")]
    #[must_use]
    pub const fn new() -> Self {
        Self {
            quick: AtomicU32::new(0),
            slow: AtomicU32::new(0),
            runs: [const { AtomicU8::new(0) }; HANDLERS + 1],
        }
    }

    /// Whether that handler has always been quick.
    #[inline]
    pub(crate) fn is_quick(&self, handler: u32) -> bool {
        self.quick.load(Ordering::Relaxed) & bit(handler) != 0
    }

    /// Whether there are handlers that have always been quick, and none that was slow.
    #[inline]
    pub(crate) fn is_all_quick(&self) -> bool {
        self.quick.load(Ordering::Relaxed) != 0 && self.slow.load(Ordering::Relaxed) == 0
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

    /// That handler was slow.
    pub(crate) fn slow(&self, handler: u32) {
        self.learn(handler, SLOW);
    }
}

fn place(handler: u32) -> usize {
    (handler as usize).min(HANDLERS)
}

fn bit(handler: u32) -> u32 {
    1 << handler.min(CLOSURE)
}

/// Whether a handler's run has to be timed, because nothing is known of it. A quick handler counts for its port right
/// away.
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

/// How a port of that pace is to be run, if its type does not say so.
#[inline]
pub(crate) fn manner(pace: &Pace, record: &Record) -> Manner {
    if pace.is_trusted() || record.is_all_quick() && !pace.was_slow() {
        Manner::Quick
    } else {
        Manner::Unknown
    }
}

/// A run of that handler took so long.
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

/// Whether a run of that length casts doubt on a port.
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
        // The second port of the type needs no clock, but time.
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
    fn what_was_not_quick_begins_anew_and_what_was_slow_never_does() {
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
