//! Relayed connections ([protocol](crate::protocol::relays)): the rules of relays, and tunnels as connections.
//!
//! A tunnel is a connection of the mesh like any other. Its dial is a request to the relay (`Phase::Asking`), and its
//! octets are read and written by calls of the mesh. The caller runs the same handshake and link over these.

use aemp_codec::{EncodeError, NodeId, PacketWriter, Value};

use super::{
    Level, Mesh, Output, Peers,
    connection::{Connection, Phase, Purpose},
};
use crate::{
    Time,
    handshake::Role,
    peer::{ConnId, Urge},
    relay::{
        MOST_SESSIONS,
        exchange::Passed,
        frame::{Act, Ask, Told},
        tunnels::{Session, TunnelRead},
    },
    request::{RELAY, RELAYED},
};

/// The cost of opening a session, in ordinary requests.
const OPEN: u64 = 100;
/// The number of octets that cost as much as one request.
const OCTETS: usize = 4096;

/// The address of a connection through a relay, for logs and reports.
fn address(relay: &NodeId) -> String {
    format!("via {relay}")
}

/// Tunnels, for the caller's tasks.
impl<P: Peers> Mesh<P> {
    /// Appends octets of a tunnel to a buffer, as far as it has room.
    pub fn tunnel_read(&mut self, now: Time, conn: ConnId, buffer: &mut Vec<u8>) -> TunnelRead {
        let (read, credit) = self.tunnels.read(conn, buffer);
        if let Some((session, count)) = credit {
            self.act(now, session, Act::Room(count));
        }
        read
    }

    /// Sends octets through a tunnel, as far as they are taken now. Zero octets mean that
    /// [`Output::TunnelStirred`] will tell when there may be room.
    ///
    /// # Errors
    ///
    /// Returns why the tunnel has ended.
    pub fn tunnel_write(
        &mut self,
        now: Time,
        conn: ConnId,
        octets: &[u8],
    ) -> Result<usize, String> {
        let Some((session, count)) = self.tunnels.write(conn, octets.len())? else {
            return Ok(0);
        };
        if self.act(now, session, Act::Data(octets[..count].to_vec())) {
            return Ok(count);
        }
        let text = "the queue for the relay is full";
        self.tunnels.break_off(conn, text.into());
        // The reader may wait.
        self.outputs.push_back(Output::TunnelStirred { conn });
        Err(text.into())
    }

    /// True if [`tunnel_read`](Self::tunnel_read) would give octets, or the end.
    #[must_use]
    pub fn tunnel_is_readable(&self, conn: ConnId) -> bool {
        self.tunnels.is_readable(conn)
    }

    /// True if [`tunnel_write`](Self::tunnel_write) would take octets, or fail.
    #[must_use]
    pub fn tunnel_is_writable(&self, conn: ConnId) -> bool {
        self.tunnels.is_writable(conn)
    }

    /// Ends writing on a tunnel. The other end reads everything that was written, then the end.
    pub fn close_tunnel(&mut self, now: Time, conn: ConnId) {
        if let Some(session) = self.tunnels.close(conn) {
            self.act(now, session, Act::End(String::new()));
        }
    }

    /// Forgets a tunnel, and ends it if it has not ended. The caller's task for it is gone.
    pub fn drop_tunnel(&mut self, now: Time, conn: ConnId) {
        if let Some(session) = self.tunnels.remove(conn) {
            self.act(now, session, Act::End("the other end has closed".into()));
        }
    }

    /// The relay of a connection, if it is a tunnel.
    #[must_use]
    pub fn relay_of(&self, conn: ConnId) -> Option<&NodeId> {
        self.tunnels.relay(conn)
    }

    /// The relay through which a node is connected, if it is.
    #[must_use]
    pub fn relay_to(&self, node: &NodeId) -> Option<&NodeId> {
        let (conn, _) = self.nodes.get(node)?.up()?;
        self.relay_of(conn)
    }

    /// The number of sessions that this node passes on for others.
    #[must_use]
    pub fn relayed_sessions(&self) -> usize {
        self.exchange.len()
    }

    /// True if no data about relayed connections is left.
    #[must_use]
    pub fn has_no_tunnels(&self) -> bool {
        self.tunnels.is_empty() && self.exchange.len() == 0
    }
}

