//! Pairs of hosts that cannot reach each other.

use std::collections::BTreeSet;

use super::host::HostId;

/// A partition: packets from some hosts to some others are lost.
#[derive(Debug)]
struct Partition {
    from: BTreeSet<HostId>,
    to: BTreeSet<HostId>,
}

/// All partitions.
#[derive(Debug, Default)]
pub(super) struct Partitions(Vec<Partition>);

impl Partitions {
    pub(super) fn add(&mut self, from: &[HostId], to: &[HostId]) {
        let (from, to) = (from.iter().copied().collect(), to.iter().copied().collect());
        self.0.push(Partition { from, to });
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True if packets from one host to the other are lost. A host always reaches itself.
    pub(super) fn separate(&self, from: HostId, to: HostId) -> bool {
        let cuts = |cut: &Partition| cut.from.contains(&from) && cut.to.contains(&to);
        from != to && self.0.iter().any(cuts)
    }
}
