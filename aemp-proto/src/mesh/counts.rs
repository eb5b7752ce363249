//! Counts for metrics. Each is an addition where something rare happens, or is made on demand.

use std::collections::BTreeMap;

use super::{Mesh, Peers};

/// The counts of a node, since its start.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// The nodes that have come up.
    pub up: u64,
    /// The nodes that were lost.
    pub lost: u64,
    /// The present connections without a proof.
    pub strangers: usize,
    /// The changes of the database that this node has seen: of all entries on a global node, otherwise of its own.
    pub changes: u64,
    /// The memory of all entries, in bytes, on a global node.
    pub bytes: u64,
    /// The number of times that each limit was reached.
    pub reached: BTreeMap<&'static str, u64>,
}

impl<P: Peers> Mesh<P> {
    /// The counts of this node.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let mut counts = Counts {
            up: self.ups,
            lost: self.losses,
            strangers: self.strangers.len(),
            changes: self.global.changes(),
            bytes: self.global.bytes(),
            reached: BTreeMap::new(),
        };
        for (limit, times) in self.notices.reached().chain(self.global.reached()) {
            *counts.reached.entry(limit).or_default() += times;
        }
        counts
    }
}
