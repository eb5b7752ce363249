//! A node without sockets: its mesh, its connections, and the port that it has.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use aemp_codec::{Format, Limits, NodeId, Value};
use aemp_proto::{
    Random, Time,
    auth::Secret,
    global::Query,
    handshake::HandshakeConfig,
    link::{Link, LinkAction},
    mesh::{Mesh, MeshConfig, PeerMap, Peers},
    peer::{ConnId, MonitorId, PeerLimits, Urge},
};

use super::model::Model;

/// The number of connections that other nodes may have open at one time.
const MOST_CONNECTIONS: usize = 8;
/// The number of times that an event may be due while time stands still.
const MOST_AT_ONCE: usize = 1000;
const MONITOR_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Machine {
    pub(super) now: Time,
    pub(super) mesh: Mesh<PeerMap>,
    /// The number of packets that have been delivered.
    pub(super) accepted: usize,
    pub(super) conns: BTreeMap<ConnId, Conn>,
    pub(super) firing: VecDeque<(NodeId, Vec<MonitorId>)>,
    /// Nodes to which there may be something to write.
    pub(super) dirty: BTreeSet<NodeId>,
    /// Nodes of which the mesh wants to know when all has been written.
    pub(super) tell_written: BTreeSet<NodeId>,
    pub(super) model: Model,
    pub(super) limits: Limits,
    id: NodeId,
}

/// One connection.
pub(super) struct Conn {
    pub(super) dialling: bool,
    /// The format in which the other end sends.
    format: Format,
    /// Its socket takes nothing.
    pub(super) stalled: bool,
    pub(super) line: Option<(NodeId, Format, Link)>,
}

impl Conn {
    pub(super) fn new(dialling: bool) -> Self {
        Self {
            dialling,
            format: Format::Json,
            stalled: false,
            line: None,
        }
    }
}

impl Machine {
    /// Kinds: with seeds, with addresses, global, with a small queue.
    pub(super) fn new(kind: u8) -> Self {
        let id = NodeId::new("us").expect("a node ID");
        let secret = Some(Secret::new("geheim"));
        let mut handshake = HandshakeConfig::new(id.clone(), secret);
        handshake.timeout = MONITOR_TIMEOUT;
        let mut config = MeshConfig::new(handshake);
        if kind & 1 != 0 {
            config.seeds = vec!["seed:4040".into(), "192.0.2.1:4040".into()];
        }
        if kind & 2 != 0 {
            config.listeners = vec!["192.0.2.2:4040".into()];
        }
        config.global = kind & 4 != 0;
        config.max_strangers = 4;
        let limits = Limits::default().with_max_packet(1 << 16);
        let peers = PeerMap::new(PeerLimits {
            max_queue_bytes: if kind & 8 == 0 { 1 << 16 } else { 500 },
            packet: limits,
        });
        let random = Random::predictable(7);
        let mut machine = Self {
            now: Time::ZERO,
            mesh: Mesh::new(Time::ZERO, config, peers, random),
            accepted: 0,
            conns: BTreeMap::new(),
            firing: VecDeque::new(),
            dirty: BTreeSet::new(),
            tell_written: BTreeSet::new(),
            model: Model::default(),
            limits,
            id,
        };
        machine.settle();
        machine
    }

    pub(super) fn id(&self) -> &NodeId {
        &self.id
    }

    pub(super) fn peer_connects(&mut self) {
        if self.conns.len() < MOST_CONNECTIONS {
            let conn = self.mesh.accepted(self.now, "192.0.2.9:5");
            self.conns.insert(conn, Conn::new(false));
        }
    }

    /// One of the connections that are not being made still.
    pub(super) fn connection(&self, which: u8) -> Option<ConnId> {
        let open = self.conns.iter().filter(|(_, conn)| !conn.dialling);
        let open: Vec<_> = open.map(|(conn, _)| *conn).collect();
        let which = usize::from(which.wrapping_sub(b'0'));
        open.get(which % open.len().max(1)).copied()
    }

