//! Connections that others have opened: how many of them may be without proof.

use std::collections::BTreeMap;

use super::{
    Level, Mesh, Output, Peers,
    conn::{Conn, Phase, Purpose},
};
use crate::proto::{Time, limits::Source, peer::ConnId};

/// The names of the settings.
const TOTAL: &str = "max_strangers";
const PER_ADDRESS: &str = "max_strangers_per_address";
const BYTES: &str = "max_handshake_bytes";

impl<P: Peers> Mesh<P> {
    /// A connection from `addr`, the peer's socket address, was accepted.
    pub fn accepted(&mut self, now: Time, addr: &str) -> ConnId {
        let conn = self.next_conn();
        let source = Source::of(addr);
        if !self.admits(now, addr, &source) {
            self.outputs.push_back(Output::Close { conn });
            return conn;
        }
        let phase = Phase::handshake(self.new_handshake(now, addr));
        let mut stranger = Conn::new(addr, Purpose::Accepted, phase);
        stranger.source = Some(source);
        self.conns.insert(conn, stranger);
        self.runnable.push_back(conn);
        self.settle(now);
        conn
    }

    /// Whether one more stranger may come in. Logs that it may not.
    fn admits(&mut self, now: Time, addr: &str, source: &Source) -> bool {
        if self.stopped {
            let text = format!("{addr} turned away: this node has stopped");
            self.log(Level::Debug, text);
            return false;
        }
        let (all, each) = (
            self.config.max_strangers,
            self.config.max_strangers_per_address,
        );
        let (total, from_there) = self.count_strangers(source);
        if from_there >= each {
            return self.turn_away(now, addr, source, PER_ADDRESS, each);
        }
        if total < all {
            return true;
        }
        // Who comes in numbers must not keep others out.
        match self.oldest_of_crowd(from_there + 1) {
            Some(oldest) => {
                self.make_room(now, oldest, all);
                true
            }
            None => self.turn_away(now, addr, source, TOTAL, all),
        }
    }

    /// How many strangers there are, and how many from one source.
    fn count_strangers(&self, source: &Source) -> (usize, usize) {
        let strangers = self.conns.waiting().filter(|conn| conn.is_stranger());
        strangers.fold((0, 0), |(total, from_there), stranger| {
            let counts = stranger.source.as_ref() == Some(source);
            (total + 1, from_there + usize::from(counts))
        })
    }

    fn turn_away(
        &mut self,
        now: Time,
        addr: &str,
        source: &Source,
        limit: &'static str,
        setting: usize,
    ) -> bool {
        let told = self.notices.is_due(now, limit, &source.to_string());
        let level = if told { Level::Warn } else { Level::Debug };
        let text = format!("{addr} turned away: {limit} ({setting}) reached");
        self.log(level, text);
        false
    }

    /// The first stranger of the source that has most of them, if those are more than so many.
    fn oldest_of_crowd(&self, more_than: usize) -> Option<ConnId> {
        let mut crowds: BTreeMap<&Source, (usize, ConnId)> = BTreeMap::new();
        for (id, conn) in self.conns.iter().filter(|(_, conn)| conn.is_stranger()) {
            if let Some(source) = &conn.source {
                crowds.entry(source).or_insert((0, *id)).0 += 1;
            }
        }
        let (count, oldest) = crowds.into_values().max_by_key(|(count, _)| *count)?;
        (count > more_than).then_some(oldest)
    }

    fn make_room(&mut self, now: Time, oldest: ConnId, setting: usize) {
        let Some(conn) = self.conns.get(&oldest) else {
            return;
        };
        let source = conn
            .source
            .as_ref()
            .map_or_else(String::new, Source::to_string);
        let text = format!(
            "{} disconnected - it makes room for another: {TOTAL} ({setting}) reached",
            conn.addr
        );
        let told = self.notices.is_due(now, TOTAL, &source);
        self.log(if told { Level::Warn } else { Level::Debug }, text);
        self.abandon(now, oldest);
    }

    /// Whether more should be read from a connection that is not established yet. If not, it has sent so much ahead that the
    /// rest has to wait until it is.
    #[must_use]
    pub fn wants_more(&self, conn: ConnId) -> bool {
        let most = self.config.handshake.max_handshake_bytes;
        match self.conns.get(&conn).map(|conn| &conn.phase) {
            Some(Phase::Handshake(handshaking)) => !handshaking.handshake.is_full(),
            Some(Phase::Pending(node)) => {
                let node = self.nodes.get(node);
                node.is_none_or(|node| node.early_bytes(conn) < most)
            }
            Some(Phase::Dialing { .. } | Phase::Up(_)) | None => true,
        }
    }

    /// Tells that a connection has to wait, because it has sent as much ahead as it may.
    pub(super) fn tell_full(&mut self, now: Time, id: ConnId) {
        if self.wants_more(id) {
            return;
        }
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let who = match &conn.phase {
            Phase::Pending(node) => node.as_str().to_owned(),
            _ => self
                .claim(id)
                .map_or_else(|| conn.addr.clone(), |claim| claim.node.as_str().into()),
        };
        if self.notices.is_due(now, BYTES, &who) {
            let setting = self.config.handshake.max_handshake_bytes;
            let text = format!(
                "{who} has sent {BYTES} ({setting}) ahead of its handshake's end: the rest has to wait"
            );
            self.log(Level::Warn, text);
        }
    }
}
