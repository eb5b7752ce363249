//! Log lines that need not be repeated yet, and how often each limit was reached.

use std::{collections::BTreeMap, time::Duration};

use crate::Time;

/// The time for which the same notice is not repeated.
const PAUSE: Duration = Duration::from_secs(10);
/// The approximate number of different notices in that time.
const MOST: usize = 1000;

/// The notices that were logged lately, by limit and by subject, so that no peer can fill the log.
#[derive(Debug, Default)]
pub struct Notices {
    logged: BTreeMap<(&'static str, String), Time>,
    reached: BTreeMap<&'static str, u64>,
}

impl Notices {
    /// True if a notice about `subject` reaching `limit` should be logged now.
    pub fn is_due(&mut self, now: Time, limit: &'static str, subject: &str) -> bool {
        self.count(limit);
        let key = (limit, subject.to_owned());
        let logged = &mut self.logged;
        if logged.get(&key).is_some_and(|last| now - *last < PAUSE) {
            return false;
        }
        if logged.len() >= MOST {
            logged.retain(|_, last| now - *last < PAUSE);
        }
        if logged.len() >= MOST {
            return false;
        }
        logged.insert(key, now);
        true
    }

    /// Counts that a limit was reached.
    pub fn count(&mut self, limit: &'static str) {
        *self.reached.entry(limit).or_default() += 1;
    }

    /// The numbers of times that limits were reached.
    pub fn reached(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.reached.iter().map(|(limit, times)| (*limit, *times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from(Duration::from_secs(seconds))
    }

    #[test]
    fn once_in_a_while_for_each() {
        let mut notices = Notices::default();
        assert!(notices.is_due(at(0), "l", "a"));
        assert!(!notices.is_due(at(9), "l", "a"));
        assert!(notices.is_due(at(9), "l", "b") && notices.is_due(at(9), "m", "a"));
        assert!(notices.is_due(at(10), "l", "a"));
        assert!(!notices.is_due(at(11), "l", "a"));
        assert!(notices.reached().eq([("l", 5), ("m", 1)]));
    }

    #[test]
    fn even_very_many_do_not_fill_the_log() {
        let mut notices = Notices::default();
        let told = (0..5000).filter(|n| notices.is_due(at(0), "l", &n.to_string()));
        assert_eq!(told.count(), MOST);
        assert!(notices.is_due(at(10), "l", "x"));
        assert_eq!(notices.logged.len(), 1);
    }
}
