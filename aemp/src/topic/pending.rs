//! The items that wait for one slow reader: never more than its capacity, and each loss is counted.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::passing::queue::Next;

/// An item of a queue, with the number of messages that are lost with it.
pub(super) trait Counted {
    fn messages(&self) -> u64;
}

/// The fate of the items that a full queue has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// The oldest item is lost for each new one.
    Oldest,
    /// The same, and an item replaces the one before with the same key.
    ByKey,
    /// The queue takes no more.
    Ends,
}

/// The result of a push. An item that is no longer needed is returned, because dropping it runs code of the user.
#[derive(Debug, PartialEq)]
pub(super) enum Pushed<I> {
    Kept,
    /// This one has made room.
    Displaced(I),
    /// This one had no room, and the queue takes no more.
    Over(I),
}

#[derive(Debug)]
pub(super) struct Pending<I> {
    rows: Rows<I>,
    capacity: usize,
    lost: u64,
}

#[derive(Debug)]
enum Rows<I> {
    Oldest(VecDeque<I>),
    ByKey(ByKey<I>),
    Ends { rows: VecDeque<I>, is_over: bool },
}

/// Items by the order of their arrival, with the places of the keys.
#[derive(Debug)]
struct ByKey<I> {
    rows: BTreeMap<u64, (Option<Arc<str>>, I)>,
    places: HashMap<Arc<str>, u64>,
    last: u64,
}

impl<I> ByKey<I> {
    /// A replaced item loses its place: the new one is behind all that were published before it.
    fn push(&mut self, key: Option<Arc<str>>, item: I) -> Option<I> {
        self.last += 1;
        let place = key
            .clone()
            .and_then(|key| self.places.insert(key, self.last));
        let replaced = place.and_then(|place| self.rows.remove(&place));
        self.rows.insert(self.last, (key, item));
        replaced.map(|(_, item)| item)
    }

    fn pop(&mut self) -> Option<I> {
        let (_, (key, item)) = self.rows.pop_first()?;
        if let Some(key) = key {
            self.places.remove(&key);
        }
        Some(item)
    }
}

impl<I: Counted> Pending<I> {
    pub(super) fn new(full: Full, capacity: usize) -> Self {
        let rows = match full {
            Full::Oldest => Rows::Oldest(VecDeque::new()),
            Full::ByKey => Rows::ByKey(ByKey {
                rows: BTreeMap::new(),
                places: HashMap::new(),
                last: 0,
            }),
            Full::Ends => Rows::Ends {
                rows: VecDeque::new(),
                is_over: false,
            },
        };
        Self {
            rows,
            capacity: capacity.max(1),
            lost: 0,
        }
    }

    /// Adds an item. Only a queue by keys looks at the key.
    pub(super) fn push(&mut self, key: Option<Arc<str>>, item: I) -> Pushed<I> {
        let is_full = self.len() >= self.capacity;
        let displaced = match &mut self.rows {
            Rows::Oldest(rows) => {
                let oldest = if is_full { rows.pop_front() } else { None };
                rows.push_back(item);
                oldest
            }
            Rows::ByKey(rows) => {
                if let Some(replaced) = rows.push(key, item) {
                    // It counts as no loss: the reader has asked for the last one of a key.
                    return Pushed::Displaced(replaced);
                }
                if is_full { rows.pop() } else { None }
            }
            Rows::Ends { is_over, .. } if is_full || *is_over => {
                *is_over = true;
                self.lost = self.lost.saturating_add(item.messages());
                return Pushed::Over(item);
            }
            Rows::Ends { rows, .. } => {
                rows.push_back(item);
                None
            }
        };
        match displaced {
            Some(item) => {
                self.lost = self.lost.saturating_add(item.messages());
                Pushed::Displaced(item)
            }
            None => Pushed::Kept,
        }
    }

    fn len(&self) -> usize {
        match &self.rows {
            Rows::Oldest(rows) | Rows::Ends { rows, .. } => rows.len(),
            Rows::ByKey(rows) => rows.rows.len(),
        }
    }

