//! What a port rarely has: allocated by the first thing that needs it.

use std::{
    any::Any,
    collections::HashMap,
    sync::{Arc, Weak},
};

use tokio::{sync::Notify, task::AbortHandle};

use super::{monitor::Action, slot::Caller};
use crate::{Cx, Reason, guard};

/// Code to run in a port's context.
pub(crate) type Job = Box<dyn FnOnce(&mut Cx<'_>) -> Result<(), Reason> + Send>;

#[derive(Default)]
pub(crate) struct Extras {
    /// The name of a port that another node spawned; others are named by their numbers.
    pub(crate) name: Option<Box<str>>,
    pub(crate) monitors: Vec<(u64, Action)>,
    /// Values that are dropped when the port dies.
    pub(crate) guards: Vec<(u64, Box<dyn Any + Send>)>,
    /// Tasks that are aborted when the port dies.
    pub(crate) tasks: Vec<(u64, AbortHandle)>,
    /// What timers that have not fired yet will run.
    pub(crate) jobs: HashMap<u64, Job>,
    /// The reason of the first kill that was queued.
    pub(crate) killed: Option<Reason>,
    /// Set while an async handler waits; a notification cancels it.
    pub(crate) waiting: Option<Arc<Notify>>,
    /// The init function of a port that is being spawned.
    pub(crate) init: Option<Box<dyn Any + Send>>,
    pub(crate) bound: Option<Bound>,
    /// Callers whose replies a handler was given to keep.
    pub(crate) callers: Vec<Weak<dyn Caller>>,
    pub(crate) next_id: u64,
}

/// The limit of a port's queue, for senders who wait for room.
pub(crate) struct Bound {
    pub(crate) limit: usize,
    /// Taken from the queue, but not handled yet.
    pub(crate) in_hand: usize,
    pub(crate) room: Arc<Notify>,
}

impl Extras {
    /// An ID that no other monitor, guard, task or timer of this port has.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    /// Remembers a caller until it has its answer.
    pub(crate) fn hold(&mut self, caller: Weak<dyn Caller>) {
        // Those that have theirs are forgotten when there is no room for another: once in a while, that is.
        if self.callers.len() == self.callers.capacity() {
            self.callers.retain(|caller| caller.strong_count() > 0);
        }
        self.callers.push(caller);
    }

    /// Ends what is bound to the port, then tells who monitors it. Returns whether anybody did.
    pub(crate) fn end(self, reason: &Reason) -> bool {
        for (_, task) in self.tasks {
            task.abort();
        }
        // One by one: two of them that panic at once would end the process.
        for (_, value) in self.guards {
            guard::discard(value);
        }
        for job in self.jobs.into_values() {
            guard::discard(job);
        }
        guard::discard(self.init);
        if let Some(bound) = self.bound {
            bound.room.notify_waiters();
        }
        for caller in self.callers {
            if let Some(caller) = caller.upgrade() {
                caller.port_died(reason);
            }
        }
        let monitored = !self.monitors.is_empty();
        for (_, action) in self.monitors {
            action.fire(reason);
        }
        monitored
    }
}
