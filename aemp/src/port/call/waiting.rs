//! The waiting part of a call.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep};

use crate::{
    CallError, Node,
    exec::tally::{CallEnd, CallMeter},
    guard,
    node::peer::Peer,
    port::{
        destination::Destination,
        monitor::{Action, Monitor},
        reply::LocalReply,
        slot::{Outcome, Slot},
    },
};

/// The waiting part of a call. Dropping it removes everything that the call has set up.
pub(super) struct Waiting<T> {
    pub(super) slot: Arc<Slot<T>>,
    pub(super) limit: Limit,
    pub(super) far: Option<Far>,
    pub(super) meter: CallMeter,
    /// True if the slot's outcome has been taken, so that the port need not be told that the caller is gone.
    taken: bool,
}

impl<T> Waiting<T> {
    pub(super) fn new(slot: Arc<Slot<T>>) -> Self {
        Self {
            slot,
            limit: Limit::Default,
            far: None,
            meter: CallMeter::default(),
            taken: false,
        }
    }

    /// Waits for the outcome or for the time limit. `None` means that the reply was dropped.
    pub(super) fn poll(
        &mut self,
        node: &Node,
        task: &mut Context<'_>,
    ) -> Poll<Option<Result<T, CallError>>> {
        match self.slot.poll(task) {
            Poll::Ready(outcome) => Poll::Ready(outcome.into_result()),
            Poll::Pending => self.limit.poll(node, task).map(|error| Some(Err(error))),
        }
    }

    /// Begins the time limit. The called port can see it.
    pub(super) fn begin(&mut self, node: &Node) -> Result<(), CallError> {
        if let Some(deadline) = self.limit.begin(node)? {
            self.slot.set_deadline(deadline);
        }
        Ok(())
    }

    /// Wants no answer. A handler does not take that for a caller who has left.
    pub(super) fn forget(&mut self) {
        self.taken = true;
        self.slot.set(Outcome::Abandoned);
    }

    /// Cleans up after the answer has been taken.
    #[inline]
    pub(super) fn answered<'a>(&mut self, node: impl FnOnce() -> &'a Node) {
        self.meter.end(node, CallEnd::Answered);
        self.taken = true;
        if let Some(far) = self.far.take() {
            far.end();
        }
    }

    /// Ends the call with a result, and cleans up.
    pub(super) fn end(
        &mut self,
        node: &Node,
        answer: Result<T, CallError>,
    ) -> Poll<Result<T, CallError>> {
        self.meter.end(|| node, CallEnd::from(&answer));
        // After these errors the callee may still be working for this call, and must hear that the caller is gone.
        self.taken = !matches!(
            answer,
            Err(CallError::Timeout | CallError::Circle(_) | CallError::Send(_))
        );
        if let Some(far) = self.far.take()
            && self.taken
        {
            far.end();
        }
        Poll::Ready(answer)
    }
}

impl<T> Drop for Waiting<T> {
    fn drop(&mut self) {
        self.far = None;
        if !self.taken {
            self.slot.leave();
        }
    }
}

/// The parts of an encoded call: its reply port and its monitor.
pub(super) struct Far {
    pub(super) reply: Option<LocalReply>,
    pub(super) monitor: CallMonitor,
    /// The called node, if it is another node.
    pub(super) peer: Option<Arc<Peer>>,
}

impl Far {
    /// Cleans up after the call has its outcome.
    pub(super) fn end(mut self) {
        self.peer = None;
    }
}

impl Drop for Far {
    fn drop(&mut self) {
        self.monitor.release();
        if let Some(reply) = &self.reply
            && reply.close()
            && let Some(peer) = &self.peer
        {
            peer.report_caller_gone(reply.id().name());
        }
    }
}

/// The time limit of a call.
pub(super) enum Limit {
    /// None was set: that of the node counts.
    Default,
    None,
    After(Duration),
    Running(Pin<Box<Sleep>>),
}

impl Limit {
    /// The limit that the program has set. The longest duration means none.
    pub(super) fn set(limit: Duration) -> Self {
        if limit == Duration::MAX {
            return Self::None;
        }
        Self::After(limit)
    }

    /// Begins the time limit, that of the node if no other was set, and returns when it is over. The caller may have no
    /// runtime, so the timer runs on the node's.
    pub(super) fn begin(&mut self, node: &Node) -> Result<Option<Instant>, CallError> {
        let limit = match self {
            Self::None => return Ok(None),
            Self::Default => node.call_timeout(),
            Self::After(limit) => Some(*limit),
            Self::Running(sleep) => return Ok(Some(sleep.deadline())),
        };
        let Some(limit) = limit else {
            *self = Self::None;
            return Ok(None);
        };
        let sleep = node.scheduler().sleep(limit).map_err(CallError::Died)?;
        let deadline = sleep.deadline();
        *self = Self::Running(sleep);
        Ok(Some(deadline))
    }

    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// Ready when the time is over, or its runtime is gone.
    pub(super) fn poll(&mut self, node: &Node, task: &mut Context<'_>) -> Poll<CallError> {
        // The limit may have been set after the first poll.
        if let Self::After(_) = self
            && let Err(error) = self.begin(node)
        {
            return Poll::Ready(error);
        }
        let Self::Running(sleep) = self else {
            return Poll::Pending;
        };
        // tokio panics here if the runtime is being shut down.
        let over = ready!(guard::poll(|| sleep.as_mut().poll(task)));
        Poll::Ready(over.map_or_else(CallError::Died, |()| CallError::Timeout))
    }
}

/// The monitor of the called port, for as long as the call waits.
pub(super) struct CallMonitor(Option<Monitor>);

impl CallMonitor {
    pub(super) fn new<T: Send + 'static>(to: &Destination, slot: &Arc<Slot<T>>) -> Self {
        let slot = Arc::clone(slot);
        Self(Some(to.monitor(Action::Call(Box::new(move |reason| {
            slot.fail(CallError::Died(reason.clone()));
        })))))
    }

    pub(super) fn release(&mut self) {
        // Calls come in series, so the other node is not told of the end of each monitor at once.
        if let Some(monitor) = self.0.take() {
            monitor.release();
        }
    }
}
