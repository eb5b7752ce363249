//! One configured seed, and its rounds of attempts.

use std::time::Duration;

use super::{MOST_ADDRESSES, SeedFailure, SeedFailureKind, place::next_delay};
use crate::{Random, Time};

/// A look-up of a seed's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LookUpId(pub u64);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It is dialled as it is.
    Address,
    /// It is looked up again and again.
    Name,
}

/// How far a seed is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Round {
    /// It is looked up at that time, or when the next attempt is due at one of its addresses.
    Resting(Time),
    /// It is being looked up, until then.
    LookingUp(LookUpId, Time),
}

#[derive(Debug)]
pub(super) struct Source {
    pub(super) kind: Kind,
    pub(super) begun: Time,
    pub(super) round: Round,
    /// Its addresses.
    pub(super) addresses: Vec<String>,
    /// The result of the last look-up.
    answer: Option<Result<(), SeedFailure>>,
    /// How long after a look-up that has failed the next one follows.
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

    /// True if nothing is known of what it stands for.
    pub(super) fn is_unknown(&self) -> bool {
        self.kind == Kind::Name && self.answer.is_none()
    }

    /// Why nothing is known of what it stands for.
    pub(super) fn failure(&self) -> Option<&SeedFailure> {
        self.answer.as_ref()?.as_ref().err()
    }

    /// A look-up has succeeded: what it has found, as far as it counts.
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

    /// A look-up has failed; whether that is news.
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
