//! Connections that come to nothing, and who is told what of them.

use std::time::Duration;

use aemp_codec::NodeId;

use super::{
    Level, Mesh, Peers, SeedFailureKind,
    conn::{Phase, Purpose},
};
use crate::proto::{Time, handshake::HandshakeError, peer::ConnId};

/// Connections of others that say they are a node that is connected already.
///
/// A few of them are in order: two nodes that dial each other, or one that has restarted before anybody has noticed that it was
/// gone. Those stop when `monitor_timeout` is over; two nodes with one ID go on for ever.
#[derive(Debug, Default)]
pub(super) struct Doubles {
    /// The first and the last of those that came without a long break.
    span: Option<(Time, Time)>,
    told: bool,
}

impl Doubles {
    /// One more; whether somebody should be told, which is true once.
    fn add(&mut self, now: Time, patience: Duration) -> bool {
        let (first, last) = self.span.unwrap_or((now, now));
        let first = if now - last > 2 * patience {
            now
        } else {
            first
        };
        self.span = Some((first, now));
        now - first > patience && !std::mem::replace(&mut self.told, true)
    }
}

/// How urgent an end of a connection is.
#[derive(Clone, Copy)]
enum Told {
    As(Level),
    /// A seed has failed in that way: so urgent when it is news.
    Seed(Level, &'static str),
}

impl<P: Peers> Mesh<P> {
    /// The peer has our own ID: is it another node, or the other end of a connection that we have made ourselves?
    pub(super) fn namesake(&mut self, now: Time, id: ConnId, nonce: &[u8]) {
        let ours = self
            .conns
            .iter()
            .find(|(other, conn)| **other != id && conn.sent_nonce(nonce));
        match ours.map(|(other, _)| *other) {
            // Neither end can have gone before both have been greeted: the first to be greeted ends both.
            Some(other) => {
                self.refuse(now, id, &HandshakeError::Myself);
                self.refuse(now, other, &HandshakeError::Myself);
            }
            None => {
                let own = self.handshake.node.as_str().into();
                self.refuse(now, id, &HandshakeError::Namesake(own));
            }
        }
    }

    pub(super) fn refuse_connected(&mut self, now: Time, id: ConnId, node: &NodeId) {
        self.doubt(now, id, node);
        let error = HandshakeError::AlreadyConnected(node.as_str().into());
        self.refuse(now, id, &error);
    }

    /// Two nodes with one ID cannot know of each other: who sees both has to tell.
    fn doubt(&mut self, now: Time, id: ConnId, node: &NodeId) {
        let patience = self.handshake.timeout;
        let Some((conn, entry)) = self.conns.get(&id).zip(self.nodes.get_mut(node)) else {
            return;
        };
        let Some((up, _)) = entry.up().filter(|_| conn.purpose == Purpose::Accepted) else {
            return;
        };
        if entry.doubles.add(now, patience) {
            let there = self.conns.get(&up).map_or("", |conn| &conn.addr);
            let text = format!(
                "{} says again and again that it is node {:?}, which is connected from {there}: \
                 two nodes use that ID",
                conn.addr,
                node.as_str(),
            );
            self.log(Level::Warn, text);
        }
    }

    /// Closes a connection that is not to be.
    pub(super) fn refuse(&mut self, now: Time, id: ConnId, error: &HandshakeError) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let seed = conn.purpose == Purpose::Seed;
        if *error == HandshakeError::Myself && seed {
            self.is_own_seed(now, &conn.addr.clone());
        }
        let text = match self.claim(id) {
            Some(claim) if tells_nothing_of_the_node(error) => {
                format!("{error} (it says it is node {:?})", claim.node.as_str())
            }
            _ => error.to_string(),
        };
        let told = match error {
            HandshakeError::AlreadyConnected(_)
            | HandshakeError::Myself
            | HandshakeError::Superseded => Told::As(Level::Debug),
            HandshakeError::Namesake(_) if seed => Told::Seed(Level::Error, "seed not reached"),
            HandshakeError::Namesake(_) => Told::As(self.alarm(now)),
            HandshakeError::TimedOut if seed && self.claim(id).is_none() => {
                Told::Seed(Level::Warn, "seed sends no greeting")
            }
            HandshakeError::Unparsable { .. } | HandshakeError::LineTooLong if seed => {
                Told::Seed(Level::Warn, "seed is no node")
            }
            _ if seed => Told::Seed(Level::Warn, "seed not reached"),
            _ => Told::As(self.measured(now, level(error))),
        };
        if seed
            && let Some(kind) = failure_kind(error)
            && let Some(conn) = self.conns.get(&id)
        {
            self.seeds.failed(&conn.addr, kind, &text);
        }
        self.tell_end(id, told, &text);
        self.abandon(now, id);
    }

    /// How urgent the end of a stranger's connection is when there are many of them.
    fn measured(&mut self, now: Time, level: Level) -> Level {
        let (level, more) = self.ends.weigh(now, level);
        if let Some(more) = more {
            self.log(level, more);
        }
        level
    }

    /// Logs what nodes can cause as often as they like.
    pub(super) fn complain(&mut self, now: Time, level: Level, text: String) {
        let (level, more) = self.complaints.weigh(now, level);
        if let Some(more) = more {
            self.log(level, more);
        }
        self.log(level, text);
    }

