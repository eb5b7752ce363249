//! Other nodes: trying to reach them, and their going up and down.

use std::time::Duration;

use aemp_codec::NodeId;

use super::{
    Level, Mesh, Output, Peers,
    arbiter::Arbiter,
    conn::{Phase, Purpose},
    dial::Dial,
    failures::Doubles,
};
use crate::proto::{
    Time,
    handshake::{Established, HandshakeError},
    peer::{ConnId, MonitorId, Standing, Urge},
};

/// What goes on with another node. There is none for a node with which nothing goes on.
#[derive(Debug, Default)]
pub(super) struct Node {
    pub(super) arbiter: Arbiter,
    pub(super) dial: Option<Dial>,
    /// Its connection, and since when.
    pub(super) up: Option<(ConnId, Time)>,
    /// Others that say they are this node while it is connected.
    pub(super) doubles: Doubles,
    /// A connection that becomes the node's when all monitors have fired.
    pending: Option<Pending>,
    /// The text with which monitors are being fired.
    firing: Option<String>,
    /// Whether there is none to be fired, so that nobody will say that they have.
    quiet: bool,
}

#[derive(Debug)]
struct Pending {
    conn: ConnId,
    established: Established,
}

impl Node {
    fn is_idle(&self) -> bool {
        self.arbiter.is_idle()
            && self.dial.is_none()
            && self.up.is_none()
            && self.pending.is_none()
            && self.firing.is_none()
    }

    pub(super) fn deadline(&self, patience: Duration) -> Option<Time> {
        let dial = self.dial.as_ref().map(Dial::deadline);
        dial.into_iter()
            .chain(self.arbiter.deadline(patience))
            .min()
    }

    /// Keeps what has arrived on a connection that is not the node's yet.
    pub(super) fn receive_early(&mut self, conn: ConnId, bytes: &[u8]) {
        if let Some(pending) = self.pending.as_mut().filter(|pending| pending.conn == conn) {
            pending.established.leftover.extend_from_slice(bytes);
        }
    }

    /// How much has arrived early on that connection.
    pub(super) fn early_bytes(&self, conn: ConnId) -> usize {
        let pending = self.pending.as_ref().filter(|pending| pending.conn == conn);
        pending.map_or(0, |pending| pending.established.leftover.len())
    }

    pub(super) fn forget_pending(&mut self, conn: ConnId) {
        self.pending.take_if(|pending| pending.conn == conn);
    }
}

impl<P: Peers> Mesh<P> {
    pub(super) fn node(&mut self, node: &NodeId) -> &mut Node {
        self.nodes.get_or_default(node)
    }

    /// Forgets a node with which nothing goes on.
    pub(super) fn tidy(&mut self, node: &NodeId) {
        if self.nodes.get(node).is_some_and(Node::is_idle) {
            self.nodes.remove(node);
        }
    }

    /// Whether a node has a connection, or will have one as soon as its monitors have fired.
    pub(super) fn is_taken(&self, node: &NodeId) -> bool {
        let node = self.nodes.get(node);
        node.is_some_and(|node| node.up.is_some() || node.pending.is_some())
    }

    fn standing(&mut self, node: &NodeId) -> Standing {
        self.peers.with(node, |peer| peer.standing())
    }

    pub(super) fn connect_node(&mut self, now: Time, node: &NodeId) {
        // By now it may have connected by itself, or been given up.
        if self.standing(node) != Standing::Connecting {
            return;
        }
        if self.stopped {
            return self.unreachable(now, node, "node stopped");
        }
        if self.node(node).dial.is_none() {
            let (interval, timeout) = (self.config.connect_interval, self.handshake.timeout);
            let mut dial = Dial::new(now, interval);
            dial.learn(now, self.addresses_of(node), timeout);
            self.node(node).dial = Some(dial);
            self.global.find(node);
        }
        self.dial_node(now, node);
    }

