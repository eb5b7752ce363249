//! Errors of jobs.

use std::fmt;

use aemp_codec::{DecodeError, EncodeError};
use thiserror::Error;

use crate::{Reason, guard};

/// The error of a job, for its submitter.
#[derive(Debug, Clone, Error)]
#[non_exhaustive]
pub enum JobError {
    /// The queue is full ([`WhenFull::Refuse`](super::WhenFull::Refuse)), or the dispatcher has too many submitters.
    #[error("the dispatcher has no room for the job")]
    Full,
    /// The dispatcher takes no more jobs, and there is no other.
    #[error("the dispatcher takes no more jobs")]
    Draining,
    /// The queue was full, and a newer job has taken its place ([`WhenFull::DropOldest`](super::WhenFull::DropOldest)).
    #[error("the job was dropped for a newer one")]
    Dropped,
    /// The job has been cancelled.
    #[error("the job has been cancelled")]
    Cancelled,
    /// The last attempt has failed, or one with an error that is final.
    #[error("the job has failed, attempts: {attempts}: {text}")]
    Failed {
        /// The number of attempts that its last dispatcher has made.
        attempts: u32,
        /// The error of the last attempt.
        text: String,
    },
    /// The dispatcher has died, and no family names another. The job may have been done.
    #[error("the dispatcher has died: {0}")]
    Died(Reason),
    /// The job cannot be put on the wire.
    #[error("the job cannot be encoded: {0}")]
    Encode(EncodeError),
    /// The result is not of the expected type.
    #[error("the result of the job cannot be read: {0}")]
    Decode(DecodeError),
    /// This node has stopped.
    #[error("this node has stopped")]
    Stopped,
}

/// The error of an attempt. The functions of workers return it, or anything that can be printed, which becomes one that
/// may be tried again.
///
/// ```
/// use aemp::work::{Attempt, Failure};
///
/// async fn resize(attempt: Attempt<String>) -> Result<u64, Failure> {
///     if attempt.job.ends_with(".txt") {
///         return Err(Failure::last("this is no picture"));
///     }
///     let size: u64 = attempt.job.parse()?; // tried again if it fails
///     Ok(size)
/// }
/// ```
pub struct Failure {
    pub(super) text: String,
    pub(super) retry: bool,
}

impl Failure {
    /// An error after which the job is not tried again.
    pub fn last(error: impl fmt::Display) -> Self {
        Self {
            text: guard::display(&error),
            retry: false,
        }
    }
}

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            text: guard::display(&error),
            retry: true,
        }
    }
}

// Not `Display`, because of the conversion above.
impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