    fn is_own_seed(&mut self, now: Time, address: &str) {
        let text = format!("seed {address} is this node itself, which makes it global");
        self.log(Level::Info, text);
        self.seeds.remove(address);
        self.global.become_global(now);
        self.follow_seeds(now);
    }

    /// How urgent it is that another node uses our ID: anybody can say so, and as often as they like.
    fn alarm(&mut self, now: Time) -> Level {
        let pause = 10 * self.handshake.timeout;
        if self.namesake.is_some_and(|last| now - last < pause) {
            return Level::Debug;
        }
        self.namesake = Some(now);
        Level::Error
    }

    /// A connection that is not up has ended by itself.
    pub(super) fn tell_lost(&mut self, id: ConnId, text: &str) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let claim = self.claim(id).map(|claim| claim.node);
        if conn.purpose == Purpose::Seed {
            let (kind, text) = match (&conn.phase, &claim) {
                (Phase::Dialing { .. }, _) => (SeedFailureKind::Unreachable, text.into()),
                (_, None) => (SeedFailureKind::Closed, text.into()),
                (_, Some(node)) => (SeedFailureKind::TurnedAway, self.turned_away(node, text)),
            };
            self.seeds.failed(&conn.addr, kind, &text);
        }
        let (told, text) = match (&conn.phase, claim) {
            _ if conn.purpose != Purpose::Seed => (Told::As(Level::Debug), text.into()),
            (Phase::Dialing { .. }, _) => {
                (Told::Seed(Level::Warn, "seed not reached"), text.into())
            }
            (Phase::Handshake(_), None) => (
                Told::Seed(Level::Warn, "seed sends no greeting"),
                text.into(),
            ),
            (Phase::Handshake(_), Some(node)) => self.hung_up(&conn.addr.clone(), &node, text),
            (Phase::Pending(_) | Phase::Up(_), _) => (Told::As(Level::Debug), text.into()),
        };
        self.tell_end(id, told, &text);
    }

    /// A seed's node has closed the connection, for reasons that it keeps to itself. The first time it may have been for
    /// the sake of another connection that it is about to complete.
    fn hung_up(&mut self, address: &str, node: &NodeId, text: &str) -> (Told, String) {
        if self.seeds.hung_up(address) < 2 {
            return (Told::As(Level::Debug), text.into());
        }
        let text = self.turned_away(node, text);
        (Told::Seed(Level::Warn, "seed hangs up"), text)
    }

    fn turned_away(&self, node: &NodeId, text: &str) -> String {
        format!(
            "{text}; it says it is node {:?}, and may have no secret or know another node by our ID {:?}",
            node.as_str(),
            self.handshake.node.as_str(),
        )
    }

    fn tell_end(&mut self, id: ConnId, told: Told, text: &str) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let end = format!("{} disconnected - {text}.", conn.addr);
        match told {
            Told::As(level) => self.log(level, end),
            Told::Seed(urgent, what) => {
                let text = format!("{what}: {end}");
                let news = self.seeds.trouble(&conn.addr, &text);
                self.log(if news { urgent } else { Level::Debug }, text);
            }
        }
    }
}

/// What a refused handshake means for the seed; nothing if there will be, or is, another connection.
fn failure_kind(error: &HandshakeError) -> Option<SeedFailureKind> {
    match error {
        HandshakeError::AlreadyConnected(_)
        | HandshakeError::Myself
        | HandshakeError::Superseded => None,
        HandshakeError::TimedOut => Some(SeedFailureKind::Silent),
        HandshakeError::Unparsable { .. } | HandshakeError::LineTooLong => {
            Some(SeedFailureKind::NoNode)
        }
        _ => Some(SeedFailureKind::Refused),
    }
}

fn tells_nothing_of_the_node(error: &HandshakeError) -> bool {
    !matches!(
        error,
        HandshakeError::AlreadyConnected(_) | HandshakeError::Namesake(_) | HandshakeError::Myself
    )
}

/// Who should know of a refusal: nodes that were meant to fit together and do not are somebody's mistake.
fn level(error: &HandshakeError) -> Level {
    match error {
        HandshakeError::WrongSecret
        | HandshakeError::NoSecret
        | HandshakeError::TooMany(_)
        | HandshakeError::NoTls(_)
        | HandshakeError::NotEncrypted(_)
        | HandshakeError::SameRole(_)
        | HandshakeError::Tls(_)
        | HandshakeError::Version { .. }
        | HandshakeError::NoCommonAuth(_)
        | HandshakeError::NoCommonFraming(_)
        | HandshakeError::UnsupportedAuth { .. } => Level::Warn,
        _ => Level::Info,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Time {
        Time::from(Duration::from_secs(seconds))
    }

    fn told(times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut doubles = Doubles::default();
        let times = times.into_iter();
        times
            .filter(|time| doubles.add(at(*time), PATIENCE))
            .collect()
    }

    #[test]
    fn who_never_stops_is_told_of_once() {
        assert_eq!(told((0..50).map(|n| n * 10)), [40]);
        assert!(told([5, 5, 6, 34]).is_empty());
        // A restart after a long time is nothing to tell of.
        assert!(told([0, 1000, 1010, 1030, 2000]).is_empty());
    }
}
