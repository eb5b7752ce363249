//! The terms of a member, as it publishes them in the value of its entry.

use aemp_codec::{Map, Value};
use serde::{Deserialize, Serialize};

/// The greatest weight.
const MOST_WEIGHT: f64 = 1000.0;
/// The greatest load that counts.
const MOST_LOAD: f64 = 1e6;
/// Weights and loads are kept in thousandths.
pub(super) const UNIT: u32 = 1000;

/// The terms of a pool's member: the value of its entry. Without one, a member has the weight 1.
///
/// A member changes its terms by registering again. Any value that is a map with one of these keys has the same effect, so
/// a Perl port can set them, and a program can put them beside keys of its own (`#[serde(flatten)]`).
///
/// ```
/// use aemp::{Node, db::{Offer, Pick}, port};
///
/// struct Worker;
///
/// #[port]
/// impl Worker {
///     #[rcv] fn double(&self, n: i64) -> i64 { 2 * n }
/// }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let worker = node.port(Worker);
/// node.db_reg("workers", &worker.id(), Offer::new().weight(2.5))?;
/// let pool = node.pool::<WorkerRef>("workers")?;
/// assert_eq!(pool.members()[0].weight, 2.5);
/// node.db_reg("workers", &worker.id(), Offer::new().draining())?;
/// assert!(pool.pick(Pick::LeastLoaded).is_none());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Offer {
    weight: f64,
    load: f64,
    room: u32,
    draining: bool,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            weight: 1.0,
            load: 0.0,
            room: 0,
            draining: false,
        }
    }
}

impl Offer {
    /// The usual terms: weight 1, no load.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Its capacity in proportion to the others. Default: 1. Up to 1000; a member with the weight 0 is not chosen, and
    /// the least one that is chosen has 0.001.
    #[must_use]
    pub fn weight(mut self, weight: f64) -> Self {
        self.weight = bounded(weight, MOST_WEIGHT).unwrap_or(1.0);
        self
    }

    /// The number of calls, or of comparable pieces of work, that it has at present, those from pools included. Default: 0. Up to a million.
    #[must_use]
    pub fn load(mut self, load: f64) -> Self {
        self.load = bounded(load, MOST_LOAD).unwrap_or(0.0);
        self
    }

    /// The number of calls that each pool may have out to it at once; further ones wait at the pool. Default: 0, which stands for as many as the
    /// pool [allows](super::Pool::with_room).
    #[must_use]
    pub fn room(mut self, calls: u32) -> Self {
        self.room = calls;
        self
    }

    /// It does its work to the end, and is not chosen any more.
    #[must_use]
    pub fn draining(mut self) -> Self {
        self.draining = true;
        self
    }
}

fn bounded(number: f64, most: f64) -> Option<f64> {
    (!number.is_nan()).then(|| number.clamp(0.0, most))
}

/// The terms of a member as a pool keeps them: in integers, within their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Terms {
    /// In thousandths.
    pub(super) weight: u32,
    /// In thousandths.
    pub(super) load: u64,
    /// Zero if it has named none.
    pub(super) room: u64,
    pub(super) draining: bool,
}

impl Terms {
    /// Reads the value of an entry, as leniently as Perl would. Another node has written it.
    pub(super) fn read(value: &Value) -> Self {
        let map = value.as_map();
        let number = |key, most| bounded(number(map?.get(key)?)?, most);
        let weight = number("weight", MOST_WEIGHT).unwrap_or(1.0) * f64::from(UNIT);
        let load = number("load", MOST_LOAD).unwrap_or(0.0) * f64::from(UNIT);
        Self {
            weight: (weight.round() as u32).max(u32::from(weight > 0.0)),
            load: load.round() as u64,
            room: number("room", f64::from(u32::MAX)).unwrap_or(0.0) as u64,
            draining: map.is_some_and(is_draining),
        }
    }
}

/// The number, also if it is in a text, as Perl's numbers often are.
fn number(value: &Value) -> Option<f64> {
    let text = || value.as_str()?.trim().parse().ok();
    value.as_f64().or_else(text)
}

/// The truth of Perl: all but the empty text and zero.
fn is_draining(map: &Map) -> bool {
    let Some(value) = map.get("draining") else {
        return false;
    };
    value.text().is_none_or(|text| !matches!(&*text, "" | "0"))
}

#[cfg(test)]
mod tests {
    use aemp_codec::to_value;
    use serde_json::json;

    use super::*;

    fn read(value: impl Serialize) -> (u32, u64, u64, bool) {
        let terms = Terms::read(&to_value(&value).unwrap());
        (terms.weight, terms.load, terms.room, terms.draining)
    }

    #[test]
    fn offers_are_read_as_they_were_made() {
        assert_eq!(read(()), (1000, 0, 0, false));
        assert_eq!(read("ant"), (1000, 0, 0, false));
        assert_eq!(read(Offer::new()), (1000, 0, 0, false));
        let offer = Offer::new().weight(0.25).load(3.5);
        assert_eq!(read(offer), (250, 3500, 0, false));
        assert_eq!(read(offer.room(8).draining()), (250, 3500, 8, true));
    }

    #[test]
    fn values_of_peers_are_bounded() {
        assert_eq!(
            read(Offer::new().weight(f64::NAN).load(f64::NAN)),
            (1000, 0, 0, false)
        );
        let wild = json!({"weight": 1e300, "load": 1e300, "room": 1e300, "draining": 0});
        assert_eq!(
            read(wild),
            (1_000_000, 1_000_000_000, u64::from(u32::MAX), false)
        );
        let wild = json!({"weight": -1, "load": -5, "room": -5, "draining": [0]});
        assert_eq!(read(wild), (0, 0, 0, true));
        assert_eq!(read(json!({"weight": 1e-9})), (1, 0, 0, false));
        let text = json!({"weight": " 2.5 ", "load": "inf", "room": "3.7", "draining": "0"});
        assert_eq!(read(text), (2500, 1_000_000_000, 3, false));
        let nonsense = json!({"weight": "NaN", "load": {}, "draining": ""});
        assert_eq!(read(nonsense), (1000, 0, 0, false));
    }
}
