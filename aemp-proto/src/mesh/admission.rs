//! Admission of connections: the number of connections without a proof, and the bytes that they may send ahead.

use super::{
    Level, Mesh, Output, Peers,
    connection::{Connection, Phase, Purpose},
};
use crate::{
    Time,
    handshake::{HandshakeError, Role},
    limits::Source,
    peer::ConnId,
};

// The names of the settings, for the log.
const TOTAL: &str = "max_strangers";
const PER_ADDRESS: &str = "max_strangers_per_address";
const BYTES: &str = "max_handshake_bytes";

impl<P: Peers> Mesh<P> {
    /// Registers a connection that was accepted from the peer's socket address `addr`.
    pub fn accepted(&mut self, now: Time, addr: &str) -> ConnId {
        let conn = self.next_conn();
        if self.stopped {
            let text = format!("{addr} turned away: this node has stopped");
            self.log(Level::Debug, text);
            self.outputs.push_back(Output::Close { conn });
            return conn;
        }
        self.admit(now, conn, addr);
        self.advance(now);
        conn
    }

    /// Begins the handshake of a stranger.
    pub(super) fn admit(&mut self, now: Time, conn: ConnId, addr: &str) {
        let source = Source::of(addr);
        self.make_room_for(now, &source);
        self.strangers.came(conn, source);
        let phase = Phase::handshake(self.new_handshake(now, Role::Accepted, addr));
        let stranger = Connection::new(addr, Purpose::Accepted, phase);
        self.conns.insert(conn, stranger);
        self.runnable.push_back(conn);
    }

    /// Closes the oldest strangers until there is room for one more. Nodes prove themselves quickly, so an old stranger
    /// is rarely a node.
    fn make_room_for(&mut self, now: Time, source: &Source) {
        let each = self.config.max_strangers_per_address.max(1);
        while self.strangers.len_of(source) >= each {
            let oldest = self.strangers.oldest_of(source);
            self.notices.count(PER_ADDRESS);
            self.close_stranger(now, oldest, format!("{PER_ADDRESS} ({each}) reached"));
        }
        let all = self.config.max_strangers.max(1);
        while self.strangers.len() >= all {
            let oldest = self.strangers.oldest_of_most();
            self.notices.count(TOTAL);
            self.close_stranger(now, oldest, format!("{TOTAL} ({all}) reached"));
        }
    }

    /// Closes the older half of the strangers, because the system cannot accept more connections. Returns their number.
    pub fn make_room(&mut self, now: Time) -> usize {
        let closed = self.strangers.len().div_ceil(2);
        for _ in 0..closed {
            let oldest = self.strangers.oldest();
            self.close_stranger(now, oldest, "the system has no room for more".into());
        }
        self.advance(now);
        closed
    }

    fn close_stranger(&mut self, now: Time, stranger: Option<ConnId>, why: String) {
        if let Some(stranger) = stranger {
            self.strangers.gone(stranger);
            self.refuse(now, stranger, &HandshakeError::TooMany(why));
        }
    }

    /// True if more should be read from a connection that is not established yet. False if it has sent so much ahead
    /// that the rest has to wait until it is established.
    #[must_use]
    pub fn wants_more(&self, conn: ConnId) -> bool {
        let most = self.config.handshake.max_handshake_bytes;
        match self.conns.get(&conn).map(|conn| &conn.phase) {
            Some(Phase::Handshake(handshaking)) => !handshaking.handshake.is_full(),
            Some(Phase::Pending(node)) => {
                let node = self.nodes.get(node);
                node.is_none_or(|node| node.early_bytes(conn) < most)
            }
            Some(Phase::Dialing { .. } | Phase::Asking { .. } | Phase::Up(_)) | None => true,
        }
    }

    /// Logs that a connection has to wait, because it has sent as much ahead as it may.
    pub(super) fn log_full(&mut self, now: Time, id: ConnId) {
        if self.wants_more(id) {
            return;
        }
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        let sender = match &conn.phase {
            Phase::Pending(node) => node.as_str().to_owned(),
            _ => self
                .claim(id)
                .map_or_else(|| conn.addr.clone(), |claim| claim.node.as_str().into()),
        };
        if self.notices.is_due(now, BYTES, &sender) {
            let setting = self.config.handshake.max_handshake_bytes;
            let text = format!(
                "{sender} has sent {BYTES} ({setting}) before the end of its handshake: the rest has to wait"
            );
            self.log(Level::Warn, text);
        }
    }
}
