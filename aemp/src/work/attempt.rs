//! Attempts: the arguments of a worker's function, and the report of its outcome.

use std::{pin::Pin, sync::Arc};

use aemp_codec::to_value;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    DispatcherRef, Failure, JobId, Reports,
    jobs::read,
    wire::{Assignment, Outcome},
};
use crate::{Node, SendError, guard::Foreign};

/// One attempt at a job, as the function of a worker gets it.
#[derive(Debug)]
pub struct Attempt<J> {
    /// The job.
    pub job: J,
    id: JobId,
    number: u32,
    reports: Reports,
}

impl<J> Attempt<J> {
    /// The name of the job, which is the same in each attempt.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// The number of the attempt, from 1 on. It grows with each attempt of the same dispatcher, and when the job is
    /// submitted again.
    #[must_use]
    pub fn number(&self) -> u32 {
        self.number
    }

    /// True if the job may have been begun before, and even done.
    #[must_use]
    pub fn is_repeat(&self) -> bool {
        self.number > 1
    }

    /// Reports to the submitter how far the job has come; see [`Reports::send`].
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] if the report cannot be put on the wire.
    pub fn progress(&self, report: &impl Serialize) -> Result<(), SendError> {
        self.reports.send(report)
    }

    /// The sender of reports, for code that takes the job out of the attempt.
    #[must_use]
    pub fn reports(&self) -> Reports {
        self.reports.clone()
    }
}

/// An attempt that has not begun.
pub(super) struct Task {
    pub(super) node: Node,
    pub(super) dispatcher: DispatcherRef,
    pub(super) run: u64,
    pub(super) assignment: Assignment,
}

/// The function of a worker, without its types.
pub(super) type Work = dyn Fn(Task) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync;

/// Makes the function of a worker from that of the user.
pub(super) fn work<J, R, E, F>(run: impl Fn(Attempt<J>) -> F + Send + Sync + 'static) -> Arc<Work>
where
    J: DeserializeOwned + Send + 'static,
    R: Serialize,
    E: Into<Failure>,
    F: Future<Output = Result<R, E>> + Send + 'static,
{
    let run = Arc::new(run);
    Arc::new(move |task: Task| {
        let run = Arc::clone(&run);
        let reports = Reports::new(&task.node, &task.dispatcher, task.run);
        let last = reports.clone();
        let whole = Foreign::new(async move {
            let attempt = attempt::<J>(task, reports)?;
            let result = run(attempt).await.map_err(Into::into)?;
            to_value(&result).map_err(Failure::last)
        });
        Box::pin(async move {
            let ended = whole.await;
            last.flush();
            match ended {
                Ok(Ok(result)) => Outcome::Done(result),
                Ok(Err(Failure { text, retry })) => Outcome::Failed { text, retry },
                Err(panic) => Outcome::Failed {
                    text: panic.to_string(),
                    retry: true,
                },
            }
        })
    })
}

fn attempt<J: DeserializeOwned>(task: Task, reports: Reports) -> Result<Attempt<J>, Failure> {
    let Assignment { id, attempt, job } = task.assignment;
    let job = read(&task.node, job.into_value())
        .map_err(|error| Failure::from(format!("the job cannot be read: {error}")))?;
    Ok(Attempt {
        job,
        id,
        number: attempt,
        reports,
    })
}
