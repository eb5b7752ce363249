//! Why ports that another node has spawned died in their init functions, or were not made.
//!
//! The monitor that a spawning node sets right behind its spawn may arrive when the port is dead already; it should hear the
//! reason all the same (PROTOCOL.md section 6).

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::{Reason, proto::weight};

/// How long a reason is kept.
const GRACE: Duration = Duration::from_secs(1);
/// How many are kept: older ones give way.
const MOST: usize = 256;
/// How large a reason may be, in bytes, to be kept.
const LARGEST: usize = 4 << 10;

#[derive(Default)]
pub(crate) struct Stillborn(Mutex<VecDeque<Death>>);

struct Death {
    port: Box<str>,
    reason: Reason,
    at: Instant,
}

impl Stillborn {
    pub(crate) fn remember(&self, port: Box<str>, reason: Reason) {
        if reason.iter().map(weight).sum::<usize>() > LARGEST {
            return;
        }
        let at = Instant::now();
        let mut deaths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while deaths.len() >= MOST || deaths.front().is_some_and(|death| at - death.at > GRACE) {
            deaths.pop_front();
        }
        deaths.push_back(Death { port, reason, at });
    }

    /// The reason, for the first who asks in time.
    pub(crate) fn take(&self, port: &str) -> Option<Reason> {
        let mut deaths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = deaths.iter().position(|death| *death.port == *port)?;
        let death = deaths.remove(at)?;
        (death.at.elapsed() <= GRACE).then_some(death.reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_who_asks_in_time_is_told() {
        let dead = Stillborn::default();
        dead.remember("a".into(), Reason::die("early"));
        assert_eq!(dead.take("b"), None);
        assert_eq!(dead.take("a"), Some(Reason::die("early")));
        assert_eq!(dead.take("a"), None);
        dead.remember("c".into(), Reason::die("late"));
        tokio::time::advance(2 * GRACE).await;
        assert_eq!(dead.take("c"), None);
    }

    #[test]
    fn what_is_large_is_not_kept() {
        let dead = Stillborn::default();
        dead.remember("a".into(), Reason::die("x".repeat(LARGEST)));
        assert_eq!(dead.take("a"), None);
    }

    #[test]
    fn only_so_many_are_kept() {
        let dead = Stillborn::default();
        for n in 0..=MOST {
            dead.remember(n.to_string().into(), Reason::normal());
        }
        assert_eq!(dead.take("0"), None);
        assert_eq!(dead.take("1"), Some(Reason::normal()));
    }
}
