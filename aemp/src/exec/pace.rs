//! How quick a port has shown to be: what decides where its handlers may run.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

/// Runs of a port that have to be quick in a row before it is run on the tasks of its callers.
const PROBATION: u32 = 16;
/// A run that takes longer is not quick. Others of the same worker begin to notice that they have to wait.
const QUICK: Duration = Duration::from_micros(100);
/// A run that takes this long is slow, once and for all.
const SLOW: Duration = Duration::from_millis(1);

/// A bit for each handler, as far as there are bits: the handlers that share one are quick together or not at all.
const HANDLERS: u32 = 22;
/// The last of these bits is for code that is no handler: closures, timers.
pub(crate) const CLOSURE: u32 = HANDLERS - 1;
const ONE_RUN: u32 = 1 << HANDLERS;
const RUNS: u32 = 0x3f << HANDLERS;
const ON_PROBATION: u32 = 0;
const QUICK_HANDLERS: u32 = ONE_RUN - 1;
/// Runs on threads of its own: it says of itself that it is slow.
const BLOCKING: u32 = 1 << 30;
const WAS_SLOW: u32 = 1 << 31;

/// What has been seen of a port's handlers.
///
/// A port begins on probation: it runs on drainers, with a look at the clock for each message. After some quick runs in a row it
/// is *trusted* with the handlers that were seen, which then run without clocks, and in place on their callers' tasks.
/// A port that was slow once is never trusted again. All of it is one word, because every port has it.
pub(crate) struct Pace(AtomicU32);

impl Pace {
    /// A port that nothing is known of.
    pub(crate) fn unknown() -> Self {
        Self(AtomicU32::new(ON_PROBATION))
    }

    /// A port of a simulation, where no time passes in handlers, and what happens must not depend on real clocks.
    #[cfg(feature = "sim")]
    pub(crate) fn timeless() -> Self {
        Self(AtomicU32::new(RUNS | QUICK_HANDLERS))
    }

    /// A port that declares itself to be slow.
    pub(crate) fn blocking() -> Self {
        Self(AtomicU32::new(WAS_SLOW | BLOCKING))
    }

    /// Whether this handler may run on somebody else's task.
    #[inline]
    pub(crate) fn trusts(&self, handler: u32) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        seen & WAS_SLOW == 0 && seen & RUNS >= PROBATION * ONE_RUN && seen & bit(handler) != 0
    }

    /// Whether the port is trusted at all.
    #[inline]
    pub(crate) fn is_trusted(&self) -> bool {
        let seen = self.0.load(Ordering::Relaxed);
        seen & WAS_SLOW == 0 && seen & RUNS >= PROBATION * ONE_RUN
    }

    #[inline]
    pub(crate) fn is_blocking(&self) -> bool {
        self.0.load(Ordering::Relaxed) & BLOCKING != 0
    }

    #[cfg(test)]
    fn was_slow(&self) -> bool {
        self.0.load(Ordering::Relaxed) & WAS_SLOW != 0
    }

    /// A run of that handler took so long. To be called by the runner alone.
    pub(crate) fn learn(&self, handler: u32, took: Duration) {
        if took >= SLOW {
            self.slow();
        } else if took > QUICK {
            self.demote();
        } else {
            self.0.fetch_or(bit(handler), Ordering::Relaxed);
            if self.0.load(Ordering::Relaxed) & RUNS < RUNS {
                self.0.fetch_add(ONE_RUN, Ordering::Relaxed);
            }
        }
    }

    /// It has to show again that it is quick.
    pub(crate) fn demote(&self) {
        self.0.fetch_and(WAS_SLOW | BLOCKING, Ordering::Relaxed);
    }

    /// It is never trusted again.
    pub(crate) fn slow(&self) {
        self.0.fetch_or(WAS_SLOW, Ordering::Relaxed);
    }
}

fn bit(handler: u32) -> u32 {
    1 << handler.min(CLOSURE)
}

/// Whether a run of that length, seen by chance among many that are not looked at, casts doubt on a port.
pub(crate) fn is_doubtful(took: Duration) -> bool {
    took > QUICK
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trusted() -> Pace {
        let pace = Pace::unknown();
        (0..PROBATION).for_each(|_| pace.learn(3, Duration::ZERO));
        pace
    }

    #[test]
    fn trust_is_earned_by_each_handler() {
        let pace = Pace::unknown();
        for _ in 1..PROBATION {
            pace.learn(3, QUICK);
            assert!(!pace.trusts(3));
        }
        pace.learn(3, QUICK);
        assert!(pace.trusts(3) && pace.is_trusted());
        assert!(!pace.trusts(4) && !pace.trusts(CLOSURE));
        pace.learn(4, Duration::ZERO);
        assert!(pace.trusts(4));
    }

    #[test]
    fn the_count_of_runs_stays_within_its_bits() {
        let pace = trusted();
        (0..1000).for_each(|_| pace.learn(1000, Duration::ZERO));
        assert!(pace.trusts(3) && pace.trusts(CLOSURE) && !pace.was_slow() && !pace.is_blocking());
    }

    #[test]
    fn what_was_not_quick_begins_anew_and_what_was_slow_never_does() {
        let pace = trusted();
        pace.learn(3, QUICK * 2);
        assert!(!pace.trusts(3) && !pace.was_slow());
        (0..PROBATION).for_each(|_| pace.learn(3, Duration::ZERO));
        assert!(pace.trusts(3));
        pace.learn(3, SLOW);
        (0..1000).for_each(|_| pace.learn(3, Duration::ZERO));
        assert!(!pace.trusts(3) && pace.was_slow());
    }

    #[test]
    fn a_blocking_port_is_slow_from_the_start() {
        let pace = Pace::blocking();
        pace.demote();
        assert!(pace.is_blocking() && pace.was_slow() && !pace.is_trusted());
    }
}