impl<P: Peers> Mesh<P> {
    /// Dials a node through a relay. Returns `None` if the relay is connected and cannot be used.
    pub(super) fn dial_through(
        &mut self,
        now: Time,
        relay: &NodeId,
        node: &NodeId,
        purpose: Purpose,
    ) -> Option<ConnId> {
        let is_ready = self.relays.contains(relay);
        if !self.handshake.relay || *relay == self.handshake.node || !is_ready && self.is_up(relay)
        {
            return None;
        }
        let conn = self.next_conn();
        let phase = Phase::Asking {
            deadline: now + self.handshake.timeout,
            relay: relay.clone(),
            node: node.clone(),
        };
        self.conns
            .insert(conn, Connection::new(&address(relay), purpose, phase));
        self.tunnels.ask(relay, conn);
        if is_ready {
            self.ask_to_open(now, conn);
            return Some(conn);
        }
        let urge = self.peers.with(relay, |peer| peer.want());
        if urge == Urge::Connect {
            self.connect_node(now, relay);
        }
        Some(conn)
    }

    fn ask_to_open(&mut self, now: Time, conn: ConnId) {
        if let Some(Phase::Asking { relay, node, .. }) =
            self.conns.get(&conn).map(|conn| &conn.phase)
        {
            let (relay, node) = (relay.clone(), node.clone());
            let ask = Ask::Open {
                token: conn.0,
                node,
            };
            self.request(now, &relay, 0, |packet| ask.write(packet));
        }
    }

    /// Takes note that a node is connected. Dials through it continue.
    pub(super) fn relay_up(&mut self, now: Time, node: &NodeId, conn: ConnId, offered: bool) {
        if self.handshake.relay && offered && !self.tunnels.contains(conn) {
            self.relays.insert(node.clone());
        }
        for asking in self.tunnels.asking(node) {
            if self.relays.contains(node) {
                self.ask_to_open(now, asking);
            } else {
                self.lost(now, asking, "that node passes on no connections");
            }
        }
    }

    /// Takes note that a node cannot be reached. Dials through it fail.
    pub(super) fn relay_unreachable(&mut self, now: Time, node: &NodeId) {
        for asking in self.tunnels.asking(node) {
            self.lost(now, asking, "the relay cannot be reached");
        }
    }

    /// Ends all sessions of a node that is lost, and all dials and tunnels through it.
    pub(super) fn relay_down(&mut self, now: Time, node: &NodeId, text: &str) {
        self.relays.remove(node);
        self.relay_unreachable(now, node);
        for conn in self.tunnels.lost(node, text) {
            self.outputs.push_back(Output::TunnelStirred { conn });
        }
        for (session, other) in self.exchange.lost(node) {
            let text = format!("{node} is lost ({text})");
            self.forward(now, &other, session, Act::End(text));
        }
    }

    /// Handles a request of an end to this node as its relay. Returns its cost beyond a request.
    pub(super) fn take_ask(&mut self, now: Time, from: &NodeId, args: Vec<Value>) -> u64 {
        let ask = self.relays.contains(from).then(|| Ask::read(args));
        match ask.flatten() {
            None => self.not_understood(now, from, RELAY),
            Some(Ask::Open { token, node }) => {
                self.open_session(now, from, token, &node);
                return OPEN;
            }
            Some(Ask::Act { session, act }) => {
                let cost = act.octets() / OCTETS;
                self.pass(now, from, session, act);
                return cost as u64;
            }
        }
        0
    }

    fn not_understood(&mut self, now: Time, from: &NodeId, request: &str) {
        let text = format!("{request} from {from} is left out");
        self.complain(now, Level::Warn, text);
    }

    fn open_session(&mut self, now: Time, from: &NodeId, token: u64, node: &NodeId) {
        let opened = if self.relays.contains(node) && node != from {
            let session = self.exchange.open(from, node);
            session.ok_or("too many relayed connections")
        } else {
            Err("no such node can be reached through the relay")
        };
        let answer = match opened {
            Ok(session) => Told::Opened { token, session },
            Err(text) => Told::Refused {
                token,
                text: text.into(),
            },
        };
        self.request(now, from, 0, |packet| answer.write(packet));
        if let Ok(session) = opened {
            let from = from.clone();
            let told = Told::Open {
                session,
                node: from,
            };
            self.request(now, node, 0, |packet| told.write(packet));
        }
    }

    /// Passes an act of one end on to the other.
    fn pass(&mut self, now: Time, from: &NodeId, session: u64, act: Act) {
        match self.exchange.pass(from, session, act) {
            Passed::Not => {}
            Passed::To(to, act) => {
                if !self.forward(now, &to, session, act)
                    && let Some(ends) = self.exchange.end(session)
                {
                    self.end_session(now, session, &ends, "the queue of the relay is full");
                }
            }
            Passed::Broken(ends) => {
                let text = "an end has sent more than it may";
                self.end_session(now, session, &ends, text);
            }
        }
    }

