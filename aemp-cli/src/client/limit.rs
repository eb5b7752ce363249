//! The time limit of a command.

use std::{fmt, time::Duration};

use tokio::time::Instant;

/// The time that a command may take to join the network and to get its answers. Displayed in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit {
    pub(super) time: Duration,
    pub(super) deadline: Instant,
}

impl Limit {
    /// The limit of a command that begins now.
    pub(super) fn of(time: Duration) -> Self {
        Self {
            time,
            deadline: Instant::now() + time,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.time.as_secs_f64())
    }
}
