//! The visit of all ports: how many there are of each type, and how long their queues are.

use std::{collections::BTreeMap, mem, time::Instant};

use super::{
    Metric, Reading,
    catalogue::{LONGEST_QUEUE, PORTS, QUEUED, QUEUES},
    collect::{metric, sample},
};
use crate::{
    Node,
    exec::tally::{MOST_TYPES, OTHER, label},
    node::inspect,
};

/// The bounds of the classes of queue lengths. The first is for empty queues.
static BOUNDS: [f64; 8] = [0.0, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6];
const CLASSES: usize = BOUNDS.len() + 1;

/// The lengths of queues that were seen, at all collections.
#[derive(Debug, Default)]
pub(super) struct Lengths(BTreeMap<String, Observed>);

#[derive(Debug, Default)]
struct Observed {
    classes: [u64; CLASSES],
    sum: f64,
}

/// The ports of one type at one collection.
#[derive(Debug, Default)]
struct Type {
    ports: u64,
    queued: u64,
    longest: usize,
    seen: Observed,
}

impl Type {
    fn add(&mut self, queued: usize) {
        self.ports += 1;
        self.queued += queued as u64;
        self.longest = self.longest.max(queued);
        let length = queued as f64;
        let class = BOUNDS.partition_point(|bound| *bound < length);
        self.seen.classes[class] += 1;
        self.seen.sum += length;
    }

    fn merge(&mut self, other: &Self) {
        self.ports += other.ports;
        self.queued += other.queued;
        self.longest = self.longest.max(other.longest);
        self.seen.merge(&other.seen);
    }
}

impl Observed {
    fn merge(&mut self, other: &Self) {
        self.sum += other.sum;
        for (class, more) in self.classes.iter_mut().zip(other.classes) {
            *class += more;
        }
    }
}

/// The types of ports, by the names of their labels.
#[derive(Debug)]
pub(super) struct Types(BTreeMap<String, Type>);

impl Types {
    /// Visits all ports in small steps, between which other tasks run. Adds the time that the steps took.
    pub(super) async fn visit(node: &Node, cost: &mut std::time::Duration) -> Self {
        let mut by_name = BTreeMap::<&'static str, Type>::new();
        inspect::visit(node, |ports| {
            let began = Instant::now();
            for port in ports {
                if let Some(counts) = port.counts() {
                    by_name
                        .entry(port.type_name())
                        .or_default()
                        .add(counts.queued);
                }
            }
            *cost += began.elapsed();
        })
        .await;
        Self::labelled(by_name)
    }

    /// The same by labels. Generic types are one type.
    fn labelled(by_name: BTreeMap<&'static str, Type>) -> Self {
        let mut by_label = BTreeMap::<String, Type>::new();
        for (name, of_type) in by_name {
            let mut label = label(name);
            if by_label.len() >= MOST_TYPES && !by_label.contains_key(&label) {
                label = OTHER.into();
            }
            by_label.entry(label).or_default().merge(&of_type);
        }
        Self(by_label)
    }

    /// Adds the observations to those of earlier collections, and returns the metrics.
    pub(super) fn metrics(self, lengths: &mut Lengths) -> [Metric; 4] {
        let mut metrics = [&PORTS, &QUEUED, &LONGEST_QUEUE, &QUEUES].map(metric);
        for (name, of_type) in self.0 {
            let Type {
                ports,
                queued,
                longest,
                seen,
            } = of_type;
            let levels = [ports as f64, queued as f64, longest as f64];
            for (metric, level) in metrics.iter_mut().zip(levels) {
                metric.samples.push(sample([&*name], Reading::Level(level)));
            }
            let room = lengths.0.len() <= MOST_TYPES || lengths.0.contains_key(&name);
            let name = if room { name } else { OTHER.into() };
            lengths.0.entry(name).or_default().merge(&seen);
        }
        let observed = lengths.0.iter().map(|(name, observed)| {
            let classes = Reading::Classes {
                bounds: &BOUNDS,
                counts: observed.classes.to_vec(),
                sum: observed.sum,
            };
            sample([&**name], classes)
        });
        let _none = mem::replace(&mut metrics[3].samples, observed.collect());
        metrics
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_have_classes() {
        let mut of_type = Type::default();
        for length in [0, 1, 2, 10, 11, 5_000_000] {
            of_type.add(length);
        }
        assert_eq!((of_type.ports, of_type.longest), (6, 5_000_000));
        assert_eq!(of_type.seen.classes, [1, 1, 2, 1, 0, 0, 0, 0, 1]);
    }

    /// A generic port can have any number of types.
    #[test]
    fn there_are_so_many_types_and_no_more() {
        let name = |n: usize| -> &'static str { Box::leak(format!("My{n}<{n}>").into_boxed_str()) };
        let mut type_of_one = Type::default();
        type_of_one.add(1);
        let mut all: BTreeMap<_, Type> = BTreeMap::new();
        for n in 0..1000 {
            all.entry(name(n)).or_default().merge(&type_of_one);
        }
        all.entry("Same<1>").or_default().merge(&type_of_one);
        all.entry("Same<2>").or_default().merge(&type_of_one);
        let mut lengths = Lengths::default();
        let types = Types::labelled(all);
        assert!(types.0.keys().all(|name| !name.contains('<')));
        assert_eq!(types.0.len(), MOST_TYPES + 1);
        assert_eq!(
            types.0.values().map(|of_type| of_type.ports).sum::<u64>(),
            1002
        );
        let metrics = types.metrics(&mut lengths);
        assert!(
            metrics
                .iter()
                .all(|metric| metric.samples.len() == MOST_TYPES + 1)
        );
    }
}
