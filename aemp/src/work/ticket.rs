//! The state of one job, as its submitter sees it: shared by the port that holds the job, and the program.

use std::{pin::pin, sync::Arc};

use aemp_codec::Value;
use tokio::sync::Notify;

use super::JobError;
use crate::{guard, lock::Lock};

#[derive(Default)]
pub(super) struct Ticket {
    state: Lock<State>,
    changed: Notify,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) stage: Stage,
    /// The number of reports, and the last one.
    pub(super) reports: u64,
    pub(super) report: Option<Value>,
}

#[derive(Default)]
pub(super) enum Stage {
    #[default]
    Held,
    /// It has ended before it was accepted.
    Refused(JobError),
    Accepted,
    Ended(Result<Value, JobError>),
}

impl Ticket {
    pub(super) fn accepted(&self) {
        self.change(|state| {
            if matches!(state.stage, Stage::Held) {
                state.stage = Stage::Accepted;
            }
        });
    }

    pub(super) fn reported(&self, report: Value) {
        self.change(|state| {
            state.reports += 1;
            state.report = Some(report);
        });
    }

    /// The first end counts.
    pub(super) fn ended(&self, end: Result<Value, JobError>) {
        self.change(|state| {
            state.stage = match (&state.stage, end) {
                (Stage::Held, Err(error)) => Stage::Refused(error),
                (Stage::Held | Stage::Accepted, end) => Stage::Ended(end),
                (Stage::Refused(_) | Stage::Ended(_), _) => return,
            }
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock());
        guard::shielded(|| self.changed.notify_waiters());
    }

    /// Waits until `look` finds something.
    pub(super) async fn until<T>(&self, mut look: impl FnMut(&State) -> Option<T>) -> T {
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if let Some(found) = look(&self.state.lock()) {
                return found;
            }
            changed.await;
        }
    }
}

/// The part of a ticket that belongs to the port. When it is dropped, the port has died or has forgotten the job.
pub(super) struct Stub(pub(super) Arc<Ticket>);

impl Drop for Stub {
    fn drop(&mut self) {
        self.0.ended(Err(JobError::Stopped));
    }
}
