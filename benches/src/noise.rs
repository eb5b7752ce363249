//! The spread of repeated measurements, and the refusal to compare where it is too great.
//!
//! Other programs on the machine make a measurement slower, sometimes by a factor of two. The median of such figures is
//! the load of the machine, and a ratio of two of them says nothing about the contenders. So each table shows the
//! lowest and the highest figure beside the median, and [`compare`] gives a ratio only if both sides are steady.

use std::fmt;

/// The largest ratio of the highest to the lowest figure at which figures can be compared.
///
/// On a quiet machine, most rows stay below 1.2. Rows with two modes (two workers that take turns at a lock, or do not)
/// reach 2, and the median of such a row is one of the modes by chance.
pub const MOST_SPREAD: f64 = 1.5;

/// The figures of one thing that was measured repeatedly.
#[derive(Debug, Clone, Default)]
pub struct Figures(Vec<f64>);

impl Figures {
    /// Adds a figure.
    pub fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// The middle of the figures, or the mean of the middle two.
    #[must_use]
    pub fn median(&self) -> Option<f64> {
        median(&self.0)
    }

    /// The lowest and the highest figure.
    #[must_use]
    pub fn spread(&self) -> Option<(f64, f64)> {
        let lowest = self.0.iter().copied().reduce(f64::min)?;
        let highest = self.0.iter().copied().reduce(f64::max)?;
        Some((lowest, highest))
    }

    /// All figures, in the order of the measurements.
    pub fn iter(&self) -> impl Iterator<Item = f64> {
        self.0.iter().copied()
    }

    /// The ratio of the highest to the lowest figure. One figure alone has no spread.
    fn width(&self) -> Option<f64> {
        let (lowest, highest) = self.spread()?;
        (self.0.len() > 1).then_some(highest / lowest)
    }
}

impl Extend<f64> for Figures {
    fn extend<T: IntoIterator<Item = f64>>(&mut self, figures: T) {
        self.0.extend(figures);
    }
}

impl FromIterator<f64> for Figures {
    fn from_iter<T: IntoIterator<Item = f64>>(figures: T) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// `MEDIAN (LOWEST .. HIGHEST)`; the figure alone if there is one only, and `-` if there is none.
impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Some(median), Some((lowest, highest))) = (self.median(), self.spread()) else {
            return f.pad("-");
        };
        let median = figure(median);
        if self.0.len() == 1 {
            return f.pad(&median);
        }
        f.pad(&format!(
            "{median} ({} .. {})",
            figure(lowest),
            figure(highest)
        ))
    }
}

/// The outcome of a comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Comparison {
    /// One side was not measured.
    Missing,
    /// The ratio of two medians.
    Ratio(f64),
    /// The ratio of figures of which one was measured once. Its spread is unknown.
    Once(f64),
    /// One side varies by this factor, which is more than [`MOST_SPREAD`]: there is no ratio.
    TooNoisy(f64),
}

/// Compares the medians of two things, unless one of them is too noisy.
#[must_use]
pub fn compare(ours: &Figures, others: &Figures) -> Comparison {
    let (Some(our), Some(other)) = (ours.median(), others.median()) else {
        return Comparison::Missing;
    };
    let (Some(width), Some(other_width)) = (ours.width(), others.width()) else {
        return Comparison::Once(our / other);
    };
    let widest = width.max(other_width);
    // Infinite and undefined widths, of figures that are zero, are too noisy as well.
    if widest <= MOST_SPREAD {
        Comparison::Ratio(our / other)
    } else {
        Comparison::TooNoisy(widest)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.pad("-"),
            Self::Ratio(ratio) => f.pad(&format!("{ratio:.2}x")),
            Self::Once(ratio) => f.pad(&format!("{ratio:.2}x (once)")),
            Self::TooNoisy(_) => f.pad("too noisy"),
        }
    }
}

/// A line about the comparisons that were refused, if there are any.
#[must_use]
pub fn refusals(comparisons: impl IntoIterator<Item = Comparison>) -> Option<String> {
    let (mut all, mut noisy, mut widest) = (0, 0, 0.0_f64);
    for comparison in comparisons {
        all += 1;
        if let Comparison::TooNoisy(width) = comparison {
            noisy += 1;
            widest = widest.max(width);
        }
    }
    (noisy > 0).then(|| {
        format!(
            "TOO NOISY: {noisy} of {all} comparisons were refused, because figures of one thing vary by up to \
             {widest:.1}x ({MOST_SPREAD}x is allowed). Measure these rows again when the machine is quiet."
        )
    })
}

/// The middle of the figures, or the mean of the middle two.
pub(crate) fn median(figures: &[f64]) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        odd if odd % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// A figure in three significant digits, which are enough for such a measurement.
#[must_use]
pub fn figure(value: f64) -> String {
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::{Comparison, Figures, compare, median, refusals};

    fn figures(all: &[f64]) -> Figures {
        all.iter().copied().collect()
    }

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn steady_figures_are_compared() {
        let (ours, others) = (figures(&[10.0, 12.0, 15.0]), figures(&[6.0, 6.0, 6.0]));
        assert_eq!(compare(&ours, &others), Comparison::Ratio(2.0));
        assert_eq!(compare(&ours, &others).to_string(), "2.00x");
    }

    #[test]
    fn noisy_figures_of_either_side_are_not() {
        let (noisy, steady) = (figures(&[10.0, 12.0, 16.0]), figures(&[6.0, 6.0]));
        assert_eq!(compare(&noisy, &steady), Comparison::TooNoisy(1.6));
        assert_eq!(compare(&steady, &noisy).to_string(), "too noisy");
        let zero = figures(&[0.0, 1.0]);
        assert_eq!(compare(&steady, &zero).to_string(), "too noisy");
    }

    #[test]
    fn a_single_figure_is_marked() {
        let comparison = compare(&figures(&[3.0]), &figures(&[2.0, 9.0]));
        assert!(comparison.to_string().ends_with("x (once)"));
        assert_eq!(compare(&figures(&[]), &figures(&[1.0])).to_string(), "-");
    }

    #[test]
    fn refusals_are_counted() {
        let refused = refusals([
            Comparison::Ratio(1.0),
            Comparison::TooNoisy(1.6),
            Comparison::TooNoisy(3.21),
        ]);
        let refused = refused.expect("two were refused");
        assert!(refused.starts_with("TOO NOISY: 2 of 3 comparisons"));
        assert!(refused.contains("up to 3.2x"));
        assert_eq!(refusals([Comparison::Ratio(1.0)]), None);
    }

    #[test]
    fn the_spread_is_shown() {
        let text = figures(&[100.0, 8.123, 20.0]).to_string();
        assert_eq!(text, "20.0 (8.12 .. 100)");
        assert_eq!(figures(&[0.5]).to_string(), "0.50");
    }
}
