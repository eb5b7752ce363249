//! The decisions about one claim, without I/O: news of the database come in, commands come out.
//!
//! # The rule
//!
//! The claims of a name are entries of one family, a key for each claim, so that all of them can be seen everywhere. A
//! claim gets a *number*, one more than the greatest that it finds, and waits. If no claim holds the name, the first of
//! those that wait begins to hold it, when it has been the first for the settle time. In a network without faults, each
//! claim reaches all nodes within that time, so all of them agree on the first.
//!
//! # Two holders
//!
//! The database has no quorum. Parts of a network that are cut off from each other see only their own claims, so each
//! of them can have a holder. When they see each other again, the one that has held the name for *longer* keeps it. Clocks are
//! not compared: each holder measures its own age, and writes it into its entry when it first sees the other. Both then
//! compare the same two numbers; the claim's number and its key decide between equal ones. A holder loses only to an age
//! that was written, compared with the last that it has written itself. A written age only grows, so two holders never
//! both lose to each other: if they did, each would have written less than the other has seen. An age is written once
//! for each rival, so the comparison ends.
//!
//! # Dangers
//!
//! - *A holder's connection is cut.* Its entry vanishes for a moment. So the next in line waits for the grace. A holder that
//!   gives the name up in order says so (`Released`), and there is no grace.
//! - *A node that has just been started* knows nothing. It waits while it searches for a master, and its settle time
//!   begins when its own entry comes back from the master.
//! - *A new master* knows few entries for a while. A claim made then may find none. The ages mend that later.
//!
//! Left out: a vote of a majority, which needs a list of members and a log; ages by wall clocks; a holder that hands its state over.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use aemp_codec::PortId;

use super::view::{Entry, Place, View};

/// The time between two looks at the node's place in the network.
const LOOK: Duration = Duration::from_secs(1);

/// The node's place in the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has a master, or is one, or has no network.
    Joined,
    /// It searches for a master.
    Searching,
    /// It has found none.
    CutOff,
}

/// The settings of a claim.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) settle: Duration,
    pub(super) grace: Duration,
    pub(super) only_joined: bool,
}

/// An order of the machine.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Command {
    /// Set the claim's entry.
    Publish(Entry),
    /// Show the state to the claimant.
    Show(State),
}

/// The state of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    /// Another claim comes first. With the port that has the name.
    Waits(Option<PortId>),
    Holds,
    /// An older holder was found. With its port.
    Lost(Option<PortId>),
    /// The node is cut off from the network, and the claim needs it.
    CutOff,
    Released,
}

#[derive(Debug)]
pub(super) struct Machine {
    key: Arc<str>,
    settings: Settings,
    view: View,
    /// The entry as it was published last.
    own: Option<Entry>,
    number: u64,
    /// True if the database has shown the entry.
    heard: bool,
    /// True if a holder has vanished without giving the name up.
    bereaved: bool,
    phase: Phase,
    /// The last state that was shown.
    shown: State,
    commands: Vec<Command>,
}

#[derive(Debug)]
enum Phase {
    Waits,
    /// It is the first. It holds the name from this time on.
    Settles(Duration),
    Holds {
        since: Duration,
        /// The other holders that were told the age.
        met: BTreeSet<Arc<str>>,
        /// The next look at the node's place in the network.
        look: Duration,
    },
    Over,
}

impl Machine {
    pub(super) fn new(key: Arc<str>, settings: Settings) -> Self {
        Self {
            key,
            settings,
            view: View::default(),
            own: None,
            number: 0,
            heard: false,
            bereaved: false,
            phase: Phase::Waits,
            shown: State::Waits(None),
            commands: Vec::new(),
        }
    }

    /// The whole content of the family. The first one makes the claim known.
    pub(super) fn all(&mut self, now: Duration, entries: Vec<(String, Option<Entry>)>) {
        let given: BTreeSet<&str> = entries.iter().map(|(key, _)| &**key).collect();
        let known = self.view.keys();
        let gone: Vec<_> = known
            .filter(|key| !given.contains(&***key))
            .cloned()
            .collect();
        for key in gone {
            self.learn(&key, None);
        }
        self.heard = given.contains(&*self.key);
        for (key, entry) in entries {
            self.learn(&key, entry);
        }
        if self.own.is_none() && !matches!(self.phase, Phase::Over) {
            self.number = self.view.greatest().saturating_add(1);
            self.publish(Entry::Waits(self.number));
        }
        self.decide(now);
    }

    /// Some entries have changed.
    pub(super) fn changed(
        &mut self,
        now: Duration,
        changes: impl IntoIterator<Item = (String, Option<Entry>)>,
    ) {
        for (key, entry) in changes {
            if *key == *self.key {
                self.heard = entry.is_some();
            }
            self.learn(&key, entry);
        }
        self.decide(now);
    }

