//! The exponent of a curve, and its comparison with n log n.
//!
//! The cost of one operation is fitted to `n^e` by least squares over the logarithms. If all operations together take n
//! log n, one of them takes `1 + log2 n`, and the same fit of this function at the same points gives the exponent that a
//! curve may have. The lowest and the highest figure of each point give the exponents that the spread leaves possible.
//!
//! A small cost that grows with n hides behind a large one that does not, until n is large. So the last points are
//! fitted once more. Their exponent may be 1/2: neighbours are too close for a sharper limit, and a cost that
//! grows with n has the exponent 1 there.

use std::fmt;

use crate::noise::Figures;

/// The number of points at the end that are fitted alone.
const END: usize = 3;
/// The exponent that they may have.
const MOST_AT_END: f64 = 0.5;

/// The widest range of possible exponents that says something about a limit within it.
const MOST_RANGE: f64 = 0.2;

/// The figures of one size.
#[derive(Debug, Clone)]
pub(super) struct Point {
    pub(super) size: u64,
    pub(super) figures: Figures,
}

impl Point {
    pub(super) fn new(size: u64) -> Self {
        Self {
            size,
            figures: Figures::default(),
        }
    }
}

/// An exponent, and those that the spread leaves possible.
#[derive(Debug, Clone, Copy)]
pub(super) struct Exponent {
    median: f64,
    lowest: f64,
    highest: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    NoSteeper,
    /// N log n is within a narrow range of possible exponents.
    AsSteep,
    Steeper,
    /// The spread leaves it open.
    TooNoisy,
}

/// A curve beside n log n.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fit {
    pub(super) whole: Exponent,
    end: Exponent,
    /// The exponent of n log n.
    limit: f64,
    pub(super) verdict: Verdict,
}

impl Fit {
    pub(super) fn of(points: &[Point]) -> Self {
        let (whole, end) = (
            Exponent::of(points),
            Exponent::of(&points[points.len().saturating_sub(END)..]),
        );
        let limit = slope(
            points
                .iter()
                .map(|point| (log(point.size), log_cost(point.size).ln())),
        );
        let verdict = match (whole.beside(limit), end.beside(MOST_AT_END)) {
            (Verdict::Steeper, _) | (_, Verdict::Steeper | Verdict::AsSteep) => Verdict::Steeper,
            (Verdict::TooNoisy, _) | (_, Verdict::TooNoisy) => Verdict::TooNoisy,
            (whole, Verdict::NoSteeper) => whole,
        };
        Self {
            whole,
            end,
            limit,
            verdict,
        }
    }
}

/// The cost of one of n operations that take n log n together, in any unit.
pub(super) fn log_cost(size: u64) -> f64 {
    1.0 + (size as f64).log2()
}

impl Exponent {
    fn of(points: &[Point]) -> Self {
        let measured: Vec<_> = points
            .iter()
            .filter_map(|point| {
                let (lowest, highest) = point.figures.spread()?;
                Some((
                    log(point.size),
                    point.figures.median()?.ln(),
                    lowest.ln(),
                    highest.ln(),
                ))
            })
            .collect();
        let middle = mean(measured.iter().map(|point| point.0));
        let steep = |steepest: bool| {
            slope(measured.iter().map(|(size, _, lowest, highest)| {
                let takes_highest = (*size > middle) == steepest;
                (*size, if takes_highest { *highest } else { *lowest })
            }))
        };
        Self {
            median: slope(measured.iter().map(|point| (point.0, point.1))),
            lowest: steep(false),
            highest: steep(true),
        }
    }

    fn beside(self, limit: f64) -> Verdict {
        if self.highest <= limit {
            Verdict::NoSteeper
        } else if self.lowest > limit {
            Verdict::Steeper
        } else if self.highest - self.lowest <= MOST_RANGE {
            Verdict::AsSteep
        } else {
            Verdict::TooNoisy
        }
    }
}