    /// Somebody who should know says where a node listens; these addresses are good for this attempt only.
    pub(super) fn found_addresses(
        &mut self,
        now: Time,
        node: &NodeId,
        addresses: Option<Vec<String>>,
    ) {
        let timeout = self.handshake.timeout;
        let Some(dial) = self.nodes.get_mut(node).and_then(|node| node.dial.as_mut()) else {
            return;
        };
        dial.learn(now, addresses.unwrap_or_default(), timeout);
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
        dial.learn(now, known, timeout);
        self.dial_node(now, node);
    }

    /// Tries the next address of a node, if its time has come.
    pub(super) fn dial_node(&mut self, now: Time, node: &NodeId) {
        let Some(dial) = self.nodes.get_mut(node).and_then(|node| node.dial.as_mut()) else {
            return;
        };
        if let Some(address) = dial.due(now, &mut self.random) {
            let conn = self.dial(now, &address, Purpose::Node(node.clone()));
            if let Some(dial) = &mut self.node(node).dial {
                dial.trying(conn);
            }
        }
    }

    pub(super) fn time_out_nodes(&mut self, now: Time) {
        let patience = self.config.connect_interval;
        // Connections that have timed out may have changed something.
        self.look_at_clocks();
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

    /// A node could not be reached.
    pub(super) fn unreachable(&mut self, now: Time, node: &NodeId, text: &str) {
        self.global.cancel_find(node);
        if let Some(dial) = self.node(node).dial.take() {
            for conn in dial.into_trying() {
                self.abandon(now, conn);
            }
        }
        // A peer may have relays sent to any number of nodes.
        self.complain(
            now,
            Level::Info,
            format!("{node} cannot be reached ({text})"),
        );
        let monitors = self.peers.with(node, |peer| peer.connect_failed());
        self.fire(now, node, monitors, text);
    }

    /// An authenticated connection becomes the node's, now or when the monitors of the last one have fired.
    pub(super) fn take_over(&mut self, now: Time, conn: ConnId, established: Established) {
        let node = established.node.clone();
        // Whatever becomes of the attempts to reach the node, this one is no longer one of them.
        if let Some(dial) = &mut self.node(&node).dial {
            dial.failed(conn);
        }
        let pending = Pending { conn, established };
        // One that was waiting already never carried anything.
        if let Some(older) = self.node(&node).pending.replace(pending) {
            self.abandon(now, older.conn);
        }
        if let Some((old, _)) = self.node(&node).up {
            self.outputs.push_back(Output::Close { conn: old });
            return self.lose(now, &node, "switched connections");
        }
        match self.standing(&node) {
            Standing::GivenUp(_, text) => self.unreachable(now, &node, &text),
            Standing::Draining => {}
            Standing::Down | Standing::Connecting | Standing::Up(_) => self.bring_up(now, &node),
        }
    }

    fn bring_up(&mut self, now: Time, id: &NodeId) {
        let Some(Pending { conn, established }) = self.node(id).pending.take() else {
            return;
        };
        self.end_dial(now, id);
        let send = established.send;
        let urge = self.peers.with(id, |peer| peer.link_up(conn, send));
        if urge == Urge::Overflow {
            self.abandon(now, conn);
            return self.never_up(now, id, conn);
        }
        if let Some(conn) = self.conns.get_mut(&conn) {
            conn.phase = Phase::Up(id.clone());
        }
        let node = self.node(id);
        node.up = Some((conn, now));
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
        });
        if urge == Urge::Write {
            self.outputs
                .push_back(Output::WakeWriter { node: id.clone() });
        }
        self.log(Level::Info, format!("{id}{from} is up"));
        self.outputs.push_back(Output::NodeUp(id.clone()));
        self.global_node_up(now, id);
    }

    /// What was queued cannot be sent over the connection that was made for it.
    fn never_up(&mut self, now: Time, id: &NodeId, conn: ConnId) {
        if let Standing::GivenUp(_, text) = self.standing(id) {
            let monitors = self.peers.with(id, |peer| peer.link_down(conn));
            self.log(Level::Error, format!("{id} is given up ({text})"));
            self.fire(now, id, monitors.unwrap_or_default(), &text);
        }
    }

    /// The node is reached; attempts that have found nobody yet are given up, others go their way.
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

    /// A node's connection is no more.
    pub(super) fn lose(&mut self, now: Time, id: &NodeId, text: &str) {
        let Some((conn, since)) = self.node(id).up.take() else {
            return;
        };
        self.conns.remove(&conn);
        let monitors = self.peers.with(id, |peer| peer.link_down(conn));
        self.seeds.node_down(now, id, now - since, &mut self.random);
        self.begin_fire(id, monitors.unwrap_or_default(), text);
        self.log(
            Level::Info,
            format!("{id} is down (transport_error {id} {text})."),
        );
        self.outputs
            .push_back(Output::NodeDown(id.clone(), text.into()));
        self.global_node_down(now, id);
        self.skip_fire(now, id);
    }

    /// A peer has more queued than it may, or something that cannot be sent.
    pub(super) fn give_up(&mut self, now: Time, id: &NodeId) {
        match self.standing(id) {
            Standing::GivenUp(Some(conn), text) => {
                self.tell_given_up(now, id, &text);
                self.outputs.push_back(Output::Close { conn });
                self.lose(now, id, &text);
            }
            Standing::GivenUp(None, text) => {
                self.tell_given_up(now, id, &text);
                self.unreachable(now, id, &text);
            }
            _ => {}
        }
    }

    /// If it is given up because of its queue.
    fn tell_given_up(&mut self, now: Time, id: &NodeId, text: &str) {
        const LIMIT: &str = "max_queue_bytes";
        let limits = self.peers.with(id, |peer| peer.limits());
        let limit = limits.max_queue_bytes;
        if text == limits.overflow() && self.notices.is_due(now, LIMIT, id.as_str()) {
            let text = format!("{id}: {LIMIT} ({limit}) reached: it is given up");
            self.log(Level::Warn, text);
        }
    }

    pub(super) fn stop_nodes(&mut self, now: Time) {
        let nodes: Vec<_> = self.nodes.keys().cloned().collect();
        for id in nodes {
            if let Some((conn, _)) = self.nodes.get(&id).and_then(|node| node.up) {
                self.outputs.push_back(Output::Close { conn });
                self.lose(now, &id, "node stopped");
            } else if self.nodes.get(&id).is_some_and(|node| node.dial.is_some()) {
                self.unreachable(now, &id, "node stopped");
            }
        }
    }

    fn fire(&mut self, now: Time, id: &NodeId, monitors: Vec<MonitorId>, text: &str) {
        self.begin_fire(id, monitors, text);
        self.skip_fire(now, id);
    }

    /// Hands out monitors; [`skip_fire`](Self::skip_fire) has to follow.
    fn begin_fire(&mut self, id: &NodeId, monitors: Vec<MonitorId>, text: &str) {
        let text: String = text.into();
        let node = self.node(id);
        node.firing = Some(text.clone());
        node.quiet = monitors.is_empty();
        if !monitors.is_empty() {
            let node = id.clone();
            self.outputs.push_back(Output::Fire {
                node,
                monitors,
                text,
            });
        }
    }

    /// Goes on at once if there is nothing to fire.
    fn skip_fire(&mut self, now: Time, id: &NodeId) {
        if self.node(id).quiet {
            self.after_fire(now, id);
        }
    }

    /// The monitors have fired.
    pub(super) fn after_fire(&mut self, now: Time, id: &NodeId) {
        let Some(text) = self.nodes.get_mut(id).and_then(|node| node.firing.take()) else {
            return;
        };
        let more = self.peers.with(id, |peer| peer.drained());
        if !more.is_empty() {
            return self.fire(now, id, more, &text);
        }
        if self.node(id).pending.is_some() {
            self.bring_up(now, id);
        } else {
            self.connect_node(now, id);
        }
        self.tidy(id);
    }
}