    /// The result of the oldest attempt to connect.
    pub(super) fn dialled(&mut self, result: Result<String, String>) {
        let dialling = self.conns.iter_mut().find(|(_, conn)| conn.dialling);
        if let Some((id, conn)) = dialling {
            let id = *id;
            conn.dialling = false;
            if result.is_err() {
                self.conns.remove(&id);
            }
            self.mesh.dialed(self.now, id, result);
        }
    }

    /// The other end says that it is `NODE` and sends in `FORMAT`, with further parts of the greeting.
    pub(super) fn logs_in(&mut self, conn: ConnId, rest: &[u8]) {
        let text = String::from_utf8_lossy(rest);
        let mut words = text.splitn(3, ' ');
        let mut word = || words.next().unwrap_or_default();
        let (node, format, keys) = (word(), word(), word());
        let all = Format::built_in();
        let names: Vec<_> = all.iter().map(Format::name).collect();
        let lines = format!(
            "aemp;1;{node};hmac_sha3_512,cleartext;{};{keys}\n\ncleartext;67656865696d;{format}\n",
            names.join(",")
        );
        let known = all.iter().find(|known| known.name() == format);
        if let (Some(conn), Some(known)) = (self.conns.get_mut(&conn), known) {
            conn.format = known.clone();
        }
        self.receive(conn, lines.as_bytes());
    }

    pub(super) fn sends(&mut self, conn: ConnId, rest: &[u8]) {
        let format = self.conns.get(&conn).map(|conn| conn.format.clone());
        let packet = Format::Json.reader(rest, self.limits);
        let values = packet.and_then(|mut packet| packet.rest()).ok();
        let bytes = values
            .zip(format)
            .and_then(|(values, format)| self.encode(&values, &format));
        let bytes = bytes.unwrap_or_else(|| [rest, b"\n"].concat());
        self.receive(conn, &bytes);
    }

    fn encode(&self, values: &[Value], format: &Format) -> Option<Vec<u8>> {
        let mut out = Vec::new();
        let mut packet = format.writer(&mut out, self.limits);
        let written = values.iter().try_for_each(|value| packet.value(value));
        written.and_then(|()| packet.finish()).ok()?;
        Some(out)
    }

    fn receive(&mut self, id: ConnId, bytes: &[u8]) {
        let conn = self.conns.get_mut(&id);
        match conn.and_then(|conn| conn.line.as_mut()) {
            Some((_, _, link)) => {
                link.received(self.now, bytes);
                self.read(id);
            }
            None => self.mesh.received(self.now, id, bytes),
        }
    }

    pub(super) fn ends(&mut self, conn: ConnId) {
        self.conns.remove(&conn);
        let text = "Unexpected end-of-file";
        self.mesh.closed(self.now, conn, text);
    }

