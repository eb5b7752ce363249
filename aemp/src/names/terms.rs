//! The terms on which a name is claimed.

use std::time::Duration;

use crate::port::bound::LONGEST;

/// The terms of a claim: the wait before it counts, and its need of the network. Made by
/// [`Terms::default`], and by these methods.
///
/// ```
/// use std::time::Duration;
/// use aemp::names::Terms;
///
/// // Two holders never live at the same time, if the global nodes stay connected.
/// let monitor_timeout = Duration::from_secs(30);
/// let strict = Terms::default().only_joined().grace(2 * monitor_timeout);
/// assert_ne!(strict, Terms::default());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    pub(super) settle: Duration,
    pub(super) grace: Option<Duration>,
    pub(super) only_joined: bool,
}

impl Default for Terms {
    /// One second to settle, a grace of twice the `connect_interval`, and no need of the network.
    fn default() -> Self {
        Self {
            settle: Duration::from_secs(1),
            grace: None,
            only_joined: false,
        }
    }
}

impl Terms {
    /// The time for which a claim must be the first that is known before it holds the name. It should be longer than
    /// the time that an entry of the database takes to reach all nodes. Default: 1 s. A node without a network does not
    /// wait.
    #[must_use]
    pub fn settle(mut self, settle: Duration) -> Self {
        self.settle = settle.min(LONGEST);
        self
    }

    /// The time that takes the place of the settle time, if it is longer, when a holder has vanished without giving the
    /// name up, because its node is lost. The holder may come back in this time. Default: twice the node's
    /// `connect_interval`.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace.min(LONGEST));
        self
    }

    /// A claim of a node that is cut off from all global nodes neither begins to hold the name nor goes on to. It has no
    /// effect on a global node, and on a node without a network.
    #[must_use]
    pub fn only_joined(mut self) -> Self {
        self.only_joined = true;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock has an end, so a time that is added to it needs one, too.
    #[test]
    fn times_without_an_end_fit_into_a_clock() {
        let terms = Terms::default().settle(Duration::MAX).grace(Duration::MAX);
        assert_eq!((terms.settle, terms.grace), (LONGEST, Some(LONGEST)));
    }
}
