//! One running node: its mesh, its connections, its ports.
//!
//! It serves a mesh as `net` does in the runtime, in the same order: outputs in order, monitors fired one after the
//! other and later, requests for the mesh after the packets of a read.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use aemp_codec::{Limits, NodeId};

use super::{
    PORT, Setup,
    connection::{Connection, Way},
    core::{Core, Due, Life},
    ports::Ports,
    speakers::Speakers,
};
use crate::sim::{End, Fault, Happening, HostId};
use aemp_proto::{
    Random, Time,
    handshake::{HandshakeConfig, auth::Secret},
    link::LinkAction,
    mesh::{Mesh, MeshConfig, PeerMap, Peers, TunnelRead},
    peer::{ConnId, Loss, PeerLimits, Urge},
};

/// The secret of all nodes of a world.
const SECRET: &str = "the secret of the simulated world";

/// The number of bytes that are read from a tunnel at a time.
const READ: usize = 4096;

pub(super) struct Machine {
    pub(super) life: Life,
    pub(super) id: NodeId,
    pub(super) host: HostId,
    pub(super) mesh: Mesh<PeerMap>,
    pub(super) connections: BTreeMap<ConnId, Connection>,
    pub(super) ends: HashMap<End, ConnId>,
    pub(super) ports: Ports,
    pub(super) speakers: Speakers,
    /// Nodes for which there may be bytes to write.
    pub(super) dirty: BTreeSet<NodeId>,
    /// Tunnels that may have something to read, or room to write.
    pub(super) stirred: BTreeSet<ConnId>,
    /// Nodes of which the mesh has asked to hear when everything is written.
    pub(super) tell_written: BTreeSet<NodeId>,
    /// The time at which the mesh is called next.
    due: Option<Time>,
    /// The losses whose monitors are to fire, in order, and the time at which the last of them do.
    pub(super) firing: VecDeque<(NodeId, Loss, String)>,
    pub(super) fired: Time,
    pub(super) config: HandshakeConfig,
}

impl Machine {
    pub(super) fn new(now: Time, life: Life, host: HostId, setup: &Setup, random: Random) -> Self {
        let mut config = HandshakeConfig::new(setup.id.clone(), Some(Secret::new(SECRET)));
        config.timeout = setup.monitor_timeout;
        config.relay = setup.relay;
        let mut mesh = MeshConfig::new(config.clone());
        mesh.seeds.clone_from(&setup.seeds);
        mesh.global = setup.global;
        if setup.listens {
            mesh.listeners = vec![format!("{}:{PORT}", setup.id)];
        }
        mesh.connect_interval = setup.connect_interval;
        let limits = PeerLimits {
            max_queue_bytes: setup.max_queue_bytes,
            packet: Limits::default(),
        };
        // The speakers have a generator of their own, so that they do not change runs without speakers.
        let speakers = Speakers::new(life, (life.0.0 as u64) << 32 | u64::from(life.1));
        let mut peers = PeerMap::new(limits);
        peers.interleave(speakers.between());
        Self {
            life,
            id: setup.id.clone(),
            host,
            mesh: Mesh::new(now, mesh, peers, random),
            connections: BTreeMap::new(),
            ends: HashMap::new(),
            ports: Ports::new(life.1),
            speakers,
            dirty: BTreeSet::new(),
            stirred: BTreeSet::new(),
            tell_written: BTreeSet::new(),
            due: None,
            firing: VecDeque::new(),
            fired: now,
            config,
        }
    }

    /// Carries out all outputs of the mesh, and schedules its next deadline.
    pub(super) fn perform_outputs(&mut self, core: &mut Core) {
        loop {
            self.report_speakers(core);
            for (node, urge) in self.mesh.peers().take_urges() {
                self.carry_out(core, &node, urge);
            }
            while let Some(output) = self.mesh.poll() {
                self.perform(core, output);
            }
            if let Some(conn) = self.stirred.pop_first() {
                self.stir(core, conn);
                continue;
            }
            match self.dirty.pop_first() {
                Some(node) => self.write_to(core, &node),
                None if self.mesh.peers().has_urges() => {}
                None => break,
            }
        }
        self.report_speakers(core);
        let deadline = self.mesh.deadline();
        if let Some(deadline) = deadline
            && self.due.is_none_or(|due| deadline < due)
        {
            self.due = Some(deadline);
            core.schedule(deadline, Due::Mesh(self.life));
        }
    }

    pub(super) fn stop(&mut self, core: &mut Core) {
        self.perform_outputs(core);
        self.mesh.stop(core.now);
        self.perform_outputs(core);
        while !self.firing.is_empty() {
            self.fire_next(core);
            self.perform_outputs(core);
        }
    }

    /// Handles an event of the network.
    pub(super) fn on_happening(&mut self, core: &mut Core, happening: Happening) {
        match happening {
            Happening::Accepted { end, .. } => self.accepted(core, end),
            Happening::Connected(end) => {
                if let Some(conn) = self.ends.get(&end) {
                    let peer = core.network.name(end.peer()).to_owned();
                    self.mesh.dialed(core.now, *conn, Ok(peer));
                }
            }
            Happening::Arrived(end, bytes) => {
                core.network.taken(end, bytes.len());
                self.arrived(core, end, &bytes);
            }
            Happening::Room(end) => {
                if let Some(conn) = self.ends.get(&end).copied() {
                    self.write(core, conn);
                }
            }
            Happening::Ended(end, fault) => self.ended(core, end, fault),
        }
    }

