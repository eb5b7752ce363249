//! The rare parts of a port, allocated by the first feature that needs one.

use std::{
    any::Any,
    collections::BTreeMap,
    sync::{Arc, Weak},
    task::Waker,
};

use tokio::{task::AbortHandle, time::Instant};

use super::{
    bound::concurrent::Concurrent, credit::Bound, idle::Idle, monitor::Action, slot::Caller,
};
use crate::{
    Cx, Reason,
    exec::{circle::Asker, waiting::rest::Resting},
    guard,
    process::Mailbox,
};
use aemp_proto::register::Register;

/// Code to run in a port's context.
pub(crate) type Job = Box<dyn FnOnce(&mut Cx<'_>) -> Result<(), Reason> + Send>;

/// Code to run in a port's context with the port's state.
pub(crate) type Act = Box<dyn FnOnce(&mut dyn Any, &mut Cx<'_>) -> Result<(), Reason> + Send>;

/// The number of callers below which the list is not searched for callers to forget.
const FEW: usize = 4;

#[derive(Default)]
pub(crate) struct Extras {
    /// The name, if another node spawned the port. Other ports are named by their numbers.
    pub(crate) name: Option<Box<str>>,
    /// By number, which is the order in which they were set. They outlive all other parts of a port.
    pub(crate) monitors: Register<Action>,
    /// Values and tasks that belong to the port and end with it.
    pub(crate) kept: Register<Kept>,
    /// The reason of the first kill that was queued. A kill of an idle port is noted if it has urgent messages.
    pub(crate) killed: Option<Reason>,
    /// The task that is to see a kill, while async code of the port waits.
    pub(crate) waiting: Option<Waker>,
    /// The task of the last run, if it rests.
    pub(crate) resting: Option<Resting>,
    /// The number of the handler that waits, if it can be asked for its waits (`exec::circle`).
    pub(crate) handling: Option<u32>,
    /// The init function of a port that is being spawned.
    pub(crate) init: Option<Box<dyn Any + Send>>,
    /// Boxed, because it is large and rare among ports with extras.
    pub(crate) bound: Option<Box<Bound>>,
    /// The mailbox of the process that is attached to the port.
    pub(crate) mailbox: Option<Arc<Mailbox>>,
    pub(crate) callers: Callers,
    /// Boxed, because most ports with extras have none of these.
    pub(crate) rare: Option<Box<Rare>>,
    pub(crate) next_id: u64,
}

/// The parts of a port that is about to end, and of one with an idle time, named timers or concurrent handlers.
#[derive(Default)]
pub(crate) struct Rare {
    /// True if a stop was queued while the port was at work, or to a port with urgent messages.
    pub(crate) stops: bool,
    /// The task that ends the port when the time of its stop is over, and that time.
    pub(crate) limit: Option<(u64, Instant)>,
    /// True if the port ends without handling its queue.
    pub(crate) cut: bool,
    pub(crate) idle: Option<Idle>,
    /// The handlers that run beside the port.
    pub(crate) concurrent: Option<Box<Concurrent>>,
    /// The common part of the handles of a `#[port(owned)]`; see `owned`.
    pub(crate) holder: Option<Box<dyn Any + Send>>,
    /// The searches that have asked for the waits of the handler.
    pub(crate) asked: Vec<Asker>,
    /// The numbers of the named timers.
    named: BTreeMap<Box<str>, u64>,
}

/// A value or a task that belongs to the port.
pub(crate) struct Kept {
    pub(crate) content: Content,
    /// Its task, if one has been started.
    pub(crate) task: Option<AbortHandle>,
}

pub(crate) enum Content {
    /// A task without a value.
    Task,
    /// A value that is dropped with the port: a guarded value, or a closure that runs repeatedly.
    Value(Box<dyn Any + Send>),
    /// The closure of a timer, which runs once.
    Job(Job),
    /// As `Job`, with the port's state.
    Act(Act),
    /// A closure that is running now. It is put back after the run, unless it was cancelled meanwhile.
    Lent,
}

impl Kept {
    /// Aborts the task and drops the value. It must be called outside of the port's lock, because the value is the
    /// user's.
    pub(crate) fn end(self) {
        if let Some(task) = self.task {
            task.abort();
        }
        guard::discard(self.content);
    }
}

impl Extras {
    /// As [`Inner::has_in_hand`](super::cell::Inner::has_in_hand).
    pub(super) fn has_in_hand(&mut self, messages: usize) {
        if let Some(rare) = &mut self.rare
            && let Some(idle) = &mut rare.idle
        {
            idle.last = Instant::now();
        }
        if let Some(bound) = &mut self.bound {
            bound.in_hand = messages;
        }
    }

    /// The number of messages that wait elsewhere than in the queue: in the mailbox of the port's process, and for a
    /// place among concurrent handlers.
    pub(crate) fn parked(&self) -> usize {
        let concurrent = self.rare.as_ref().and_then(|rare| rare.concurrent.as_ref());
        self.mailbox.as_ref().map_or(0, |mailbox| mailbox.len())
            + concurrent.map_or(0, |concurrent| concurrent.waiting())
    }

    /// A number for a monitor, guard, task or timer of this port. It is greater than all earlier numbers.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id
    }

    pub(crate) fn add_monitor(&mut self, action: Action) -> u64 {
        let id = self.next_id();
        self.monitors.insert(id, action);
        id
    }

    /// Keeps a value until the port ends, and returns its number.
    pub(crate) fn keep(&mut self, content: Content) -> u64 {
        let id = self.next_id();
        let task = None;
        self.kept.insert(id, Kept { content, task });
        id
    }

    /// Gives a timer a name.
    pub(crate) fn name(&mut self, name: &str, id: u64) {
        self.rare().named.insert(name.into(), id);
    }

    /// Forgets the name of a timer, and returns the timer's number.
    pub(crate) fn take_name(&mut self, name: &str) -> Option<u64> {
        self.rare.as_mut()?.named.remove(name)
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Takes the searches that have asked for the waits of the handler.
    pub(crate) fn take_asked(&mut self) -> Vec<Asker> {
        let rare = self.rare.as_mut();
        rare.map(|rare| std::mem::take(&mut rare.asked))
            .unwrap_or_default()
    }

    /// True if the port ends without handling its queue.
    pub(crate) fn is_cut(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.cut)
    }

    /// True if a stop was queued while the port was at work.
    pub(crate) fn is_stopping(&self) -> bool {
        self.rare.as_ref().is_some_and(|rare| rare.stops)
    }

    /// Remembers a caller until its call has been answered.
    pub(crate) fn hold(&mut self, caller: Weak<dyn Caller>) {
        self.callers.push(caller);
    }

    /// Takes all parts that end with the port. Its name and its monitors stay, because a dying port needs them.
    pub(crate) fn part(&mut self) -> Self {
        let living = Self {
            name: self.name.take(),
            monitors: std::mem::take(&mut self.monitors),
            next_id: self.next_id,
            ..Self::default()
        };
        std::mem::replace(self, living)
    }

    /// Ends the parts of the port. Monitors are not among them.
    pub(crate) fn end(self, reason: &Reason) {
        // One by one, because two panics at once would abort the process.
        self.kept.into_iter().for_each(|(_, kept)| kept.end());
        guard::discard(self.init);
        if let Some(bound) = self.bound {
            bound.line.wake_all();
        }
        for caller in self.callers.0 {
            if let Some(caller) = caller.upgrade() {
                caller.port_died(reason);
            }
        }
    }
}

/// The callers whose replies a handler has kept.
#[derive(Default)]
pub(crate) struct Callers(Vec<Weak<dyn Caller>>);

impl Callers {
    /// Adds a caller. When the list is full, answered callers are removed, and then room is made for as many callers
    /// as are left. So the cost of each addition does not depend on the number of callers.
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

    /// The callers are answered one by one, each after the next one has come. This is the worst case for a list that
    /// is tidied up when it is full.
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
        assert!(
            callers.0.capacity() < 50_000,
            "calls that are gone are forgotten"
        );
    }
}
