//! Other nodes: attempts to reach them, node up and node down.

use std::time::Duration;

use aemp_codec::NodeId;

use super::{
    Level, Mesh, Output, Peers,
    arbiter::Arbiter,
    connection::{Phase, Purpose},
    dial::{Dial, Way},
    failures::Doubles,
};
use crate::{
    Time,
    handshake::{Established, HandshakeError},
    peer::{ConnId, LinkUp, LossId, Standing, Urge},
};

/// The state of another node. Idle nodes have no entry.
#[derive(Debug, Default)]
pub(super) struct MeshPeer {
    pub(super) arbiter: Arbiter,
    pub(super) dial: Option<Dial>,
    pub(super) contact: Contact,
    /// Other connections that claim to be this node while it is connected.
    pub(super) doubles: Doubles,
}

/// The contact with a node.
#[derive(Debug, Default)]
pub(super) enum Contact {
    #[default]
    Apart,
    /// The connection, and the time since which it is up.
    Up(ConnId, Time),
    /// The monitors of this loss are being fired. Then the connection that is ready, if any, becomes the node's.
    Mourning { loss: LossId, next: Option<Pending> },
}

#[derive(Debug)]
pub(super) struct Pending {
    conn: ConnId,
    established: Established,
}

impl MeshPeer {
    fn is_idle(&self) -> bool {
        self.arbiter.is_idle() && self.dial.is_none() && matches!(self.contact, Contact::Apart)
    }

    /// The connection, and the time since which it is up.
    pub(super) fn up(&self) -> Option<(ConnId, Time)> {
        match self.contact {
            Contact::Up(conn, since) => Some((conn, since)),
            Contact::Apart | Contact::Mourning { .. } => None,
        }
    }

    pub(super) fn take_up(&mut self) -> Option<(ConnId, Time)> {
        let up = self.up()?;
        self.contact = Contact::Apart;
        Some(up)
    }

    /// The loss that is being mourned.
    pub(super) fn mourned(&self) -> Option<LossId> {
        match self.contact {
            Contact::Mourning { loss, .. } => Some(loss),
            Contact::Apart | Contact::Up(..) => None,
        }
    }

    fn pending(&mut self) -> Option<&mut Option<Pending>> {
        match &mut self.contact {
            Contact::Mourning { next, .. } => Some(next),
            Contact::Apart | Contact::Up(..) => None,
        }
    }

    /// Ends the mourning of a loss. Returns the connection that is ready, if any; `None` if another loss, or none, is
    /// being mourned.
    pub(super) fn end_mourning(&mut self, ended: LossId) -> Option<Option<Pending>> {
        let next = match &mut self.contact {
            Contact::Mourning { loss, next } if *loss == ended => next.take(),
            _ => return None,
        };
        self.contact = Contact::Apart;
        Some(next)
    }

    pub(super) fn deadline(&self, patience: Duration) -> Option<Time> {
        let dial = self.dial.as_ref().map(Dial::deadline);
        dial.into_iter()
            .chain(self.arbiter.deadline(patience))
            .min()
    }

    /// Keeps bytes that have arrived on a connection that is not the node's yet.
    pub(super) fn receive_early(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(Some(pending)) = self.pending()
            && pending.conn == conn
        {
            pending.established.leftover.extend_from_slice(bytes);
        }
    }

    /// The number of bytes that have arrived early on a connection.
    pub(super) fn early_bytes(&self, conn: ConnId) -> usize {
        match &self.contact {
            Contact::Mourning {
                next: Some(pending),
                ..
            } if pending.conn == conn => pending.established.leftover.len(),
            _ => 0,
        }
    }

    pub(super) fn forget_pending(&mut self, conn: ConnId) {
        if let Some(next) = self.pending() {
            next.take_if(|pending| pending.conn == conn);
        }
    }
}

impl<P: Peers> Mesh<P> {
    pub(super) fn node(&mut self, node: &NodeId) -> &mut MeshPeer {
        self.nodes.get_or_default(node)
    }

    /// Forgets a node if it is idle.
    pub(super) fn tidy(&mut self, node: &NodeId) {
        if self.nodes.get(node).is_some_and(MeshPeer::is_idle) {
            self.nodes.remove(node);
        }
    }

