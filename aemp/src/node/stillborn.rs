//! Reasons of ports whose init function has failed, kept for some seconds.
//!
//! A monitor that is set right behind a spawn may arrive when the port is dead already: a monitor from another node, or
//! one of this node, because an idle worker has run the init function before `spawn` has returned. It hears the reason
//! of the failure all the same ([protocol](aemp_proto::protocol::requests#spawning)): for spawns of this node every monitor and call does, for spawns
//! of another node the first one. Time and number of these reasons are bounded.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, MutexGuard},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Reason, lock::Lock};
use aemp_proto::weight;

/// The limits of the kept reasons. The oldest reason is dropped first.
struct Bounds {
    grace: Duration,
    ports: usize,
    /// The approximate size of all reasons together, in bytes.
    bytes: usize,
    /// The size of the largest reason, in bytes.
    largest: usize,
}

/// For each other node that spawns here.
const OTHERS: Bounds = Bounds {
    grace: Duration::from_secs(1),
    ports: 256,
    bytes: 1 << 20,
    largest: 4 << 10,
};

/// For spawns of this node itself. A program may spawn many ports before it monitors the first, and may be delayed in
/// between.
const OWN: Bounds = Bounds {
    grace: Duration::from_secs(5),
    ports: 1 << 16,
    bytes: 16 << 20,
    largest: 1 << 20,
};

pub(crate) struct Stillborn {
    bounds: &'static Bounds,
    deaths: Lock<Deaths>,
}

#[derive(Default)]
struct Deaths {
    by_name: HashMap<Arc<str>, u64>,
    /// By number, which is the order of the deaths.
    by_age: BTreeMap<u64, Death>,
    next: u64,
    bytes: usize,
}

struct Death {
    port: Arc<str>,
    reason: Reason,
    bytes: usize,
    at: Instant,
}

impl Default for Stillborn {
    /// For the ports that another node spawns.
    fn default() -> Self {
        Self::new(&OTHERS)
    }
}

impl Stillborn {
    fn new(bounds: &'static Bounds) -> Self {
        let deaths = Lock::default();
        Self { bounds, deaths }
    }

    /// For the ports that this node spawns itself.
    pub(crate) fn own() -> Self {
        Self::new(&OWN)
    }

    fn lock(&self) -> MutexGuard<'_, Deaths> {
        self.deaths.lock()
    }

    pub(crate) fn remember(&self, port: &str, reason: &Reason) {
        let bytes = reason.iter().map(weight).sum();
        if bytes > self.bounds.largest {
            return;
        }
        let at = Instant::now();
        let mut deaths = self.lock();
        deaths.forget_old(at, self.bounds);
        deaths.add(Death {
            port: port.into(),
            reason: reason.clone(),
            bytes,
            at,
        });
    }

    /// The reason, for the first question in time.
    pub(crate) fn take(&self, port: &str) -> Option<Reason> {
        let mut deaths = self.lock();
        let number = *deaths.by_name.get(port)?;
        let death = deaths.remove(number)?;
        drop(deaths);
        (death.at.elapsed() <= self.bounds.grace).then_some(death.reason)
    }

    /// The reason, for each question in time.
    pub(crate) fn get(&self, port: &str) -> Option<Reason> {
        let deaths = self.lock();
        let death = deaths.by_age.get(deaths.by_name.get(port)?)?;
        (death.at.elapsed() <= self.bounds.grace).then(|| death.reason.clone())
    }
}

impl Deaths {
    fn add(&mut self, death: Death) {
        let number = self.next;
        self.next += 1;
        self.bytes += death.bytes;
        let before = self.by_name.insert(Arc::clone(&death.port), number);
        self.by_age.insert(number, death);
        if let Some(before) = before {
            self.bury(before);
        }
    }

    fn bury(&mut self, number: u64) -> Option<Death> {
        let death = self.by_age.remove(&number)?;
        self.bytes -= death.bytes;
        Some(death)
    }

    fn remove(&mut self, number: u64) -> Option<Death> {
        let death = self.bury(number)?;
        self.by_name.remove(&death.port);
        Some(death)
    }

    /// Drops old reasons, and makes room for another.
    fn forget_old(&mut self, now: Instant, bounds: &Bounds) {
        while let Some((&number, oldest)) = self.by_age.first_key_value() {
            let full = self.by_age.len() >= bounds.ports || self.bytes > bounds.bytes;
            if !full && now.saturating_duration_since(oldest.at) <= bounds.grace {
                return;
            }
            self.remove(number);
        }
        // Both maps are empty: the memory of a burst is not kept for ever.
        self.by_name = HashMap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_request_in_time_gets_the_reason() {
        let dead = Stillborn::default();
        dead.remember("a", &Reason::die("early"));
        assert_eq!(dead.take("b"), None);
        assert_eq!(dead.take("a"), Some(Reason::die("early")));
        assert_eq!(dead.take("a"), None);
        dead.remember("c", &Reason::die("late"));
        tokio::time::advance(2 * OTHERS.grace).await;
        assert_eq!(dead.take("c"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn all_requests_in_time_get_the_reason() {
        let dead = Stillborn::own();
        dead.remember("a", &Reason::die("early"));
        assert_eq!(dead.get("a"), Some(Reason::die("early")));
        assert_eq!(dead.get("a"), Some(Reason::die("early")));
        tokio::time::advance(2 * OWN.grace).await;
        assert_eq!(dead.get("a"), None);
        dead.remember("b", &Reason::normal());
        assert_eq!(dead.lock().by_name.len(), 1, "the old are forgotten");
    }

    #[test]
    fn large_reasons_are_not_kept() {
        let dead = Stillborn::default();
        dead.remember("a", &Reason::die("x".repeat(OTHERS.largest)));
        assert_eq!(dead.take("a"), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let dead = Stillborn::default();
        for n in 0..=OTHERS.ports {
            dead.remember(&n.to_string(), &Reason::normal());
        }
        assert_eq!(dead.take("0"), None);
        assert_eq!(dead.take("1"), Some(Reason::normal()));
        let deaths = dead.lock();
        assert_eq!(deaths.by_name.len(), deaths.by_age.len());
    }

    #[test]
    fn only_so_much_is_kept() {
        let dead = Stillborn::own();
        let large = Reason::die("x".repeat(OWN.largest / 2));
        (0..100).for_each(|n| dead.remember(&n.to_string(), &large));
        assert!(dead.lock().bytes <= OWN.bytes + OWN.largest);
        assert_eq!(dead.get("0"), None);
        assert_eq!(dead.get("99"), Some(large));
    }
}
