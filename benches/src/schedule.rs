//! The measurements of a bench: their order, and the printing of their rows.

use crate::{
    noise::Figures,
    options::Options,
    report::{self, Role, Row, Samples, Unit},
};

/// A workload, as its row shows it.
pub(crate) trait Workload: Copy {
    /// The name on the command line.
    fn name(&self) -> &'static str;

    fn title(&self) -> &'static str;

    fn unit(&self) -> Unit;

    /// The theoretical optimum, if one is known.
    fn ideal(&self) -> Option<f64> {
        None
    }
}

/// A contender with its types erased: `F` is its function of all workloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Contender<F> {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    pub(crate) measure: F,
}

impl<F> Contender<F> {
    pub(crate) const fn new(name: &'static str, role: Role, measure: F) -> Self {
        Self {
            name,
            role,
            measure,
        }
    }
}

/// A whole bench: reads the command line, measures the chosen workloads with the chosen contenders, and prints the rows.
pub(crate) fn bench<W: Workload, F: Copy>(
    arguments: &[String],
    workloads: &[W],
    contenders: &[Contender<F>],
    measure: impl Fn(&Options, W, &Contender<F>) -> Option<f64>,
) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let workloads = Options::choose(&options.only, workloads, W::name)?;
    let contenders = Options::choose(&options.contenders, contenders, |one| one.name)?;
    let entrants: Vec<_> = contenders.iter().map(Entrant::from).collect();
    let rows = workloads.into_iter().map(|workload| {
        let (title, unit) = (workload.title().to_owned(), workload.unit());
        let row = interleave(title, unit, &entrants, options.reps, |index| {
            measure(&options, workload, &contenders[index])
        });
        Ok(Row {
            ideal: workload.ideal(),
            ..row
        })
    });
    print(&options, rows)
}

/// Prints each row as soon as it is measured, or all of them as a table.
pub(crate) fn print(
    options: &Options,
    rows: impl Iterator<Item = Result<Row, String>>,
) -> Result<(), String> {
    let mut measured = Vec::new();
    for row in rows {
        let row = row?;
        if !options.markdown {
            println!("{}", row.text());
        }
        measured.push(row);
    }
    report::finish(&measured, options.markdown);
    Ok(())
}

/// The part of a contender that reports need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
}

impl<F> From<&Contender<F>> for Entrant {
    fn from(contender: &Contender<F>) -> Self {
        Self {
            name: contender.name,
            role: contender.role,
        }
    }
}

/// Measures every entrant once in each repetition, so that a busy second of the machine affects all of them. Each
/// repetition starts with another entrant, so that none always comes first.
pub(crate) fn interleave(
    title: String,
    unit: Unit,
    entrants: &[Entrant],
    reps: usize,
    mut measure: impl FnMut(usize) -> Option<f64>,
) -> Row {
    let sample = |entrant: &Entrant| Samples {
        contender: entrant.name,
        role: entrant.role,
        figures: Figures::default(),
    };
    let mut samples: Vec<_> = entrants.iter().map(sample).collect();
    for rep in 0..reps {
        for turn in 0..entrants.len() {
            let index = (rep + turn) % entrants.len();
            samples[index].figures.extend(measure(index));
        }
    }
    Row {
        title,
        unit,
        ideal: None,
        samples,
    }
}

#[cfg(test)]
mod tests {
    use super::{Entrant, Role, Unit, interleave};

    #[test]
    fn each_entrant_comes_first_once() {
        let entrants = ["a", "b"].map(|name| Entrant {
            name,
            role: Role::Peer,
        });
        let mut order = Vec::new();
        let row = interleave(String::new(), Unit::rate("M/s"), &entrants, 2, |index| {
            order.push(index);
            Some(1.0)
        });
        assert_eq!(order, [0, 1, 1, 0]);
        assert!(
            row.samples
                .iter()
                .all(|samples| samples.figures.iter().count() == 2)
        );
    }
}
