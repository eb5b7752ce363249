//! A map in which few elements wait for a time.

use std::collections::BTreeMap;

use crate::{Time, deadlines::Deadlines};

/// Entries with deadlines. Due entries are found without looking at the others.
///
/// Entries that may have changed are looked at by the next [`refresh`](Self::refresh). Until then, deadlines are those
/// of the last one.
#[derive(Debug)]
pub(super) struct Timed<K, V> {
    entries: BTreeMap<K, V>,
    /// The keys that may have changed since the last refresh.
    touched: Vec<K>,
    deadlines: Deadlines<K>,
}

impl<K, V> Default for Timed<K, V> {
    fn default() -> Self {
        Self {
            entries: BTreeMap::new(),
            touched: Vec::new(),
            deadlines: Deadlines::default(),
        }
    }
}

impl<K: Clone + Ord, V> Timed<K, V> {
    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.entries.get(key)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let entry = self.entries.get_mut(key)?;
        self.touched.push(key.clone());
        Some(entry)
    }

    pub(super) fn get_or_default(&mut self, key: &K) -> &mut V
    where
        V: Default,
    {
        self.touched.push(key.clone());
        self.entries.entry(key.clone()).or_default()
    }

    pub(super) fn insert(&mut self, key: K, value: V) {
        self.touched.push(key.clone());
        self.entries.insert(key, value);
    }

    pub(super) fn remove(&mut self, key: &K) -> Option<V> {
        let entry = self.entries.remove(key)?;
        self.touched.push(key.clone());
        Some(entry)
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter()
    }

    /// Recomputes the deadlines of entries that may have changed.
    pub(super) fn refresh(&mut self, deadline: impl Fn(&V) -> Option<Time>) {
        for key in self.touched.drain(..) {
            let time = self.entries.get(&key).and_then(&deadline);
            self.deadlines.set(&key, time);
        }
    }

    /// The earliest deadline.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.deadlines.first()
    }

    /// The keys of entries that are due.
    pub(super) fn due(&self, now: Time) -> Vec<K> {
        self.deadlines.due(now)
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
    fn entries_are_found_by_their_time() {
        let mut timed = Timed::default();
        for (key, time) in [(1, Some(5)), (2, None), (3, Some(2))] {
            timed.insert(key, time.map(at));
        }
        timed.refresh(|time| *time);
        assert_eq!(timed.deadline(), Some(at(2)));
        assert!(timed.due(at(1)).is_empty() && !timed.is_empty());
        assert_eq!(timed.due(at(9)), [3, 1]);
        *timed.get_mut(&3).unwrap() = Some(at(7));
        *timed.get_or_default(&2) = Some(at(5));
        timed.refresh(|time| *time);
        assert_eq!(timed.due(at(7)), [1, 2, 3]);
        timed.remove(&1);
        *timed.get_mut(&2).unwrap() = None;
        timed.refresh(|time| *time);
        assert_eq!((timed.deadline(), timed.len()), (Some(at(7)), 2));
    }
}
