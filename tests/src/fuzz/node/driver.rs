//! Performs the mesh's outputs, and gives it received data.

use aemp_codec::{DecodeError, Format, NodeId, PacketReader, PortId};
use aemp_proto::{
    link::Link,
    mesh::{Output, Peers, RawRequest, TunnelRead},
    peer::ConnId,
    request::{Request, RequestError},
};

use super::machine::{Conn, Machine};

/// The longest text in a log.
const MOST_LOGGED: usize = 20_000;

impl Machine {
    /// Carries out everything that the mesh wants.
    pub(super) fn settle(&mut self) {
        loop {
            while let Some(output) = self.mesh.poll() {
                self.perform(output);
            }
            let Some(node) = self.dirty.pop_first() else {
                break;
            };
            self.write(&node);
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Dial { conn, .. } => drop(self.conns.insert(conn, Conn::new(true))),
            Output::Transmit { conn, bytes } => {
                assert!(self.conns.contains_key(&conn), "{conn:?} is not there");
                assert!(bytes.ends_with(b"\n"), "half a line");
            }
            // These nodes have no TLS, so the request for it closes the connection as well.
            Output::StartTls { conn, .. } | Output::Close { conn } => {
                drop(self.conns.remove(&conn));
                self.mesh.drop_tunnel(self.now, conn);
            }
            Output::Tunnel { conn, .. } => drop(self.conns.insert(conn, Conn::new(false))),
            Output::TunnelStirred { conn } => self.read_tunnel(conn),
            Output::Established {
                conn,
                node,
                recv,
                leftover,
                peer_keepalive,
                ..
            } => {
                let timeout = std::time::Duration::from_secs(30);
                let link = Link::new(
                    self.now,
                    &recv,
                    self.limits,
                    timeout,
                    peer_keepalive,
                    leftover,
                );
                let line = self.conns.get_mut(&conn).expect("an open connection");
                line.line = Some((node.clone(), recv, link));
                self.dirty.insert(node);
                self.read(conn);
            }
            Output::SeedsChanged | Output::StreamFailed { .. } => {}
            Output::Stream { conn, .. } => drop(self.conns.remove(&conn)),
            Output::WakeWriter { node } => drop(self.dirty.insert(node)),
            Output::Fire { node, monitors, .. } => self.firing.push_back((node, monitors)),
            Output::NodeUp(node) => self.model.up(node),
            Output::NodeDown(node, _) => self.model.down(&node),
            Output::TellWritten { node } => {
                self.tell_written.insert(node.clone());
                self.dirty.insert(node);
            }
            Output::Answer { query, .. } => self.model.answered(query),
            Output::Watched { watch, told } => self.model.told(watch, told),
            Output::Log { text, .. } => {
                assert!(text.len() < MOST_LOGGED, "{} bytes in a log", text.len());
            }
            other => panic!("no rule for {other:?}"),
        }
    }

    /// Takes the data that has arrived through a tunnel.
    fn read_tunnel(&mut self, id: ConnId) {
        let mut bytes = Vec::with_capacity(4096);
        loop {
            bytes.clear();
            match self.mesh.tunnel_read(self.now, id, &mut bytes) {
                TunnelRead::Octets(_) if !self.conns.contains_key(&id) => {}
                TunnelRead::Octets(_) => self.mesh.received(self.now, id, &bytes),
                TunnelRead::Nothing => return,
                TunnelRead::End | TunnelRead::Lost(_) => {
                    self.conns.remove(&id);
                    self.mesh.drop_tunnel(self.now, id);
                    return self.mesh.closed(self.now, id, "the tunnel has ended");
                }
            }
        }
    }

    /// Takes the queued data of a node, if its socket takes it.
    fn write(&mut self, node: &NodeId) {
        let up = self.mesh.peers().with(node, |peer| {
            peer.conn()
                .zip(peer.format().cloned())
                .filter(|_| peer.is_up())
        });
        let Some((id, format)) = up else {
            self.tell_written.remove(node);
            return;
        };
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let Some((_, _, link)) = &mut conn.line else {
            return;
        };
        link.writing(self.now);
        if conn.stalled {
            return;
        }
        link.wrote(self.now);
        let mut out = Vec::new();
        self.mesh
            .peers()
            .with(node, |peer| peer.swap_output(id, &mut out));
        self.is_well_formed(&format, &out);
        if self.tell_written.remove(node) {
            self.mesh.written(self.now, node);
        }
    }

