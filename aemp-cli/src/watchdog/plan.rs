//! The decision after the end of a node's process.

use std::time::Duration;

use aemp::supervisor::Backoff;

use crate::Exit;

/// The ends after which a node is started again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// After a crash, a status other than 0, and a missing heartbeat.
    OnFailure,
    /// After every end.
    Always,
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Status(i32),
    Signal(i32),
    /// It could not be started.
    Missing,
}

impl End {
    /// True if the process has ended with this status.
    pub(super) fn is(self, exit: Exit) -> bool {
        self == Self::Status(exit.code().into())
    }
}

/// The reaction to an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The node is started again after this time.
    Again(Duration),
    Over,
}

/// Signals after which no node is started again, as in the reference.
const ORDERED: [i32; 2] = [2, 15];

/// The pauses: from half a second to a minute; a node that has run for a minute begins anew.
const BACKOFF: Backoff = Backoff {
    first: Duration::from_millis(500),
    most: Duration::from_secs(60),
    reset: Duration::from_secs(60),
};

#[derive(Debug)]
pub(super) struct Plan {
    when: When,
    /// True if a process has told that its node is ready.
    has_started: bool,
    /// The number of failures in a row.
    failures: u32,
}

impl Plan {
    pub(super) fn new(when: When) -> Self {
        Self {
            when,
            has_started: false,
            failures: 0,
        }
    }

    pub(super) fn started(&mut self) {
        self.has_started = true;
    }

    /// Decides after an end. `lived` is the time since the start, `fraction` a random number from 0 to 1.
    pub(super) fn ended(&mut self, end: End, lived: Duration, fraction: f64) -> Next {
        if end.is(Exit::Restart) {
            return Next::Again(Duration::ZERO);
        }
        // The same command line and the same file would fail in the same way. A node that has run before may find its
        // address in use for a while.
        let is_hopeless = end.is(Exit::Usage) || end.is(Exit::Config) || end == End::Missing;
        if is_hopeless && !self.has_started {
            return Next::Over;
        }
        let is_ordered = match end {
            End::Status(status) => status == 0,
            End::Signal(signal) => ORDERED.contains(&signal),
            End::Missing => false,
        };
        if is_ordered && self.when == When::OnFailure {
            return Next::Over;
        }
        if lived >= BACKOFF.reset {
            self.failures = 0;
        }
        let pause = BACKOFF.pause(self.failures, fraction);
        self.failures = self.failures.saturating_add(1);
        Next::Again(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn next(when: When, has_started: bool, end: End) -> Next {
        let mut plan = Plan::new(when);
        if has_started {
            plan.started();
        }
        plan.ended(end, SECOND, 1.0)
    }

    #[test]
    fn the_end_decides() {
        let again = Next::Again(BACKOFF.first);
        let at_once = Next::Again(Duration::ZERO);
        for (end, on_failure, always) in [
            (End::Status(0), Next::Over, again),
            (End::Status(1), again, again),
            (End::Status(101), again, again),
            (End::Status(75), at_once, at_once),
            (End::Signal(9), again, again),
            (End::Signal(15), Next::Over, again),
            (End::Signal(2), Next::Over, again),
            (End::Status(3), again, again),
            (End::Missing, again, again),
        ] {
            assert_eq!(next(When::OnFailure, true, end), on_failure, "{end:?}");
            assert_eq!(next(When::Always, true, end), always, "{end:?}");
        }
    }

    #[test]
    fn a_mistake_in_the_configuration_is_not_repeated() {
        for end in [End::Status(2), End::Status(3), End::Missing] {
            assert_eq!(next(When::Always, false, end), Next::Over, "{end:?}");
        }
        assert_ne!(next(When::OnFailure, false, End::Status(1)), Next::Over);
    }

    #[test]
    fn pauses_grow_and_are_reset() {
        let mut plan = Plan::new(When::OnFailure);
        let mut pause = |lived| match plan.ended(End::Signal(9), lived, 1.0) {
            Next::Again(pause) => pause.as_millis(),
            Next::Over => 0,
        };
        let first: Vec<_> = (0..3).map(|_| pause(SECOND)).collect();
        assert_eq!(first, [500, 1000, 2000]);
        let long = (0..20).map(|_| pause(SECOND)).max();
        assert_eq!(long, Some(60_000));
        assert_eq!(pause(60 * SECOND), 500);
        assert_eq!(pause(SECOND), 1000);
    }
}