    fn accepted(&mut self, core: &mut Core, end: End) {
        let peer = core.network.name(end.peer()).to_owned();
        let conn = self.mesh.accepted(core.now, &peer);
        self.ends.insert(end, conn);
        self.connections
            .insert(conn, Connection::new(Way::Socket(end)));
    }

    fn arrived(&mut self, core: &mut Core, end: End, bytes: &[u8]) {
        if let Some(conn) = self.ends.get(&end).copied() {
            self.take(core, conn, bytes);
        }
    }

    /// Takes bytes that have arrived on a connection.
    fn take(&mut self, core: &mut Core, conn: ConnId, bytes: &[u8]) {
        let line = self.connections.get_mut(&conn);
        match line.and_then(|connection| connection.line.as_mut()) {
            None => self.mesh.received(core.now, conn, bytes),
            Some(line) => {
                line.link.received(core.now, bytes);
                self.read(core, conn);
            }
        }
    }

    /// Reads a tunnel once, and writes as much as it takes.
    fn stir(&mut self, core: &mut Core, conn: ConnId) {
        if !self.connections.contains_key(&conn) {
            return;
        }
        let mut bytes = Vec::with_capacity(READ);
        let end = match self.mesh.tunnel_read(core.now, conn, &mut bytes) {
            TunnelRead::Octets(_) => {
                // The mesh's outputs come before the next read: the connection may be established by now.
                self.stirred.insert(conn);
                return self.take(core, conn, &bytes);
            }
            TunnelRead::Nothing => return self.write(core, conn),
            TunnelRead::End => Fault::EndOfFile.text().into(),
            TunnelRead::Lost(text) => text,
        };
        self.drop_connection(core, conn);
        self.mesh.closed(core.now, conn, &end);
    }

    fn ended(&mut self, core: &mut Core, end: End, fault: Fault) {
        let Some(conn) = self.ends.get(&end).copied() else {
            return;
        };
        let opening = self.drop_connection(core, conn);
        if opening && fault != Fault::EndOfFile {
            // An error after the dial is just the end of a connection.
            self.mesh.dialed(core.now, conn, Err(fault.text().into()));
        } else {
            self.mesh.closed(core.now, conn, fault.text());
        }
    }

    /// Drops a connection and the watches through it. Returns true if it was not established yet.
    pub(super) fn drop_connection(&mut self, core: &mut Core, conn: ConnId) -> bool {
        let Some(connection) = self.connections.remove(&conn) else {
            return false;
        };
        match connection.way {
            Way::Socket(end) => {
                self.ends.remove(&end);
                core.network.close(end);
            }
            Way::Tunnel => self.mesh.drop_tunnel(core.now, conn),
        }
        match connection.line {
            None => true,
            Some(line) => {
                self.ports.unwatch_all(&line.node, conn);
                false
            }
        }
    }

    /// Handles a deadline.
    pub(super) fn due(&mut self, core: &mut Core, due: Due) {
        match due {
            Due::Mesh(_) => {
                // A deadline that was replaced by an earlier one, or that the mesh has delayed, is skipped.
                if self.due.is_some_and(|due| due <= core.now) {
                    self.due = None;
                }
                if self.mesh.deadline().is_some_and(|at| at <= core.now) {
                    self.mesh.timeout(core.now);
                }
            }
            Due::Link(_, conn) => self.link_due(core, conn),
            Due::Fire(_) => self.fire_next(core),
        }
    }

    fn link_due(&mut self, core: &mut Core, conn: ConnId) {
        let Some(line) = self.line(conn) else { return };
        line.due = None;
        let action = if line.link.deadline() <= core.now {
            line.link.timeout(core.now)
        } else {
            LinkAction::None
        };
        let node = line.node.clone();
        match action {
            LinkAction::None => {}
            LinkAction::SendKeepalive => {
                let urge = self.mesh.peers().with(&node, |peer| peer.keepalive());
                self.carry_out(core, &node, urge);
                self.write(core, conn);
            }
            LinkAction::Rest => self.mesh.peers().with(&node, |peer| peer.rest(conn)),
            LinkAction::Dead => {
                self.drop_connection(core, conn);
                return self
                    .mesh
                    .closed(core.now, conn, aemp_proto::link::TIMED_OUT);
            }
        }
        self.watch_link(core, conn);
    }

    /// Schedules a link's next deadline.
    pub(super) fn watch_link(&mut self, core: &mut Core, conn: ConnId) {
        let life = self.life;
        if let Some(line) = self.line(conn) {
            let deadline = line.link.deadline();
            if line.due.is_none_or(|due| deadline < due) {
                line.due = Some(deadline);
                core.schedule(deadline, Due::Link(life, conn));
            }
        }
    }

    /// Carries out an urge of a peer.
    pub(super) fn carry_out(&mut self, core: &Core, node: &NodeId, urge: Urge) {
        match urge {
            Urge::None => {}
            Urge::Write => drop(self.dirty.insert(node.clone())),
            Urge::Connect => self.mesh.connect(core.now, node),
            Urge::Overflow => self.mesh.overflow(core.now, node),
        }
    }

    pub(super) fn line(&mut self, conn: ConnId) -> Option<&mut super::connection::Line> {
        self.connections.get_mut(&conn)?.line.as_mut()
    }
}
