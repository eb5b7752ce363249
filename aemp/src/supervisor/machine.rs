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
mod limit;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

pub(super) use self::child::{Shown, Spec};
use self::{
    child::{Child, Fate, Phase},
    limit::{Chance, Limit},
};
use super::spec::{Loss, Restart, Strategy};
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

/// How an incarnation has ended.
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

    /// Does what is due.
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

    /// What can be shown of a child.
    pub(super) fn shown(&self, key: Key) -> Option<Shown> {
        self.children.get(&key).map(Child::shown)
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
        let until = child.spec.shutdown.map(|time| now + time);
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

    /// An incarnation has ended by itself.
    fn died(&mut self, now: Duration, key: Key, ended: &Ended) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        let spec = &child.spec;
        let stays_lost = ended.lost && spec.loss == Loss::Stop;
        let again = match spec.restart {
            // The caller of `start_child` hears of the failure.
            _ if spec.dynamic && !child.born => false,
            Restart::Permanent => true,
            Restart::Transient => !is_normal(&ended.reason) && !stays_lost,
            Restart::Temporary => false,
        };
        if again && stays_lost {
            let reason = escalated("a child's node was lost", &spec.name, &ended.reason);
            self.finish(key, Fate::Keep);
            return self.end_with(now, reason);
        }
        if again {
            return self.again(now, key, ended);
        }
        let significant = spec.significant && child.born;
        let reason = escalated("a significant child has ended", &spec.name, &ended.reason);
        self.order.remove(&key);
        let stays = spec.restart == Restart::Transient && !spec.dynamic;
        self.finish(key, if stays { Fate::Keep } else { Fate::Remove });
        if significant {
            self.end_with(now, reason);
        }
    }

    /// A child has to be restarted.
    fn again(&mut self, now: Duration, key: Key, ended: &Ended) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        if !ended.lost && !self.limit.allows(now) {
            let what = self.limit.describe();
            let reason = Reason::new(vec![
                "restart_limit".into(),
                format!(
                    "{what}, the last of `{}`: {}",
                    child.spec.name, ended.reason
                )
                .into(),
            ]);
            self.finish(key, Fate::Keep);
            return self.end_with(now, reason);
        }
        child.restarts += 1;
        let mut pause = child.back_off(&mut self.chance);
        if ended.lost {
            pause = pause.max(child.spec.grace);
        }
        child.due = now + pause;
        let due = child.due;
        let absent = ended.lost && child.spec.loss == Loss::Wait;
        let alone = child.spec.dynamic || self.strategy == Strategy::OneForOne;
        if absent {
            child.phase = Phase::Absent;
            self.commands.push(Command::Await(key, child.run));
        } else {
            child.phase = Phase::Idle;
        }
        if alone {
            if !absent {
                self.wait(key, due);
            }
            return;
        }
        self.order_from = self.order_from.max(due);
        self.order.insert(key);
        self.restart_group(now, key);
    }

    /// Ends the other children of a group, and lets all of it start again in order.
    fn restart_group(&mut self, now: Duration, failed: Key) {
        let from = match self.strategy {
            Strategy::RestForOne => failed,
            Strategy::OneForAll | Strategy::OneForOne => 0,
        };
        let others: Vec<Key> = self.children.range(from..).map(|(key, _)| *key).collect();
        for key in others.into_iter().filter(|key| *key != failed) {
            self.renew(now, key);
        }
    }

    /// Lets a child end, if it runs, and start again in order.
    fn renew(&mut self, now: Duration, key: Key) {
        let Some(child) = self.children.get_mut(&key) else {
            return;
        };
        if child.fate == Fate::Remove {
            self.halt.insert(key);
            return;
        }
        let again = child.spec.restart != Restart::Temporary;
        child.fate = if again { Fate::Keep } else { Fate::Remove };
        if again {
            self.order.insert(key);
        }
        match child.phase {
            Phase::Starting | Phase::Running { .. } => {
                self.halt.insert(key);
                if self.children[&key].spec.dynamic {
                    self.stop(now, key);
                }
            }
            Phase::Stopping { .. } => {
                self.halt.insert(key);
            }
            // Its back-off counts for the group.
            Phase::Waiting { due } => {
                self.order_from = self.order_from.max(due);
                self.finish(key, Fate::Keep);
            }
            Phase::Idle | Phase::Absent => {}
        }
    }

    /// Begins to end everything. The first reason counts.
    fn end_with(&mut self, now: Duration, reason: Reason) {
        if matches!(self.state, State::Halting(_) | State::Over) {
            return;
        }
        self.state = State::Halting(reason);
        self.order.clear();
        let keys: Vec<Key> = self.children.keys().copied().collect();
        for key in keys {
            let child = &self.children[&key];
            let (phase, dynamic) = (child.phase, child.spec.dynamic);
            match phase {
                Phase::Starting | Phase::Running { .. } => {
                    self.halt.insert(key);
                    if dynamic {
                        self.stop(now, key);
                    }
                }
                Phase::Stopping { killed, .. } if !killed => {
                    self.halt.insert(key);
                }
                Phase::Stopping { .. } => {
                    self.halt.remove(&key);
                }
                Phase::Idle | Phase::Waiting { .. } | Phase::Absent => self.finish(key, Fate::Keep),
            }
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

/// True for a reason after which a transient child is not restarted.
fn is_normal(reason: &Reason) -> bool {
    reason.is_normal() || reason.kind() == super::SHUTDOWN
}

fn escalated(what: &str, name: &str, reason: &Reason) -> Reason {
    let kind = if is_normal(reason) {
        super::SHUTDOWN
    } else {
        "child_ended"
    };
    Reason::new(vec![
        kind.into(),
        format!("{what}: `{name}`: {reason}").into(),
    ])
}
