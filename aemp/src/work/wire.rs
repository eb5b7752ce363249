//! The messages between dispatchers, workers and submitters.

use std::{fmt, sync::Arc};

use aemp_codec::{DecodeError, PortId, Value, from_value};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

/// The name of a job. It stays the same when the job is submitted again, and is never used for another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct JobId {
    /// The port that holds the job until it has ended. It belongs to a [`Jobs`](super::Jobs).
    pub submitter: PortId,
    /// The number of the job at this port.
    pub number: u64,
}

impl fmt::Display for JobId {
    /// The port's ID, a slash, and the number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.submitter, self.number)
    }
}

/// The content of a job. A dispatcher passes it on, and never reads it.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq)]
pub struct Payload(pub(super) Arc<Value>);

impl Payload {
    pub(super) fn into_value(self) -> Value {
        Arc::unwrap_or_clone(self.0)
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(|value| Self(Arc::new(value)))
    }
}

/// A job on its way to a dispatcher.
#[doc(hidden)]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Submission {
    pub(super) number: u64,
    pub(super) job: Payload,
    #[serde(default)]
    pub(super) key: Option<String>,
    /// The number of times that it was submitted before.
    #[serde(default)]
    pub(super) before: u32,
}

/// An attempt on its way to a worker.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    pub(super) id: JobId,
    pub(super) attempt: u32,
    pub(super) job: Payload,
}

/// The outcome of an attempt, from its worker.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Done(Value),
    Failed {
        text: String,
        retry: bool,
    },
    /// It was cancelled, or given up.
    Stopped,
}

/// The end of a job, from its dispatcher.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Done(Value),
    Failed {
        attempts: u32,
        text: String,
    },
    Cancelled,
    /// A newer job has taken its place.
    Dropped,
    Refused(Refusal),
}

/// The reason why a dispatcher does not accept a job.
#[doc(hidden)]
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The queue is full.
    Full,
    /// The dispatcher takes no more jobs.
    Draining,
    /// Too many jobs of this submitter wait to be accepted, or there are too many submitters.
    Flood,
}

/// A job that has failed for good, as it is sent to the port for [dead letters](super::Builder::dead_letters).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeadLetter {
    /// The name of the job.
    pub id: JobId,
    /// Its [order key](super::Submit::key).
    pub key: Option<String>,
    /// The number of attempts that its last dispatcher has made.
    pub attempts: u32,
    /// The error of the last attempt, or the reason why the job was dropped.
    pub error: String,
    pub(super) job: Payload,
}

impl DeadLetter {
    /// The content of the job.
    ///
    /// # Errors
    ///
    /// If it is not a `J`.
    pub fn job<J: DeserializeOwned>(&self) -> Result<J, DecodeError> {
        from_value(Value::clone(&self.job.0))
    }
}
