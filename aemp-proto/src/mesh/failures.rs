//! Reports of connections that end before they are up.
//!
//! A seed's failure is logged at warn level if it differs from the last one, and otherwise at debug level until the
//! seed has been up. The mesh also keeps the failure as a kind and a text (`Node::seeds`). The command decides by the
//! kind whether another attempt can help.

use std::time::Duration;

use aemp_codec::NodeId;

use super::{
    Level, LookUpId, Mesh, Peers, SeedFailureKind,
    connection::{Connection, Identity, Phase, Purpose},
};
use crate::{
    Time,
    handshake::{Handshake, HandshakeError},
    peer::ConnId,
};

/// Connections of peers that claim to be a node that is connected already.
///
/// A few are normal: two nodes dial each other, or a node restarts before its loss is noticed. These stop after
/// `monitor_timeout`. Two nodes with the same ID continue for ever.
#[derive(Debug, Default)]
pub(super) struct Doubles {
    /// The times of the first and the last such connection in a row without long breaks.
    span: Option<(Time, Time)>,
    reported: bool,
}

impl Doubles {
    /// Counts a connection. Returns true once, when a warning is due.
    fn add(&mut self, now: Time, patience: Duration) -> bool {
        let (first, last) = self.span.unwrap_or((now, now));
        let first = if now - last > 2 * patience {
            now
        } else {
            first
        };
        self.span = Some((first, now));
        now - first > patience && !std::mem::replace(&mut self.reported, true)
    }
}

/// The severity of the end of a connection.
#[derive(Clone, Copy)]
enum Severity {
    Always(Level),
    /// The level and the text for a seed's failure that has not been logged yet. A repeated one is for debugging.
    News(Level, &'static str),
}

impl<P: Peers> Mesh<P> {
    /// Handles a peer with our own ID. It is another node, or the other end of one of our own connections.
    pub(super) fn namesake(&mut self, now: Time, id: ConnId, nonce: &[u8]) {
        let Some(other) = self.find_sender(id, nonce) else {
            let own = self.handshake.node.as_str().into();
            return self.refuse(now, id, &HandshakeError::Namesake(own));
        };
        let accepted = |id| {
            let conn = self.conns.get(&id);
            conn.is_some_and(|conn| conn.purpose == Purpose::Accepted)
        };
        // A connection of this node with itself has one accepted and one dialled end. Otherwise an attacker passes
        // greetings on.
        match (accepted(id), accepted(other)) {
            (true, true) => return self.refuse(now, id, &HandshakeError::Myself),
            (false, false) => return self.refuse(now, id, &HandshakeError::Echo),
            _ => {}
        }
        if let Some(handshaking) = self.conns.get_mut(&id).and_then(Connection::handshaking) {
            handshaking.identity = Identity::Doubtful;
        }
        self.with_handshake(id, Handshake::meet_myself);
    }

    /// Handles a peer with our own ID and nonce that has proved to know the secret. If both ends find that, the node is
    /// connected to itself.
    pub(super) fn met_myself(&mut self, now: Time, id: ConnId, nonce: &[u8]) {
        if let Some(handshaking) = self.conns.get_mut(&id).and_then(Connection::handshaking) {
            handshaking.identity = Identity::Myself;
        }
        let Some(other) = self.find_sender(id, nonce) else {
            return self.refuse(now, id, &HandshakeError::Echo);
        };
        if self.conns.get(&other).is_some_and(Connection::met_myself) {
            self.refuse(now, id, &HandshakeError::Myself);
            self.refuse(now, other, &HandshakeError::Myself);
        }
    }

    /// The other connection in whose handshake we have sent this nonce.
    fn find_sender(&self, id: ConnId, nonce: &[u8]) -> Option<ConnId> {
        let mut conns = self.conns.iter();
        let ours = conns.find(|(other, conn)| **other != id && conn.sent_nonce(nonce));
        ours.map(|(other, _)| *other)
    }

    pub(super) fn refuse_connected(&mut self, now: Time, id: ConnId, node: &NodeId) {
        self.doubt(now, id, node);
        let error = HandshakeError::AlreadyConnected(node.as_str().into());
        self.refuse(now, id, &error);
    }