    /// Takes the oldest item. Losses are told where they were: in front, or at the end of a queue that takes no more.
    pub(super) fn next(&mut self) -> Next<I> {
        let item = match &mut self.rows {
            Rows::Ends { rows, .. } => rows.pop_front(),
            _ if self.lost > 0 => None,
            Rows::Oldest(rows) => rows.pop_front(),
            Rows::ByKey(rows) => rows.pop(),
        };
        match (item, std::mem::take(&mut self.lost)) {
            (Some(item), lost) => {
                self.lost = lost;
                Next::One(item)
            }
            (None, 0) => Next::Nothing,
            (None, lost) => Next::Lost(lost),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Counted for u32 {
        fn messages(&self) -> u64 {
            1
        }
    }

    fn all(pending: &mut Pending<u32>) -> Vec<Next<u32>> {
        std::iter::from_fn(|| Some(pending.next()).filter(|next| *next != Next::Nothing)).collect()
    }

    #[test]
    fn the_oldest_are_lost_and_counted() {
        let mut pending = Pending::new(Full::Oldest, 2);
        assert_eq!(pending.push(None, 1), Pushed::Kept);
        assert_eq!(pending.push(None, 2), Pushed::Kept);
        assert_eq!(pending.push(None, 3), Pushed::Displaced(1));
        assert_eq!(
            all(&mut pending),
            [Next::Lost(1), Next::One(2), Next::One(3)]
        );
        pending.push(None, 4);
        assert_eq!(all(&mut pending), [Next::One(4)]);
    }

    /// A publisher may claim any number.
    #[test]
    fn a_count_of_losses_has_an_end() {
        #[derive(Debug)]
        struct Gap;
        impl Counted for Gap {
            fn messages(&self) -> u64 {
                u64::MAX
            }
        }
        for full in [Full::Oldest, Full::Ends] {
            let mut pending = Pending::new(full, 1);
            for _ in 0..4 {
                pending.push(None, Gap);
            }
            let mut lost = std::iter::from_fn(|| Some(pending.next())).take(2);
            assert!(lost.any(|next| matches!(next, Next::Lost(u64::MAX))));
        }
    }

    #[test]
    fn the_last_one_of_a_key_is_kept_and_the_order_too() {
        let mut pending = Pending::new(Full::ByKey, 2);
        let key = |key: &str| Some(Arc::from(key));
        pending.push(key("a"), 1);
        pending.push(key("b"), 2);
        assert_eq!(pending.push(key("a"), 3), Pushed::Displaced(1));
        assert_eq!(all(&mut pending), [Next::One(2), Next::One(3)]);
        for item in 4..7 {
            pending.push(key(&item.to_string()), item);
        }
        assert_eq!(
            all(&mut pending),
            [Next::Lost(1), Next::One(5), Next::One(6)]
        );
        let Rows::ByKey(rows) = &pending.rows else {
            panic!()
        };
        assert!(rows.places.is_empty());
    }

    #[test]
    fn a_query_that_ends_keeps_its_part_and_reports_the_rest() {
        let mut pending = Pending::new(Full::Ends, 2);
        pending.push(None, 1);
        pending.push(None, 2);
        assert_eq!(pending.push(None, 3), Pushed::Over(3));
        assert_eq!(pending.next(), Next::One(1));
        assert_eq!(pending.push(None, 4), Pushed::Over(4));
        assert_eq!(all(&mut pending), [Next::One(2), Next::Lost(2)]);
    }

    proptest! {
        /// In any order of pushes and reads: no item is invented or out of order, and each is read, replaced or counted.
        #[test]
        fn each_item_is_read_or_counted(
            full in prop_oneof![Just(Full::Oldest), Just(Full::ByKey), Just(Full::Ends)],
            capacity in 1..5_usize,
            steps in prop::collection::vec(prop::option::weighted(0.6, 0..4_u8), 0..60),
        ) {
            let mut pending = Pending::new(full, capacity);
            let (mut pushed, mut replaced, mut read) = (0_u32, 0_u64, Vec::new());
            for key in steps {
                if let Some(key) = key {
                    pushed += 1;
                    let lost = pending.lost;
                    let result = pending.push(Some(key.to_string().into()), pushed);
                    replaced += u64::from(matches!(result, Pushed::Displaced(_)) && pending.lost == lost);
                    prop_assert!(pending.len() <= capacity);
                } else {
                    read.push(pending.next());
                }
            }
            read.extend(all(&mut pending));
            let (mut last, mut ones, mut lost) = (0, 0, 0);
            for next in read {
                match next {
                    Next::One(item) => {
                        prop_assert!(item > last);
                        last = item;
                        ones += 1;
                    }
                    Next::Lost(more) => lost += more,
                    Next::Nothing => {}
                }
            }
            prop_assert_eq!(u64::from(pushed), ones + lost + replaced);
            prop_assert!(replaced == 0 || full == Full::ByKey);
        }
    }
}
