//! Performing the mesh's outputs.

use std::time::Duration;

use aemp_codec::{Format, Limits, NodeId, Value};

use super::{
    Observation,
    connection::{Connection, Line, Way},
    core::{Core, Due},
    machine::Machine,
};
use aemp_proto::{
    link::Link,
    mesh::{Output, Peers, RawRequest},
    peer::{ConnId, Loss, MonitorId},
};

impl Machine {
    pub(super) fn perform(&mut self, core: &mut Core, output: Output) {
        let at = self.life.0;
        match output {
            Output::Dial { conn, addr } => {
                let end = core.network.dial(self.host, &addr);
                self.ends.insert(end, conn);
                self.connections
                    .insert(conn, Connection::new(Way::Socket(end)));
            }
            Output::Tunnel { conn, .. } => {
                self.connections.insert(conn, Connection::new(Way::Tunnel));
            }
            Output::TunnelStirred { conn } => drop(self.stirred.insert(conn)),
            Output::Transmit { conn, bytes } => {
                if let Some(connection) = self.connections.get_mut(&conn) {
                    connection.out.extend_from_slice(&bytes);
                    self.write(core, conn);
                }
            }
            // The simulated connection carries only bytes, so its nodes must not be configured for TLS. Nothing is expected
            // of data connections here.
            Output::StartTls { conn, .. }
            | Output::Stream { conn, .. }
            | Output::Close { conn } => {
                self.drop_connection(core, conn);
            }
            Output::Established {
                conn,
                node,
                recv,
                leftover,
                peer_keepalive,
                ..
            } => self.establish(core, conn, node, recv, leftover, peer_keepalive),
            Output::WakeWriter { node } => drop(self.dirty.insert(node)),
            Output::Fire {
                node,
                loss,
                monitors,
                text,
            } => {
                let loss = Loss { id: loss, monitors };
                self.fire_later(core, node, loss, text);
            }
            // All seeds are addresses.
            Output::LookUp { .. } | Output::SeedsChanged | Output::StreamFailed { .. } => {}
            Output::NodeUp(node) => core.observations.push_back(Observation::Up { at, node }),
            Output::NodeDown(node, text) => {
                core.observations
                    .push_back(Observation::Down { at, node, text });
            }
            Output::TellWritten { node } => {
                self.tell_written.insert(node.clone());
                self.dirty.insert(node);
            }
            Output::Answer { query, answer } => {
                core.observations
                    .push_back(Observation::Answered { at, query, answer });
            }
            Output::Watched { watch, told } => {
                core.observations
                    .push_back(Observation::Watched { at, watch, told });
            }
            Output::Log { level, text } => {
                if core.logging {
                    core.observations
                        .push_back(Observation::Logged { at, level, text });
                }
            }
        }
    }

    fn establish(
        &mut self,
        core: &mut Core,
        conn: ConnId,
        node: NodeId,
        recv: Format,
        leftover: Vec<u8>,
        peer_keepalive: Option<Duration>,
    ) {
        let Some(connection) = self.connections.get_mut(&conn) else {
            return;
        };
        let link = Link::new(
            core.now,
            &recv,
            Limits::default(),
            self.config.timeout,
            peer_keepalive,
            leftover,
        );
        connection.line = Some(Line {
            node,
            recv,
            link,
            due: None,
        });
        self.watch_link(core, conn);
        self.read(core, conn);
    }

    /// Fires monitors after those that come before them, with a delay for user code.
    fn fire_later(&mut self, core: &mut Core, node: NodeId, loss: Loss, text: String) {
        let delay = core.chance.between(Duration::ZERO, core.fire_delay);
        self.fired = self.fired.max(core.now + delay);
        self.firing.push_back((node, loss, text));
        core.schedule(self.fired, Due::Fire(self.life));
    }

    pub(super) fn fire_next(&mut self, core: &mut Core) {
        let Some((node, loss, text)) = self.firing.pop_front() else {
            return;
        };
        let reason = vec!["transport_error".into(), node.as_str().into(), text.into()];
        for monitor in loss.monitors {
            let peers = self.mesh.peers();
            peers.with(&node, |peer| peer.begun(loss.id, monitor));
            self.fire(core, monitor, &reason);
        }
        self.mesh.fired(core.now, &node, loss.id);
    }

    pub(super) fn fire(&mut self, core: &mut Core, monitor: MonitorId, reason: &[Value]) {
        self.report_speakers(core);
        core.observations.push_back(Observation::Fired {
            at: self.life.0,
            monitor,
            reason: reason.to_vec(),
        });
        let of_a_loss = reason.first().and_then(Value::as_str) == Some("transport_error");
        if let Some(port) = self.speakers.monitor_fired(monitor, of_a_loss) {
            self.speak(core, &port);
        }
    }

    /// Writes the queue for a node.
    pub(super) fn write_to(&mut self, core: &mut Core, node: &NodeId) {
        match self.mesh.peers().with(node, |peer| peer.conn()) {
            Some(conn) => self.write(core, conn),
            None => drop(self.tell_written.remove(node)),
        }
    }

    /// Passes bytes to the network, as far as it takes them.
    pub(super) fn write(&mut self, core: &mut Core, conn: ConnId) {
        while let Some(connection) = self.connections.get_mut(&conn) {
            if connection.out.is_empty() {
                let Some(line) = &connection.line else { return };
                let (node, out) = (line.node.clone(), &mut connection.out);
                let peers = self.mesh.peers();
                peers.with(&node, |peer| peer.swap_output(conn, out));
                if out.is_empty() {
                    if self.all_written(core, &node) {
                        continue;
                    }
                    return;
                }
            }
            if let Some(line) = &mut connection.line {
                line.link.writing(core.now);
            }
            let written = match connection.way {
                Way::Socket(end) => core.network.write(end, &connection.out),
                Way::Tunnel => {
                    let (mut written, out) = (0, &connection.out);
                    // An error is also read, as the end.
                    while written < out.len()
                        && let Ok(more @ 1..) =
                            self.mesh.tunnel_write(core.now, conn, &out[written..])
                    {
                        written += more;
                    }
                    written
                }
            };
            connection.out.drain(..written);
            let (rest, line) = (connection.out.len(), connection.line.as_mut());
            match line {
                Some(line) if rest == 0 => line.link.wrote(core.now),
                Some(line) if written > 0 => line.link.progress(core.now),
                _ => {}
            }
            if rest > 0 {
                return self.watch_link(core, conn);
            }
        }
    }

    /// Delivers bytes that have arrived.
    pub(super) fn read(&mut self, core: &mut Core, conn: ConnId) {
        let mut requests = Vec::new();
        let read = self.packets(core, conn, &mut requests);
        self.mesh.requests(core.now, conn, requests);
        if let Err(text) = read {
            self.drop_connection(core, conn);
            self.mesh.closed(core.now, conn, &text);
        }
    }

    fn packets(
        &mut self,
        core: &mut Core,
        conn: ConnId,
        requests: &mut Vec<RawRequest>,
    ) -> Result<(), String> {
        while let Some(line) = self.line(conn) {
            let (node, recv) = (line.node.clone(), line.recv.clone());
            let packet = line.link.next_packet().map_err(|why| why.to_string())?;
            let Some(packet) = packet.map(<[u8]>::to_vec) else {
                break;
            };
            core.packets += 1;
            let mut packet = recv
                .reader(&packet, Limits::default())
                .map_err(|why| why.to_string())?;
            self.deliver(core, conn, &node, &mut packet, requests)
                .map_err(|why| why.to_string())?;
        }
        Ok(())
    }
}
