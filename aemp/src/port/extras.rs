//! The rare parts of a port, allocated by the first feature that needs one.

use std::{
    any::Any,
    sync::{Arc, Weak},
};

use tokio::{sync::Notify, task::AbortHandle};

use super::{credit::Promises, monitor::Action, slot::Caller};
use crate::{Cx, Reason, guard};
use aemp_proto::register::Register;

/// Code to run in a port's context.
pub(crate) type Job = Box<dyn FnOnce(&mut Cx<'_>) -> Result<(), Reason> + Send>;

/// So many callers are no reason to look for some to forget.
const FEW: usize = 4;

#[derive(Default)]
pub(crate) struct Extras {
    /// The name of a port that another node spawned; others are named by their numbers.
    pub(crate) name: Option<Box<str>>,
    /// By number, which is the order in which they were set. They are the last of a port to go.
    pub(crate) monitors: Register<Action>,
    /// What else belongs to the port, and ends with it.
    pub(crate) kept: Register<Kept>,
    /// The reason of the first kill that was queued.
    pub(crate) killed: Option<Reason>,
    /// Set while an async handler waits; a notification cancels it.
    pub(crate) waiting: Option<Arc<Notify>>,
    /// The init function of a port that is being spawned.
    pub(crate) init: Option<Box<dyn Any + Send>>,
    pub(crate) bound: Option<Bound>,
    pub(crate) callers: Callers,
    pub(crate) next_id: u64,
}

/// The limit of a port's queue, for senders who wait for room.
pub(crate) struct Bound {
    pub(crate) limit: usize,
    /// Taken from the queue, but not handled yet.
    pub(crate) in_hand: usize,
    pub(crate) room: Arc<Notify>,
    /// The messages that other nodes may still send.
    pub(crate) promises: Promises,
    /// How many other nodes have been told to wait for room.
    pub(crate) waiting: usize,
}

/// One thing that belongs to a port.
pub(crate) struct Kept {
    pub(crate) content: Content,
    /// The task that belongs to it, once that has been started.
    pub(crate) task: Option<AbortHandle>,
}

pub(crate) enum Content {
    /// Nothing beside the task.
    Task,
    /// Dropped with the port: a guarded value, or a closure that runs again and again.
    Value(Box<dyn Any + Send>),
    /// What a timer will run once.
    Job(Job),
    /// A closure that is running now, and comes back unless it is cancelled meanwhile.
    Lent,
}

impl Kept {
    /// Ends it. To be called outside of the port's lock, because what is dropped is the user's.
    pub(crate) fn end(self) {
        if let Some(task) = self.task {
            task.abort();
        }
        guard::discard(self.content);
    }
}

impl Extras {
    /// As [`Inner::has_in_hand`](super::cell::Inner::has_in_hand).
    pub(super) fn has_in_hand(&mut self, messages: usize) -> Option<Arc<Notify>> {
        let bound = self.bound.as_mut()?;
        bound.in_hand = messages;
        Some(Arc::clone(&bound.room))
    }

    /// A number that no other monitor, guard, task or timer of this port has, higher than all before.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn add_monitor(&mut self, action: Action) -> u64 {
        let id = self.next_id();
        self.monitors.insert(id, action);
        id
    }

    /// Has something end with the port.
    pub(crate) fn keep(&mut self, content: Content) -> u64 {
        let id = self.next_id();
        let task = None;
        self.kept.insert(id, Kept { content, task });
        id
    }

    /// Remembers a caller until it has its answer.
    pub(crate) fn hold(&mut self, caller: Weak<dyn Caller>) {
        self.callers.push(caller);
    }

    /// Takes what ends with the port; its name and its monitors stay, which a dying port still needs.
    pub(crate) fn part(&mut self) -> Self {
        let living = Self {
            name: self.name.take(),
            monitors: std::mem::take(&mut self.monitors),
            next_id: self.next_id,
            ..Self::default()
        };
        std::mem::replace(self, living)
    }

    /// Ends what is bound to the port. Monitors are not among it.
    pub(crate) fn end(self, reason: &Reason) {
        // One by one: two of them that panic at once would end the process.
        self.kept.into_iter().for_each(|(_, kept)| kept.end());
        guard::discard(self.init);
        if let Some(bound) = self.bound {
            guard::shielded(|| bound.room.notify_waiters());
        }
        for caller in self.callers.0 {
            if let Some(caller) = caller.upgrade() {
                caller.port_died(reason);
            }
        }
    }
}

/// Callers whose replies a handler was given to keep.
#[derive(Default)]
pub(crate) struct Callers(Vec<Weak<dyn Caller>>);

impl Callers {
    /// Those that have their answers are forgotten when there is no room for another, and room is then made for as many as
    /// are left, so that each costs the same however many there are.
    fn push(&mut self, caller: Weak<dyn Caller>) {
        if self.0.len() == self.0.capacity() {
            self.0.retain(|caller| caller.strong_count() > 0);
            self.0.reserve(self.0.len().max(FEW));
        }
        self.0.push(caller);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port::slot::Slot;

    /// Those who wait go one by one, each when the next has come: the worst that there is for a list that is tidied up when
    /// it is full.
    #[test]
    fn callers_are_tidied_up_rarely() {
        let mut callers = Callers::default();
        let mut waiting: std::collections::VecDeque<Arc<Slot<i64>>> = Default::default();
        let (mut moved, mut tidied) = (0, 0);
        for n in 0..100_000 {
            if n >= 10_000 {
                waiting.pop_front();
            }
            let slot = Slot::new();
            let weak = Arc::downgrade(&slot);
            waiting.push_back(slot);
            if callers.0.len() == callers.0.capacity() {
                tidied += 1;
                moved += callers.0.len();
            }
            callers.push(weak);
        }
        assert!(tidied < 40, "{tidied} times");
        assert!(moved < 400_000, "{moved} looked at");
        assert!(callers.0.capacity() < 50_000, "what is gone is forgotten");
    }
}