    /// Counts a connection from a second node with the same ID, and warns if there are many. The two nodes cannot know
    /// of each other, so only a node that sees both can warn.
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

    /// Closes a connection that is refused.
    pub(super) fn refuse(&mut self, now: Time, id: ConnId, error: &HandshakeError) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let (seed, doubtful) = (conn.purpose == Purpose::Seed, conn.is_doubtful());
        if *error == HandshakeError::Myself && seed {
            self.is_own_seed(&conn.addr.clone());
        }
        let text = match self.claim(id) {
            Some(claim) if lacks_node(error) => {
                format!("{error} (it says it is node {:?})", claim.node.as_str())
            }
            None if doubtful && lacks_node(error) => {
                format!("{error} (it says it is this node itself, without proof)")
            }
            _ => error.to_string(),
        };
        let severity = match error {
            HandshakeError::AlreadyConnected(_)
            | HandshakeError::Myself
            | HandshakeError::Superseded => Severity::Always(Level::Debug),
            HandshakeError::Namesake(_) if seed => Severity::News(Level::Error, "seed not reached"),
            HandshakeError::Namesake(_) => Severity::Always(self.alarm(now)),
            HandshakeError::TimedOut if seed && !doubtful && self.claim(id).is_none() => {
                Severity::News(Level::Warn, "seed sends no greeting")
            }
            HandshakeError::Unparsable { .. } | HandshakeError::LineTooLong if seed => {
                Severity::News(Level::Warn, "seed is not a node")
            }
            _ if seed => Severity::News(Level::Warn, "seed not reached"),
            _ => Severity::Always(self.measured(now, level(error))),
        };
        if seed
            && let Some(kind) = failure_kind(error)
            && let Some(conn) = self.conns.get(&id)
        {
            self.seeds.failed(&conn.addr, kind, &text);
        }
        self.log_end(id, severity, &text);
        self.fail_stream(id, &text);
        self.abandon(now, id);
    }

    /// The level for a line about the end of a stranger's connection, rate-limited.
    fn measured(&mut self, now: Time, level: Level) -> Level {
        let (level, more) = self.ends.weigh(now, level);
        if let Some(more) = more {
            self.log(level, more);
        }
        level
    }

    /// Logs a line that other nodes can cause as often as they like, rate-limited.
    pub(super) fn complain(&mut self, now: Time, level: Level, text: String) {
        let (level, more) = self.complaints.weigh(now, level);
        if let Some(more) = more {
            self.log(level, more);
        }
        self.log(level, text);
    }

    /// Marks a seed's address as our own. It is left out until the seed is looked up again, because the next look-up
    /// may find another node there.
    fn is_own_seed(&mut self, address: &str) {
        let news = self.seeds.is_myself(address);
        let level = if news { Level::Info } else { Level::Debug };
        let text = format!("seed {} is this node itself", self.seeds.title(address));
        self.log(level, text);
    }

    /// Makes a node that is a seed itself global, after the other seeds have had their time: the network may be there.
    pub(super) fn update_role(&mut self, now: Time) -> bool {
        if self.stopped || !self.seeds.makes_global(now) {
            return false;
        }
        let text = "this node is a seed itself, which makes it global";
        self.log(Level::Info, text.into());
        self.global.become_global(now);
        true
    }

    /// Handles the end of a seed's look-up.
    pub(super) fn end_look_up(
        &mut self,
        now: Time,
        look_up: LookUpId,
        result: Result<Vec<String>, String>,
    ) {
        let Some(seed) = self.seeds.looking_up(look_up) else {
            return;
        };
        let text = match result {
            Ok(found) if !found.is_empty() => return self.seeds.looked_up(now, &seed, found),
            Ok(_) => "it has no address".into(),
            Err(text) => text,
        };
        let news = self
            .seeds
            .not_looked_up(now, &seed, &text, &mut self.random);
        let level = if news { Level::Warn } else { Level::Debug };
        self.log(level, format!("seed not reached: {seed}: {text}."));
    }

    pub(super) fn time_out_seeds(&mut self, now: Time) {
        for look_up in self.seeds.overdue(now) {
            self.end_look_up(now, look_up, Err("the look-up takes too long".into()));
        }
    }

