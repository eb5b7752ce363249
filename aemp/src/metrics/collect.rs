//! The collector of a node: it makes the metrics on demand, and keeps the state between two collections.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    Description, MOST_FAMILIES, Metric, Metrics, Reading, Sample,
    catalogue::{self, catalogue},
    peers::{Link, Traffic},
    ports::{Lengths, Types},
};
use crate::{
    Node, Readiness, Shown,
    exec::tally::{self, CallEnd, HandlerSum, KINDS, OTHER, Sum, Times},
    node::inspect,
};

/// A collection that costs less is made anew each time.
const CHEAP: Duration = Duration::from_millis(10);
/// An expensive collection is given out again until this many times its cost has passed.
const PAUSE: u32 = 100;

/// The state of a node's collections.
#[derive(Debug, Default)]
pub(crate) struct Collector {
    traffic: Traffic,
    lengths: Lengths,
    last: Option<(Instant, Duration, Metrics)>,
}

/// A metric without values.
pub(super) fn metric(description: &'static Description) -> Metric {
    Metric {
        description,
        samples: Vec::new(),
    }
}

pub(super) fn sample<'a>(labels: impl IntoIterator<Item = &'a str>, reading: Reading) -> Sample {
    Sample {
        labels: labels.into_iter().map(Into::into).collect(),
        reading,
    }
}

/// A metric without labels.
fn single(description: &'static Description, reading: Reading) -> Metric {
    Metric {
        description,
        samples: vec![sample([], reading)],
    }
}

fn count(description: &'static Description, count: u64) -> Metric {
    single(description, Reading::Count(count))
}

fn level(description: &'static Description, level: f64) -> Metric {
    single(description, Reading::Level(level))
}

/// The number of bounds of a histogram of times: every second one of the tally, because each is a series of its own.
const TIMES: usize = tally::BOUNDS.len().div_ceil(2);

/// A histogram of times.
fn classes(times: &Times) -> Reading {
    static SECONDS: [f64; TIMES] = {
        let mut seconds = [0.0; TIMES];
        let mut at = 0;
        while at < seconds.len() {
            seconds[at] = tally::BOUNDS[2 * at] as f64 / 1e9;
            at += 1;
        }
        seconds
    };
    Reading::Classes {
        bounds: &SECONDS,
        counts: pairs(&times.classes),
        sum: Duration::from_nanos(times.nanos).as_secs_f64(),
    }
}

/// The classes between the bounds that are kept. The first and the last class are alone.
fn pairs(classes: &[u64]) -> Vec<u64> {
    let Some((first, rest)) = classes.split_first() else {
        return Vec::new();
    };
    let rest = rest.chunks(2).map(|pair| pair.iter().sum());
    std::iter::once(*first).chain(rest).collect()
}

impl Collector {
    pub(crate) async fn collect(&mut self, node: &Node) -> Metrics {
        if let Some((at, cost, metrics)) = &self.last
            && *cost >= CHEAP
            && at.elapsed() < *cost * PAUSE
        {
            return metrics.clone();
        }
        let mut cost = Duration::ZERO;
        let types = Types::visit(node, &mut cost).await;
        let began = Instant::now();
        let mut metrics = about(node);
        metrics.extend(types.metrics(&mut self.lengths));
        let sum = node.scheduler().sum();
        metrics.extend(lives(node, &sum));
        metrics.extend(handled(&sum));
        metrics.extend(executor(node));
        metrics.extend(self.network(node));
        metrics.extend(database(node));
        cost += began.elapsed();
        metrics.push(level(&catalogue::COLLECTION, cost.as_secs_f64()));
        // In the order of the catalogue.
        let place =
            |metric: &Metric| catalogue().position(|known| known.name == metric.description.name);
        metrics.sort_by_cached_key(place);
        let metrics = Metrics(metrics.into());
        self.last = Some((Instant::now(), cost, metrics.clone()));
        metrics
    }

    fn network(&mut self, node: &Node) -> Vec<Metric> {
        let links: Vec<Link> = node
            .peers()
            .all()
            .iter()
            .filter_map(inspect::link)
            .collect();
        self.traffic.update(&links);
        let mut metrics = vec![level(&catalogue::CONNECTIONS, links.len() as f64)];
        metrics.extend(self.traffic.metrics());
        metrics
    }
}

fn about(node: &Node) -> Vec<Metric> {
    let info = node.info();
    let role = info.role.map(|role| format!("{role:?}").to_lowercase());
    let role = role.unwrap_or_default();
    let labels = [&*info.id, &*info.version, &*role];
    let mut memory = metric(&catalogue::MEMORY);
    let bytes = info.memory.map(|bytes| Reading::Level(bytes as f64));
    memory.samples.extend(bytes.map(|bytes| sample([], bytes)));
    let is_ready = node.readiness() == Readiness::Ready;
    vec![
        Metric {
            description: &catalogue::NODE,
            samples: vec![sample(labels, Reading::Level(1.0))],
        },
        level(&catalogue::UPTIME, info.uptime),
        level(&catalogue::READY, f64::from(u8::from(is_ready))),
        memory,
    ]
}

fn lives(node: &Node, sum: &Sum) -> Vec<Metric> {
    let past = node.scheduler().past();
    let mut died = metric(&catalogue::DIED);
    let deaths = KINDS.into_iter().zip(sum.deaths());
    died.samples
        .extend(deaths.map(|(kind, deaths)| sample([kind], Reading::Count(deaths))));
    vec![
        count(&catalogue::SPAWNED, node.spawned_ports()),
        died,
        count(&catalogue::RESTARTS, past.restarts()),
        count(&catalogue::SLOW, past.slow()),
    ]
}

