//! The order of the measurements.

use crate::noise::Figures;
use crate::report::{Role, Row, Samples, Unit};

/// The part of a contender that reports need.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entrant {
    pub(crate) name: &'static str,
    pub(crate) role: Role,
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
    fn everybody_comes_first_once() {
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
