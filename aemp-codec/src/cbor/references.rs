//! The targets of the references of one packet, by their places.

use std::ops::Range;

/// The references of one packet.
#[derive(Debug, Default)]
pub(super) struct References {
    /// In the order of their places: the place of a reference, and its target; `None` if the target contains the
    /// reference.
    targets: Vec<(usize, Option<Range<usize>>)>,
}

impl References {
    /// Notes the target of the reference whose tag is at `at`. The caller goes through the packet in order.
    pub(super) fn note(&mut self, at: usize, target: Option<Range<usize>>) {
        self.targets.push((at, target));
    }

    /// The target of the reference whose tag is at this place. The inner `None` stands for a target that contains the
    /// reference.
    pub(super) fn target(&self, at: usize) -> Option<Option<Range<usize>>> {
        let found = self.targets.binary_search_by_key(&at, |(at, _)| *at);
        found.ok().map(|i| self.targets[i].1.clone())
    }
}
