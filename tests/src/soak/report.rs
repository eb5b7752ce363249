//! The results of an attack.

use std::fmt;

use super::Scenario;

/// The times of calls, in microseconds.
#[derive(Clone, Debug, Default)]
pub struct Latency(Vec<u32>);

impl Latency {
    pub(super) fn add(&mut self, microseconds: u64) {
        self.0.push(u32::try_from(microseconds).unwrap_or(u32::MAX));
    }

    pub(super) fn join(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The number of calls.
    #[must_use]
    pub fn calls(&self) -> usize {
        self.0.len()
    }

    /// The longest time within the fastest part of the calls. The part is between 0 and 1.
    #[must_use]
    pub fn within(&self, part: f64) -> u32 {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let place = (sorted.len() as f64 * part) as usize;
        sorted
            .get(place.min(sorted.len().saturating_sub(1)))
            .copied()
            .unwrap_or(0)
    }
}

/// The result of one scenario.
#[derive(Debug)]
pub struct Outcome {
    /// The scenario.
    pub scenario: Scenario,
    /// Calls of friends while there was no attack.
    pub calm: Latency,
    /// Calls of friends while the decoy, an unused node on the same machine, was attacked.
    pub beside: Latency,
    /// Calls of friends under attack.
    pub attacked: Latency,
    /// The largest growth of the victim's memory, in bytes.
    pub grown: u64,
    /// The memory before the first attack, and after the last.
    pub memory: (u64, u64),
    /// The blows of the attacker per second.
    pub blows: f64,
    /// Numbered messages that went both ways.
    pub messages: u64,
    /// The longest time that a newcomer had to wait, in milliseconds.
    pub newcomer: u128,
    /// The victim's processor time under attack, divided by the length of the attack.
    pub processor: f64,
    /// Lines that the victim has logged.
    pub lines: usize,
    /// The faults, in words; none if all is well.
    pub faults: Vec<String>,
}

impl Outcome {
    /// The factors by which calls took longer under attack than without one: of the median, and of the 99th percentile.
    #[must_use]
    pub fn to_calm(&self) -> [f64; 2] {
        self.to(&self.calm)
    }

    /// By how much calls took longer than while the decoy was attacked on the same machine.
    #[must_use]
    pub fn to_beside(&self) -> [f64; 2] {
        self.to(&self.beside)
    }

    fn to(&self, other: &Latency) -> [f64; 2] {
        [0.5, 0.99].map(|part| {
            f64::from(self.attacked.within(part)) / f64::from(other.within(part).max(1))
        })
    }

    /// A row of the table in BENCHMARKS.md.
    #[must_use]
    pub fn row(&self) -> String {
        let ([calm, _], [beside, most]) = (self.to_calm(), self.to_beside());
        let Scenario {
            name, what, memory, ..
        } = self.scenario;
        format!(
            "| `{name}`: {what} | {:.0} | {} | {} ({memory}) | {} | {} | {} | {} | {calm:.2}x | {beside:.2}x, {most:.2}x | {} | {} | {} |",
            self.blows,
            self.memory.0 >> 20,
            self.grown >> 20,
            self.memory.1 >> 20,
            self.calm,
            self.beside,
            self.attacked,
            self.newcomer,
            self.messages,
            self.faults.len(),
        )
    }

    /// The head of that table.
    pub const HEAD: &str = "| attack | blows per second | memory before, MiB | grown (bound) | after | calls in calm, us | beside | under attack | to calm | to beside | slowest newcomer, ms | numbered messages | faults |\n\
        | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";
}

/// The median, and the time within which 99 % were done.
impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.within(0.5), self.within(0.99))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([calm, _], [beside, most]) = (self.to_calm(), self.to_beside());
        write!(
            f,
            "{:<14} {:>8.0}/s +{:>3} MiB of {:<4} calls {} | {} | {} us ({calm:.2}x calm, {beside:.2}x {most:.2}x beside) \
             newcomer {} ms, cpu {:.2}, {} messages, {} log lines",
            self.scenario.name,
            self.blows,
            self.grown >> 20,
            self.scenario.memory,
            self.calm,
            self.beside,
            self.attacked,
            self.newcomer,
            self.processor,
            self.messages,
            self.lines,
        )?;
        self.faults
            .iter()
            .try_for_each(|fault| write!(f, "\n    FAULT: {fault}"))
    }
}
