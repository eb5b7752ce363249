//! The reports of a supervisor about its children.

use aemp_codec::PortId;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::Restart;
use crate::Reason;

/// A child, as [`SupervisorRef::children`](super::SupervisorRef::children) shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ChildInfo {
    /// Its name; empty for a child without one.
    pub name: String,
    /// The port of its present incarnation.
    pub port: Option<PortId>,
    /// Its present state.
    pub state: ChildState,
    /// The ends after which it is restarted.
    pub restart: Restart,
    /// The number of its restarts.
    pub restarts: u64,
    /// The reason of its last end.
    pub reason: Option<Reason>,
}

/// The state of a child.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChildState {
    /// It has not been started yet, waits for other children, or has ended for good.
    Idle,
    /// It waits for the end of its back-off.
    Waiting,
    /// It waits until its node is connected.
    Absent,
    /// It is being made.
    Starting,
    /// It lives.
    Running,
    /// It has been asked to end.
    Stopping,
}

/// The error of starting or stopping a child.
#[derive(Debug, Clone, PartialEq, Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum ChildError {
    /// There is no child with this name.
    #[error("there is no child {0:?}")]
    NoChild(String),
    /// There is a child with this name already.
    #[error("there is a child {0:?} already")]
    Taken(String),
    /// The child could not be made. It is not tried again.
    #[error("the child could not be made: {0}")]
    Failed(Reason),
    /// The supervisor is ending.
    #[error("the supervisor is ending")]
    Ending,
}

/// The incarnation of a child, with a number that changes whenever one begins or ends.
#[doc(hidden)]
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Incarnation {
    /// Its number.
    pub number: u64,
    /// Its port.
    pub port: Option<PortId>,
    /// The reason of its last end, if it has ended for good.
    #[serde(default)]
    pub done: Option<Reason>,
}
