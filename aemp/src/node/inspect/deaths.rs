//! The last deaths of ports, with their reasons.
//!
//! An operator comes after the fact, so deaths are recorded at all times, and not only while an observer asks. A normal end has
//! nothing to explain and may be as frequent as messages, so it is not recorded, and costs one branch. Any other death
//! costs a clock, a lock of the node that is held for some instructions, and a few words in a ring.
//!
//! Alternative: a ring for each thread would need no common lock. Threads that kill ports by the thousand meet in the table of ports anyway.
//!
//! Dangers: a reason may be as large as a packet, and would stay here. So a large one is kept as its kind and the beginning of its text.

use std::{collections::VecDeque, sync::Arc};

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{PortInfo, ports::shown};
use crate::{
    Node, Reason,
    lock::Lock,
    port::any::{AnyPort, Counts},
};

/// The number of deaths that are remembered.
const MOST: usize = 256;

/// The last deaths of a node's ports, the last one first.
///
/// # Semantics
///
/// The node records each port that dies of a reason, from its own start on. Ports that end normally, and ports of waiting calls, are not
/// recorded. A supervised port counts like any other.
///
/// # Limits
///
/// The last 256 deaths are kept. Of a reason of more than a kilobyte, the kind and the beginning of the text are.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct Deaths {
    /// The number of deaths since the node's start.
    pub total: u64,
    /// The last of them.
    pub deaths: Vec<DeathInfo>,
}

/// The death of a port.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct DeathInfo {
    /// The ID of the port.
    pub port: String,
    /// The type of the port's state, or `untyped`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The time since the death, in seconds.
    pub ago: f64,
    /// The reason.
    pub reason: Reason,
}

/// A port of a node, alive or dead. Both parts are `None` if it has ended normally, or is none of the remembered deaths, or
/// has never been there.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct PortFate {
    /// The port, if it is alive.
    pub alive: Option<PortInfo>,
    /// Its death, if the node remembers it.
    pub died: Option<DeathInfo>,
}

/// The deaths that a node remembers, the last one at the end.
#[derive(Debug, Default)]
pub(in crate::node) struct Remembered(Lock<Ring>);

#[derive(Debug, Default)]
struct Ring {
    total: u64,
    deaths: VecDeque<Death>,
}

/// The least that is needed to tell of a death.
#[derive(Clone, Debug)]
struct Death {
    number: u64,
    /// The name that another node has chosen.
    name: Option<Box<str>>,
    kind: &'static str,
    at: Instant,
    reason: Reason,
}

impl Remembered {
    fn add(&self, death: Death) {
        let mut ring = self.0.lock();
        ring.total += 1;
        let oldest = (ring.deaths.len() == MOST).then(|| ring.deaths.pop_front());
        ring.deaths.push_back(death);
        drop(ring);
        drop(oldest);
    }

    /// At most so many deaths that this accepts, the last one first, and the number of all.
    fn last(&self, most: usize, wanted: impl Fn(&Death) -> bool) -> (u64, Vec<Death>) {
        let ring = self.0.lock();
        let deaths = ring.deaths.iter().rev().filter(|death| wanted(death));
        (ring.total, deaths.take(most).cloned().collect())
    }
}

impl Node {
    /// Records the death of a port of a reason. To be called when it has begun to die, before its monitors fire.
    #[cold]
    pub(crate) fn record_death(&self, port: &dyn AnyPort, reason: &Reason) {
        self.0.inspection.deaths.add(Death {
            number: port.number(),
            name: port.spawned_name(),
            kind: port.type_name(),
            at: Instant::now(),
            reason: reason.brief(),
        });
    }

    pub(super) fn last_deaths(&self, most: usize) -> Deaths {
        let (total, deaths) = self.0.inspection.deaths.last(most, |_| true);
        let deaths = deaths.iter().map(|death| self.told(death)).collect();
        Deaths { total, deaths }
    }

    /// The fate of the port of this name.
    pub(super) fn fate(&self, name: &str) -> PortFate {
        let found = self
            .find(name)
            .and_then(|port| Some((port.counts()?, port)));
        if let Some((counts, port)) = found {
            let alive = Some(info(counts, &port));
            return PortFate { alive, died: None };
        }
        let number = self.0.ports.names.number(name);
        let (_, deaths) = self.0.inspection.deaths.last(1, |death| match &death.name {
            Some(own) => **own == *name,
            None => number == Some(death.number),
        });
        PortFate {
            alive: None,
            died: deaths.first().map(|death| self.told(death)),
        }
    }

    fn told(&self, death: &Death) -> DeathInfo {
        let port = self.port_id_of(death.number, death.name.as_deref());
        DeathInfo {
            port: port.as_str().into(),
            kind: shown(death.kind),
            ago: death.at.elapsed().as_secs_f64(),
            reason: death.reason.clone(),
        }
    }
}

/// The details of a live port.
pub(super) fn info(counts: Counts, port: &Arc<dyn AnyPort>) -> PortInfo {
    PortInfo {
        id: port.port_id().as_str().into(),
        kind: shown(port.type_name()),
        queued: counts.queued as u64,
        monitors: counts.monitors as u64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn death(number: u64) -> Death {
        Death {
            number,
            name: None,
            kind: "a",
            at: Instant::now(),
            reason: Reason::die("x"),
        }
    }

    #[test]
    fn the_last_ones_are_remembered() {
        let remembered = Remembered::default();
        (0..MOST as u64 + 9).for_each(|number| remembered.add(death(number)));
        let (total, last) = remembered.last(usize::MAX, |_| true);
        assert_eq!((total, last.len()), (MOST as u64 + 9, MOST));
        assert_eq!(
            (last[0].number, last[MOST - 1].number),
            (MOST as u64 + 8, 9)
        );
        assert_eq!(remembered.last(2, |_| true).1.len(), 2);
        let (_, found) = remembered.last(1, |death| death.number == 100);
        assert_eq!(found[0].number, 100);
    }
}
