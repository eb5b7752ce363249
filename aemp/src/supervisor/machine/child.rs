//! One child of a supervisor, as the machine sees it.

use std::{sync::Arc, time::Duration};

use super::{Run, limit::Chance};
use crate::supervisor::spec::{Backoff, Loss, Restart};

/// The part of a child's specification that decides.
#[derive(Debug, Clone)]
pub(in crate::supervisor) struct Spec {
    pub(in crate::supervisor) name: Arc<str>,
    pub(in crate::supervisor) restart: Restart,
    pub(in crate::supervisor) significant: bool,
    /// The time that it has for its end. `None` is any time.
    pub(in crate::supervisor) shutdown: Option<Duration>,
    pub(in crate::supervisor) backoff: Backoff,
    pub(in crate::supervisor) loss: Loss,
    /// The shortest time between the loss of its node and its restart.
    pub(in crate::supervisor) grace: Duration,
    /// True if it was added to the running supervisor.
    pub(in crate::supervisor) dynamic: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Phase {
    /// There is no incarnation, and no timer.
    Idle,
    /// It is started at this time.
    Waiting {
        due: Duration,
    },
    /// It is started when its node is connected.
    Absent,
    /// An incarnation is being made.
    Starting,
    Running {
        since: Duration,
    },
    /// It has been asked to end, and is killed at this time.
    Stopping {
        until: Option<Duration>,
        killed: bool,
    },
}

/// The fate of a child when its incarnation, which is stopped, has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Fate {
    Keep,
    Remove,
}

#[derive(Debug)]
pub(super) struct Child {
    pub(super) spec: Spec,
    pub(super) phase: Phase,
    pub(super) fate: Fate,
    pub(super) run: Run,
    /// True if an incarnation has been made.
    pub(super) born: bool,
    /// The restarts since it last lived for a while.
    failures: u32,
    pub(super) restarts: u64,
    /// The time before which it is not restarted.
    pub(super) due: Duration,
}

/// The state of a child for reports.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::supervisor) struct Shown {
    pub(in crate::supervisor) state: super::super::ChildState,
    pub(in crate::supervisor) restarts: u64,
}

impl Child {
    pub(super) fn new(spec: Spec) -> Self {
        Self {
            spec,
            phase: Phase::Idle,
            fate: Fate::Keep,
            run: 0,
            born: false,
            failures: 0,
            restarts: 0,
            due: Duration::ZERO,
        }
    }

    /// Notes the life time of an incarnation.
    pub(super) fn rest(&mut self, lived: Duration) {
        if lived >= self.spec.backoff.reset {
            self.failures = 0;
        }
    }

    /// The pause before the next start.
    pub(super) fn back_off(&mut self, chance: &mut Chance) -> Duration {
        let pause = self.spec.backoff.pause(self.failures, chance.fraction());
        self.failures = self.failures.saturating_add(1);
        pause
    }

    pub(super) fn shown(&self) -> Shown {
        use crate::supervisor::ChildState;
        let state = match self.phase {
            Phase::Idle => ChildState::Idle,
            Phase::Waiting { .. } => ChildState::Waiting,
            Phase::Absent => ChildState::Absent,
            Phase::Starting => ChildState::Starting,
            Phase::Running { .. } => ChildState::Running,
            Phase::Stopping { .. } => ChildState::Stopping,
        };
        Shown {
            state,
            restarts: self.restarts,
        }
    }
}

impl Spec {
    /// A permanent child of the builder.
    #[cfg(test)]
    pub(super) fn of(name: &str, restart: Restart) -> Self {
        Self {
            name: name.into(),
            restart,
            significant: false,
            shutdown: Some(Duration::from_secs(5)),
            backoff: Backoff::default(),
            loss: Loss::Wait,
            grace: Duration::ZERO,
            dynamic: false,
        }
    }
}