    /// True if the node has a connection, or gets one as soon as its monitors have fired.
    pub(super) fn is_taken(&self, node: &NodeId) -> bool {
        let contact = self.nodes.get(node).map(|node| &node.contact);
        matches!(
            contact,
            Some(Contact::Up(..) | Contact::Mourning { next: Some(_), .. })
        )
    }

    fn standing(&mut self, node: &NodeId) -> Standing {
        self.peers.with(node, |peer| peer.standing())
    }

    pub(super) fn connect_node(&mut self, now: Time, node: &NodeId) {
        // It may have connected meanwhile, or been given up.
        if self.standing(node) != Standing::Connecting {
            return;
        }
        if self.stopped {
            return self.unreachable(now, node, "node stopped");
        }
        if self.node(node).dial.is_none() {
            let (interval, timeout) = (self.config.connect_interval, self.handshake.timeout);
            let mut dial = Dial::new(now, interval);
            let known = self.addresses_of(node).into_iter();
            dial.learn(now, known.map(Way::Address), timeout);
            self.node(node).dial = Some(dial);
            self.global.find(node);
        }
        self.dial_node(now, node);
    }

    /// Takes addresses of a node that another node has told, or the relay of a node without addresses. They are used
    /// for this attempt only.
    pub(super) fn found_addresses(
        &mut self,
        now: Time,
        node: &NodeId,
        addresses: Option<Vec<String>>,
        relay: Option<NodeId>,
    ) {
        let timeout = self.handshake.timeout;
        let Some(dial) = self.nodes.get_mut(node).and_then(|node| node.dial.as_mut()) else {
            return;
        };
        let ways = addresses.into_iter().flatten().map(Way::Address);
        let relay = relay.filter(|_| self.handshake.relay);
        dial.learn(now, ways.chain(relay.map(Way::Relay)), timeout);
        if dial.is_lost() {
            return self.unreachable(now, node, "no known address");
        }
        self.dial_node(now, node);
    }

    fn addresses_of(&self, node: &NodeId) -> Vec<String> {
        let mut addresses = self.addresses.get(node).cloned().unwrap_or_default();
        for address in self.seeds.addresses(node) {
            if !addresses.iter().any(|known| known == address) {
                addresses.push(address.into());
            }
        }
        addresses
    }

    pub(super) fn learn_addresses(&mut self, now: Time, node: &NodeId, addresses: Vec<String>) {
        if addresses.is_empty() {
            self.addresses.remove(node);
        } else {
            self.addresses.insert(node.clone(), addresses);
        }
        let (known, timeout) = (self.addresses_of(node), self.handshake.timeout);
        let Some(dial) = self.nodes.get_mut(node).and_then(|node| node.dial.as_mut()) else {
            return;
        };
        if known.is_empty() {
            return self.unreachable(now, node, "no known address");
        }
        dial.learn(now, known.into_iter().map(Way::Address), timeout);
        self.dial_node(now, node);
    }

    /// Dials the next address of a node if it is due.
    pub(super) fn dial_node(&mut self, now: Time, node: &NodeId) {
        while let Some(dial) = self.nodes.get_mut(node).and_then(|node| node.dial.as_mut())
            && let Some(way) = dial.due(now, &mut self.random)
        {
            let purpose = Purpose::Node(node.clone());
            let conn = match way {
                Way::Address(address) => Some(self.dial(now, &address, purpose)),
                Way::Relay(relay) => self.dial_through(now, &relay, node, purpose),
            };
            if let Some(conn) = conn
                && let Some(dial) = &mut self.node(node).dial
            {
                dial.trying(conn);
            }
        }
    }

    pub(super) fn time_out_nodes(&mut self, now: Time) {
        let patience = self.config.connect_interval;
        // Connections that have timed out may have changed deadlines.
        self.update_deadlines();
        for id in self.nodes.due(now) {
            self.dial_node(now, &id);
            let Some(node) = self.nodes.get(&id) else {
                continue;
            };
            if let Some(conn) = node.arbiter.overdue(now, patience) {
                self.refuse(now, conn, &HandshakeError::Superseded);
            }
            let dial = self.nodes.get(&id).and_then(|node| node.dial.as_ref());
            if dial.is_some_and(|dial| dial.is_over(now)) {
                self.unreachable(now, &id, "connect timeout");
            }
        }
    }

    /// Handles a node that could not be reached.
    pub(super) fn unreachable(&mut self, now: Time, node: &NodeId, text: &str) {
        self.end_attempts(now, node, text);
        let lost = self.peers.with(node, |peer| peer.connect_failed());
        self.mourn(now, node, lost, text, None);
    }

