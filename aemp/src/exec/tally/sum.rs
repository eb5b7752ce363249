//! The sums of all seats of a node.

use std::collections::BTreeMap;

use super::{BOUNDS, CLASSES, CallEnd};

/// The counts of a node, from its start until now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    /// The handlers of each type, by its number.
    pub(crate) types: BTreeMap<u32, Vec<HandlerSum>>,
    /// Calls within the node and to others, by their ends.
    pub(crate) calls: [[CallSum; CallEnd::ALL.len()]; 2],
}

/// The messages of one handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandlerSum {
    pub(crate) handled: u64,
    pub(crate) unwanted: u64,
    pub(crate) times: Times,
}

/// The calls with the same end.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSum {
    pub(crate) ended: u64,
    pub(crate) times: Times,
}

/// A histogram of times: the numbers in each class, not cumulated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Times {
    pub(crate) nanos: u64,
    pub(crate) classes: [u64; CLASSES],
}

/// The class of a time.
pub(super) fn class(nanos: u64) -> usize {
    BOUNDS.partition_point(|bound| *bound < nanos)
}

impl Times {
    pub(crate) fn add(&mut self, other: &Self) {
        self.nanos += other.nanos;
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class += more;
        }
    }

    pub(super) fn count(&mut self, weight: u64, nanos: u64) {
        self.nanos += nanos.saturating_mul(weight);
        self.classes[class(nanos)] += weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_ends_with_its_bound() {
        assert_eq!([0, 1000, 1001, 4000].map(class), [0, 0, 1, 1]);
        assert_eq!(class(BOUNDS[12]), 12);
        assert_eq!(class(u64::MAX), 13);
    }
}
