//! The name of a host in calls of the network.

/// A host of a [`Network`](super::Network).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostId(u32);

impl HostId {
    pub(super) fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its place among all hosts.
    pub(super) fn index(self) -> usize {
        self.0 as usize
    }
}
