//! One job of a dispatcher.

use std::{sync::Arc, time::Duration};

use super::{Member, Run};
use crate::work::wire::{Assignment, DeadLetter, End, JobId, Payload};

/// A job that a submitter has sent.
#[derive(Debug, Clone)]
pub(in crate::work) struct NewJob {
    pub(in crate::work) id: JobId,
    pub(in crate::work) payload: Payload,
    pub(in crate::work) weight: usize,
    pub(in crate::work) order: Option<Arc<str>>,
    /// The number of dispatchers that had it before.
    pub(in crate::work) before: u32,
}

#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: JobId,
    /// `None` if its submitter is gone.
    pub(super) owner: Option<Member>,
    pub(super) payload: Payload,
    pub(super) weight: usize,
    pub(super) order: Option<Arc<str>>,
    pub(super) before: u32,
    /// The attempts of this dispatcher.
    pub(super) attempts: u32,
    pub(super) phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    /// It has not been accepted yet.
    Lobby,
    /// It waits for a worker, or for the jobs before it that have the same order key.
    Waiting,
    /// An attempt has failed, and the next may begin at this time.
    Resting {
        until: Duration,
    },
    Running {
        run: Run,
        until: Option<Duration>,
    },
    /// Its worker has been told to end the attempt.
    Stopping {
        run: Run,
        fate: Fate,
    },
}

/// The fate of a job when the attempt that is being stopped has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    Cancel,
    TooLong,
}

impl Job {
    pub(super) fn new(new: NewJob, owner: Member) -> Self {
        Self {
            id: new.id,
            owner: Some(owner),
            payload: new.payload,
            weight: new.weight,
            order: new.order,
            before: new.before,
            attempts: 0,
            phase: Phase::Lobby,
        }
    }

    pub(super) fn assignment(&self) -> Assignment {
        Assignment {
            id: self.id.clone(),
            attempt: self.before.saturating_add(self.attempts),
            job: self.payload.clone(),
        }
    }

    pub(super) fn letter(&self, end: &End) -> DeadLetter {
        let error = match end {
            End::Failed { text, .. } => text.clone(),
            _ => "dropped for a newer job, because the queue was full".into(),
        };
        DeadLetter {
            id: self.id.clone(),
            key: self.order.as_deref().map(Into::into),
            attempts: self.attempts,
            error,
            job: self.payload.clone(),
        }
    }
}
