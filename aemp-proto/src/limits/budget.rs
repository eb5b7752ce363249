//! A budget of costs per second.

use std::time::Duration;

use crate::Time;

/// A token bucket that may be overdrawn: its user is charged after the work, and waits until the debt is paid.
///
/// ```
/// use std::time::Duration;
/// use aemp_proto::{Time, limits::Budget};
///
/// let mut budget = Budget::new(Time::ZERO, 100);
/// assert_eq!(budget.charge(Time::ZERO, 100), None);
/// let wait = budget.charge(Time::ZERO, 50).unwrap();
/// assert_eq!(wait, Duration::from_millis(500));
/// let later = Time::ZERO + wait;
/// assert_eq!(budget.charge(later, 0), None);
/// ```
#[derive(Clone, Debug)]
pub struct Budget {
    per_second: f64,
    /// The tokens that are left; a negative number is a debt. At most the tokens of one second.
    left: f64,
    at: Time,
}

impl Budget {
    /// Creates a budget of `per_second` tokens in a second. As many may be used at once.
    #[must_use]
    pub fn new(now: Time, per_second: usize) -> Self {
        let per_second = per_second.max(1) as f64;
        Self {
            per_second,
            left: per_second,
            at: now,
        }
    }

    /// The number of tokens that come in a second.
    #[must_use]
    pub fn per_second(&self) -> usize {
        self.per_second as usize
    }

    /// Charges the cost of work that was done. Returns how long to wait before the next work, if the budget is
    /// overdrawn.
    pub fn charge(&mut self, now: Time, cost: u64) -> Option<Duration> {
        let earned = (now - self.at).as_secs_f64() * self.per_second;
        self.at = self.at.max(now);
        self.left = (self.left + earned).min(self.per_second) - cost as f64;
        // A remainder from rounding is no debt.
        if self.left > -1e-6 {
            return None;
        }
        let wait = -self.left / self.per_second;
        Some(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
    }

    /// Takes one token, if there is one.
    pub fn take(&mut self, now: Time) -> bool {
        let may = self.charge(now, 0).is_none() && self.left >= 1.0;
        if may {
            self.left -= 1.0;
        }
        may
    }

    /// Forgives the debt.
    pub fn forgive(&mut self) {
        self.left = self.left.max(0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from(Duration::from_millis(millis))
    }

    #[test]
    fn a_second_is_saved_up_and_no_more() {
        let mut budget = Budget::new(at(0), 10);
        assert_eq!(budget.charge(at(60_000), 10), None);
        assert_eq!(
            budget.charge(at(60_000), 5),
            Some(Duration::from_millis(500))
        );
        assert_eq!(
            budget.charge(at(60_100), 0),
            Some(Duration::from_millis(400))
        );
        assert_eq!(budget.charge(at(60_500), 0), None);
        assert_eq!(
            budget.charge(at(60_500), 1),
            Some(Duration::from_millis(100))
        );
    }

    #[test]
    fn in_the_long_run_the_rate_is_kept() {
        let (mut budget, mut now, mut done) = (Budget::new(at(0), 1000), at(0), 0);
        while now < at(10_000) {
            done += 37;
            now = now + budget.charge(now, 37).unwrap_or_default();
        }
        assert!((10_500..=11_100).contains(&done), "{done}");
    }

    #[test]
    fn an_empty_budget_grants_nothing() {
        let mut budget = Budget::new(at(0), 2);
        let taken: Vec<_> = (0..4).map(|_| budget.take(at(0))).collect();
        assert_eq!(taken, [true, true, false, false]);
        assert!(!budget.take(at(400)) && budget.take(at(500)) && !budget.take(at(501)));
    }

    #[test]
    fn forgiven_debts_cost_no_wait() {
        let mut budget = Budget::new(at(0), 1);
        assert!(budget.charge(at(0), 1_000_000).is_some());
        budget.forgive();
        assert_eq!(budget.charge(at(0), 0), None);
        assert!(budget.charge(at(0), u64::MAX).is_some());
    }

    #[test]
    fn a_clock_that_stands_gives_nothing() {
        let mut budget = Budget::new(at(5), 2);
        assert_eq!(budget.charge(at(4), 2), None);
        assert!(budget.charge(at(4), 1).is_some());
    }
}