    /// Checks that the node's own packets are right, in every situation.
    fn is_well_formed(&self, format: &Format, mut out: &[u8]) {
        let mut framer = format.framer(self.limits);
        while let Some(range) = framer.scan(out).expect("packets") {
            let mut packet = format
                .reader(&out[range.clone()], self.limits)
                .expect("a packet");
            let port = packet.text().expect("a name of a port").unwrap_or_default();
            if port.is_empty() {
                let request = Request::read(&mut packet);
                assert!(request.is_ok(), "{format}: we send {request:?}");
            } else {
                packet.rest().expect("a message");
            }
            out = &out[range.end..];
        }
        assert!(out.is_empty(), "half a packet");
    }

    /// Delivers the arrived data.
    pub(super) fn read(&mut self, id: ConnId) {
        let mut requests = Vec::new();
        let read = self.packets(id, &mut requests);
        self.mesh.requests(self.now, id, requests);
        if let Err(text) = read {
            self.conns.remove(&id);
            self.mesh.closed(self.now, id, &text);
        }
    }

    fn packets(&mut self, id: ConnId, requests: &mut Vec<RawRequest>) -> Result<(), String> {
        while let Some(conn) = self.conns.get_mut(&id) {
            let Some((node, recv, link)) = &mut conn.line else {
                break;
            };
            let (node, recv) = (node.clone(), recv.clone());
            let packet = link.next_packet().map_err(|why| why.to_string())?;
            let Some(packet) = packet.map(<[u8]>::to_vec) else {
                break;
            };
            let reader = recv.reader(&packet, self.limits);
            let mut packet = reader.map_err(|why| why.to_string())?;
            self.deliver(&node, &mut packet, requests)
                .map_err(|why| why.to_string())?;
            self.accepted += 1;
        }
        Ok(())
    }

    fn deliver(
        &mut self,
        from: &NodeId,
        packet: &mut PacketReader<'_>,
        requests: &mut Vec<RawRequest>,
    ) -> Result<(), DecodeError> {
        let port = match packet.text() {
            Ok(port) => port.unwrap_or_default(),
            Err(error) if error.is_malformed() => return Err(error),
            Err(_) => return Ok(()),
        };
        if !port.is_empty() {
            return packet.rest().map(drop).or_else(|error| {
                let malformed = error.is_malformed();
                if malformed { Err(error) } else { Ok(()) }
            });
        }
        match Request::read(packet) {
            Ok(Request::Global { request, args } | Request::Relay { request, args }) => {
                requests.push((request, args));
            }
            Ok(request) => self.handle(from, request),
            Err(RequestError::Malformed(error)) => return Err(error),
            Err(error) => assert!(!error.to_string().is_empty()),
        }
        Ok(())
    }

    fn handle(&mut self, from: &NodeId, request: Request) {
        match request {
            Request::Mon1(port) => {
                let whole = PortId::new(self.id(), &port);
                let reason = vec!["no_such_port".into(), whole.as_str().into()];
                self.answer(from, "", &Request::Kil0 { port, reason });
            }
            Request::Kil0 { port, .. } => {
                let peers = self.mesh.peers();
                let fired = peers.with(from, |peer| peer.port_died(&port));
                self.model.fired(fired);
            }
            Request::Snd { to, msg } | Request::Can { to, msg, .. } => {
                let node = to.node_id();
                if node != *self.id() {
                    let request = Request::Snd { to, msg };
                    self.answer(&node, "", &request);
                }
            }
            _ => {}
        }
    }

    fn answer(&mut self, node: &NodeId, port: &str, request: &Request) {
        let peers = self.mesh.peers();
        let sent = peers.with(node, |peer| peer.send(port, |packet| request.write(packet)));
        if let Ok(urge) = sent {
            self.follow(node, urge);
        }
    }
}
