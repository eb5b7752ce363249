//! One address of a seed.

use std::time::Duration;

use aemp_codec::NodeId;

use super::{FIRST_DELAY, SeedFailure};
use crate::{Random, Time, peer::ConnId};

/// An address that seeds stand for, and what is known of it.
#[derive(Debug)]
pub(super) struct Place {
    /// The node that was found there last.
    pub(super) node: Option<NodeId>,
    pub(super) connected: bool,
    /// True if this node itself was found there last, and has proved it.
    pub(super) own: bool,
    /// The attempt that is under way.
    pub(super) conn: Option<ConnId>,
    /// Since when it is known.
    pub(super) listed: Time,
    /// When the first attempt began.
    pub(super) tried: Option<Time>,
    /// When the next attempt is due, the present one failing.
    pub(super) retry: Time,
    /// How long after an attempt the next one follows; nothing before the first.
    pub(super) delay: Duration,
    /// The last failure since its node was connected.
    pub(super) trouble: Option<String>,
    pub(super) failure: Option<SeedFailure>,
    /// How often its node has ended the handshake since then.
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

    /// Puts the next attempt off, longer each time.
    pub(super) fn back_off(&mut self, now: Time, longest: Duration, random: &mut Random) {
        self.delay = next_delay(self.delay, longest, random);
        self.retry = now + self.delay;
    }

    pub(super) fn is_wanted(&self) -> bool {
        self.conn.is_none() && !self.connected
    }

    /// True if it is known who is there.
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

/// The pause behind one of that length.
pub(super) fn next_delay(delay: Duration, longest: Duration, random: &mut Random) -> Duration {
    let next = if delay.is_zero() {
        random.between(FIRST_DELAY, 2 * FIRST_DELAY)
    } else {
        2 * delay
    };
    next.min(longest)
}
