//! Rows of figures, and the two ways to print them.

use std::fmt::Write as _;

pub(crate) use crate::noise::median;
use crate::noise::{self, Comparison, Figures, compare};

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

    /// True if the first figure is the better one.
    fn prefers(self, one: f64, other: f64) -> bool {
        (one > other) == self.more_is_better
    }
}

/// All measurements of one contender in one workload.
#[derive(Debug)]
pub(crate) struct Samples {
    pub(crate) contender: &'static str,
    pub(crate) role: Role,
    pub(crate) figures: Figures,
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
    fn baseline(&self) -> Option<&Figures> {
        self.of(Role::Baseline).next()
    }

    fn subject(&self) -> Option<&Figures> {
        self.of(Role::Subject).next()
    }

    fn of(&self, role: Role) -> impl Iterator<Item = &Figures> {
        let samples = self.samples.iter();
        samples
            .filter(move |samples| samples.role == role)
            .map(|samples| &samples.figures)
    }

    fn best_peer(&self) -> Option<&Figures> {
        let better = |(best, least), (peer, median)| {
            if self.unit.prefers(median, least) {
                (peer, median)
            } else {
                (best, least)
            }
        };
        let measured = self
            .of(Role::Peer)
            .filter_map(|peer| Some((peer, peer.median()?)));
        measured.reduce(better).map(|(best, _)| best)
    }

    /// The comparisons of the subject.
    fn comparisons(&self) -> impl Iterator<Item = Comparison> {
        let others = [self.baseline(), self.best_peer()];
        let subject = self.subject();
        others
            .into_iter()
            .flatten()
            .filter_map(move |other| Some(compare(subject?, other)))
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
        for Samples {
            contender, figures, ..
        } in &self.samples
        {
            if figures.median().is_none() {
                let _ = writeln!(text, "  {contender:<12} not measured");
                continue;
            }
            let [baseline, peer] = [self.baseline(), self.best_peer()].map(|o| ratio(figures, o));
            let _ = write!(
                text,
                "  {contender:<12} {figures:<26} {baseline:>13} baseline {peer:>13} best peer",
            );
            if self.ideal.is_some() {
                let _ = write!(text, " {:>13} ideal", to_ideal(figures, self.ideal));
            }
            text.push('\n');
        }
        text
    }
}

/// Prints the rows as one table, and the number of comparisons that were refused.
pub(crate) fn finish(rows: &[Row], as_markdown: bool) {
    if as_markdown {
        print!("{}", markdown(rows));
    }
    if let Some(refusals) = noise::refusals(rows.iter().flat_map(Row::comparisons)) {
        println!("\n{refusals}");
    }
}

/// The rows as one Markdown table, with the subject's ratios in the last columns.
fn markdown(rows: &[Row]) -> String {
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
            let _ = write!(text, " {} |", samples.figures);
        }
        let none = Figures::default();
        let subject = row.subject().unwrap_or(&none);
        for other in [row.baseline(), row.best_peer()] {
            let _ = write!(text, " {} |", ratio(subject, other));
        }
        if ideals {
            let _ = write!(text, " {} |", to_ideal(subject, row.ideal));
        }
        text.push('\n');
    }
    text
}

/// The figure that `percent` percent of the figures do not exceed.
pub(crate) fn percentile(figures: &[f64], percent: usize) -> Option<f64> {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

fn ratio(figures: &Figures, other: Option<&Figures>) -> Comparison {
    other.map_or(Comparison::Missing, |other| compare(figures, other))
}

/// An ideal is no measurement, and as steady as the figures that are compared with it.
fn to_ideal(figures: &Figures, ideal: Option<f64>) -> Comparison {
    // Two figures, so that they have a spread.
    let ideal = ideal.map(|ideal| Figures::from_iter([ideal; 2]));
    ratio(figures, ideal.as_ref())
}

#[cfg(test)]
mod tests {
    use super::{Role, Row, Samples, Unit, markdown, percentile};

    #[test]
    fn percentiles() {
        let figures: Vec<_> = (1..=200).rev().map(f64::from).collect();
        assert_eq!(percentile(&figures, 99), Some(198.0));
        assert_eq!(percentile(&[7.0], 99), Some(7.0));
        assert_eq!(percentile(&[], 99), None);
    }

    fn samples(contender: &'static str, role: Role, figures: &[f64]) -> Samples {
        Samples {
            contender,
            role,
            figures: figures.iter().copied().collect(),
        }
    }

    fn row(samples: Vec<Samples>) -> Row {
        Row {
            title: "call".to_owned(),
            unit: Unit::cost("ns"),
            ideal: Some(100.0),
            samples,
        }
    }

    #[test]
    fn the_best_peer_of_a_cost_is_the_cheapest() {
        let row = row(vec![
            samples("bare", Role::Baseline, &[200.0, 200.0]),
            samples("slow", Role::Peer, &[800.0, 800.0]),
            samples("quick", Role::Peer, &[400.0, 400.0]),
        ]);
        let best = row.best_peer().and_then(|best| best.median());
        assert_eq!(best, Some(400.0));
        assert!(row.text().contains("4.00x baseline"));
        assert!(row.text().contains("4.00x ideal"));
        let table = markdown(&[row]);
        assert!(
            table.contains("| 200 (200 .. 200) | 800 (800 .. 800) | 400 (400 .. 400) | - | - |")
        );
    }

    #[test]
    fn a_noisy_subject_is_compared_with_nothing() {
        let row = row(vec![
            samples("aemp", Role::Subject, &[100.0, 160.0]),
            samples("bare", Role::Baseline, &[200.0, 200.0]),
            samples("other", Role::Peer, &[300.0]),
        ]);
        let table = markdown(&[row]);
        assert!(table.contains(
            "| 130 (100 .. 160) | 200 (200 .. 200) | 300 | too noisy | 0.43x (once) | too noisy |"
        ));
    }
}
