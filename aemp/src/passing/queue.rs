//! A queue that never grows beyond its bounds: it loses its oldest elements, and counts them.

use std::collections::VecDeque;

/// The bounds of a queue.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) elements: usize,
    /// The bytes of all elements together.
    pub(crate) bytes: usize,
}

/// An element whose size counts.
pub(crate) trait Element {
    fn bytes(&self) -> usize;

    /// The number that is lost with it. A report of losses stands for all of them.
    fn count(&self) -> u64 {
        1
    }
}

/// The next element of a queue.
#[derive(Debug, PartialEq)]
pub(crate) enum Next<T> {
    /// This number of elements was lost here.
    Lost(u64),
    One(T),
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Queue<T> {
    elements: VecDeque<T>,
    bytes: usize,
    lost: u64,
    bounds: Bounds,
}

impl<T: Element> Queue<T> {
    pub(crate) fn new(bounds: Bounds) -> Self {
        Self {
            elements: VecDeque::new(),
            bytes: 0,
            lost: 0,
            bounds,
        }
    }

    /// Adds an element, and loses as many old ones as are too many. An element that is too large for the queue alone
    /// is lost itself.
    pub(crate) fn push(&mut self, element: T) {
        self.bytes += element.bytes();
        self.elements.push_back(element);
        while self.elements.len() > self.bounds.elements || self.bytes > self.bounds.bytes {
            let lost = self.pop().map_or(0, |oldest| oldest.count());
            self.lost = self.lost.saturating_add(lost);
        }
    }

    fn pop(&mut self) -> Option<T> {
        let element = self.elements.pop_front()?;
        self.bytes -= element.bytes();
        Some(element)
    }

    /// Takes the oldest element. The lost ones come first, because they are older.
    pub(crate) fn next(&mut self) -> Next<T> {
        match std::mem::take(&mut self.lost) {
            0 => self.pop().map_or(Next::Nothing, Next::One),
            lost => Next::Lost(lost),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.elements.is_empty() && self.lost == 0
    }

    /// The elements, the oldest first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.elements.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Element for &str {
        fn bytes(&self) -> usize {
            self.len()
        }
    }

    const SMALL: Bounds = Bounds {
        elements: 3,
        bytes: 10,
    };

    fn all(queue: &mut Queue<&'static str>) -> Vec<Next<&'static str>> {
        let mut all = Vec::new();
        while !queue.is_empty() {
            all.push(queue.next());
        }
        assert_eq!(queue.next(), Next::Nothing);
        all
    }

    #[test]
    fn the_oldest_are_lost_and_counted_where_they_were() {
        let mut queue = Queue::new(SMALL);
        for line in ["1", "2", "3", "4", "5"] {
            queue.push(line);
        }
        let left = [
            Next::Lost(2),
            Next::One("3"),
            Next::One("4"),
            Next::One("5"),
        ];
        assert_eq!(all(&mut queue), left);
        queue.push("6");
        assert_eq!(all(&mut queue), [Next::One("6")]);
    }

    /// An element that stands for losses elsewhere.
    struct Report(u64);

    impl Element for Report {
        fn bytes(&self) -> usize {
            0
        }

        fn count(&self) -> u64 {
            self.0
        }
    }

    #[test]
    fn a_lost_report_of_losses_stands_for_all_of_them() {
        let mut queue = Queue::new(SMALL);
        for lost in [5, 1, 7, 1, 1] {
            queue.push(Report(lost));
        }
        assert!(matches!(queue.next(), Next::Lost(6)));
        // The report of another node may be nonsense.
        for lost in [u64::MAX, 1, 1, 1] {
            queue.push(Report(lost));
        }
        assert!(matches!(queue.next(), Next::Lost(u64::MAX)));
    }

    #[test]
    fn bytes_count_as_well() {
        let mut queue = Queue::new(SMALL);
        for line in ["12345", "12345", "1"] {
            queue.push(line);
        }
        let left = [Next::Lost(1), Next::One("12345"), Next::One("1")];
        assert_eq!(all(&mut queue), left);
        queue.push("12345678901");
        assert_eq!(all(&mut queue), [Next::Lost(1)]);
        queue.push("1234567890");
        assert_eq!(all(&mut queue), [Next::One("1234567890")]);
    }
}
