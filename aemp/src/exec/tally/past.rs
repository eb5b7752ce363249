//! The counts of a node that belong to no seat.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicU64, Ordering},
};

use super::{Sum, Tallies};
use crate::lock::Lock;

/// The counts of a node that belong to no seat.
#[derive(Default)]
pub(crate) struct Past {
    /// Those of seats whose threads have ended.
    pub(super) ended: Lock<Sum>,
    restarts: AtomicU64,
    slow: AtomicU64,
    limits: Lock<BTreeMap<&'static str, u64>>,
}

impl Past {
    /// Adds the counts of a seat whose thread has ended.
    pub(crate) fn add(&self, ended: &Tallies) {
        ended.add_to(&mut self.ended.lock());
    }

    pub(crate) fn restarted(&self, times: u64) {
        self.restarts.fetch_add(times, Ordering::Relaxed);
    }

    pub(crate) fn was_slow(&self) {
        self.slow.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn reached(&self, limit: &'static str) {
        *self.limits.lock().entry(limit).or_default() += 1;
    }

    /// Everything that was counted, with that of these seats.
    pub(crate) fn sum<'a>(&self, seats: impl Iterator<Item = &'a Tallies>) -> Sum {
        let mut sum = self.ended.lock().clone();
        seats.for_each(|seat| seat.add_to(&mut sum));
        sum
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn slow(&self) -> u64 {
        self.slow.load(Ordering::Relaxed)
    }

    pub(crate) fn limits(&self) -> BTreeMap<&'static str, u64> {
        self.limits.lock().clone()
    }
}
