//! Medians, ratios, and the two ways to print them.

use std::fmt::Write as _;

/// The role of a contender in the comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The least cost of the workload: no framework at all.
    Baseline,
    /// Another framework. The subject is compared with the best of these.
    Peer,
    /// Shown without a comparison, because it binds all its actors to one thread.
    Aside,
    /// The crates of this workspace.
    Subject,
}

/// A unit, with the direction in which a figure improves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) name: &'static str,
    pub(crate) more_is_better: bool,
}

impl Unit {
    /// A rate: more is better.
    pub(crate) const fn rate(name: &'static str) -> Self {
        Self {
            name,
            more_is_better: true,
        }
    }

    /// A cost: less is better.
    pub(crate) const fn cost(name: &'static str) -> Self {
        Self {
            name,
            more_is_better: false,
        }
    }

    fn best(self, figures: impl Iterator<Item = f64>) -> Option<f64> {
        figures.reduce(if self.more_is_better {
            f64::max
        } else {
            f64::min
        })
    }
}

/// All measurements of one contender in one workload.
#[derive(Debug)]
pub(crate) struct Samples {
    pub(crate) contender: &'static str,
    pub(crate) role: Role,
    pub(crate) figures: Vec<f64>,
}

impl Samples {
    fn median(&self) -> Option<f64> {
        median(&self.figures)
    }

    /// The least and the greatest figure, which show how reliable the median is.
    fn spread(&self) -> (f64, f64) {
        let least = self.figures.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = self.figures.iter().copied().fold(0.0, f64::max);
        (least, greatest)
    }
}

/// The measurements of one workload.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) unit: Unit,
    /// The theoretical optimum, if it is known.
    pub(crate) ideal: Option<f64>,
    pub(crate) samples: Vec<Samples>,
}

impl Row {
    fn baseline(&self) -> Option<f64> {
        let mut samples = self.samples.iter();
        samples
            .find(|samples| samples.role == Role::Baseline)?
            .median()
    }

    fn best_peer(&self) -> Option<f64> {
        let peers = self
            .samples
            .iter()
            .filter(|samples| samples.role == Role::Peer);
        self.unit.best(peers.filter_map(Samples::median))
    }

    /// The row as a block of lines, with one line for each contender.
    pub(crate) fn text(&self) -> String {
        let direction = if self.unit.more_is_better {
            "more"
        } else {
            "less"
        };
        let mut text = format!(
            "{} [{}, {direction} is better]\n",
            self.title, self.unit.name
        );
        for samples in &self.samples {
            let Some(median) = samples.median() else {
                let _ = writeln!(text, "  {:<12}      not measured", samples.contender);
                continue;
            };
            let (least, greatest) = samples.spread();
            let range = format!("{} .. {}", figure(least), figure(greatest));
            let _ = write!(
                text,
                "  {:<12} {:>10}   {range:<20} {:>8} baseline {:>8} best peer",
                samples.contender,
                figure(median),
                ratio(median, self.baseline()),
                ratio(median, self.best_peer()),
            );
            if self.ideal.is_some() {
                let _ = write!(text, " {:>8} ideal", ratio(median, self.ideal));
            }
            text.push('\n');
        }
        text
    }
}

/// The rows as one Markdown table, with the subject's ratios in the last columns.
pub(crate) fn markdown(rows: &[Row]) -> String {
    let Some(first) = rows.first() else {
        return String::new();
    };
    let mut text = String::from("| workload | unit |");
    for samples in &first.samples {
        let _ = write!(text, " {} |", samples.contender);
    }
    let ideals = rows.iter().any(|row| row.ideal.is_some());
    text.push_str(" to baseline | to best peer |");
    text.push_str(if ideals { " to ideal |" } else { "" });
    text.push_str("\n| --- | --- |");
    text.push_str(&" ---: |".repeat(first.samples.len() + 2 + usize::from(ideals)));
    text.push('\n');
    for row in rows {
        let _ = write!(text, "| {} | {} |", row.title, row.unit.name);
        for samples in &row.samples {
            let _ = write!(
                text,
                " {} |",
                samples.median().map_or_else(|| "-".to_owned(), figure)
            );
        }
        let mut samples = row.samples.iter();
        let subject = samples.find(|samples| samples.role == Role::Subject);
        let others = [row.baseline(), row.best_peer(), row.ideal];
        for other in &others[..2 + usize::from(ideals)] {
            let ours = subject.and_then(Samples::median);
            let _ = write!(
                text,
                " {} |",
                ours.map_or_else(|| "-".to_owned(), |ours| ratio(ours, *other))
            );
        }
        text.push('\n');
    }
    text
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

/// The figure that `percent` percent of the figures do not exceed.
pub(crate) fn percentile(figures: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

/// A figure in three significant digits, which are enough for such a measurement.
pub(crate) fn figure(value: f64) -> String {
    let digits = match value {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$}")
}

fn ratio(figure: f64, other: Option<f64>) -> String {
    other.map_or_else(|| "-".to_owned(), |other| format!("{:.2}x", figure / other))
}

#[cfg(test)]
mod tests {
    use super::{Role, Row, Samples, Unit, markdown, median, percentile};

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
    }

    #[test]
    fn percentiles() {
        let figures: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&figures, 99), Some(198.0));
        assert_eq!(percentile(&[7.0], 99), Some(7.0));
        assert_eq!(percentile(&[], 99), None);
    }

    #[test]
    fn the_best_peer_of_a_cost_is_the_cheapest() {
        let samples = |contender, role, figure| Samples {
            contender,
            role,
            figures: vec![figure],
        };
        let row = Row {
            title: "call".to_owned(),
            unit: Unit::cost("ns"),
            ideal: Some(100.0),
            samples: vec![
                samples("bare", Role::Baseline, 200.0),
                samples("slow", Role::Peer, 800.0),
                samples("quick", Role::Peer, 400.0),
            ],
        };
        assert_eq!(row.best_peer(), Some(400.0));
        assert!(row.text().contains("4.00x baseline"));
        assert!(row.text().contains("4.00x ideal"));
        assert!(markdown(&[row]).contains("| call | ns | 200 | 800 | 400 | - | - | - |"));
    }
}