    pub(super) fn stalls(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.stalled = !conn.stalled;
            if let Some((node, _, link)) = &mut conn.line {
                link.wrote(self.now);
                self.dirty.insert(node.clone());
            }
        }
    }

    /// Lets all due events happen, one after the other.
    pub(super) fn time_passes(&mut self, time: Duration) {
        let until = self.now + time;
        let mut at_once = 0;
        while let Some(next) = self.next_due().filter(|next| *next <= until) {
            at_once = if next > self.now { 0 } else { at_once + 1 };
            assert!(at_once < MOST_AT_ONCE, "something is due again and again");
            self.now = self.now.max(next);
            self.due();
            self.settle();
        }
        self.now = until;
    }

    fn next_due(&self) -> Option<Time> {
        let lines = self.conns.values().filter_map(|conn| conn.line.as_ref());
        let links = lines.map(|(_, _, link)| link.deadline());
        links.chain(self.mesh.deadline()).min()
    }

    fn due(&mut self) {
        if self.mesh.deadline().is_some_and(|due| due <= self.now) {
            self.mesh.timeout(self.now);
            self.settle();
        }
        let ids: Vec<_> = self.conns.keys().copied().collect();
        for id in ids {
            let line = self.conns.get_mut(&id).and_then(|conn| conn.line.as_mut());
            let Some((node, _, link)) = line.filter(|(_, _, link)| link.deadline() <= self.now)
            else {
                continue;
            };
            let node = node.clone();
            match link.timeout(self.now) {
                LinkAction::None => {}
                LinkAction::SendKeepalive => {
                    let urge = self.mesh.peers().with(&node, |peer| peer.keepalive());
                    self.follow(&node, urge);
                }
                LinkAction::Rest => self.mesh.peers().with(&node, |peer| peer.rest(id)),
                LinkAction::Dead => {
                    self.conns.remove(&id);
                    let text = aemp_proto::link::TIMED_OUT;
                    self.mesh.closed(self.now, id, text);
                }
            }
            self.settle();
        }
    }

    pub(super) fn follow(&mut self, node: &NodeId, urge: Urge) {
        match urge {
            Urge::None => {}
            Urge::Write => drop(self.dirty.insert(node.clone())),
            Urge::Connect => self.mesh.connect(self.now, node),
            Urge::Overflow => self.mesh.overflow(self.now, node),
        }
    }

    /// The callbacks of the monitors that fire next have run.
    pub(super) fn callbacks_run(&mut self) -> bool {
        let Some((node, monitors)) = self.firing.pop_front() else {
            return false;
        };
        self.model.fired(monitors);
        self.mesh.drained(self.now, &node);
        true
    }

    pub(super) fn monitor(&mut self, node: &NodeId, port: &str) {
        let id = self.model.monitor(node, port);
        let urge = self.mesh.peers().with(node, |peer| peer.monitor(port, id));
        self.follow(node, urge);
    }

    pub(super) fn unmonitor(&mut self) {
        if let Some((id, node, port)) = self.model.unmonitor() {
            for (_, monitors) in &mut self.firing {
                monitors.retain(|firing| *firing != id);
            }
            let peers = self.mesh.peers();
            let urge = peers.with(&node, |peer| peer.unmonitor(&port, id));
            self.follow(&node, urge);
        }
    }

    pub(super) fn watch(&mut self, family: &str) {
        let watch = self.mesh.db_watch(self.now, family);
        self.model.watch(watch, family);
    }

    pub(super) fn unwatch(&mut self) {
        if let Some(watch) = self.model.unwatch() {
            self.mesh.db_unwatch(self.now, watch);
        }
    }

    pub(super) fn query(&mut self, kind: Query, family: &str) {
        let query = self.mesh.db_query(self.now, kind, family);
        self.model.query(query);
    }

    pub(super) fn learn(&mut self, node: &NodeId, addresses: Vec<String>) {
        self.model.learned(node);
        self.mesh.learn(self.now, node, addresses);
    }

    /// The invariants that hold at any time.
    pub(super) fn check(&self) {
        self.model.agrees(&self.mesh);
        let mut connected = BTreeSet::new();
        for (node, _, _) in self.conns.values().filter_map(|conn| conn.line.as_ref()) {
            assert!(connected.insert(node), "two connections to {node}");
        }
        let up: BTreeSet<_> = self.mesh.up_nodes().collect();
        assert_eq!(connected, up);
        assert_eq!(self.mesh.connections(), self.conns.len());
    }

    /// All connections end, no node can be reached any more, and time passes: nothing of any node may be left.
    pub(super) fn end(&mut self) {
        let until = self.now + 5 * MONITOR_TIMEOUT;
        let ids: Vec<_> = self.conns.keys().copied().collect();
        for id in ids {
            if self.conns.get(&id).is_some_and(|conn| !conn.dialling) {
                self.ends(id);
                self.settle();
            }
        }
        while self.now < until {
            while self.callbacks_run() || self.conns.values().any(|conn| conn.dialling) {
                self.settle();
                self.dialled(Err("Connection refused".into()));
                self.settle();
            }
            let next = self.next_due().unwrap_or(until).min(until);
            self.time_passes((next - self.now).max(Duration::from_millis(1)));
        }
        while self.callbacks_run() {
            self.settle();
        }
        self.check();
        self.model.check_end(&mut self.mesh);
    }
}
