//! Ports of a machine, and requests of other nodes to its node port.

use std::collections::BTreeMap;

use aemp_codec::{DecodeError, NodeId, PacketReader, PortId, Value};

use super::{Observation, core::Core, machine::Machine};
use aemp_proto::{
    mesh::{Peers, RawRequest},
    peer::{ConnId, MonitorId},
    request::{Request, RequestError},
};

/// The ports of one run of a node.
#[derive(Debug)]
pub(super) struct Ports {
    life: u32,
    opened: u64,
    monitors: u64,
    /// The nodes that watch each port, and the connections through which they watch it.
    live: BTreeMap<String, BTreeMap<NodeId, ConnId>>,
}

impl Ports {
    pub(super) fn new(life: u32) -> Self {
        Self {
            life,
            opened: 0,
            monitors: 0,
            live: BTreeMap::new(),
        }
    }

    /// Forgets the watches of a connection that has ended.
    pub(super) fn unwatch_all(&mut self, node: &NodeId, conn: ConnId) {
        for watchers in self.live.values_mut() {
            if watchers.get(node) == Some(&conn) {
                watchers.remove(node);
            }
        }
    }

    /// The nodes that watch ports.
    pub(super) fn watchers(&self) -> impl Iterator<Item = &NodeId> {
        self.live.values().flat_map(BTreeMap::keys)
    }

    pub(super) fn is_alive(&self, port: &str) -> bool {
        self.live.contains_key(port)
    }
}

impl Machine {
    pub(super) fn open_port(&mut self) -> PortId {
        self.ports.opened += 1;
        let name = format!("p{}_{}", self.ports.life, self.ports.opened);
        self.ports.live.insert(name.clone(), BTreeMap::new());
        PortId::new(&self.id, &name)
    }

    pub(super) fn kill_port(&mut self, core: &mut Core, port: &str, reason: &[Value]) {
        for node in self.ports.live.remove(port).unwrap_or_default().into_keys() {
            let (port, reason) = (port.into(), reason.to_vec());
            self.request(core, &node, &Request::Kil0 { port, reason });
        }
    }

    pub(super) fn send(&mut self, core: &mut Core, to: &PortId, message: &[Value]) {
        let node = to.node_id();
        let sent = self.mesh.peers().with(&node, |peer| {
            peer.send(to.name(), |packet| {
                message.iter().try_for_each(|value| packet.value(value))
            })
        });
        if let Ok(urge) = sent {
            self.carry_out(core, &node, urge);
        }
    }

    pub(super) fn speak(&mut self, core: &mut Core, port: &PortId) {
        let (node, speakers) = (port.node_id(), self.speakers.clone());
        let peers = self.mesh.peers();
        let urge = peers.with(&node, |peer| speakers.send_next(peer, port));
        self.report_speakers(core);
        self.carry_out(core, &node, urge);
    }

    /// Reports the acts of speakers since the last call.
    pub(super) fn report_speakers(&mut self, core: &mut Core) {
        core.observations.extend(self.speakers.seen());
    }

    pub(super) fn monitor(&mut self, core: &mut Core, port: &PortId) -> MonitorId {
        self.ports.monitors += 1;
        let (node, id) = (port.node_id(), MonitorId(self.ports.monitors));
        let peers = self.mesh.peers();
        let urge = peers.with(&node, |peer| peer.monitor(port.name(), id));
        self.carry_out(core, &node, urge);
        id
    }

    pub(super) fn unmonitor(&mut self, core: &mut Core, port: &PortId, id: MonitorId) {
        // The peer has handed its monitors out. User code may remove one before its turn, and then it is not called.
        for (_, loss, _) in &mut self.firing {
            loss.monitors.retain(|firing| *firing != id);
        }
        let node = port.node_id();
        let peers = self.mesh.peers();
        let urge = peers.with(&node, |peer| peer.unmonitor(port.name(), id));
        self.carry_out(core, &node, urge);
    }

    fn request(&mut self, core: &mut Core, node: &NodeId, request: &Request) {
        let sent = self
            .mesh
            .peers()
            .with(node, |peer| peer.send("", |packet| request.write(packet)));
        if let Ok(urge) = sent {
            self.carry_out(core, node, urge);
        }
    }

    /// Delivers one packet to a port or to the node port.
    pub(super) fn deliver(
        &mut self,
        core: &mut Core,
        conn: ConnId,
        from: &NodeId,
        packet: &mut PacketReader<'_>,
        for_mesh: &mut Vec<RawRequest>,
    ) -> Result<(), DecodeError> {
        let port = packet.text()?.unwrap_or_default().into_owned();
        if port.is_empty() {
            match Request::read(packet) {
                Ok(Request::Global { request, args } | Request::Relay { request, args }) => {
                    for_mesh.push((request, args));
                }
                Ok(request) => self.handle(core, conn, from, request),
                Err(RequestError::Malformed(error)) => return Err(error),
                Err(_) => {}
            }
        } else if self.ports.is_alive(&port) {
            let mut message = Vec::new();
            while let Some(value) = packet.value()? {
                message.push(value);
            }
            core.observations.push_back(Observation::Received {
                at: self.life.0,
                from: from.clone(),
                port: PortId::new(&self.id, &port),
                message,
            });
        }
        Ok(())
    }

    fn handle(&mut self, core: &mut Core, conn: ConnId, from: &NodeId, request: Request) {
        match request {
            Request::Mon1(port) => self.watch(core, conn, from, port),
            Request::Mon0(port) => {
                if let Some(watchers) = self.ports.live.get_mut(&port) {
                    watchers.remove(from);
                }
            }
            Request::Kil0 { port, reason } => {
                let dead = self.mesh.peers().with(from, |peer| peer.port_died(&port));
                for monitor in dead {
                    self.fire(core, monitor, &reason);
                }
            }
            Request::Kil1 { port, reason } => self.kill_port(core, &port, &reason),
            _ => {}
        }
    }

    fn watch(&mut self, core: &mut Core, conn: ConnId, from: &NodeId, port: String) {
        if let Some(watchers) = self.ports.live.get_mut(&port) {
            watchers.insert(from.clone(), conn);
            return;
        }
        let whole = PortId::new(&self.id, &port);
        let reason = vec![
            "no_such_port".into(),
            "cannot monitor nonexistent port".into(),
            whole.as_str().into(),
        ];
        self.request(core, from, &Request::Kil0 { port, reason });
    }
}