/// Messages and calls.
fn handled(sum: &Sum) -> [Metric; 5] {
    let mut handlers = BTreeMap::<(String, &'static str), HandlerSum>::new();
    for (number, of_type) in &sum.types {
        for (place, handler) in of_type.handlers.iter().enumerate() {
            // Two types with the same name are one.
            let of_name = handlers.entry(tally::named(*number, place)).or_default();
            of_name.add(handler);
        }
    }
    let all = [
        &catalogue::MESSAGES,
        &catalogue::HANDLER,
        &catalogue::UNWANTED,
        &catalogue::CALLS,
        &catalogue::CALL,
    ];
    let [
        mut messages,
        mut times,
        mut unwanted,
        mut calls,
        mut call_times,
    ] = all.map(metric);
    for ((name, handler), sum) in handlers.into_iter().filter(|(_, sum)| sum.handled > 0) {
        let labels = [&*name, handler];
        messages
            .samples
            .push(sample(labels, Reading::Count(sum.handled)));
        times.samples.push(sample(labels, classes(&sum.times)));
        if sum.unwanted > 0 {
            unwanted
                .samples
                .push(sample(labels, Reading::Count(sum.unwanted)));
        }
    }
    for (target, ends) in ["local", "remote"].into_iter().zip(&sum.calls) {
        for (end, sum) in CallEnd::ALL.into_iter().zip(ends) {
            let labels = [target, end.name()];
            calls
                .samples
                .push(sample(labels, Reading::Count(sum.ended)));
            if sum.ended > 0 {
                call_times.samples.push(sample(labels, classes(&sum.times)));
            }
        }
    }
    [messages, times, unwanted, calls, call_times]
}

fn executor(node: &Node) -> Vec<Metric> {
    let occupancy = node.scheduler().occupancy();
    let mut busy = metric(&catalogue::BUSY);
    for (kind, threads) in [
        ("worker", occupancy.workers),
        ("blocking", occupancy.blocking),
    ] {
        busy.samples
            .push(sample([kind], Reading::Level(threads as f64)));
    }
    let longest = occupancy.lasting.first().map(|lasting| lasting.time);
    let longest = longest.unwrap_or_default();
    vec![
        level(&catalogue::WORKERS, node.scheduler().workers() as f64),
        busy,
        level(&catalogue::WAITING, occupancy.waiting as f64),
        level(&catalogue::LONGEST, longest.as_secs_f64()),
    ]
}

/// The database, and the counts of the mesh.
fn database(node: &Node) -> Vec<Metric> {
    let (counts, families) = node.ask_database(|machine, _| (machine.counts(), machine.sizes()));
    let mut keys = metric(&catalogue::KEYS);
    keys.samples = family_samples(families.iter().map(|(name, keys)| (&**name, *keys as u64)));
    let mut reached = counts.reached;
    for (limit, times) in node.scheduler().past().limits() {
        *reached.entry(limit).or_default() += times;
    }
    let mut limits = metric(&catalogue::LIMITS);
    let reached = reached.into_iter();
    limits
        .samples
        .extend(reached.map(|(limit, times)| sample([limit], Reading::Count(times))));
    vec![
        count(&catalogue::UP, counts.up),
        count(&catalogue::LOST, counts.lost),
        level(&catalogue::STRANGERS, counts.strangers as f64),
        level(&catalogue::FAMILIES, families.len() as f64),
        keys,
        level(&catalogue::DATABASE, counts.bytes as f64),
        count(&catalogue::CHANGES, counts.changes),
        limits,
    ]
}

/// The largest families by name, and the rest together.
fn family_samples<'a>(families: impl Iterator<Item = (&'a str, u64)>) -> Vec<Sample> {
    let mut families: Vec<_> = families.collect();
    families.sort_unstable_by(|(a, of_a), (b, of_b)| (of_b, a).cmp(&(of_a, b)));
    let rest = families.split_off(families.len().min(MOST_FAMILIES));
    let named = families.into_iter();
    let named = named.map(|(name, size)| (Shown(name).to_string(), size));
    let rest = rest.into_iter().map(|(_, size)| (OTHER.to_owned(), size));
    let mut labels = BTreeMap::<String, u64>::new();
    for (label, size) in named.chain(rest) {
        // Names that are shown alike are one.
        *labels.entry(label).or_default() += size;
    }
    let labels = labels.iter();
    labels
        .map(|(label, size)| sample([&**label], Reading::Level(*size as f64)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_classes_of_times_are_paired() {
        let mut times = Times::default();
        for nanos in [1000, 2000, 4000, 5000, 16_777_216_000, u64::MAX / 2] {
            times.count(1, nanos);
        }
        let Reading::Classes { bounds, counts, .. } = classes(&times) else {
            panic!("it is a histogram");
        };
        assert_eq!((bounds.len(), counts.len()), (13, 14));
        assert_eq!((bounds[0], bounds[1]), (1e-6, 4e-6));
        assert!((bounds[12] - 16.777_216).abs() < 1e-9);
        assert_eq!((&counts[..3], &counts[12..]), (&[1, 2, 1][..], &[1, 1][..]));
    }

    /// Any node can set entries in any family.
    #[test]
    fn families_make_so_many_labels_and_no_more() {
        let names: Vec<_> = (0..1000).map(|n| format!("family\n{n}")).collect();
        let samples = family_samples(names.iter().map(|name| (name.as_str(), 2)));
        assert_eq!(samples.len(), MOST_FAMILIES + 1);
        let sum = samples.iter().map(|sample| match sample.reading {
            Reading::Level(keys) => keys,
            _ => 0.0,
        });
        assert_eq!(sum.sum::<f64>(), 2000.0);
        assert!(
            samples
                .iter()
                .all(|sample| !sample.labels[0].contains('\n'))
        );
    }
}
