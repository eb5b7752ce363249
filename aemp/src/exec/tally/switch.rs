//! The switch of a node's counting: on for a while after a question for the counts.
//!
//! A program with the feature `metrics` counts at all times, because a scraper wants counts that only grow. Others count from the
//! first question of an observer on, until [`LINGER`] has passed without one. So a program without an observer pays for one
//! branch, and an observer needs nothing to be added to a program.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use tokio::time::Instant;

use crate::lock::Lock;

/// The time for which a node counts after a question.
pub(super) const LINGER: Duration = Duration::from_secs(15);

/// The number of nodes of this process that count. It is the first to be read, because it is nearer than a node.
static ANY: AtomicUsize = AtomicUsize::new(0);

/// True if a node of this process counts.
#[inline]
pub(super) fn is_any_on() -> bool {
    cfg!(feature = "metrics") || ANY.load(Ordering::Relaxed) != 0
}

/// The switch of one node.
#[derive(Default)]
pub(crate) struct Switch {
    on: AtomicBool,
    until: Lock<Option<Instant>>,
}

/// The state of the switch before a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Was {
    On,
    /// A caller must [check](Switch::check) when the time is over.
    Off(Instant),
}

impl Switch {
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        cfg!(feature = "metrics") || is_any_on() && self.on.load(Ordering::Relaxed)
    }

    /// Turns it on for a while.
    pub(crate) fn hold(&self, now: Instant) -> Was {
        if cfg!(feature = "metrics") {
            return Was::On;
        }
        let over = now + LINGER;
        let mut until = self.until.lock();
        if until.replace(over).is_some() {
            return Was::On;
        }
        self.set(true);
        Was::Off(over)
    }

    /// Turns it off if the time is over. Otherwise returns the time at which it is.
    pub(crate) fn check(&self, now: Instant) -> Option<Instant> {
        let mut until = self.until.lock();
        if until.is_some_and(|until| until > now) {
            return *until;
        }
        *until = None;
        self.set(false);
        None
    }

    fn set(&self, on: bool) {
        match (self.on.swap(on, Ordering::Relaxed), on) {
            (false, true) => drop(ANY.fetch_add(1, Ordering::Relaxed)),
            (true, false) => drop(ANY.fetch_sub(1, Ordering::Relaxed)),
            _ => {}
        }
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(all(test, not(feature = "metrics")))]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_for_a_while_after_each_question() {
        let (switch, start) = (Switch::default(), Instant::now());
        assert!(!switch.is_on());
        assert_eq!(switch.hold(start), Was::Off(start + LINGER));
        assert!(switch.is_on());
        let later = start + LINGER / 2;
        assert_eq!(switch.hold(later), Was::On);
        assert_eq!(switch.check(start + LINGER), Some(later + LINGER));
        assert!(switch.is_on());
        assert_eq!(switch.check(later + LINGER), None);
        assert!(!switch.is_on());
        assert!(matches!(switch.hold(later + LINGER), Was::Off(_)));
    }
}