    pub(super) fn end_attempts(&mut self, now: Time, node: &NodeId, text: &str) {
        self.global.cancel_find(node);
        self.relay_unreachable(now, node);
        if let Some(dial) = self.node(node).dial.take() {
            for conn in dial.into_trying() {
                self.abandon(now, conn);
            }
        }
        // Rate-limited, because a peer can ask for relays to any number of nodes.
        self.complain(
            now,
            Level::Info,
            format!("{node} cannot be reached ({text})"),
        );
    }

    /// Makes an authenticated connection the node's, now or when the monitors of the last loss have fired.
    pub(super) fn take_over(&mut self, now: Time, conn: ConnId, established: Established) {
        let id = established.node.clone();
        // This connection is no longer one of the attempts, however these end.
        if let Some(dial) = &mut self.node(&id).dial {
            dial.failed(conn);
        }
        let next = Pending { conn, established };
        match &mut self.node(&id).contact {
            Contact::Apart => self.bring_up(now, &id, next),
            Contact::Up(old, _) => {
                let conn = *old;
                self.outputs.push_back(Output::Close { conn });
                self.lose(now, &id, "switched connections", Some(next));
            }
            Contact::Mourning { next: pending, .. } => {
                // A connection that was waiting already never carried anything.
                if let Some(older) = pending.replace(next) {
                    self.abandon(now, older.conn);
                }
            }
        }
    }

    pub(super) fn bring_up(&mut self, now: Time, id: &NodeId, next: Pending) {
        self.end_dial(now, id);
        let (conn, send) = (next.conn, next.established.send.clone());
        match self.peers.with(id, |peer| peer.link_up(conn, send)) {
            LinkUp::Up(urge) => self.is_up_now(now, id, next, urge),
            LinkUp::Mourning(loss) => {
                let next = Some(next);
                self.node(id).contact = Contact::Mourning { loss, next };
            }
            LinkUp::Lost(lost, text) => {
                self.log_given_up(now, id, &text);
                self.mourn(now, id, lost, &text, Some(next));
            }
        }
    }

    fn is_up_now(&mut self, now: Time, id: &NodeId, next: Pending, urge: Urge) {
        let Pending { conn, established } = next;
        self.ups += 1;
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.phase = Phase::Up(id.clone());
        }
        let node = self.node(id);
        node.contact = Contact::Up(conn, now);
        node.doubles = Doubles::default();
        self.seeds.node_up(id);
        let (provider, ours) = (established.provider, established.ours);
        let from = provider
            .as_ref()
            .map_or_else(String::new, |provider| format!(" ({provider})"));
        self.outputs.push_back(Output::Established {
            conn,
            node: id.clone(),
            recv: established.recv,
            leftover: established.leftover,
            peer_keepalive: established.peer_keepalive,
            trusted: established.trusted,
            provider,
            ours,
            credit: established.credit,
            deadlines: established.deadlines,
            traces: established.traces,
        });
        self.relay_up(now, id, conn, established.relay);
        if urge == Urge::Write {
            self.outputs
                .push_back(Output::WakeWriter { node: id.clone() });
        }
        self.log(Level::Info, format!("{id}{from} is up"));
        self.outputs.push_back(Output::NodeUp(id.clone()));
        self.global_node_up(now, id);
    }

    /// Ends the attempt, because the node is reached. Attempts without a greeting are given up, the others continue.
    fn end_dial(&mut self, now: Time, node: &NodeId) {
        let Some(dial) = self.node(node).dial.take() else {
            return;
        };
        for conn in dial.into_trying() {
            if self.is_dialing(conn) {
                self.abandon(now, conn);
            } else if let Some(conn) = self.conns.get_mut(&conn) {
                conn.purpose = Purpose::Accepted;
            }
        }
    }

    pub(super) fn stop_nodes(&mut self, now: Time) {
        let nodes: Vec<_> = self.nodes.keys().cloned().collect();
        for id in nodes {
            if let Some((conn, _)) = self.nodes.get(&id).and_then(MeshPeer::up) {
                self.outputs.push_back(Output::Close { conn });
                self.lose(now, &id, "node stopped", None);
            } else if self.nodes.get(&id).is_some_and(|node| node.dial.is_some()) {
                self.unreachable(now, &id, "node stopped");
            }
        }
    }
}
