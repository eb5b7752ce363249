//! The state that the clones of a pool share: the members under their lock, and the notices for those that wait.

use std::sync::{
    Arc, MutexGuard,
    atomic::{AtomicU8, Ordering},
};

use tokio::sync::Notify;

use super::{
    PoolError,
    members::{Chosen, Members},
};
use crate::{
    Node,
    db::machine::{Sink, Watching},
    guard::shielded,
    lock::Lock,
};
use aemp_proto::global::Watched;

pub(super) struct Shared {
    pub(super) node: Node,
    pub(super) crowd: Arc<Crowd>,
    /// `None` when the pool is closed.
    pub(super) watching: Lock<Option<Watching>>,
}

impl Shared {
    pub(super) fn members(&self) -> MutexGuard<'_, Members> {
        self.crowd.members.lock()
    }

    /// The port of a member is ending or dead, so its keys go to others.
    pub(super) fn ended(&self, chosen: Chosen) {
        self.members().ended(chosen);
        self.crowd.notify();
    }
}

/// The members, for the watch of the family.
pub(super) struct Crowd {
    pub(super) members: Lock<Members>,
    /// Notified when there is another choice, and at the end.
    pub(super) changed: Notify,
    /// Notified once for each place that is free again at a member whose room is limited.
    pub(super) places: Arc<Notify>,
    end: AtomicU8,
}

const OPEN: u8 = 0;
pub(super) const CLOSED: u8 = 1;
const STOPPED: u8 = 2;

impl Crowd {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            members: Lock::new(Members::new(seed)),
            changed: Notify::new(),
            places: Arc::default(),
            end: AtomicU8::new(OPEN),
        }
    }

    /// The first end counts.
    pub(super) fn end(&self, end: u8) {
        let _ = self
            .end
            .compare_exchange(OPEN, end, Ordering::AcqRel, Ordering::Acquire);
        self.notify();
    }

    /// A place is free. Those that wait for any member, and those that wait for this one, look again, one of each.
    pub(super) fn has_room(&self, place: Option<Arc<Notify>>) {
        shielded(|| self.places.notify_one());
        if let Some(place) = place {
            shielded(|| place.notify_one());
        }
    }

    pub(super) fn check(&self) -> Result<(), PoolError> {
        match self.end.load(Ordering::Acquire) {
            OPEN => Ok(()),
            CLOSED => Err(PoolError::Closed),
            _ => Err(PoolError::Stopped),
        }
    }
}

impl Sink for Crowd {
    fn close(&self) {
        self.end(STOPPED);
    }

    fn gather(&self, event: Watched) -> bool {
        self.members.lock().learn(&event)
    }

    fn notify(&self) {
        shielded(|| self.changed.notify_waiters());
    }
}
