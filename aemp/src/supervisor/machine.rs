//! The decisions of a supervisor, without I/O: events come in, commands come out.
//!
//! The caller gives the time, carries out the commands, and calls [`timeout`](Machine::timeout) at the
//! [`deadline`](Machine::deadline). Three sets hold the work that is left, so that no event looks at all children:
//!
//! - `halt`: children of the present round that have to end. Children of the builder end one by one, the last first;
//!   dynamic children end all at once, before them.
//! - `order`: children that start one by one, the first first, as soon as `halt` is empty. The first start of the
//!   builder's children and the restart of a group use it. A child that restarts alone does not.
//! - `timers`: the end of each back-off, and of each time that a child has for its end.
//!
//! Each incarnation has a number, its *run*. An event with another run is of an earlier incarnation and is ignored. A run
//! begins only after the end of the run before, so two of them never overlap as far as this node can know.

mod child;
mod decide;
mod limit;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub(super) use self::child::{Shown, Spec};
pub(crate) use self::limit::Chance;
use self::{
    child::{Child, Fate, Phase},
    limit::Limit,
};
use super::spec::Strategy;
use crate::Reason;

/// The number of a child. Children start in the order of their numbers.
pub(super) type Key = u64;
/// The number of an incarnation.
pub(super) type Run = u64;

/// An order of the machine.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Make an incarnation. The answer is `started` or `ended`.
    Start(Key, Run),
    /// Wait until the child's node is connected. The answer is `arrived`.
    Await(Key, Run),
    /// Ask an incarnation to end, also one that is being made. The answer is `ended`.
    Stop(Key, Run),
    /// Kill an incarnation that did not end in its time.
    Kill(Key, Run),
    /// The child is no longer a child of this supervisor.
    Forget(Key),
    /// All children of the builder have been started for the first time.
    Ready,
    /// All children have ended. The supervisor ends with this reason.
    End(Reason),
}

/// The end of an incarnation.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) reason: Reason,
    /// True if its node was lost.
    pub(super) lost: bool,
}

#[derive(Debug)]
pub(super) struct Machine {
    strategy: Strategy,
    limit: Limit,
    chance: Chance,
    children: BTreeMap<Key, Child>,
    next_key: Key,
    next_run: Run,
    halt: BTreeSet<Key>,
    order: BTreeSet<Key>,
    /// The time before which the children of `order` do not start.
    order_from: Duration,
    timers: BTreeSet<(Duration, Key)>,
    state: State,
    commands: Vec<Command>,
    /// The restarts since they were last taken.
    restarts: u64,
}

#[derive(Debug, PartialEq)]
enum State {
    /// Not all children of the builder have been started yet.
    Beginning,
    Up,
    /// All children are being ended.
    Halting(Reason),
    Over,
}

impl Machine {
    pub(super) fn new(strategy: Strategy, most: u32, period: Duration, seed: u64) -> Self {
        Self {
            strategy,
            limit: Limit::new(most, period),
            chance: Chance::new(seed),
            children: BTreeMap::new(),
            next_key: 0,
            next_run: 1,
            halt: BTreeSet::new(),
            order: BTreeSet::new(),
            order_from: Duration::ZERO,
            timers: BTreeSet::new(),
            state: State::Beginning,
            commands: Vec::new(),
            restarts: 0,
        }
    }

    /// Adds a child. Children of the builder wait for [`begin`](Self::begin), dynamic ones start at once. `None` while
    /// the supervisor is ending.
    pub(super) fn add(&mut self, spec: Spec) -> Option<Key> {
        if matches!(self.state, State::Halting(_) | State::Over) {
            return None;
        }
        let key = self.next_key;
        self.next_key += 1;
        let dynamic = spec.dynamic;
        self.children.insert(key, Child::new(spec));
        if dynamic {
            self.start(key);
        } else {
            self.order.insert(key);
        }
        Some(key)
    }

    /// Starts the children of the builder.
    pub(super) fn begin(&mut self, now: Duration) {
        self.pump(now);
    }

    /// An incarnation has been made.
    pub(super) fn started(&mut self, now: Duration, key: Key, run: Run) {
        let Some(child) = self.of_run(key, run) else {
            return;
        };
        if child.phase == Phase::Starting {
            child.phase = Phase::Running { since: now };
            child.born = true;
            self.order.remove(&key);
        }
        self.pump(now);
    }

    /// The child has any time for its end.
    pub(super) fn takes_its_time(&mut self, key: Key) {
        if let Some(child) = self.children.get_mut(&key) {
            child.spec.shutdown = None;
        }
    }

    /// An incarnation has ended, or could not be made.
    pub(super) fn ended(&mut self, now: Duration, key: Key, run: Run, ended: &Ended) {
        let Some(child) = self.of_run(key, run) else {
            return;
        };
        let (phase, fate) = (child.phase, child.fate);
        if let Phase::Running { since } = phase {
            child.rest(now.saturating_sub(since));
        }
        let was_halted = self.halt.remove(&key);
        match phase {
            Phase::Starting | Phase::Running { .. } if was_halted => self.finish(key, fate),
            Phase::Starting | Phase::Running { .. } => self.died(now, key, ended),
            Phase::Stopping { until, .. } => {
                self.unset(until, key);
                self.finish(key, fate);
            }
            Phase::Idle | Phase::Waiting { .. } | Phase::Absent => {}
        }
        self.pump(now);
    }

    /// The node of a child that waits for it is connected.
    pub(super) fn arrived(&mut self, now: Duration, key: Key, run: Run) {
        let Some(child) = self.of_run(key, run) else {
            return;
        };
        if child.phase == Phase::Absent {
            let due = child.due.max(now);
            self.wait(key, due);
        }
        self.timeout(now);
    }

