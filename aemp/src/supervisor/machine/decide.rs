//! The decisions after an end: to make a child again, alone or with others, or to give up.

use std::time::Duration;

use super::{
    Command, Ended, Key, Machine, State,
    child::{Fate, Phase},
};
use crate::{
    Reason,
    supervisor::{
        SHUTDOWN,
        spec::{Loss, Restart, Strategy},
    },
};

impl Machine {
    /// An incarnation has ended by itself.
    pub(super) fn died(&mut self, now: Duration, key: Key, ended: &Ended) {
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
            let limit = self.limit.describe();
            let reason = Reason::new(vec![
                "restart_limit".into(),
                format!(
                    "{limit}, the last of `{}`: {}",
                    child.spec.name, ended.reason
                )
                .into(),
            ]);
            self.finish(key, Fate::Keep);
            return self.end_with(now, reason);
        }
        child.restarts += 1;
        self.restarts += 1;
        let mut pause = child.back_off(&mut self.chance);
        if ended.lost {
            pause = pause.max(child.spec.grace);
        }
        child.due = now.saturating_add(pause);
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
    pub(super) fn end_with(&mut self, now: Duration, reason: Reason) {
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
}

/// True for a reason after which a transient child is not restarted.
fn is_normal(reason: &Reason) -> bool {
    reason.is_normal() || reason.kind() == SHUTDOWN
}

fn escalated(cause: &str, name: &str, reason: &Reason) -> Reason {
    let kind = if is_normal(reason) {
        SHUTDOWN
    } else {
        "child_ended"
    };
    Reason::new(vec![
        kind.into(),
        format!("{cause}: `{name}`: {reason}").into(),
    ])
}
