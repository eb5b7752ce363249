//! The submitter's side for programs: `Jobs`, and the jobs that have been submitted.

use std::{
    fmt,
    marker::PhantomData,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use aemp_codec::{DecodeError, EncodeError, PortId, Value, from_value, to_value};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    JobError, JobId, Source,
    submitter::{Command, Submitter, SubmitterRef},
    ticket::{Stage, Stub, Ticket},
    wire::Payload,
};
use crate::{DbError, Node, guard};

/// Submits jobs of the type `J`, whose results are `R`s.
///
/// It holds each job until it has ended, and submits it again when its dispatcher is lost. Clones share this. When the
/// last clone is dropped, the jobs that were submitted go on.
///
/// ```
/// use aemp::{Node, work::{Attempt, Dispatcher, JobError, Jobs, Worker}};
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = Node::local()?;
/// let dispatcher = Dispatcher::builder().start(&node)?;
/// Worker::builder(&dispatcher).at_once(2).start(&node, |attempt: Attempt<String>| async move {
///     Ok::<_, String>(attempt.job.len())
/// })?;
///
/// let jobs = Jobs::<str, usize>::new(&node, &dispatcher)?;
/// let first = jobs.submit("one").await?;
/// let second = jobs.submit("three").key("words").await?;
/// assert_eq!(second.result().await?, 5);
/// assert_eq!(first.result().await?, 3);
/// # Ok(()) }
/// ```
pub struct Jobs<J: ?Sized, R> {
    shared: Arc<Shared>,
    _types: PhantomData<fn(&J) -> R>,
}

struct Shared {
    node: Node,
    port: SubmitterRef,
    id: PortId,
    next: AtomicU64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.port.notify(Command::Close);
    }
}

impl<J: Serialize + ?Sized, R> Jobs<J, R> {
    /// Submits to a dispatcher, or to the first one of a family.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] if the family's name is not allowed.
    pub fn new(node: &Node, dispatchers: impl Into<Source>) -> Result<Self, DbError> {
        let port = Submitter::start(node, &dispatchers.into())?;
        let shared = Shared {
            node: node.clone(),
            id: port.id(),
            port,
            next: AtomicU64::new(1),
        };
        Ok(Self {
            shared: Arc::new(shared),
            _types: PhantomData,
        })
    }

    /// Submits a job. It is submitted when this is awaited, and the result comes when a dispatcher has accepted it.
    pub fn submit(&self, job: &J) -> Submit<R> {
        let job = match guard::attempt(|| to_value(job)) {
            Ok(Ok(value)) => Ok(Payload(Arc::new(value))),
            Ok(Err(error)) => Err(JobError::Encode(error)),
            Err(panic) => Err(JobError::Encode(EncodeError::Custom(panic))),
        };
        Submit {
            shared: Arc::clone(&self.shared),
            job,
            key: None,
            _result: PhantomData,
        }
    }
}

/// A job that is about to be submitted. It is submitted when it is awaited.
///
/// # Errors
///
/// A [`JobError`] if the job was not accepted. If no dispatcher is there, and the submitter knows a family, it waits for
/// one.
///
/// # Cancel safety
///
/// If it is dropped before it is ready, the job is cancelled.
#[must_use = "a job is submitted when it is awaited"]
pub struct Submit<R> {
    shared: Arc<Shared>,
    job: Result<Payload, JobError>,
    key: Option<String>,
    _result: PhantomData<fn() -> R>,
}

impl<R> Submit<R> {
    /// Jobs with the same key are done one at a time, in the order in which they were submitted. A job that fails is
    /// tried again before the next one of its key is begun. This holds for the jobs of one dispatcher: while submitters
    /// change from one dispatcher of a family to another, both may have jobs of a key.
    pub fn key(mut self, key: impl Into<String>) -> Self {
        self.key = Some(key.into());
        self
    }
}

/// Cancels a job when it is dropped.
struct Withdraw<'a>(Option<&'a SubmitterRef>, u64);

impl Drop for Withdraw<'_> {
    fn drop(&mut self) {
        if let Some(port) = self.0 {
            port.notify(Command::Withdraw(self.1));
        }
    }
}

