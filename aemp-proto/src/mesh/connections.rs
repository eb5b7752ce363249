//! Connections that do not belong to a node yet.

use std::sync::Arc;

use aemp_codec::NodeId;

use super::{
    Level, Mesh, Output, Peers,
    arbiter::we_arbitrate,
    connection::{Claim, Connection, Identity, Phase, Purpose},
    seeds::Step,
};
use crate::{
    Time,
    handshake::{Established, Handshake, HandshakeOutput, Role},
    link::TIMED_OUT,
    peer::ConnId,
};

impl<P: Peers> Mesh<P> {
    pub(super) fn new_handshake(&mut self, now: Time, role: Role, peeraddr: &str) -> Handshake {
        let nonce = self.random.nonce();
        Handshake::new(now, Arc::clone(&self.handshake), role, peeraddr, nonce)
    }

    pub(super) fn dial(&mut self, now: Time, address: &str, purpose: Purpose) -> ConnId {
        let conn = self.next_conn();
        let deadline = now + self.handshake.timeout;
        let phase = Phase::Dialing { deadline };
        self.conns
            .insert(conn, Connection::new(address, purpose, phase));
        let addr = address.into();
        self.outputs.push_back(Output::Dial { conn, addr });
        conn
    }

    /// Looks up and dials the seeds that are due. Returns true if there were any.
    pub(super) fn dial_seeds(&mut self, now: Time) -> bool {
        let mut any = false;
        while let Some(step) = self.seeds.step(now, &mut self.random) {
            match step {
                Step::LookUp(look_up, seed) => {
                    self.outputs.push_back(Output::LookUp { look_up, seed });
                }
                Step::Dial(address) => {
                    let conn = self.dial(now, &address, Purpose::Seed);
                    self.seeds.dialing(now, &address, conn);
                }
            }
            any = true;
        }
        any
    }

    pub(super) fn is_dialing(&self, conn: ConnId) -> bool {
        let conn = self.conns.get(&conn);
        conn.is_some_and(|conn| matches!(conn.phase, Phase::Dialing { .. } | Phase::Asking { .. }))
    }

