//! The sums of all seats of a node.

use std::collections::BTreeMap;

use super::{BOUNDS, CLASSES, CallEnd, KINDS};

/// The counts of a node, up to now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sum {
    /// By the numbers of the types.
    pub(crate) types: BTreeMap<u32, TypeSum>,
    /// Calls within the node and to others, by their ends.
    #[cfg(feature = "metrics")]
    pub(crate) calls: [[CallSum; CallEnd::ALL.len()]; 2],
}

/// The counts of a port type.
#[derive(Clone, Debug, Default)]
pub(crate) struct TypeSum {
    pub(crate) handlers: Vec<HandlerSum>,
    /// By the kinds of their reasons.
    pub(crate) deaths: [u64; KINDS.len()],
}

/// The counts of one handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct HandlerSum {
    pub(crate) handled: u64,
    pub(crate) unwanted: u64,
    pub(crate) times: Times,
    /// The calls of this handler by this node, within the node and to others.
    pub(crate) calls: [CallsSum; 2],
}

/// The calls of one handler.
#[derive(Clone, Debug, Default)]
pub(crate) struct CallsSum {
    pub(crate) ended: [u64; CallEnd::ALL.len()],
    pub(crate) times: Times,
}

/// The calls with the same end.
#[cfg(feature = "metrics")]
#[derive(Clone, Debug, Default)]
pub(crate) struct CallSum {
    pub(crate) ended: u64,
    pub(crate) times: Times,
}

impl Sum {
    /// The counts of a type. There is one handler more than those with names, for code that is not a handler.
    pub(super) fn of(&mut self, number: u32, handlers: usize) -> &mut TypeSum {
        let sum = self.types.entry(number).or_default();
        if sum.handlers.len() < handlers + 1 {
            sum.handlers.resize_with(handlers + 1, Default::default);
        }
        sum
    }

    /// The deaths of ports of all types, by the kinds of their reasons.
    #[cfg(feature = "metrics")]
    pub(crate) fn deaths(&self) -> [u64; KINDS.len()] {
        let mut deaths = [0; KINDS.len()];
        for of_type in self.types.values() {
            for (sum, more) in deaths.iter_mut().zip(of_type.deaths) {
                *sum += more;
            }
        }
        deaths
    }
}

impl TypeSum {
    /// Adds those of a type with the same label.
    pub(crate) fn add(&mut self, other: &Self) {
        for (sum, more) in self.deaths.iter_mut().zip(other.deaths) {
            *sum += more;
        }
    }
}

impl HandlerSum {
    /// Adds those of a handler with the same labels.
    pub(crate) fn add(&mut self, other: &Self) {
        self.handled += other.handled;
        self.unwanted += other.unwanted;
        self.times.add(&other.times);
        for (sum, more) in self.calls.iter_mut().zip(&other.calls) {
            sum.times.add(&more.times);
            for (sum, more) in sum.ended.iter_mut().zip(more.ended) {
                *sum += more;
            }
        }
    }

    /// True if nothing has been counted.
    pub(crate) fn is_empty(&self) -> bool {
        let ended = self.calls.iter().flat_map(|calls| calls.ended);
        self.handled + self.unwanted + ended.sum::<u64>() == 0
    }
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

    pub(crate) fn count(&mut self, weight: u64, nanos: u64) {
        self.nanos += nanos.saturating_mul(weight);
        self.classes[class(nanos)] += weight;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_class_ends_with_its_bound() {
        assert_eq!([0, 1000, 1001, 2000, 2001].map(class), [0, 0, 1, 1, 2]);
        assert_eq!(class(BOUNDS[24]), 24);
        assert_eq!(class(u64::MAX), 25);
    }
}
