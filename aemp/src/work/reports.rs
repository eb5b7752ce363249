//! The reports of an attempt on their way to the dispatcher.
//!
//! A function that reports in a loop must flood neither the dispatcher nor the connection to it. So a few reports are sent
//! at once, and of those that follow only the last one: when the window is over, or with the end of the attempt.

use std::{fmt, sync::Arc, time::Duration};

use aemp_codec::{Value, to_value};
use serde::Serialize;
use tokio::time::Instant;

use super::DispatcherRef;
use crate::{Node, SendError, lock::Lock};

/// The time in which at most [`MOST`] reports of an attempt are sent.
const WINDOW: Duration = Duration::from_millis(10);
const MOST: u32 = 16;

/// Reports how far a job has come: [`Attempt::reports`](super::Attempt::reports).
#[derive(Clone)]
pub struct Reports(Arc<Shared>);

struct Shared {
    node: Node,
    dispatcher: DispatcherRef,
    run: u64,
    pace: Lock<Pace>,
}

#[derive(Default)]
struct Pace {
    /// The beginning of the present window.
    since: Option<Instant>,
    /// The number of reports that were sent in it.
    sent: u32,
    /// The last report that was not sent.
    held: Option<Value>,
}

impl Pace {
    /// True if a report may be sent now. It counts then.
    fn admits(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now >= since + WINDOW) {
            (self.since, self.sent) = (Some(now), 0);
        }
        let admits = self.held.is_none() && self.sent < MOST;
        self.sent += u32::from(admits);
        admits
    }
}

impl Reports {
    pub(super) fn new(node: &Node, dispatcher: &DispatcherRef, run: u64) -> Self {
        Self(Arc::new(Shared {
            node: node.clone(),
            dispatcher: dispatcher.clone(),
            run,
            pace: Lock::default(),
        }))
    }

    /// Sends a report to the submitter. It vanishes if the attempt has ended. Of many reports within 10 ms, the first 16 are
    /// sent, and the last one at the end of this time.
    ///
    /// # Errors
    ///
    /// [`SendError::Encode`] if it cannot be put on the wire.
    pub fn send(&self, report: &impl Serialize) -> Result<(), SendError> {
        let report = to_value(report).map_err(SendError::Encode)?;
        let now = Instant::now();
        let mut pace = self.0.pace.lock();
        if pace.admits(now) {
            // Under the lock, so that no earlier report comes later.
            return self.0.pass_on(report);
        }
        if pace.held.replace(report).is_none() {
            let due = pace.since.unwrap_or(now) + WINDOW;
            let reports = self.clone();
            self.0.node.scheduler().spawn(async move {
                tokio::time::sleep_until(due).await;
                reports.flush();
            });
        }
        Ok(())
    }

    /// Sends the report that is held back.
    pub(super) fn flush(&self) {
        let mut pace = self.0.pace.lock();
        if let Some(report) = pace.held.take() {
            (pace.since, pace.sent) = (Some(Instant::now()), 1);
            if let Err(error) = self.0.pass_on(report) {
                drop(pace);
                crate::log::error!("a report of a job cannot be sent: {error}");
            }
        }
    }
}

impl Shared {
    fn pass_on(&self, report: Value) -> Result<(), SendError> {
        self.dispatcher.progressed(self.run, report).check()
    }
}

impl fmt::Debug for Reports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reports({})", self.0.run)
    }
}