    fn end_session(&mut self, now: Time, session: u64, ends: &[NodeId; 2], text: &str) {
        for end in ends {
            self.forward(now, end, session, Act::End(text.into()));
        }
    }

    fn forward(&mut self, now: Time, to: &NodeId, session: u64, act: Act) -> bool {
        let octets = act.octets();
        let told = Told::Act { session, act };
        self.request(now, to, octets, |packet| told.write(packet))
    }

    /// Does something in a session of this end.
    fn act(&mut self, now: Time, (relay, session): Session, act: Act) -> bool {
        let octets = act.octets();
        let ask = Ask::Act { session, act };
        self.request(now, &relay, octets, |packet| ask.write(packet))
    }

    /// Sends a request to a connected node. Returns false if the node is not connected, or if its queue is so long that
    /// octets must not make it longer.
    fn request(
        &mut self,
        now: Time,
        node: &NodeId,
        octets: usize,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> bool {
        let urge = self.peers.with(node, |peer| {
            // A request for a connection that is going down is lost with it.
            let room = peer.limits().max_queue_bytes / 2;
            let fits = octets == 0 || peer.pending_bytes() + octets <= room;
            (peer.is_up() && fits).then(|| peer.send("", write))
        });
        match urge {
            Some(Ok(Urge::Write)) => {
                let node = node.clone();
                self.outputs.push_back(Output::WakeWriter { node });
            }
            Some(Ok(Urge::Overflow)) => self.give_up(now, node),
            Some(Ok(Urge::None | Urge::Connect)) => {}
            Some(Err(_)) | None => return false,
        }
        true
    }

    /// Handles a request of a relay to this node as an end.
    pub(super) fn take_told(&mut self, now: Time, from: &NodeId, args: Vec<Value>) -> u64 {
        let told = self.relays.contains(from).then(|| Told::read(args));
        match told.flatten() {
            None => self.not_understood(now, from, RELAYED),
            Some(Told::Open { session, .. }) => self.accept_through(now, from, session),
            Some(Told::Opened { token, session }) => {
                self.opened(now, from, ConnId(token), session);
            }
            Some(Told::Refused { token, text }) => {
                if self.is_asking(ConnId(token), from) {
                    self.lost(now, ConnId(token), &text);
                }
            }
            Some(Told::Act { session, act }) => {
                if let Some(conn) = self.tunnels.came(from, session, act) {
                    self.outputs.push_back(Output::TunnelStirred { conn });
                }
            }
        }
        0
    }

    fn is_asking(&self, conn: ConnId, of: &NodeId) -> bool {
        let phase = self.conns.get(&conn).map(|conn| &conn.phase);
        matches!(phase, Some(Phase::Asking { relay, .. }) if relay == of)
    }

    /// Begins the handshake over a session that this node has asked for.
    fn opened(&mut self, now: Time, relay: &NodeId, conn: ConnId, session: u64) {
        if !self.is_asking(conn, relay) {
            // The dial was given up meanwhile.
            let end = Act::End("the caller has given up".into());
            self.act(now, (relay.clone(), session), end);
            return;
        }
        self.tunnels.asks_no_more(relay, conn);
        self.begin_tunnel(conn, relay, session, Role::Dialed);
        let handshake = self.dialed_handshake(now, conn, &address(relay));
        if let Some(dialed) = self.conns.get_mut(&conn) {
            dialed.phase = Phase::handshake(handshake);
        }
        self.runnable.push_back(conn);
    }

    fn begin_tunnel(&mut self, conn: ConnId, relay: &NodeId, session: u64, role: Role) {
        self.tunnels.begin(conn, relay, session);
        let dialed = role == Role::Dialed;
        self.outputs.push_back(Output::Tunnel {
            conn,
            addr: address(relay),
            dialed,
        });
    }

    /// Accepts a session that another node has opened, like a connection at a listener.
    fn accept_through(&mut self, now: Time, relay: &NodeId, session: u64) {
        if self.stopped || self.tunnels.len_of(relay) >= MOST_SESSIONS {
            let text = "that node takes no more relayed connections";
            self.act(now, (relay.clone(), session), Act::End(text.into()));
            return;
        }
        let conn = self.next_conn();
        self.begin_tunnel(conn, relay, session, Role::Accepted);
        self.admit(now, conn, &address(relay));
    }
}
