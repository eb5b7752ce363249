//! Attempts to reach a node ([protocol](crate::protocol::connections#connecting-on-demand)).

use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

use aemp_codec::NodeId;

use crate::{Random, Time, peer::ConnId};

/// The shortest time between attempts at two addresses of a node.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(400);

/// The largest number of addresses of a node that are tried. More could not be tried within `monitor_timeout`.
const MOST_ADDRESSES: usize = 70;

/// A way to reach a node.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// The address (`host:port`) of a listener.
    Address(String),
    /// A node that passes on a connection.
    Relay(NodeId),
}

/// An attempt to reach a node.
///
/// It fails at its deadline, even if all addresses have failed earlier. So a node that is sent to again and again is
/// attempted only every few seconds, as in the reference.
#[derive(Debug)]
pub(super) struct Dial {
    ways: VecDeque<Way>,
    /// All ways so far.
    known: BTreeSet<Way>,
    trying: BTreeSet<ConnId>,
    interval: Duration,
    next: Time,
    deadline: Time,
    patience: Duration,
}

impl Dial {
    /// Creates an attempt, which waits for addresses for `connect_interval`.
    pub(super) fn new(now: Time, connect_interval: Duration) -> Self {
        Self {
            ways: VecDeque::new(),
            known: BTreeSet::new(),
            trying: BTreeSet::new(),
            interval: connect_interval,
            next: now,
            deadline: now + connect_interval,
            patience: connect_interval,
        }
    }

    /// Adds the new ones of these ways behind the others. All of them are tried within `monitor_timeout`, if possible.
    pub(super) fn learn(
        &mut self,
        now: Time,
        ways: impl IntoIterator<Item = Way>,
        monitor_timeout: Duration,
    ) {
        let first = self.known.is_empty();
        for way in ways {
            if self.known.len() < MOST_ADDRESSES && self.known.insert(way.clone()) {
                self.ways.push_back(way);
            }
        }
        let count = u32::try_from(self.ways.len()).unwrap_or(u32::MAX);
        if count == 0 {
            return;
        }
        let share = monitor_timeout.saturating_sub(self.patience) / count;
        self.interval = share.min(self.patience).max(SHORTEST_INTERVAL);
        if first {
            self.next = now;
        }
    }

    /// True if the attempt knows no way.
    pub(super) fn is_lost(&self) -> bool {
        self.known.is_empty()
    }

    /// Returns the next way if it is due: when the interval is over, or all earlier attempts have failed.
    pub(super) fn due(&mut self, now: Time, random: &mut Random) -> Option<Way> {
        if self.next > now && !self.trying.is_empty() {
            return None;
        }
        let way = self.ways.pop_front()?;
        self.next = now + random.between(self.interval.mul_f64(0.9), self.interval);
        self.deadline = self.deadline.max(now + self.patience);
        Some(way)
    }

    pub(super) fn trying(&mut self, conn: ConnId) {
        self.trying.insert(conn);
    }

    pub(super) fn failed(&mut self, conn: ConnId) {
        self.trying.remove(&conn);
    }

    /// True if the attempt has failed.
    pub(super) fn is_over(&self, now: Time) -> bool {
        self.ways.is_empty() && self.deadline <= now
    }

    pub(super) fn deadline(&self) -> Time {
        if self.ways.is_empty() {
            self.deadline
        } else {
            self.next
        }
    }

    /// The connections that are being tried.
    pub(super) fn into_trying(self) -> BTreeSet<ConnId> {
        self.trying
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(2);
    const MONITOR: Duration = Duration::from_secs(30);

    fn at(millis: u64) -> Time {
        Time::from(Duration::from_millis(millis))
    }

    fn addresses(count: usize) -> impl Iterator<Item = Way> {
        (0..count).map(|i| Way::Address(format!("host:{i}")))
    }

    fn host(number: usize) -> Option<Way> {
        addresses(number + 1).last()
    }

    #[test]
    fn without_an_address_it_fails_after_the_interval() {
        let mut dial = Dial::new(at(0), INTERVAL);
        assert_eq!(dial.due(at(0), &mut Random::predictable(1)), None);
        assert_eq!(dial.deadline(), at(2000));
        assert!(!dial.is_over(at(1999)) && dial.is_over(at(2000)));
    }

    #[test]
    fn addresses_are_tried_in_turn_and_earlier_attempts_go_on() {
        let mut random = Random::predictable(1);
        let mut dial = Dial::new(at(0), INTERVAL);
        dial.learn(at(100), addresses(2), MONITOR);
        assert_eq!(dial.due(at(100), &mut random), host(0));
        dial.trying(ConnId(1));
        assert_eq!(dial.due(at(100), &mut random), None);
        let next = dial.deadline();
        assert!(at(1900) <= next && next <= at(2100), "{next:?}");
        assert_eq!(dial.due(next, &mut random), host(1));
        assert_eq!(dial.deadline(), next + INTERVAL);
        assert!(!dial.is_over(at(2100)) && dial.is_over(next + INTERVAL));
    }

    #[test]
    fn a_refused_address_makes_room_for_the_next_at_once() {
        let mut random = Random::predictable(1);
        let mut dial = Dial::new(at(0), INTERVAL);
        dial.learn(at(0), addresses(2), MONITOR);
        dial.due(at(0), &mut random);
        dial.trying(ConnId(1));
        dial.failed(ConnId(1));
        assert_eq!(dial.due(at(1), &mut random), host(1));
        dial.trying(ConnId(2));
        dial.failed(ConnId(2));
        assert!(!dial.is_over(at(1999)) && dial.is_over(at(2001)));
    }

    #[test]
    fn addresses_that_come_later_are_tried_as_well() {
        let mut random = Random::predictable(1);
        let mut dial = Dial::new(at(0), INTERVAL);
        assert!(dial.is_lost());
        dial.learn(at(0), addresses(1), MONITOR);
        assert!(!dial.is_lost());
        dial.due(at(0), &mut random);
        dial.trying(ConnId(1));
        dial.learn(at(10), addresses(2), MONITOR);
        assert_eq!(dial.due(at(10), &mut random), None);
        dial.failed(ConnId(1));
        assert_eq!(dial.due(at(11), &mut random), host(1));
        assert_eq!(dial.due(at(11), &mut random), None);
    }

    #[test]
    fn many_addresses_are_tried_faster() {
        let interval = |count| {
            let mut dial = Dial::new(at(0), INTERVAL);
            dial.learn(at(0), addresses(count), MONITOR);
            dial.interval
        };
        assert_eq!(interval(14), INTERVAL);
        assert_eq!(interval(28), Duration::from_secs(1));
        assert_eq!(interval(1000), SHORTEST_INTERVAL);
        let mut dial = Dial::new(at(0), INTERVAL);
        dial.learn(at(0), addresses(1000), MONITOR);
        assert_eq!(dial.ways.len(), MOST_ADDRESSES);
    }
}