    /// Ends a child and forgets it. False if there is no such child.
    pub(super) fn remove(&mut self, now: Duration, key: Key) -> bool {
        let Some(child) = self.children.get_mut(&key) else {
            return false;
        };
        child.fate = Fate::Remove;
        match child.phase {
            Phase::Starting | Phase::Running { .. } if !self.halt.contains(&key) => {
                self.stop(now, key);
            }
            Phase::Starting | Phase::Running { .. } | Phase::Stopping { .. } => {}
            Phase::Idle | Phase::Waiting { .. } | Phase::Absent => self.finish(key, Fate::Remove),
        }
        self.pump(now);
        true
    }

    /// Ends all children, and then the supervisor.
    pub(super) fn shutdown(&mut self, now: Duration, reason: Reason) {
        self.end_with(now, reason);
        self.pump(now);
    }

    /// Does everything that is due.
    pub(super) fn timeout(&mut self, now: Duration) {
        while let Some(&(due, key)) = self.timers.first() {
            if due > now {
                break;
            }
            self.timers.pop_first();
            self.due(key);
        }
        self.pump(now);
    }

    /// The time at which [`timeout`](Self::timeout) has something to do.
    pub(super) fn deadline(&self) -> Option<Duration> {
        let timer = self.timers.first().map(|(due, _)| *due);
        let waits = self.halt.is_empty() && !self.order.is_empty();
        let order = (waits && !self.order_from.is_zero()).then_some(self.order_from);
        match (timer, order) {
            (Some(timer), Some(order)) => Some(timer.min(order)),
            (timer, order) => timer.or(order),
        }
    }

    /// The next command.
    pub(super) fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Takes the number of restarts since the last call.
    pub(super) fn take_restarts(&mut self) -> u64 {
        std::mem::take(&mut self.restarts)
    }

    /// The state of a child for reports.
    pub(super) fn shown(&self, key: Key) -> Option<Shown> {
        self.children.get(&key).map(Child::shown)
    }

    /// True if a child has ended, and does not start again by itself. Another child of its group may still take it along.
    pub(super) fn is_done(&self, key: Key) -> bool {
        let child = self.children.get(&key);
        child.is_some_and(|child| child.phase == Phase::Idle && child.run > 0)
            && !self.order.contains(&key)
    }

    fn of_run(&mut self, key: Key, run: Run) -> Option<&mut Child> {
        if self.state == State::Over {
            return None;
        }
        self.children.get_mut(&key).filter(|child| child.run == run)
    }

    fn due(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        match &mut child.phase {
            Phase::Waiting { .. } => {
                child.phase = Phase::Idle;
                if !self.order.contains(&key) {
                    self.start(key);
                }
            }
            Phase::Stopping { until, killed } => {
                *until = None;
                *killed = true;
                self.commands.push(Command::Kill(key, child.run));
                // Its monitor decides when a successor may start. The end of all is not held up by it.
                if matches!(self.state, State::Halting(_)) {
                    self.halt.remove(&key);
                }
            }
            _ => {}
        }
    }

    fn start(&mut self, key: Key) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        child.run = self.next_run;
        child.phase = Phase::Starting;
        child.fate = Fate::Keep;
        self.next_run += 1;
        self.commands.push(Command::Start(key, child.run));
    }

    fn stop(&mut self, now: Duration, key: Key) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let until = child.spec.shutdown.map(|time| now.saturating_add(time));
        child.phase = Phase::Stopping {
            until,
            killed: false,
        };
        self.timers.extend(until.map(|until| (until, key)));
        self.commands.push(Command::Stop(key, child.run));
    }

    fn wait(&mut self, key: Key, due: Duration) {
        if let Some(child) = self.children.get_mut(&key) {
            child.phase = Phase::Waiting { due };
            self.timers.insert((due, key));
        }
    }

    fn unset(&mut self, due: Option<Duration>, key: Key) {
        if let Some(due) = due {
            self.timers.remove(&(due, key));
        }
    }

    /// A child without an incarnation, which does not start by itself.
    fn finish(&mut self, key: Key, fate: Fate) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let due = match child.phase {
            Phase::Waiting { due } => Some(due),
            _ => None,
        };
        child.phase = Phase::Idle;
        self.unset(due, key);
        if fate == Fate::Remove {
            self.order.remove(&key);
            self.halt.remove(&key);
            self.children.remove(&key);
            self.commands.push(Command::Forget(key));
        }
    }

    /// Takes the next steps of a round.
    fn pump(&mut self, now: Duration) {
        if let Some(&last) = self.halt.last() {
            let phase = self.children.get(&last).map(|child| child.phase);
            if matches!(phase, Some(Phase::Starting | Phase::Running { .. })) {
                self.stop(now, last);
            }
            return;
        }
        if let State::Halting(reason) = &self.state {
            let reason = reason.clone();
            self.state = State::Over;
            self.commands.push(Command::End(reason));
        }
        if self.order_from > now {
            return;
        }
        self.order_from = Duration::ZERO;
        while let Some(&first) = self.order.first() {
            let Some(child) = self.children.get(&first) else {
                self.order.remove(&first);
                continue;
            };
            let dynamic = child.spec.dynamic;
            match child.phase {
                Phase::Idle => self.start(first),
                Phase::Running { .. } => {}
                _ if dynamic => {}
                _ => return,
            }
            if !dynamic && matches!(self.children[&first].phase, Phase::Starting) {
                return;
            }
            self.order.remove(&first);
        }
        if self.state == State::Beginning {
            self.state = State::Up;
            self.commands.push(Command::Ready);
        }
    }
}
