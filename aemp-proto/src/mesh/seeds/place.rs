//! One address of a seed.

use std::time::Duration;

use aemp_codec::NodeId;

use super::SeedFailure;
use crate::{Random, Time, backoff::next_delay, peer::ConnId};

/// An address of a seed, and its history.
#[derive(Debug)]
pub(super) struct Place {
    /// The node that was found there last.
    pub(super) node: Option<NodeId>,
    pub(super) connected: bool,
    /// True if this node itself, with proof, was found there last.
    pub(super) own: bool,
    /// The present attempt.
    pub(super) conn: Option<ConnId>,
    /// The time since which the address is known.
    pub(super) listed: Time,
    /// The time of the first attempt.
    pub(super) tried: Option<Time>,
    /// The time of the next attempt, if the present one fails.
    pub(super) retry: Time,
    /// The time between two attempts; zero before the first.
    pub(super) delay: Duration,
    /// The last failure that was logged since its node was connected.
    pub(super) trouble: Option<String>,
    pub(super) failure: Option<SeedFailure>,
    /// The number of handshakes that its node has ended since then.
    pub(super) hung_up: u32,
}

impl Place {
    pub(super) fn new(now: Time) -> Self {
        Self {
            node: None,
            connected: false,
            own: false,
            conn: None,
            listed: now,
            tried: None,
            retry: now,
            delay: Duration::ZERO,
            trouble: None,
            failure: None,
            hung_up: 0,
        }
    }

    /// Delays the next attempt, longer each time.
    pub(super) fn back_off(&mut self, now: Time, longest: Duration, random: &mut Random) {
        self.delay = next_delay(self.delay, longest, random);
        self.retry = now + self.delay;
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.conn.is_none() && !self.connected
    }

    /// True if the node at the address is known.
    pub(super) fn is_settled(&self) -> bool {
        self.own || self.connected || self.node.is_some()
    }

    pub(super) fn up(&mut self) {
        self.connected = true;
        (self.trouble, self.failure) = (None, None);
        self.hung_up = 0;
    }

    pub(super) fn down(
        &mut self,
        now: Time,
        lived: Duration,
        longest: Duration,
        random: &mut Random,
    ) {
        self.connected = false;
        if lived > self.delay {
            self.delay = Duration::ZERO;
            self.retry = now;
        } else {
            self.back_off(now, longest, random);
        }
    }
}
