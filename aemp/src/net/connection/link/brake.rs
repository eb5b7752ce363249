//! The brake of a connection whose node sends to a port faster than the port handles its messages.
//!
//! Dropping messages would break the guarantee, and a port whose queue reaches `max_port_queue` dies. So such a
//! connection is delivered in small portions, with pauses between them, until the port has caught up. A pause ends early
//! when the port catches up. Its longest time grows with the square of the queue's length: a port that lags behind a
//! little holds its connections up for milliseconds, and a port that many connections flood holds each of them up for as
//! long as it needs.
//!
//! A pause holds up the connection's messages to other ports as well, and the port itself may wait for an answer from
//! that node. Therefore a pause has an end, whether the port has caught up or not. And a port that handles next to
//! nothing is given up: its connections go on with short pauses, and it dies at `max_port_queue`. An acknowledgement by
//! port would hold up only the senders to that port; bounded ports have that (`stream/credit`), and senders that wait for
//! room.
//!
//! Limit: a connection is braked behind the turn in which it has found the queue long. A turn delivers up to 256 KiB, so
//! thousands of connections that begin at the same moment can still fill a queue of a million.

use std::time::Duration;

use crate::node::delivery::Crowd;
use aemp_proto::Time;

/// The number of messages that are delivered between two pauses.
const PORTION: usize = 128;
/// The pause for a small crowd.
const LITTLE: Duration = Duration::from_millis(1);
/// The longest pause when a crowd has just become large. The port handles about ten thousand messages in this time.
const LARGE: Duration = Duration::from_millis(5);
/// The longest pause of all. Nodes that wait for an answer, or for a keepalive, do not take this one for dead.
const LONGEST: Duration = Duration::from_secs(1);
/// The number of times that the port is looked at during a pause.
const LOOKS: u32 = 8;

/// The time after which the port is judged.
const TRIAL: Duration = Duration::from_millis(200);
/// The messages that a port must handle in a second. Below that, its connections would be held up for too long.
const SLOWEST: u64 = 1000;

/// The crowd of messages in the queue of one port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Lag {
    /// The number of the port.
    pub(super) port: u64,
    pub(super) waiting: usize,
    /// The messages that it has handled.
    pub(super) handled: u64,
    /// The number from which the crowd is large.
    pub(super) large: usize,
}

impl Lag {
    fn is_large(&self) -> bool {
        self.waiting >= self.large
    }
}

/// The state of one connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Brake {
    #[default]
    Off,
    /// Portions and pauses, until the port has caught up.
    On(Trial),
    /// A pause until this time, at the latest.
    Pause {
        trial: Trial,
        until: Time,
        step: Duration,
    },
    /// The port with this number is too slow to be waited for.
    GivenUp { port: u64 },
}

/// The port that is waited for, and the messages that it had handled at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Trial {
    port: u64,
    since: Time,
    handled: u64,
}

impl Trial {
    fn begin(now: Time, lag: &Lag) -> Self {
        Self {
            port: lag.port,
            since: now,
            handled: lag.handled,
        }
    }

    /// The next trial, if this one has lasted long enough. `None` if the port has handled too little.
    fn judge(self, now: Time, lag: &Lag) -> Option<Self> {
        let took = now - self.since;
        if took < TRIAL {
            return Some(self);
        }
        let handled = lag.handled.saturating_sub(self.handled);
        let least = u128::from(SLOWEST) * took.as_millis() / 1000;
        (u128::from(handled) >= least).then(|| Self::begin(now, lag))
    }
}

impl Brake {
    /// The number of messages that may be delivered now.
    pub(super) fn portion(self) -> usize {
        match self {
            Self::Off | Self::GivenUp { .. } => usize::MAX,
            Self::On(_) => PORTION,
            Self::Pause { .. } => 0,
        }
    }

    /// True during a pause. Only then is the silence of the other node no sign of its loss.
    pub(super) fn pauses(self) -> bool {
        matches!(self, Self::Pause { .. })
    }

    /// The port that is observed.
    pub(super) fn port(self) -> Option<u64> {
        match self {
            Self::Off => None,
            Self::On(trial) | Self::Pause { trial, .. } => Some(trial.port),
            Self::GivenUp { port } => Some(port),
        }
    }

    /// Messages were delivered. Returns the time until which nothing is to be delivered, if there is a pause.
    pub(super) fn delivered(&mut self, now: Time, crowd: Crowd, lag: Option<Lag>) -> Option<Time> {
        let Some(lag) = lag.filter(Lag::is_large) else {
            *self = Self::Off;
            return (crowd != Crowd::None).then(|| now + LITTLE);
        };
        let trial = match *self {
            Self::GivenUp { port } if port == lag.port => {
                return (crowd != Crowd::None).then(|| now + LARGE);
            }
            Self::On(trial) | Self::Pause { trial, .. } if trial.port == lag.port => trial,
            _ => Trial::begin(now, &lag),
        };
        let longest = longest(lag.waiting, lag.large);
        let step = (longest / LOOKS).max(LARGE).min(longest);
        *self = Self::Pause {
            trial,
            until: now + longest,
            step,
        };
        Some(now + step)
    }

