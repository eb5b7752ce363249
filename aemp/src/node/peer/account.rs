//! The costs that another node causes here, besides the bytes that are queued for it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::Peer;
use crate::{lock::Lock, node::stillborn::Stillborn};
use aemp_proto::{Time, limits::Budget};

/// The number of questions of one node about our ports that may wait.
const MOST_QUESTIONS: usize = 8;
/// The number of lines about invalid requests of one node that may be logged per second.
const COMPLAINTS: usize = 20;
/// The time for which the same trouble is not logged again.
const PAUSE: Duration = Duration::from_secs(10);

/// The costs of one node. The account outlives the node's connections for as long as anything of the node is left.
#[derive(Default)]
pub(crate) struct Account {
    budget: Lock<Option<Budget>>,
    told: Lock<BTreeMap<&'static str, Instant>>,
    complaints: Lock<Option<(Instant, Budget)>>,
    /// The number of live ports that the node has spawned.
    spawned: AtomicUsize,
    questions: AtomicUsize,
    pub(crate) stillborn: Stillborn,
}

impl Account {
    /// Charges the cost of requests. Returns the time to wait before more is read from the node.
    pub(crate) fn charge(&self, now: Time, cost: u64, per_second: usize) -> Option<Duration> {
        let mut budget = self.budget.lock();
        let budget = budget.get_or_insert_with(|| Budget::new(now, per_second));
        budget.charge(now, cost)
    }

    /// Forgets the debt.
    pub(crate) fn forgive(&self) {
        if let Some(budget) = self.budget.lock().as_mut() {
            budget.forgive();
        }
    }

    /// True if a line is to be logged for this trouble, which the node can cause at will.
    pub(crate) fn is_news(&self, trouble: &'static str) -> bool {
        let (mut told, now) = (self.told.lock(), Instant::now());
        let news = told.get(trouble).is_none_or(|last| now - *last >= PAUSE);
        if news {
            told.insert(trouble, now);
        }
        news
    }

    /// True if a line is to be logged for an invalid request, which the node can send at will.
    pub(crate) fn may_complain(&self) -> bool {
        let mut complaints = self.complaints.lock();
        let (since, budget) =
            complaints.get_or_insert_with(|| (Instant::now(), Budget::new(Time::ZERO, COMPLAINTS)));
        budget.take(Time::from(since.elapsed()))
    }

    pub(crate) fn spawned(&self) -> usize {
        self.spawned.load(Ordering::Relaxed)
    }

    pub(crate) fn port_made(&self) {
        self.spawned.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn port_died(&self) {
        self.spawned.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A question that waits or is being answered.
pub(crate) struct Question(Arc<Peer>);

impl Question {
    /// Counts one more question of the node. `None` if it has too many.
    pub(crate) fn of(peer: &Arc<Peer>) -> Option<Self> {
        let questions = &peer.account.questions;
        let question = Self(Arc::clone(peer));
        (questions.fetch_add(1, Ordering::Relaxed) < MOST_QUESTIONS).then_some(question)
    }
}

impl Drop for Question {
    fn drop(&mut self) {
        self.0.account.questions.fetch_sub(1, Ordering::Relaxed);
    }
}
