//! Reports of connections that end before they are up.
//!
//! A seed's failure is logged at warn level if it differs from the last one, and otherwise at debug level until the
//! seed has been up. The mesh also keeps the failure as a kind and a text (`Node::seeds`). The command decides by the
//! kind whether another attempt can help.

use std::time::Duration;

use aemp_codec::NodeId;

use super::{
    Level, LookUpId, Mesh, Peers, SeedFailureKind,
    conn::{Conn, Phase, Purpose, Who},
};
use crate::{
    Time,
    handshake::{Handshake, HandshakeError},
    peer::ConnId,
};

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
        let Some(other) = self.who_sent(id, nonce) else {
            let own = self.handshake.node.as_str().into();
            return self.refuse(now, id, &HandshakeError::Namesake(own));
        };
        let accepted = |id| {
            let conn = self.conns.get(&id);
            conn.is_some_and(|conn| conn.purpose == Purpose::Accepted)
        };
        // Of a connection with itself, a node has accepted one end and dialled the other. Who passes greetings on need not be one.
        match (accepted(id), accepted(other)) {
            (true, true) => return self.refuse(now, id, &HandshakeError::Myself),
            (false, false) => return self.refuse(now, id, &HandshakeError::Echo),
            _ => {}
        }
        if let Some(handshaking) = self.conns.get_mut(&id).and_then(Conn::handshaking) {
            handshaking.who = Who::Doubtful;
        }
        self.tell_handshake(id, Handshake::meet_myself);
    }

    /// The peer has our own ID and nonce, and knows the secret. What both ends of a connection have found is so.
    pub(super) fn met_myself(&mut self, now: Time, id: ConnId, nonce: &[u8]) {
        if let Some(handshaking) = self.conns.get_mut(&id).and_then(Conn::handshaking) {
            handshaking.who = Who::Myself;
        }
        let Some(other) = self.who_sent(id, nonce) else {
            return self.refuse(now, id, &HandshakeError::Echo);
        };
        if self.conns.get(&other).is_some_and(Conn::met_myself) {
            self.refuse(now, id, &HandshakeError::Myself);
            self.refuse(now, other, &HandshakeError::Myself);
        }
    }

    /// The other connection in whose handshake we have sent that nonce.
    fn who_sent(&self, id: ConnId, nonce: &[u8]) -> Option<ConnId> {
        let mut conns = self.conns.iter();
        let ours = conns.find(|(other, conn)| **other != id && conn.sent_nonce(nonce));
        ours.map(|(other, _)| *other)
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
        let (seed, doubtful) = (conn.purpose == Purpose::Seed, conn.is_doubtful());
        if *error == HandshakeError::Myself && seed {
            self.is_own_seed(&conn.addr.clone());
        }
        let text = match self.claim(id) {
            Some(claim) if tells_nothing_of_the_node(error) => {
                format!("{error} (it says it is node {:?})", claim.node.as_str())
            }
            None if doubtful && tells_nothing_of_the_node(error) => {
                format!("{error} (it says it is this node itself, and does not prove it)")
            }
            _ => error.to_string(),
        };
        let told = match error {
            HandshakeError::AlreadyConnected(_)
            | HandshakeError::Myself
            | HandshakeError::Superseded => Told::As(Level::Debug),
            HandshakeError::Namesake(_) if seed => Told::Seed(Level::Error, "seed not reached"),
            HandshakeError::Namesake(_) => Told::As(self.alarm(now)),
            HandshakeError::TimedOut if seed && !doubtful && self.claim(id).is_none() => {
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

    /// A seed's address has proved to be our own. It is left out until the seed is looked up again, and no longer: what is
    /// found there next time may be another node.
    fn is_own_seed(&mut self, address: &str) {
        let news = self.seeds.is_myself(address);
        let level = if news { Level::Info } else { Level::Debug };
        let text = format!("seed {} is this node itself", self.seeds.title(address));
        self.log(level, text);
    }

    /// A node that is a seed itself becomes global, but not before the other seeds have had their time: they may be the network.
    pub(super) fn settle_role(&mut self, now: Time) -> bool {
        if self.stopped || !self.seeds.makes_global(now) {
            return false;
        }
        let text = "this node is a seed itself, which makes it global";
        self.log(Level::Info, text.into());
        self.global.become_global(now);
        true
    }

    /// A look-up of a seed has ended.
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
        let addr = match conn.purpose {
            Purpose::Seed => self.seeds.title(&conn.addr),
            Purpose::Accepted | Purpose::Node(_) => conn.addr.clone(),
        };
        let end = format!("{addr} disconnected - {text}.");
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
