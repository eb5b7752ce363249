//! One configured seed, and its rounds of attempts.

use std::time::Duration;

use super::{MOST_ADDRESSES, SeedFailure, SeedFailureKind};
use crate::{Random, Time, backoff::next_delay};

/// The ID of a look-up of a seed's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookUpId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An address, which is dialled as it is.
    Address,
    /// A name, which is looked up for each round.
    Name,
}

/// The progress of a seed's round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// It rests until this time, or until the next attempt at one of its addresses is due.
    Resting(Time),
    /// It is being looked up. The time is the deadline.
    LookingUp(LookUpId, Time),
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) begun: Time,
    pub(super) round: Round,
    /// The addresses that the seed stands for.
    pub(super) addresses: Vec<String>,
    /// The result of the last look-up.
    answer: Option<Result<(), SeedFailure>>,
    /// The time between a failed look-up and the next one.
    delay: Duration,
}

impl Source {
    pub(super) fn new(kind: Kind, now: Time) -> Self {
        Self {
            kind,
            begun: now,
            round: Round::Resting(now),
            addresses: Vec::new(),
            answer: None,
            delay: Duration::ZERO,
        }
    }

    pub(super) fn is_resting(&self) -> bool {
        matches!(self.round, Round::Resting(_))
    }

    pub(super) fn lists(&self, address: &str) -> bool {
        self.addresses.iter().any(|other| other == address)
    }

    /// True if this is a name whose first look-up has not ended.
    pub(super) fn is_unknown(&self) -> bool {
        self.kind == Kind::Name && self.answer.is_none()
    }

    /// The failure because of which no address is known.
    pub(super) fn failure(&self) -> Option<&SeedFailure> {
        self.answer.as_ref()?.as_ref().err()
    }

    /// Takes the result of a successful look-up. Returns the addresses that count.
    pub(super) fn found(&mut self, now: Time, found: Vec<String>, pause: Duration) -> Vec<String> {
        self.answer = Some(Ok(()));
        self.delay = Duration::ZERO;
        self.round = Round::Resting(now + pause);
        let mut addresses: Vec<String> = Vec::new();
        for address in found {
            if addresses.len() < MOST_ADDRESSES && !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        addresses
    }

    /// Takes the failure of a look-up. Returns true if it is news.
    pub(super) fn not_found(
        &mut self,
        now: Time,
        text: &str,
        longest: Duration,
        random: &mut Random,
    ) -> bool {
        self.delay = next_delay(self.delay, longest, random);
        self.round = Round::Resting(now + self.delay);
        let (kind, text) = (SeedFailureKind::Unreachable, text.into());
        let failure = SeedFailure { kind, text };
        let news = self.failure() != Some(&failure);
        self.answer = Some(Err(failure));
        news
    }
}