    pub(super) fn receive(&mut self, id: ConnId, bytes: &[u8]) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        match &mut conn.phase {
            Phase::Handshake(handshaking) => {
                handshaking.handshake.receive(bytes);
                self.runnable.push_back(id);
            }
            Phase::Pending(node) => {
                if let Some(node) = self.nodes.get_mut(node) {
                    node.receive_early(id, bytes);
                }
            }
            Phase::Dialing { .. } | Phase::Asking { .. } | Phase::Up(_) => {}
        }
    }

    pub(super) fn time_out_conns(&mut self, now: Time) {
        for id in self.conns.due(now) {
            match self.conns.get_mut(&id).and_then(Connection::handshaking) {
                Some(handshaking) => {
                    handshaking.handshake.timeout(now);
                    self.runnable.push_back(id);
                }
                None => {
                    self.outputs.push_back(Output::Close { conn: id });
                    self.lost(now, id, TIMED_OUT);
                }
            }
        }
    }

    /// Continues a handshake as far as possible.
    pub(super) fn drive(&mut self, now: Time, id: ConnId) {
        while let Some(output) = self.poll_handshake(id) {
            match output {
                HandshakeOutput::Transmit(bytes) => {
                    self.outputs.push_back(Output::Transmit { conn: id, bytes });
                }
                HandshakeOutput::Greeted {
                    node, stream: true, ..
                } => self.stream_greeted(now, id, &node),
                HandshakeOutput::Greeted {
                    node, arbitrates, ..
                } => self.greeted(now, id, node, arbitrates),
                HandshakeOutput::StartTls(start) => {
                    self.outputs.push_back(Output::StartTls { conn: id, start });
                }
                HandshakeOutput::Namesake { nonce } => self.namesake(now, id, &nonce),
                HandshakeOutput::Myself { nonce } => self.met_myself(now, id, &nonce),
                HandshakeOutput::Ready => self.ready(now, id),
                HandshakeOutput::Verified => self.verified(now, id),
                HandshakeOutput::Established(established) => self.established(now, id, established),
                HandshakeOutput::Failed(error) => self.refuse(now, id, &error),
            }
        }
    }

    fn poll_handshake(&mut self, id: ConnId) -> Option<HandshakeOutput> {
        self.conns.get_mut(&id)?.handshaking()?.handshake.poll()
    }

    pub(super) fn claim(&self, id: ConnId) -> Option<Claim> {
        self.conns.get(&id)?.claim().cloned()
    }

    /// Handles the peer's greeting.
    fn greeted(&mut self, now: Time, id: ConnId, node: NodeId, arbitrates: bool) {
        let (taken, up) = (self.is_taken(&node), self.is_up(&node));
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let we_arbitrate = we_arbitrate(&self.handshake.node, &node, arbitrates);
        let claim = Claim { node, we_arbitrate };
        if let Some(handshaking) = conn.handshaking() {
            handshaking.identity = Identity::Claims(claim.clone());
        }
        match conn.purpose.clone() {
            Purpose::Seed => {
                let addr = conn.addr.clone();
                self.seeds.found(&addr, &claim.node, up);
                if up {
                    self.found_seed(now, &claim.node);
                }
            }
            Purpose::Node(wanted) if wanted != claim.node => {
                self.found_another(id, &wanted, &claim.node)
            }
            Purpose::Node(_) | Purpose::Accepted | Purpose::Stream { .. } => {}
        }
        if taken {
            self.refuse_connected(now, id, &claim.node);
        }
    }

    /// Handles a connection to a node's address at which another node was found. The connection is kept.
    fn found_another(&mut self, id: ConnId, wanted: &NodeId, found: &NodeId) {
        if let Some(dial) = self
            .nodes
            .get_mut(wanted)
            .and_then(|node| node.dial.as_mut())
        {
            dial.failed(id);
        }
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.purpose = Purpose::Accepted;
            let text = format!("{}: looked for {wanted} and found {found}", conn.addr);
            self.log(Level::Info, text);
        }
    }

    /// Handles a handshake whose greetings are exchanged: decides whether the connection gets our authentication line.
    fn ready(&mut self, now: Time, id: ConnId) {
        if self.conns.get(&id).is_some_and(Connection::is_stream) {
            return self.proceed(id);
        }
        let Some(claim) = self.claim(id) else { return };
        if claim.we_arbitrate && self.is_taken(&claim.node) {
            return self.refuse_connected(now, id, &claim.node);
        }
        if !claim.we_arbitrate || self.node(&claim.node).arbiter.request(now, id) {
            self.proceed(id);
        }
    }

    pub(super) fn proceed(&mut self, id: ConnId) {
        self.with_handshake(id, Handshake::proceed);
    }

    pub(super) fn with_handshake(&mut self, id: ConnId, tell: impl FnOnce(&mut Handshake)) {
        if let Some(handshaking) = self.conns.get_mut(&id).and_then(Connection::handshaking) {
            tell(&mut handshaking.handshake);
            self.runnable.push_back(id);
        }
    }

    fn verified(&mut self, now: Time, id: ConnId) {
        self.strangers.gone(id);
        if let Some(claim) = self.claim(id)
            && let Some(node) = self.nodes.get_mut(&claim.node)
        {
            node.arbiter.verified(now, id);
        }
    }

    /// Handles a connection whose ends have both proved themselves.
    fn established(&mut self, now: Time, id: ConnId, established: Established) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        if let Some(start) = established.stream {
            let (node, leftover) = (established.node, established.leftover);
            return self.begin_stream(id, node, start, leftover);
        }
        let node = established.node.clone();
        conn.phase = Phase::Pending(node.clone());
        if conn.purpose == Purpose::Seed {
            let address = conn.addr.clone();
            self.seeds.ended(&address, id);
        }
        for other in self.node(&node).arbiter.complete(id) {
            self.refuse_connected(now, other, &node);
        }
        self.take_over(now, id, established);
    }

    /// Closes a connection.
    pub(super) fn abandon(&mut self, now: Time, id: ConnId) {
        if self.forget(now, id).is_some() {
            self.outputs.push_back(Output::Close { conn: id });
        }
    }

    /// Handles a connection that has ended by itself.
    pub(super) fn lost(&mut self, now: Time, id: ConnId, text: &str) {
        let Some(conn) = self.conns.get(&id) else {
            return;
        };
        if let Phase::Up(node) = &conn.phase {
            let node = node.clone();
            return self.lose(now, &node, text, None);
        }
        self.log_lost(id, text);
        self.fail_stream(id, text);
        self.forget(now, id);
    }

    /// Removes all data of a connection that is not up.
    fn forget(&mut self, now: Time, id: ConnId) -> Option<Connection> {
        let conn = self.conns.remove(&id)?;
        self.strangers.gone(id);
        match &conn.purpose {
            Purpose::Accepted | Purpose::Stream { .. } => {}
            Purpose::Seed => self.seeds.ended(&conn.addr, id),
            Purpose::Node(wanted) => {
                if let Some(dial) = self
                    .nodes
                    .get_mut(wanted)
                    .and_then(|node| node.dial.as_mut())
                {
                    dial.failed(id);
                }
                self.dial_node(now, wanted);
            }
        }
        let claimed = match &conn.phase {
            Phase::Handshake(_) => conn.claim().map(|claim| &claim.node),
            Phase::Pending(node) => Some(node),
            Phase::Dialing { .. } | Phase::Asking { .. } | Phase::Up(_) => None,
        };
        if let Phase::Asking { relay, .. } = &conn.phase {
            self.tunnels.asks_no_more(relay, id);
        }
        if let Some(claimed) = claimed
            && let Some(node) = self.nodes.get_mut(claimed)
        {
            let next = node.arbiter.leave(now, id);
            node.forget_pending(id);
            self.tidy(claimed);
            next.into_iter().for_each(|next| self.proceed(next));
        }
        Some(conn)
    }
}
