//! Times by key. The earliest one, and those that are due, are found without looking at the others.

use std::collections::{BTreeMap, BTreeSet};

use crate::Time;

/// Deadlines of some keys.
#[derive(Debug)]
pub(crate) struct Deadlines<K> {
    times: BTreeMap<K, Time>,
    due: BTreeSet<(Time, K)>,
}

impl<K> Default for Deadlines<K> {
    fn default() -> Self {
        Self {
            times: BTreeMap::new(),
            due: BTreeSet::new(),
        }
    }
}

impl<K: Clone + Ord> Deadlines<K> {
    /// Sets the deadline of a key, or removes it.
    pub(crate) fn set(&mut self, key: &K, time: Option<Time>) {
        let old = match time {
            Some(time) => self.times.insert(key.clone(), time),
            None => self.times.remove(key),
        };
        if old == time {
            return;
        }
        if let Some(old) = old {
            self.due.remove(&(old, key.clone()));
        }
        if let Some(time) = time {
            self.due.insert((time, key.clone()));
        }
    }

    /// The keys that have a deadline.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.times.keys()
    }

    /// The earliest deadline.
    pub(crate) fn first(&self) -> Option<Time> {
        self.due.first().map(|(time, _)| *time)
    }

    /// The keys that are due, in the order of their deadlines.
    pub(crate) fn due(&self, now: Time) -> Vec<K> {
        let due = self.due.iter().take_while(|(time, _)| *time <= now);
        due.map(|(_, key)| key.clone()).collect()
    }

    /// Removes the keys that are due, and returns them in the order of their deadlines.
    pub(crate) fn take_due(&mut self, now: Time) -> Vec<K> {
        let due = self.due(now);
        due.iter().for_each(|key| self.set(key, None));
        due
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::from(Duration::from_secs(seconds))
    }

    #[test]
    fn due_keys_come_in_the_order_of_their_times() {
        let mut deadlines = Deadlines::default();
        for (key, time) in [("a", 5), ("b", 2), ("c", 7)] {
            deadlines.set(&key, Some(at(time)));
        }
        assert_eq!(deadlines.first(), Some(at(2)));
        deadlines.set(&"b", Some(at(6)));
        assert_eq!(deadlines.due(at(6)), ["a", "b"]);
        deadlines.set(&"a", None);
        assert_eq!(deadlines.take_due(at(6)), ["b"]);
        assert_eq!(deadlines.keys().copied().collect::<Vec<_>>(), ["c"]);
        assert!(deadlines.take_due(at(6)).is_empty());
    }
}