impl<R: 'static> IntoFuture for Submit<R> {
    type Output = Result<Submitted<R>, JobError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let (shared, job) = (self.shared, self.job?);
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            let ticket = Arc::<Ticket>::default();
            shared.port.notify(Command::Hold {
                number,
                job,
                key: self.key,
                stub: Stub(Arc::clone(&ticket)),
            });
            let mut withdraw = Withdraw(Some(&shared.port), number);
            let accepted = ticket.until(|state| match &state.stage {
                Stage::Held => None,
                Stage::Accepted | Stage::Ended(_) => Some(Ok(())),
                Stage::Refused(error) => Some(Err(error.clone())),
            });
            let accepted = accepted.await;
            withdraw.0 = None;
            drop(withdraw);
            accepted.map(|()| Submitted {
                node: shared.node.clone(),
                port: shared.port.clone(),
                id: JobId {
                    submitter: shared.id.clone(),
                    number,
                },
                ticket,
                _result: PhantomData,
            })
        })
    }
}

/// A job that a dispatcher has accepted. Clones are the same job. Dropping it has no effect on the job.
pub struct Submitted<R> {
    node: Node,
    port: SubmitterRef,
    id: JobId,
    ticket: Arc<Ticket>,
    _result: PhantomData<fn() -> R>,
}

impl<R> Submitted<R> {
    /// The name of the job.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.id
    }

    /// Cancels the job. One that waits is not begun; the function of one that runs is dropped at its next wait. The result
    /// is [`JobError::Cancelled`] when no attempt of it runs any more, or the result if that was earlier.
    pub fn cancel(&self) {
        self.port.notify(Command::Withdraw(self.id.number));
    }

    /// The reports of the job's progress, from the last one on. They must all have the type `P`.
    #[must_use]
    pub fn progress<P>(&self) -> Progress<P> {
        Progress {
            node: self.node.clone(),
            ticket: Arc::clone(&self.ticket),
            seen: 0,
            _report: PhantomData,
        }
    }
}

impl<R: DeserializeOwned> Submitted<R> {
    /// Waits for the result of the job. It can be asked for again.
    ///
    /// # Errors
    ///
    /// A [`JobError`] if the job has ended without a result, or the result is not an `R`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn result(&self) -> Result<R, JobError> {
        let ended = self.ticket.until(|state| match &state.stage {
            Stage::Ended(end) => Some(end.clone()),
            Stage::Refused(error) => Some(Err(error.clone())),
            Stage::Held | Stage::Accepted => None,
        });
        let value = ended.await?;
        read(&self.node, value).map_err(JobError::Decode)
    }
}

/// Reads a value that may contain handles.
pub(super) fn read<T: DeserializeOwned>(node: &Node, value: Value) -> Result<T, DecodeError> {
    let _scope = node.decoding();
    from_value(value)
}

/// The reports of a job's progress. Of several that were not read in time, only the last is seen. Each attempt of a job
/// begins its reports anew.
pub struct Progress<P> {
    node: Node,
    ticket: Arc<Ticket>,
    /// The number of the last report that was seen.
    seen: u64,
    _report: PhantomData<fn() -> P>,
}

impl<P: DeserializeOwned> Progress<P> {
    /// The next report. `None` when the job has ended.
    ///
    /// # Errors
    ///
    /// If a report is not a `P`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it has no effect.
    pub async fn next(&mut self) -> Option<Result<P, DecodeError>> {
        let seen = self.seen;
        let next = self.ticket.until(|state| match &state.report {
            Some(report) if state.reports > seen => Some(Some((state.reports, report.clone()))),
            _ if matches!(state.stage, Stage::Ended(_) | Stage::Refused(_)) => Some(None),
            _ => None,
        });
        let (number, report) = next.await?;
        self.seen = number;
        Some(read(&self.node, report))
    }
}

impl<J: ?Sized, R> Clone for Jobs<J, R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            _types: PhantomData,
        }
    }
}

impl<R> Clone for Submitted<R> {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
            port: self.port.clone(),
            id: self.id.clone(),
            ticket: Arc::clone(&self.ticket),
            _result: PhantomData,
        }
    }
}

impl<J: ?Sized, R> fmt::Debug for Jobs<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Jobs({})", self.shared.id)
    }
}

impl<R> fmt::Debug for Submit<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Submit").finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Submitted<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Submitted({})", self.id)
    }
}

impl<P> fmt::Debug for Progress<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Progress")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}
