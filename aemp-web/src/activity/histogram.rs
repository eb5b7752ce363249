//! Histograms of times, and their quantiles.

use std::sync::Arc;

use aemp::inspect::Times;

/// The number of classes that a histogram has at most. Nodes of this version have 14.
pub(super) const CLASSES: usize = 64;

/// The times of one period, in classes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// The upper bounds of all classes but the last, in seconds. Empty if there are no times.
    bounds: Arc<[f64]>,
    classes: Vec<u64>,
}

impl Histogram {
    /// The times between two answers of a node. There are none if the bounds are none.
    pub(super) fn between(before: &Times, now: &Times, bounds: &[f64]) -> Self {
        let are_bounds = bounds.iter().all(|bound| bound.is_finite() && *bound > 0.0);
        let ascend = bounds.is_sorted_by(|a, b| a < b);
        if bounds.is_empty() || !are_bounds || !ascend || now.classes.len() > bounds.len() + 1 {
            return Self::default();
        }
        let class = |times: &Times, at: usize| times.classes.get(at).copied().unwrap_or(0);
        let classes = (0..=bounds.len()).map(|at| class(now, at).saturating_sub(class(before, at)));
        Self {
            bounds: bounds.into(),
            classes: classes.collect(),
        }
    }

    /// Adds the times of another node. Those with other bounds are left out.
    pub(super) fn merge(&mut self, other: &Self) {
        if self.classes.is_empty() {
            *self = other.clone();
        } else if self.bounds == other.bounds {
            for (class, more) in self.classes.iter_mut().zip(&other.classes) {
                *class = class.saturating_add(*more);
            }
        }
    }

    /// The time below which this part of all times is, in seconds: within its class, as if the times there were spread evenly.
    /// `None` if there are no times.
    pub fn quantile(&self, part: f64) -> Option<f64> {
        let all: f64 = self.classes.iter().map(|class| *class as f64).sum();
        if all <= 0.0 {
            return None;
        }
        let wanted = all * part.clamp(0.0, 1.0);
        let (mut below, mut least) = (0.0, 0.0);
        for (class, bound) in self.classes.iter().zip(&*self.bounds) {
            let within = *class as f64;
            if within > 0.0 && below + within >= wanted {
                return Some(least + (bound - least) * (wanted - below) / within);
            }
            (below, least) = (below + within, *bound);
        }
        // Nothing is known above the last bound.
        self.bounds.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(classes: &[u64]) -> Times {
        let mut times = Times::default();
        times.classes = classes.into();
        times
    }

    fn histogram(classes: &[u64]) -> Histogram {
        Histogram::between(&times(&[1]), &times(classes), &[1.0, 2.0, 4.0])
    }

    #[test]
    fn quantiles_are_within_their_classes() {
        let of = histogram(&[11, 10, 0, 0]);
        let quantiles = [0.25, 0.5, 0.75, 1.0].map(|part| of.quantile(part));
        assert_eq!(quantiles, [Some(0.5), Some(1.0), Some(1.5), Some(2.0)]);
        assert_eq!(histogram(&[1]).quantile(0.5), None);
        assert_eq!(histogram(&[1, 0, 4]).quantile(0.5), Some(3.0));
        assert_eq!(histogram(&[1, 0, 0, 7]).quantile(0.01), Some(4.0));
        assert_eq!(Histogram::default().quantile(0.5), None);
    }

    #[test]
    fn others_are_added_if_they_have_the_same_classes() {
        let mut of = Histogram::default();
        of.merge(&histogram(&[3]));
        of.merge(&histogram(&[1, 2]));
        assert_eq!(of.classes, [2, 2, 0, 0]);
        of.merge(&Histogram::between(&times(&[]), &times(&[9]), &[7.0]));
        assert_eq!(of.classes, [2, 2, 0, 0]);
    }

    /// A node may report anything.
    #[test]
    fn nonsense_is_no_histogram() {
        let most = times(&[u64::MAX; 4]);
        for bounds in [
            &[] as &[f64],
            &[f64::NAN, 1.0, 2.0],
            &[2.0, 1.0, 3.0],
            &[1.0, 1.0, 2.0],
            &[-1.0, 1.0, 2.0],
            &[1.0, 2.0, f64::INFINITY],
            &[1.0],
        ] {
            let of = Histogram::between(&times(&[]), &most, bounds);
            assert_eq!(of.quantile(0.5), None, "{bounds:?}");
        }
        let mut of = Histogram::between(&times(&[]), &most, &[1.0, 2.0, 4.0]);
        of.merge(&of.clone());
        assert_eq!(of.classes, [u64::MAX; 4]);
        assert!(of.quantile(f64::INFINITY).is_some_and(f64::is_finite));
        // It has shrunk.
        let of = Histogram::between(&most, &times(&[1]), &[1.0, 2.0, 4.0]);
        assert_eq!(of.quantile(0.5), None);
    }
}
