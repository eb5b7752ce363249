//! Global nodes to stay connected to ([protocol](crate::protocol::global#global-nodes)).

use std::{collections::BTreeMap, time::Duration};

use aemp_codec::NodeId;

use crate::{Random, Time, deadlines::Deadlines};

/// The first delay between two attempts is between this and twice this.
const FIRST_DELAY: Duration = Duration::from_millis(600);

/// The other global nodes, with the times of the next attempts to reach those that are not connected.
#[derive(Debug)]
pub(super) struct Keep {
    nodes: BTreeMap<NodeId, Kept>,
    /// The times of the next attempts, for nodes that are not connected.
    retries: Deadlines<NodeId>,
    longest_delay: Duration,
}

#[derive(Debug)]
struct Kept {
    connected: bool,
    delay: Duration,
}

impl Keep {
    pub(super) fn new(longest_delay: Duration) -> Self {
        Self {
            nodes: BTreeMap::new(),
            retries: Deadlines::default(),
            longest_delay,
        }
    }

    pub(super) fn add(&mut self, now: Time, node: &NodeId, connected: bool) {
        if self.nodes.contains_key(node) {
            return;
        }
        let delay = Duration::ZERO;
        self.nodes.insert(node.clone(), Kept { connected, delay });
        self.retries.set(node, (!connected).then_some(now));
    }

    pub(super) fn remove(&mut self, node: &str) {
        if let Some((node, _)) = self.nodes.remove_entry(node) {
            self.retries.set(&node, None);
        }
    }

    pub(super) fn node_up(&mut self, node: &NodeId) {
        if let Some(kept) = self.nodes.get_mut(node) {
            kept.connected = true;
            self.retries.set(node, None);
        }
    }

    pub(super) fn node_down(&mut self, now: Time, node: &NodeId) {
        if let Some(kept) = self.nodes.get_mut(node) {
            kept.connected = false;
            kept.delay = Duration::ZERO;
            self.retries.set(node, Some(now));
        }
    }

    /// Returns the nodes to connect to now. The next attempts follow at growing intervals.
    pub(super) fn due(&mut self, now: Time, random: &mut Random) -> Vec<NodeId> {
        let mut due = self.retries.due(now);
        due.sort_unstable();
        for node in &due {
            let Some(kept) = self.nodes.get_mut(node) else {
                continue;
            };
            kept.delay = if kept.delay.is_zero() {
                random.between(FIRST_DELAY, 2 * FIRST_DELAY)
            } else {
                (2 * kept.delay).min(self.longest_delay)
            };
            self.retries.set(node, Some(now + kept.delay));
        }
        due
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.retries.first()
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = &NodeId> {
        self.nodes.keys()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from(Duration::from_millis(millis))
    }

    #[test]
    fn at_once_then_later_each_time_up_to_the_longest() {
        let mut random = Random::predictable(1);
        let (mut keep, node) = (Keep::new(Duration::from_secs(3)), NodeId::new("g").unwrap());
        keep.add(at(5), &node, false);
        assert_eq!(keep.deadline(), Some(at(5)));
        assert_eq!(keep.due(at(5), &mut random).len(), 1);
        let first = keep.deadline().unwrap() - at(5);
        assert!((600..=1200).contains(&first.as_millis()), "{first:?}");
        assert!(keep.due(at(5), &mut random).is_empty());
        let mut last = first;
        for _ in 0..3 {
            let now = keep.deadline().unwrap();
            keep.due(now, &mut random);
            last = keep.deadline().unwrap() - now;
        }
        assert_eq!(last, Duration::from_secs(3));
        keep.node_up(&node);
        assert_eq!(keep.deadline(), None);
        keep.node_down(at(9000), &node);
        assert_eq!(keep.due(at(9000), &mut random).len(), 1);
        keep.remove("g");
        assert_eq!((keep.deadline(), keep.nodes().count()), (None, 0));
    }
}