fn log(size: u64) -> f64 {
    (size as f64).ln()
}

/// The slope of the line of least squares; 0 for fewer than two points.
fn slope(points: impl Iterator<Item = (f64, f64)> + Clone) -> f64 {
    let (x, y) = (
        mean(points.clone().map(|point| point.0)),
        mean(points.clone().map(|point| point.1)),
    );
    let products: f64 = points
        .clone()
        .map(|point| (point.0 - x) * (point.1 - y))
        .sum();
    let squares: f64 = points.map(|point| (point.0 - x).powi(2)).sum();
    if squares == 0.0 {
        0.0
    } else {
        products / squares
    }
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count().max(1) as f64
}

impl fmt::Display for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            median,
            lowest,
            highest,
        } = self;
        write!(f, "n^{median:.2} ({lowest:.2} .. {highest:.2})")
    }
}

impl fmt::Display for Fit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            whole,
            end,
            limit,
            verdict,
        } = self;
        let verdict = match verdict {
            Verdict::NoSteeper => "no steeper than n log n",
            Verdict::AsSteep => "about as steep as n log n",
            Verdict::Steeper => "STEEPER than n log n",
            Verdict::TooNoisy => "TOO NOISY to tell",
        };
        write!(
            f,
            "grows as {whole}, the last points as {end}; n log n would be n^{limit:.2}: {verdict}"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::{Fit, Point, Verdict};

    const SIZES: [u64; 5] = [10, 100, 1_000, 10_000, 100_000];

    /// A curve, each point of which varies by this factor in both directions.
    fn curve(cost: impl Fn(f64) -> f64, noise: f64) -> Fit {
        let point = |size: u64| Point {
            size,
            figures: [1.0 / noise, 1.0, noise]
                .map(|factor| factor * cost(size as f64))
                .into_iter()
                .collect(),
        };
        Fit::of(&SIZES.map(point))
    }

    #[test]
    fn the_exponent_of_a_power_is_found() {
        let fit = curve(|n| 7.0 * n.powf(0.4), 1.0);
        assert!((fit.whole.median - 0.4).abs() < 1e-9);
        assert_eq!(fit.verdict, Verdict::Steeper);
    }

    #[test]
    fn n_log_n_is_no_steeper_than_itself() {
        let slower = |n: f64| 1.0 + 0.9 * n.log2();
        assert_eq!(curve(slower, 1.0).verdict, Verdict::NoSteeper);
        assert_eq!(curve(|_| 50.0, 1.1).verdict, Verdict::NoSteeper);
        assert_eq!(
            curve(|n| 1.0 + n.log2().powi(2), 1.0).verdict,
            Verdict::Steeper
        );
    }

    #[test]
    fn a_curve_beside_the_limit_is_as_steep() {
        assert_eq!(curve(|n| 1.0 + n.log2(), 1.02).verdict, Verdict::AsSteep);
    }

    #[test]
    fn a_linear_cost_that_shows_only_at_the_end_is_found() {
        // Twice as much at the end of five points: the fit of all of them is below n log n.
        let hidden = curve(|n| if n > 50_000.0 { 2_000.0 } else { 100.0 }, 1.0);
        assert_eq!(hidden.verdict, Verdict::Steeper);
        assert!(curve(|n| 100.0 + 0.04 * n, 1.0).verdict != Verdict::NoSteeper);
    }

    #[test]
    fn noise_leaves_it_open() {
        assert_eq!(curve(|_| 50.0, 3.0).verdict, Verdict::TooNoisy);
        let noisy = curve(|n| n.powf(0.2), 2.0);
        assert_eq!(noisy.verdict, Verdict::TooNoisy);
    }

    #[test]
    fn one_point_has_no_slope() {
        let points = [Point {
            size: 1,
            figures: [3.0].into_iter().collect(),
        }];
        assert!(Fit::of(&points).whole.median.abs() < 1e-9);
    }
}
