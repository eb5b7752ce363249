//! The common parts of all machines of a world: clock, network, and the events that are due.
//!
//! One heap holds the due events, ordered by time and then by the order in which it was asked for. A machine's deadline is
//! asked for after every event of the machine. It enters the heap only if it is nearer than the one that is there. An
//! entry that is no longer true is dropped when its time comes. So a step costs the logarithm of the number of nodes,
//! and no node is looked at because time passes.

use std::{
    cmp::{Ordering, Reverse},
    collections::{BinaryHeap, VecDeque},
    time::Duration,
};

use super::{Member, Observation};
use crate::sim::{Chance, Network};
use aemp_proto::{Time, peer::ConnId};

/// One run of a node. Deadlines of earlier runs are void.
pub(super) type Life = (Member, u32);

/// A deadline.
#[derive(Clone, Copy, Debug)]
pub(super) enum Due {
    Mesh(Life),
    Link(Life, ConnId),
    /// The next monitors of a node are to fire.
    Fire(Life),
}

impl Due {
    pub(super) fn life(self) -> Life {
        match self {
            Self::Mesh(life) | Self::Link(life, _) | Self::Fire(life) => life,
        }
    }
}

pub(super) struct Core {
    pub(super) now: Time,
    pub(super) network: Network,
    pub(super) chance: Chance,
    pub(super) observations: VecDeque<Observation>,
    pub(super) fire_delay: Duration,
    pub(super) logging: bool,
    pub(super) packets: u64,
    queue: BinaryHeap<Reverse<Entry>>,
    last: u64,
}

struct Entry {
    at: Time,
    /// The order of events with the same time.
    place: u64,
    due: Due,
}

impl Core {
    pub(super) fn new(network: Network, chance: Chance) -> Self {
        Self {
            now: Time::ZERO,
            network,
            chance,
            observations: VecDeque::new(),
            fire_delay: Duration::from_millis(10),
            logging: false,
            packets: 0,
            queue: BinaryHeap::new(),
            last: 0,
        }
    }

    /// Moves the clock. No event of the network is due before that time.
    pub(super) fn set_now(&mut self, now: Time) {
        self.now = self.now.max(now);
        self.network.set_now(self.now);
    }

    pub(super) fn schedule(&mut self, at: Time, due: Due) {
        self.last += 1;
        let place = self.last;
        self.queue.push(Reverse(Entry { at, place, due }));
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        self.queue.peek().map(|Reverse(entry)| entry.at)
    }

    pub(super) fn take_due(&mut self) -> Option<Due> {
        self.queue.pop().map(|Reverse(entry)| entry.due)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.place == other.place
    }
}

impl Eq for Entry {}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.place).cmp(&(other.at, other.place))
    }
}