    fn learn(&mut self, key: &str, entry: Option<Entry>) {
        if *key == *self.key {
            return;
        }
        let gone = entry.is_none();
        if gone && let Phase::Holds { met, .. } = &mut self.phase {
            met.remove(key);
        }
        let before = self.view.set(key, entry);
        if gone && matches!(before, Some(Entry::Holds { .. })) {
            self.bereaved = true;
        }
    }

    /// The port that the name stands for.
    pub(super) fn port(&mut self, new: PortId) {
        if let Some(Entry::Holds { number, age, .. }) = self.own {
            self.publish(Entry::Holds {
                number,
                port: Some(new),
                age,
            });
        }
    }

    /// Gives the name up, or the claim to it.
    pub(super) fn release(&mut self) {
        self.end(State::Released);
    }

    /// The time at which [`timeout`](Self::timeout) must be called.
    pub(super) fn deadline(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Settles(until) => Some(*until),
            Phase::Holds { look, .. } if self.settings.only_joined => Some(*look),
            Phase::Waits | Phase::Holds { .. } | Phase::Over => None,
        }
    }

    pub(super) fn timeout(&mut self, now: Duration, standing: Standing) {
        let allowed = match standing {
            Standing::Joined => true,
            Standing::Searching => false,
            Standing::CutOff => !self.settings.only_joined,
        };
        match &mut self.phase {
            Phase::Settles(until) if *until <= now => {
                if allowed {
                    self.hold(now);
                } else {
                    *until = now + self.settings.settle.max(LOOK);
                }
            }
            Phase::Holds { look, .. } if *look <= now => {
                *look = now + LOOK;
                if standing == Standing::CutOff && self.settings.only_joined {
                    self.end(State::CutOff);
                }
            }
            _ => {}
        }
    }

    fn hold(&mut self, now: Duration) {
        self.phase = Phase::Holds {
            since: now,
            met: BTreeSet::new(),
            look: now + LOOK,
        };
        self.publish(Entry::Holds {
            number: self.number,
            port: None,
            age: None,
        });
        self.show(State::Holds);
    }

    fn decide(&mut self, now: Duration) {
        match self.phase {
            Phase::Waits | Phase::Settles(_) => self.line_up(now),
            Phase::Holds { .. } => self.compare(now),
            Phase::Over => {}
        }
    }

    /// Decides whether the claim is the first in line.
    fn line_up(&mut self, now: Duration) {
        let place = Place::Waits(self.number, Arc::clone(&self.key));
        let first = self.view.first().filter(|first| **first < place);
        if first.is_none() && self.heard {
            if let Phase::Waits = self.phase {
                self.phase = Phase::Settles(now + self.pause());
            }
            self.show(State::Waits(None));
            return;
        }
        self.phase = Phase::Waits;
        if let Some(first) = first {
            if matches!(first, Place::Holds(..)) {
                // It has come back, or another one holds the name.
                self.bereaved = false;
            }
            let port = self.view.port(first.key()).cloned();
            self.show(State::Waits(port));
        }
    }

    fn pause(&self) -> Duration {
        let grace = self.bereaved.then_some(self.settings.grace);
        self.settings.settle.max(grace.unwrap_or_default())
    }

    /// Compares a holder with the other holders.
    fn compare(&mut self, now: Duration) {
        let Phase::Holds { since, met, .. } = &mut self.phase else {
            return;
        };
        let before = met.len();
        met.extend(self.view.holders().map(|rival| Arc::clone(rival.key())));
        let is_new = met.len() > before;
        let Some(best) = self.view.holders().next() else {
            return;
        };
        let Some(Entry::Holds { number, port, age }) = &self.own else {
            return;
        };
        let age = match is_new {
            true => u64::try_from((now - *since).as_millis()).ok(),
            false => *age,
        };
        let me = Place::Holds(std::cmp::Reverse(age), *number, Arc::clone(&self.key));
        if *best < me {
            let port = self.view.port(best.key()).cloned();
            return self.end(State::Lost(port));
        }
        let own = Entry::Holds {
            number: *number,
            port: port.clone(),
            age,
        };
        if self.own.as_ref() != Some(&own) {
            self.publish(own);
        }
    }

    fn end(&mut self, state: State) {
        if matches!(self.phase, Phase::Over) {
            return;
        }
        self.phase = Phase::Over;
        if self.own.is_some() {
            self.publish(Entry::Released);
        }
        self.show(state);
    }

    fn publish(&mut self, entry: Entry) {
        self.own = Some(entry.clone());
        self.commands.push(Command::Publish(entry));
    }

    fn show(&mut self, state: State) {
        if self.shown != state {
            self.shown = state.clone();
            self.commands.push(Command::Show(state));
        }
    }

    /// Takes the commands.
    pub(super) fn commands(&mut self) -> Vec<Command> {
        std::mem::take(&mut self.commands)
    }
}

#[cfg(test)]
mod tests;