    /// A part of the pause is over. Returns the time of its next part, if the port still lags behind.
    pub(super) fn check(&mut self, now: Time, lag: Option<Lag>) -> Option<Time> {
        let Self::Pause { trial, until, step } = *self else {
            return None;
        };
        let Some(lag) = lag.filter(Lag::is_large) else {
            *self = Self::Off;
            return None;
        };
        let Some(trial) = trial.judge(now, &lag) else {
            *self = Self::GivenUp { port: lag.port };
            return None;
        };
        if now >= until {
            *self = Self::On(trial);
            return None;
        }
        *self = Self::Pause { trial, until, step };
        Some(until.min(now + step))
    }
}

fn longest(waiting: usize, large: usize) -> Duration {
    let times = waiting as f64 / large.max(1) as f64;
    LARGE.mul_f64((times * times).min(1e6)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lag_of(waiting: usize, handled: u64) -> Option<Lag> {
        Some(Lag {
            port: 7,
            waiting,
            handled,
            large: 1000,
        })
    }

    fn lag(waiting: usize) -> Option<Lag> {
        lag_of(waiting, 0)
    }

    fn at(millis: u64) -> Time {
        Time::ZERO + Duration::from_millis(millis)
    }

    #[test]
    fn a_small_crowd_costs_a_moment() {
        let mut brake = Brake::Off;
        assert_eq!(brake.delivered(at(0), Crowd::None, None), None);
        assert_eq!(brake.delivered(at(0), Crowd::Small, None), Some(at(1)));
        assert_eq!((brake, brake.portion()), (Brake::Off, usize::MAX));
    }

    #[test]
    fn a_large_crowd_costs_a_pause_that_ends_when_the_port_has_caught_up() {
        let mut brake = Brake::Off;
        let paused = brake.delivered(at(0), Crowd::Large(7), lag(4000));
        assert_eq!((paused, brake.portion()), (Some(at(10)), 0));
        assert!(brake.pauses());
        assert_eq!(brake.check(at(10), lag(3000)), Some(at(20)));
        assert_eq!(brake.check(at(20), lag(999)), None);
        assert_eq!(brake, Brake::Off);
        // A dead port is not waited for.
        assert!(brake.delivered(at(0), Crowd::Large(7), lag(4000)).is_some());
        assert_eq!((brake.check(at(10), None), brake), (None, Brake::Off));
    }

    #[test]
    fn after_a_whole_pause_there_is_a_portion_and_another_pause() {
        let mut brake = Brake::Off;
        let mut resume = brake.delivered(at(0), Crowd::Large(7), lag(2000));
        let mut now = at(0);
        while let Some(next) = resume {
            now = next;
            resume = brake.check(now, lag(2000));
        }
        assert_eq!((now, brake.portion()), (at(20), PORTION));
        assert!(!brake.pauses());
        // No message of the portion has noticed the length of the queue.
        assert!(brake.delivered(now, Crowd::None, lag(2000)).is_some());
    }

    /// Plays pauses of a port with a long queue, which handles so many messages in a millisecond.
    fn played(rate: impl Fn(u64) -> u64) -> (Brake, u64) {
        let mut brake = Brake::Off;
        let mut now = 0;
        let mut resume = brake.delivered(at(0), Crowd::Large(7), lag(10_000));
        while now < 5000 {
            let Some(next) = resume else { break };
            now = u64::try_from((next - Time::ZERO).as_millis()).unwrap();
            resume = brake.check(next, lag_of(10_000, rate(now)));
            if let Brake::On(_) = brake {
                resume = brake.delivered(next, Crowd::None, lag_of(10_000, rate(now)));
            }
        }
        (brake, now)
    }

    #[test]
    fn a_port_that_handles_too_little_is_given_up() {
        let (mut brake, now) = played(|millis| millis / 2);
        assert_eq!(brake, Brake::GivenUp { port: 7 });
        assert!((200..300).contains(&now), "{now}");
        // The port may stay so for ever, and the loss of the other node must be noticed all the same.
        assert!(brake.portion() == usize::MAX && !brake.pauses());
        assert_eq!(brake.delivered(at(300), Crowd::None, lag(10_000)), None);
        assert_eq!(
            brake.delivered(at(300), Crowd::Large(7), lag(10_000)),
            Some(at(305))
        );
        // It has caught up all the same.
        assert_eq!(brake.delivered(at(400), Crowd::None, lag(10)), None);
        assert_eq!(brake, Brake::Off);
    }

    #[test]
    fn a_port_that_goes_on_is_waited_for() {
        let (brake, _) = played(|millis| millis * 2);
        assert_ne!(brake, Brake::GivenUp { port: 7 });
        // It stops later.
        let (brake, now) = played(|millis| millis.min(2000) * 2);
        assert_eq!(brake, Brake::GivenUp { port: 7 });
        assert!((2200..3000).contains(&now), "{now}");
    }

    #[test]
    fn pauses_grow_with_the_queue_up_to_a_limit() {
        let pauses = [1000, 2000, 10_000, 1_000_000, usize::MAX].map(|it| longest(it, 1000));
        assert_eq!(pauses, [5, 20, 500, 1000, 1000].map(Duration::from_millis));
        assert_eq!(longest(5, 0), Duration::from_millis(125));
    }
}
