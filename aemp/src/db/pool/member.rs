//! One member of a pool.

use std::sync::Arc;

use aemp_codec::PortId;
use tokio::sync::Notify;

use super::{
    key::hash,
    offer::{Terms, UNIT},
};

/// The step in virtual time of a member with the weight 0.001.
const STRIDE: u128 = 1 << 30;
/// The precision of a load by its weight.
const PRECISION: u128 = 1 << 20;
/// A member, as the pool keeps it.
pub(super) struct Member {
    pub(super) key: Arc<str>,
    pub(super) id: PortId,
    pub(super) hash: u64,
    pub(super) number: u64,
    pub(super) terms: Terms,
    /// True if the database has its entry.
    pub(super) listed: bool,
    /// True if this node knows that its port is ending or dead.
    pub(super) ended: bool,
    pub(super) active: bool,
    pub(super) leases: u64,
    /// The published load without the leases of this pool, in thousandths.
    pub(super) others: u64,
    pub(super) penalty: u64,
    pub(super) pass: u128,
    pub(super) round: u64,
    /// Notified when it is no longer full, if a key waits for it.
    pub(super) place: Option<Arc<Notify>>,
}

/// The present state of a member, for display.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct PoolMember {
    /// The port's ID.
    pub id: PortId,
    /// The weight that it has published, or 1.
    pub weight: f64,
    /// The calls that this pool has out there.
    pub leases: u64,
    /// Its load as this pool sees it: its leases, the load of others that it has published, and penalties for the loss of its node.
    pub load: f64,
    /// False if it drains, is ending, or has the weight 0, so that it is not chosen.
    pub takes_work: bool,
}

impl Member {
    /// A member that has just been listed, and is in no order.
    pub(super) fn new(key: &Arc<str>, id: PortId, number: u64, terms: Terms, round: u64) -> Self {
        Self {
            key: Arc::clone(key),
            id,
            hash: hash(key),
            number,
            terms,
            listed: true,
            ended: false,
            active: false,
            leases: 0,
            others: terms.load,
            penalty: 0,
            pass: 0,
            round,
            place: None,
        }
    }

    /// In thousandths.
    pub(super) fn load(&self) -> u64 {
        self.others.saturating_add(
            self.leases
                .saturating_add(self.penalty)
                .saturating_mul(UNIT.into()),
        )
    }

    /// The calls that may be out to it at once.
    pub(super) fn room(&self, default: Option<u64>) -> Option<u64> {
        match self.terms.room {
            0 => default,
            own => Some(own),
        }
    }

    pub(super) fn is_full(&self, default: Option<u64>) -> bool {
        self.room(default).is_some_and(|room| self.leases >= room)
    }

    pub(super) fn takes_work(&self) -> bool {
        self.listed && !self.ended && !self.terms.draining && self.terms.weight > 0
    }

    /// The load that it would have with one more call, in proportion to its weight.
    pub(super) fn score(&self) -> u64 {
        let load = u128::from(self.load()) + u128::from(UNIT);
        let score = load * PRECISION / u128::from(self.terms.weight.max(1));
        u64::try_from(score).unwrap_or(u64::MAX)
    }

    pub(super) fn stride(&self) -> u128 {
        STRIDE / u128::from(self.terms.weight.max(1))
    }

    pub(super) fn show(&self) -> PoolMember {
        PoolMember {
            id: self.id.clone(),
            weight: f64::from(self.terms.weight) / f64::from(UNIT),
            leases: self.leases,
            load: self.load() as f64 / f64::from(UNIT),
            takes_work: self.takes_work(),
        }
    }
}
