//! Jobs for workers: a dispatcher that holds them, workers that pull them, and submitters that wait for their results.
//!
//! A [`Dispatcher`] is a port. A [`Jobs`] submits jobs to it, from any node. A [`Worker`] asks it for as many jobs as it has
//! room for, on any node, and runs a function for each. Each run of the function is an *attempt*. The outcome of an attempt
//! is its *acknowledgement*. A job that has failed too often is a [`DeadLetter`].
//!
//! ```
//! use aemp::{Node, work::{Attempt, Dispatcher, JobError, Jobs, Worker}};
//!
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let node = Node::local()?;
//! Dispatcher::builder().attempts(3).register("thumbnails").start(&node)?;
//!
//! // On any node of the network:
//! Worker::builder("thumbnails").at_once(4).start(&node, |attempt: Attempt<String>| async move {
//!     attempt.progress(&50)?;
//!     if attempt.job.is_empty() {
//!         return Err("there is no picture".into());
//!     }
//!     Ok::<_, Box<dyn std::error::Error>>(attempt.job.len())
//! })?;
//!
//! // On any node of the network:
//! let jobs = Jobs::<str, usize>::new(&node, "thumbnails")?;
//! let picture = jobs.submit("tree.png").await?; // accepted
//! assert_eq!(picture.result().await?, 8);
//! let none = jobs.submit("").key("tree").await?;
//! assert!(matches!(none.result().await, Err(JobError::Failed { attempts: 3, .. })));
//! # Ok(()) }
//! ```
//!
//! The page [`work`](crate::handbook::work) of the handbook has the semantics and the limits.
//!
//! # Design
//!
//! The decisions of a dispatcher are a state machine without I/O (`machine`), which random schedules test. The port around
//! it (`dispatcher`), the port of a worker and the port of a submitter are built of public parts: ports, monitors, tasks of
//! ports, and families of the database.
//!
//! *Foreign values.* A dispatcher must not die of a job. So it never sees a `J` or an `R`: the submitter turns a job into a
//! [`Value`](crate::Value), and the worker reads it, each at its own expense. `Clone`, `Drop` and `Deserialize` of users do not run in the
//! dispatcher, and it can keep a job in a store without knowing its type.
//!
//! *Losses.* Each of the three ports monitors its counterparts. The guarantee of monitors ("no silent holes") makes time
//! limits and heartbeats unnecessary: an attempt that was sent either arrives, or the monitor of its worker fires. Attempts
//! have numbers that are never used twice, so an acknowledgement of a lost worker that comes too late is ignored.
//!
//! *Several dispatchers.* Submitters go to the first dispatcher of a family; workers serve all of them. So a change of the
//! first dispatcher moves no job that was accepted, and two parts of a split network can both work. Workers that served only
//! the first one would starve the jobs that the others still have.
//!
//! *Dangers.* A submitter that floods: at most 64 jobs of each wait to be accepted, and then it is refused. A
//! worker whose function never returns: it keeps its place, because a second attempt beside it would break the order of
//! keys. A payload that cannot be sent to a worker, or a result that cannot be sent back: both are failures of the job.
//!
//! *Left out.* A durable store (its place is described in `machine`), times before which a job must not begin, priorities,
//! results of finished jobs for submitters that come back, and IDs that users choose.

mod attempt;
mod builder;
mod dispatcher;
mod error;
mod jobs;
mod machine;
mod reports;
mod source;
mod stats;
mod submitter;
mod ticket;
mod wire;
mod worker;

pub use attempt::Attempt;
pub use builder::Builder;
#[doc(hidden)]
pub use dispatcher::Event;
pub use dispatcher::{Dispatcher, DispatcherMsg, DispatcherRef};
pub use error::{Failure, JobError};
pub use jobs::{Jobs, Progress, Submit, Submitted};
pub use reports::Reports;
pub use source::Source;
pub use stats::Stats;
#[doc(hidden)]
pub use submitter::{Order, Submitter, SubmitterMsg, SubmitterRef};
#[doc(hidden)]
pub use wire::{Assignment, End, Outcome, Payload, Refusal, Submission};
pub use wire::{DeadLetter, JobId};
#[doc(hidden)]
pub use worker::News;
pub use worker::{Worker, WorkerBuilder, WorkerMsg, WorkerRef};

/// The policy of a dispatcher whose queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum WhenFull {
    /// Submitters wait, in the order of their jobs.
    #[default]
    Wait,
    /// The new job is refused, with [`JobError::Full`].
    Refuse,
    /// The oldest job that waits is dropped, with [`JobError::Dropped`], and becomes a [`DeadLetter`].
    DropOldest,
}