    /// The level for a line about another node with our ID. Any peer can claim that at any rate, so errors are rare.
    fn alarm(&mut self, now: Time) -> Level {
        let pause = 10 * self.handshake.timeout;
        if self.namesake.is_some_and(|last| now - last < pause) {
            return Level::Debug;
        }
        self.namesake = Some(now);
        Level::Error
    }

    /// Logs that a connection that was not up has ended by itself.
    pub(super) fn log_lost(&mut self, id: ConnId, text: &str) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let claim = self.claim(id).map(|claim| claim.node);
        if conn.purpose == Purpose::Seed {
            let (kind, text) = match (&conn.phase, &claim) {
                (Phase::Dialing { .. } | Phase::Asking { .. }, _) => {
                    (SeedFailureKind::Unreachable, text.into())
                }
                (_, None) => (SeedFailureKind::Closed, text.into()),
                (_, Some(node)) => (SeedFailureKind::TurnedAway, self.turned_away(node, text)),
            };
            self.seeds.failed(&conn.addr, kind, &text);
        }
        let (severity, text) = match (&conn.phase, claim) {
            _ if conn.purpose != Purpose::Seed => (Severity::Always(Level::Debug), text.into()),
            (Phase::Dialing { .. } | Phase::Asking { .. }, _) => {
                (Severity::News(Level::Warn, "seed not reached"), text.into())
            }
            (Phase::Handshake(_), None) => (
                Severity::News(Level::Warn, "seed sends no greeting"),
                text.into(),
            ),
            (Phase::Handshake(_), Some(node)) => self.hung_up(&conn.addr.clone(), &node, text),
            (Phase::Pending(_) | Phase::Up(_), _) => (Severity::Always(Level::Debug), text.into()),
        };
        self.log_end(id, severity, &text);
    }

    /// Handles a seed's node that has closed the connection without a reason. It is not logged as a failure the first
    /// time, because the node may be about to complete another connection.
    fn hung_up(&mut self, address: &str, node: &NodeId, text: &str) -> (Severity, String) {
        if self.seeds.hung_up(address) < 2 {
            return (Severity::Always(Level::Debug), text.into());
        }
        let text = self.turned_away(node, text);
        (Severity::News(Level::Warn, "seed hangs up"), text)
    }

    fn turned_away(&self, node: &NodeId, text: &str) -> String {
        format!(
            "{text}; it says it is node {:?}: it may have no secret, or know another node with our ID {:?}",
            node.as_str(),
            self.handshake.node.as_str(),
        )
    }

    fn log_end(&mut self, id: ConnId, severity: Severity, text: &str) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let addr = match conn.purpose {
            Purpose::Seed => self.seeds.title(&conn.addr),
            Purpose::Accepted | Purpose::Node(_) | Purpose::Stream { .. } => conn.addr.clone(),
        };
        let end = format!("{addr} disconnected - {text}.");
        match severity {
            Severity::Always(level) => self.log(level, end),
            Severity::News(urgent, news) => {
                let text = format!("{news}: {end}");
                let news = self.seeds.trouble(&conn.addr, &text);
                self.log(if news { urgent } else { Level::Debug }, text);
            }
        }
    }
}

/// The failure of a seed whose handshake was refused; `None` if another connection is up or about to be.
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

fn lacks_node(error: &HandshakeError) -> bool {
    !matches!(
        error,
        HandshakeError::AlreadyConnected(_) | HandshakeError::Namesake(_) | HandshakeError::Myself
    )
}

/// The level for a refusal. A mismatch between nodes of one network is an operator's mistake, so it is a warning.
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

    fn reported_at(times: impl IntoIterator<Item = u64>) -> Vec<u64> {
        let mut doubles = Doubles::default();
        let times = times.into_iter();
        times
            .filter(|time| doubles.add(at(*time), PATIENCE))
            .collect()
    }

    #[test]
    fn endless_repetition_is_reported_once() {
        assert_eq!(reported_at((0..50).map(|n| n * 10)), [40]);
        assert!(reported_at([5, 5, 6, 34]).is_empty());
        // A restart after a long time is not reported.
        assert!(reported_at([0, 1000, 1010, 1030, 2000]).is_empty());
    }
}
