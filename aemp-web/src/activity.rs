//! The activity of a node: rates and times, from the differences of its counts.
//!
//! A node reports counts that only grow, and the times of its handlers as histograms. Kept are the counts of three times: the last, one of
//! five to ten seconds before, from which rates and times are computed, and one between, which is the next to compute from.
//! So rates follow the network within seconds, and a slow handler is seen for some.
//!
//! A node may report anything. Names are cut, lists are bounded, sums do not overflow, and a histogram that is none has no
//! quantiles. Counts that shrink are those of a node that has started again.

mod histogram;

use std::collections::{BTreeMap, VecDeque};

use aemp::inspect::{Counts, HandlerCounts, TypeCounts};
use serde::Serialize;

pub use self::histogram::Histogram;
use crate::text::sum;

/// The least time from which rates are computed, once it is over, in seconds.
const WINDOW: f64 = 5.0;
/// The numbers of types, of handlers, and of kinds of reasons, outcomes and limits that are taken from an answer.
const TYPES: usize = 300;
const HANDLERS: usize = 1000;
/// The number of running handlers that are taken from an answer.
const RUNNING: usize = 64;
const KINDS: usize = 20;
/// The longest name, in characters.
const LONGEST: usize = 200;

/// The activity of one node, or of several together.
#[derive(Clone, Debug, Default)]
pub struct Activity {
    /// The counts at some times in seconds, the oldest first.
    counts: VecDeque<(f64, Counts)>,
    /// The port types, by name.
    pub types: BTreeMap<String, OfType>,
    /// The reason why there are no counts.
    pub failure: Option<String>,
}

/// The activity of the ports of one type.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfType {
    /// The number of ports that have died, by the kind of the reason.
    pub died: BTreeMap<String, u64>,
    /// The handlers, by name.
    pub handlers: BTreeMap<String, OfHandler>,
}

/// The activity of one handler.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OfHandler {
    /// The number of messages since the node counts.
    pub handled: u64,
    /// The messages per second.
    pub rate: f64,
    /// The times of the handler in the last seconds.
    pub times: Histogram,
    /// The calls of the handler.
    pub calls: OfCalls,
}

/// The calls of one handler.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct OfCalls {
    /// The number of calls since the calling nodes count, by outcome.
    pub ended: BTreeMap<String, u64>,
    /// The calls per second.
    pub rate: f64,
    /// The failed calls per second.
    pub failing: f64,
    /// The times of the calls in the last seconds.
    #[serde(skip)]
    pub times: Histogram,
}

impl OfCalls {
    /// The number of calls that have ended otherwise than by an answer.
    pub fn failed(&self) -> u64 {
        failed(&self.ended)
    }
}

fn failed(ended: &BTreeMap<String, u64>) -> u64 {
    let failed = ended.iter().filter(|(end, _)| *end != "answered");
    sum(failed.map(|(_, ended)| *ended))
}

impl Activity {
    /// The activity of a node of which nothing is known.
    pub const NOTHING: Self = Self {
        counts: VecDeque::new(),
        types: BTreeMap::new(),
        failure: None,
    };

    /// The last counts.
    pub fn last(&self) -> Option<&Counts> {
        self.counts.back().map(|(_, counts)| counts)
    }

    /// Takes an answer, which came at this time in seconds.
    pub fn add(&mut self, at: f64, answer: Result<Counts, String>) {
        let counts = match answer {
            Ok(counts) => bounded(counts),
            Err(failure) => {
                *self = Self {
                    failure: Some(failure),
                    ..Self::default()
                };
                return;
            }
        };
        if self.last().is_some_and(|last| counts.uptime < last.uptime) {
            self.counts.clear();
        }
        if let (3, Some((middle, _))) = (self.counts.len(), self.counts.get(1)) {
            if at - middle >= WINDOW {
                self.counts.pop_front();
            } else {
                self.counts.pop_back();
            }
        }
        self.counts.push_back((at, counts));
        self.failure = None;
        self.types = self.compute();
    }

    /// The activity from the first of the kept counts to the last.
    fn compute(&self) -> BTreeMap<String, OfType> {
        let (Some((from, before)), Some((to, now))) = (self.counts.front(), self.counts.back())
        else {
            return BTreeMap::new();
        };
        let (seconds, bounds) = (to - from, &now.bounds);
        let listed = before.types.iter().map(|of| of.handlers.len() as u64);
        let is_whole = listed.sum::<u64>() >= before.total;
        let before: BTreeMap<&str, &TypeCounts> =
            before.types.iter().map(|of| (&*of.kind, of)).collect();
        let types = now.types.iter().map(|of| {
            let before = before.get(&*of.kind).copied();
            let handlers = of.handlers.iter().map(|now| {
                let mut known = before.into_iter().flat_map(|before| &before.handlers);
                let before = known.find(|before| before.name == now.name);
                // One that was not listed has counted nothing, unless the list was not whole.
                let nothing = HandlerCounts::default();
                let before = before.unwrap_or(if is_whole { &nothing } else { now });
                let of = of_handler(before, now, seconds, bounds);
                (now.name.clone(), of)
            });
            let of_type = OfType {
                handlers: handlers.collect(),
                died: of.died.clone(),
            };
            (of.kind.clone(), of_type)
        });
        types.collect()
    }

