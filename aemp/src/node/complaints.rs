//! Log lines that other nodes can cause at will, at a limited rate.

use std::fmt::Display;

use tokio::time::Instant;

use super::{Node, log::Remark};
use crate::lock::Lock;
use aemp_proto::{Measure, Time, mesh::Level};

/// The recent rate of complaints.
pub(crate) struct Complaints {
    origin: Instant,
    measure: Lock<Measure>,
}

impl Complaints {
    pub(super) fn new() -> Self {
        Self {
            origin: Instant::now(),
            measure: Lock::default(),
        }
    }

    fn weigh(&self) -> (Level, Option<String>) {
        let now = Time::from(self.origin.elapsed());
        let mut measure = self.measure.lock();
        measure.weigh(now, Level::Warn)
    }
}

impl Node {
    /// Logs a warning about a peer's action. Above a limited rate it is logged at debug level only. `of` is the node
    /// or the port in question, for the field of the line.
    pub(crate) fn complain(&self, of: impl Display, text: impl Display) {
        if self.has_collapsed() {
            // The deaths of all its ports are logged as one.
            return;
        }
        let (level, more) = self.peers().complaints.weigh();
        if let Some(more) = more {
            self.remark(Remark::new(Level::Warn, more));
        }
        let level = match level {
            Level::Debug => Level::Debug,
            Level::Error | Level::Warn | Level::Info => Level::Warn,
        };
        self.remark(Remark::new(level, text.to_string()).of(of.to_string()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn much_is_for_debugging_only() {
        let complaints = Complaints::new();
        let levels: Vec<_> = (0..500).map(|_| complaints.weigh().0).collect();
        assert!(levels[..100].iter().all(|level| *level == Level::Warn));
        assert!(levels[150..].contains(&Level::Debug));
    }
}
