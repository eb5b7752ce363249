//! Supervisors: ports that start other ports, and start them again when they end.

mod builder;
mod follow;
mod info;
mod machine;
mod order;
mod port;
pub(crate) mod remote;
mod spec;

pub use builder::Builder;
pub use follow::{Follow, FollowCall};
pub use info::{ChildError, ChildInfo, ChildState, Incarnation};
pub use order::Order;
pub use port::{Supervisor, SupervisorMsg, SupervisorRef};
pub use spec::{Backoff, Child, IntoChild, OnLoss, Restart, Strategy};

/// The kind of the reason with which a supervisor ends a child. It counts as a normal end.
const SHUTDOWN: &str = "shutdown";