    /// Adds the activity of another node.
    pub fn merge(&mut self, other: &Self) {
        for (kind, more) in &other.types {
            let of_type = entry(&mut self.types, kind);
            add_up(&mut of_type.died, &more.died);
            for (name, more) in &more.handlers {
                entry(&mut of_type.handlers, name).merge(more);
            }
        }
    }

    /// The number of ports that have died, other than normally or with their node.
    pub fn died(&self) -> u64 {
        sum(self.types.values().map(OfType::failed))
    }
}

impl OfType {
    /// The number of ports that have died, other than normally or with their node.
    pub fn failed(&self) -> u64 {
        let kinds = self.died.iter();
        sum(kinds
            .filter(|(kind, _)| !["normal", "shutdown"].contains(&kind.as_str()))
            .map(|(_, died)| *died))
    }

    /// The messages per second, and their times.
    pub fn messages(&self) -> (f64, Histogram) {
        let mut all = (0.0, Histogram::default());
        for handler in self.handlers.values() {
            all.0 += handler.rate;
            all.1.merge(&handler.times);
        }
        all
    }
}

impl OfHandler {
    fn merge(&mut self, other: &Self) {
        self.handled = self.handled.saturating_add(other.handled);
        self.rate += other.rate;
        self.times.merge(&other.times);
        add_up(&mut self.calls.ended, &other.calls.ended);
        self.calls.rate += other.calls.rate;
        self.calls.failing += other.calls.failing;
        self.calls.times.merge(&other.calls.times);
    }
}

/// The value of a key, which mostly is there.
fn entry<'a, T: Default>(map: &'a mut BTreeMap<String, T>, key: &str) -> &'a mut T {
    if !map.contains_key(key) {
        map.insert(key.into(), T::default());
    }
    map.get_mut(key).expect("it has just been put there")
}

fn add_up(sums: &mut BTreeMap<String, u64>, more: &BTreeMap<String, u64>) {
    for (kind, more) in more {
        let sum = entry(sums, kind);
        *sum = sum.saturating_add(*more);
    }
}

fn of_handler(
    before: &HandlerCounts,
    now: &HandlerCounts,
    seconds: f64,
    bounds: &[f64],
) -> OfHandler {
    let rate = |before: u64, now: u64| match seconds > 0.0 {
        true => now.saturating_sub(before) as f64 / seconds,
        false => 0.0,
    };
    let (calls_before, calls) = (&before.calls, &now.calls);
    let all = |ended: &BTreeMap<String, u64>| sum(ended.values().copied());
    let between = |before, now| match seconds > 0.0 {
        true => Histogram::between(before, now, bounds),
        false => Histogram::default(),
    };
    OfHandler {
        handled: now.handled,
        rate: rate(before.handled, now.handled),
        times: between(&before.times, &now.times),
        calls: OfCalls {
            ended: calls.ended.clone(),
            rate: rate(all(&calls_before.ended), all(&calls.ended)),
            failing: rate(failed(&calls_before.ended), failed(&calls.ended)),
            times: between(&calls_before.times, &calls.times),
        },
    }
}

/// An answer, without names and lists that are longer than those of an honest one.
fn bounded(mut counts: Counts) -> Counts {
    counts.types.truncate(TYPES);
    counts.limits = few(counts.limits);
    counts.bounds.truncate(histogram::CLASSES);
    if let Some(executor) = &mut counts.executor {
        executor.running.truncate(RUNNING);
        for running in &mut executor.running {
            [&mut running.kind, &mut running.handler]
                .into_iter()
                .for_each(cut);
        }
    }
    let mut left = HANDLERS;
    for of_type in &mut counts.types {
        cut(&mut of_type.kind);
        of_type.died = few(std::mem::take(&mut of_type.died));
        of_type.handlers.truncate(left);
        left -= of_type.handlers.len();
        for handler in &mut of_type.handlers {
            cut(&mut handler.name);
            handler.times.classes.truncate(histogram::CLASSES);
            handler.calls.times.classes.truncate(histogram::CLASSES);
            handler.calls.ended = few(std::mem::take(&mut handler.calls.ended));
        }
    }
    counts
}

fn few(counts: BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let few = counts.into_iter().take(KINDS).map(|(mut kind, count)| {
        cut(&mut kind);
        (kind, count)
    });
    few.collect()
}

fn cut(name: &mut String) {
    if let Some((end, _)) = name.char_indices().nth(LONGEST) {
        name.truncate(end);
    }
}

/// The name of a port type without the arguments of a generic type, under which it is counted.
pub fn bare(kind: &str) -> &str {
    kind.split('<').next().unwrap_or(kind)
}

#[cfg(test)]
mod tests;
