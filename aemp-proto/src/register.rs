//! Values by ascending numbers, with gaps: monitors, timers, closures and tasks of a port are numbered in the order in
//! which they come.

use std::collections::VecDeque;

/// Values by ascending numbers, kept in that order.
///
/// It is as small as a list. Each operation costs at most the logarithm of the number of values, on average: a removal
/// leaves a gap, and gaps are closed when they are as many as the remaining values.
#[derive(Debug)]
pub struct Register<T> {
    /// The values and gaps. The first and the last entry are never gaps.
    entries: VecDeque<(u64, Option<T>)>,
    gaps: usize,
}

impl<T> Default for Register<T> {
    fn default() -> Self {
        Self {
            entries: VecDeque::new(),
            gaps: 0,
        }
    }
}

impl<T> Register<T> {
    /// Adds a value, and replaces the value with the same number. This is cheap if the number is one of the highest.
    pub fn insert(&mut self, number: u64, value: T) {
        if self.entries.back().is_none_or(|(last, _)| *last < number) {
            return self.entries.push_back((number, Some(value)));
        }
        match self.find(number) {
            Ok(at) => {
                let before = self.entries[at].1.replace(value);
                self.gaps -= usize::from(before.is_none());
            }
            Err(at) => self.entries.insert(at, (number, Some(value))),
        }
    }

    /// Returns the value with this number.
    #[must_use]
    pub fn get(&self, number: u64) -> Option<&T> {
        let at = self.find(number).ok()?;
        self.entries[at].1.as_ref()
    }

    /// Returns the value with this number.
    pub fn get_mut(&mut self, number: u64) -> Option<&mut T> {
        let at = self.find(number).ok()?;
        self.entries[at].1.as_mut()
    }

    /// Removes and returns the value with this number.
    pub fn remove(&mut self, number: u64) -> Option<T> {
        let at = self.find(number).ok()?;
        let value = self.entries[at].1.take()?;
        self.gaps += 1;
        self.close_gaps();
        Some(value)
    }

    /// Removes and returns the value with the lowest number.
    pub fn pop_first(&mut self) -> Option<T> {
        let first = self.first()?;
        self.remove(first)
    }

    /// The lowest number.
    pub fn first(&self) -> Option<u64> {
        self.entries.front().map(|(number, _)| *number)
    }

    /// The highest number.
    pub fn last(&self) -> Option<u64> {
        self.entries.back().map(|(number, _)| *number)
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.entries.len() - self.gaps
    }

    /// True if there are no values.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn find(&self, number: u64) -> Result<usize, usize> {
        self.entries
            .binary_search_by_key(&number, |(number, _)| *number)
    }

    fn close_gaps(&mut self) {
        let is_gap =
            |entry: Option<&(u64, Option<T>)>| entry.is_some_and(|(_, value)| value.is_none());
        while is_gap(self.entries.front()) {
            self.entries.pop_front();
            self.gaps -= 1;
        }
        while is_gap(self.entries.back()) {
            self.entries.pop_back();
            self.gaps -= 1;
        }
        if self.gaps > self.entries.len() / 2 {
            self.entries.retain(|(_, value)| value.is_some());
            self.gaps = 0;
        }
        if self.entries.len() < self.entries.capacity() / 8 {
            self.entries.shrink_to(2 * self.entries.len());
        }
    }
}

impl<T> IntoIterator for Register<T> {
    type Item = (u64, T);
    type IntoIter = std::iter::FilterMap<
        std::collections::vec_deque::IntoIter<(u64, Option<T>)>,
        fn((u64, Option<T>)) -> Option<(u64, T)>,
    >;

    fn into_iter(self) -> Self::IntoIter {
        self.entries
            .into_iter()
            .filter_map(|(number, value)| Some((number, value?)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Behaves like a sorted map, after any number of changes in any order.
    #[test]
    fn is_a_map() {
        let (mut register, mut map) = (Register::default(), BTreeMap::new());
        let mut random = 1u64;
        for step in 0..20_000 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            let number = (random >> 33) % 100 + step / 100;
            match (random >> 20) % 8 {
                0..3 => {
                    register.insert(number, step);
                    map.insert(number, step);
                }
                3 => {
                    let popped = map.pop_first().map(|(_, value)| value);
                    assert_eq!(register.pop_first(), popped);
                }
                4 => assert_eq!(register.get_mut(number), map.get_mut(&number)),
                _ => assert_eq!(register.remove(number), map.remove(&number)),
            }
            assert_eq!(register.len(), map.len());
            assert_eq!(register.is_empty(), map.is_empty());
            assert_eq!(
                register.first(),
                map.first_key_value().map(|(first, _)| *first)
            );
            assert_eq!(register.last(), map.last_key_value().map(|(last, _)| *last));
        }
        assert!(!map.is_empty());
        assert!(register.into_iter().eq(map));
    }

    /// A register that is emptied in any order frees its memory and moves few entries.
    #[test]
    fn many_go_in_any_order() {
        const MANY: u64 = 100_000;
        let mut register = Register::default();
        (0..MANY).for_each(|number| register.insert(number, ()));
        let (mut moved, mut before) = (0, register.entries.len());
        // A stride that is coprime to the number of values visits each once.
        for n in 0..MANY {
            register.remove(n * 48_271 % MANY).unwrap();
            if register.entries.len() < before / 2 + 1 {
                moved += before;
                before = register.entries.len();
            }
        }
        assert!(register.is_empty());
        assert!(moved < 3 * MANY as usize, "{moved} moved");
        assert!(register.entries.capacity() < 16);
    }
}
