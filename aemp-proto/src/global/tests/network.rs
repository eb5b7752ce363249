//! Nodes whose connections are instantaneous, under a clock that the test moves.

use std::{
    collections::{BTreeMap, VecDeque},
    time::Duration,
};

use aemp_codec::{Format, Limits, NodeId, Value};

use crate::{
    Random, Time,
    auth::Secret,
    global::{Answer, GLOBALS, LISTENERS, Query, QueryId, Role, WatchId, Watched},
    handshake::HandshakeConfig,
    link::Link,
    mesh::{Mesh, MeshConfig, Output, PeerMap, Peers, TunnelRead},
    peer::{ConnId, MonitorId, PeerLimits, Urge},
    request::Request,
};

pub(super) fn id(node: &str) -> NodeId {
    NodeId::new(node).unwrap()
}

/// One end of a connection.
type End = (String, ConnId);

pub(super) struct Node {
    pub(super) mesh: Mesh<PeerMap>,
    links: BTreeMap<ConnId, Link>,
    /// Packets to this node's ports.
    pub(super) arrived: Vec<String>,
    /// The events of its watches, one on each line.
    pub(super) news: Vec<String>,
    /// The content that its watches know.
    pub(super) views: BTreeMap<WatchId, BTreeMap<String, Value>>,
    pub(super) answers: Vec<(QueryId, Result<Answer, String>)>,
    pub(super) logs: Vec<String>,
    /// Monitors that have fired.
    pub(super) fired: Vec<String>,
    /// True if it writes its queue.
    reads: bool,
    /// Nodes of which it wants to hear when everything is written.
    full: Vec<NodeId>,
}

/// All nodes, by the name of their hosts. A node listens on `HOST:1`.
pub(super) struct Network {
    pub(super) now: Time,
    pub(super) nodes: BTreeMap<String, Node>,
    conns: Vec<[End; 2]>,
    /// Bytes under way; `None` is the end of the connection.
    wire: VecDeque<(End, Option<Vec<u8>>)>,
    /// The database's requests that were sent, as `FROM>TO PACKET`.
    pub(super) packets: Vec<String>,
    started: u64,
    /// Pairs of hosts that cannot reach each other.
    cut: Vec<[String; 2]>,
}

impl Network {
    pub(super) fn new() -> Self {
        Self {
            now: Time::ZERO,
            nodes: BTreeMap::new(),
            conns: Vec::new(),
            wire: VecDeque::new(),
            packets: Vec::new(),
            started: 0,
            cut: Vec::new(),
        }
    }

    /// A network of these nodes, each with its seeds, all connected.
    pub(super) fn of(nodes: &[(&str, &[&str])]) -> Self {
        let mut network = Self::new();
        for (node, seeds) in nodes {
            network.start(node, seeds);
        }
        network.pass(10.0);
        network
    }

    pub(super) fn start(&mut self, node: &str, seeds: &[&str]) {
        self.start_with(node, |config| {
            config.seeds = seeds.iter().map(|seed| format!("{seed}:1")).collect();
        });
    }

    pub(super) fn start_with(&mut self, node: &str, change: impl FnOnce(&mut MeshConfig)) {
        let mut handshake = HandshakeConfig::new(id(node), Some(Secret::new("s")));
        // The tests read and write packets as JSON.
        handshake.formats = vec![Format::Json];
        let mut config = MeshConfig::new(handshake);
        config.listeners = vec![format!("{node}:1")];
        change(&mut config);
        let peers = PeerMap::new(PeerLimits {
            max_queue_bytes: 64 << 20,
            packet: Limits::default(),
        });
        self.started += 1;
        let mesh = Mesh::new(self.now, config, peers, Random::predictable(self.started));
        let started = Node {
            mesh,
            links: BTreeMap::new(),
            arrived: Vec::new(),
            news: Vec::new(),
            views: BTreeMap::new(),
            answers: Vec::new(),
            logs: Vec::new(),
            fired: Vec::new(),
            reads: true,
            full: Vec::new(),
        };
        self.nodes.insert(node.into(), started);
        self.settle();
    }

    pub(super) fn node(&mut self, node: &str) -> &mut Node {
        self.nodes.get_mut(node).unwrap()
    }

    pub(super) fn mesh(&mut self, node: &str) -> &mut Mesh<PeerMap> {
        &mut self.node(node).mesh
    }

    /// Kills a process, so that its connections end.
    pub(super) fn kill(&mut self, node: &str) {
        self.nodes.remove(node);
        let conns = std::mem::take(&mut self.conns);
        let (ended, left) = conns
            .into_iter()
            .partition(|ends| ends.iter().any(|end| end.0 == node));
        self.conns = left;
        let ended: Vec<[End; 2]> = ended;
        for end in ended.into_iter().flatten().filter(|end| end.0 != node) {
            self.wire.push_back((end, None));
        }
        self.settle();
    }

    /// Separates two hosts.
    pub(super) fn cut(&mut self, one: &str, other: &str) {
        self.cut.push([one.into(), other.into()]);
        let between = |ends: &mut [End; 2]| {
            let hosts = [&ends[0].0, &ends[1].0];
            hosts == [one, other] || hosts == [other, one]
        };
        let ended: Vec<_> = self.conns.extract_if(.., between).flatten().collect();
        for end in ended {
            self.wire.push_back((end, None));
        }
        self.settle();
    }

    pub(super) fn heal(&mut self) {
        self.cut.clear();
    }

    /// Sets whether a node writes its queue.
    pub(super) fn let_write(&mut self, node: &str, writes: bool) {
        self.node(node).reads = writes;
        self.settle();
    }

    /// Lets time pass, in seconds.
    pub(super) fn pass(&mut self, seconds: f64) {
        let end = self.now + Duration::from_secs_f64(seconds);
        self.settle();
        loop {
            let deadlines = self
                .nodes
                .values()
                .filter_map(|node| node.mesh.checked_deadline());
            let Some(next) = deadlines.min().filter(|next| *next <= end) else {
                break;
            };
            self.now = next.max(self.now);
            for node in self.nodes.values_mut() {
                if node
                    .mesh
                    .checked_deadline()
                    .is_some_and(|due| due <= self.now)
                {
                    node.mesh.timeout(self.now);
                    let left = node.mesh.checked_deadline();
                    assert!(left.is_none_or(|due| due > self.now), "a deadline stays");
                }
            }
            self.settle();
        }
        self.now = end;
    }

    /// Carries out everything that can be carried out now.
    pub(super) fn settle(&mut self) {
        loop {
            let names: Vec<_> = self.nodes.keys().cloned().collect();
            names.iter().for_each(|name| self.perform(name));
            let Some((end, bytes)) = self.wire.pop_front() else {
                return;
            };
            self.arrive(end, bytes);
        }
    }

    fn perform(&mut self, name: &str) {
        while let Some(output) = self.nodes.get_mut(name).and_then(|node| node.mesh.poll()) {
            self.output(name, output);
        }
        self.write(name);
    }

    fn output(&mut self, name: &str, output: Output) {
        let now = self.now;
        match output {
            Output::Dial { conn, addr } => self.dial(&(name.into(), conn), &addr),
            Output::Transmit { conn, bytes } => self.send(&(name.into(), conn), bytes),
            Output::Close { conn } => self.close(&(name.into(), conn)),
            Output::Established {
                conn,
                recv,
                leftover,
                ..
            } => {
                let timeout = Duration::from_secs(30);
                let link = Link::new(now, &recv, Limits::default(), timeout, None, leftover);
                self.node(name).links.insert(conn, link);
                self.read(name, conn);
            }
            Output::Fire { node, monitors, .. } => {
                for MonitorId(monitor) in monitors {
                    self.node(name).fired.push(format!("{node} {monitor}"));
                }
                self.mesh(name).drained(now, &node);
            }
            Output::TellWritten { node } => self.node(name).full.push(node),
            Output::Answer { query, answer } => self.node(name).answers.push((query, answer)),
            Output::Watched { watch, told } => self.node(name).watched(watch, &told),
            Output::Log { text, .. } => self.node(name).logs.push(text),
            Output::StartTls { .. } => unreachable!("no node wants TLS"),
            Output::LookUp { .. } => unreachable!("seeds are addresses"),
            Output::WakeWriter { .. }
            | Output::NodeUp(_)
            | Output::NodeDown(..)
            | Output::Stream { .. }
            | Output::StreamFailed { .. }
            | Output::Tunnel { .. }
            | Output::SeedsChanged => {}
            Output::TunnelStirred { conn } => {
                self.wire.push_back(((name.into(), conn), Some(Vec::new())));
            }
        }
    }

    fn dial(&mut self, from: &End, addr: &str) {
        let host = addr.split(':').next().unwrap().to_owned();
        let cut = [from.0.clone(), host.clone()];
        let cut = self
            .cut
            .iter()
            .any(|pair| *pair == cut || [&pair[1], &pair[0]] == [&cut[0], &cut[1]]);
        let now = self.now;
        if cut || !self.nodes.contains_key(&host) {
            let refused = Err("Connection refused".into());
            return self.mesh(&from.0).dialed(now, from.1, refused);
        }
        let conn = self.mesh(&host).accepted(now, &format!("{}:9", from.0));
        self.conns.push([from.clone(), (host, conn)]);
        self.mesh(&from.0).dialed(now, from.1, Ok(addr.into()));
    }

    fn other(&self, end: &End) -> Option<End> {
        self.conns.iter().find_map(|[a, b]| match end {
            end if end == a => Some(b.clone()),
            end if end == b => Some(a.clone()),
            _ => None,
        })
    }

    fn send(&mut self, from: &End, bytes: Vec<u8>) {
        let now = self.now;
        if self.mesh(&from.0).relay_of(from.1).is_some() {
            let written = self.mesh(&from.0).tunnel_write(now, from.1, &bytes);
            assert_ne!(written, Ok(0), "the tests send little");
            return;
        }
        if let Some(other) = self.other(from) {
            self.wire.push_back((other, Some(bytes)));
        }
    }

    fn close(&mut self, end: &End) {
        let now = self.now;
        self.node(&end.0).links.remove(&end.1);
        self.mesh(&end.0).drop_tunnel(now, end.1);
        if let Some(other) = self.other(end) {
            self.conns.retain(|ends| !ends.contains(end));
            self.wire.push_back((other, None));
        }
    }

    fn write(&mut self, name: &str) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(name).filter(|node| node.reads) else {
            return;
        };
        let mut written = Vec::new();
        for peer in node.mesh.peers().iter_mut() {
            let mut out = Vec::new();
            if let Some(conn) = peer.conn()
                && peer.swap_output(conn, &mut out)
                && !out.is_empty()
            {
                written.push((conn, out));
            }
        }
        let full = std::mem::take(&mut node.full);
        let through = |(conn, _): &(ConnId, _)| self.nodes[name].mesh.relay_of(*conn).is_some();
        let is_relayed = written.iter().any(through);
        for (conn, bytes) in written {
            self.send(&(name.into(), conn), bytes);
        }
        if is_relayed {
            self.perform(name);
        }
        if !full.is_empty() {
            for node in full {
                self.mesh(name).written(now, &node);
            }
            self.perform(name);
        }
    }

    fn arrive(&mut self, (name, conn): End, bytes: Option<Vec<u8>>) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&name) else {
            return;
        };
        let bytes = match node.mesh.relay_of(conn) {
            None => bytes,
            Some(_) => {
                let mut read = Vec::with_capacity(1 << 16);
                match node.mesh.tunnel_read(now, conn, &mut read) {
                    TunnelRead::Octets(_) => {
                        self.wire
                            .push_front(((name.clone(), conn), Some(Vec::new())));
                        Some(read)
                    }
                    TunnelRead::Nothing => return,
                    TunnelRead::End | TunnelRead::Lost(_) => {
                        node.mesh.drop_tunnel(now, conn);
                        None
                    }
                }
            }
        };
        let Some(bytes) = bytes else {
            node.links.remove(&conn);
            return node.mesh.closed(now, conn, "Unexpected end-of-file");
        };
        match node.links.get_mut(&conn) {
            Some(link) => {
                link.received(now, &bytes);
                self.read(&name, conn);
            }
            None => node.mesh.received(now, conn, &bytes),
        }
    }

    fn read(&mut self, name: &str, conn: ConnId) {
        let from = self.other(&(name.into(), conn)).map(|end| end.0);
        let from = from.unwrap_or_default();
        let now = self.now;
        let node = self.nodes.get_mut(name).unwrap();
        let Some(link) = node.links.get_mut(&conn) else {
            return;
        };
        let (mut requests, mut lines) = (Vec::new(), Vec::new());
        while let Some(packet) = link.next_packet().unwrap() {
            let line = String::from_utf8(packet.to_vec()).unwrap();
            let mut packet = Format::Json.reader(packet, Limits::default()).unwrap();
            if packet.text().unwrap().as_deref() != Some("") {
                node.arrived.push(line);
                continue;
            }
            if let Request::Global { request, args } | Request::Relay { request, args } =
                Request::read(&mut packet).unwrap()
            {
                lines.push(format!("{from}>{name} {}", &line[4..line.len() - 1]));
                requests.push((request, args));
            }
        }
        node.mesh.requests(now, conn, requests);
        self.packets.extend(lines);
    }

    // The actions of the tests.

    pub(super) fn set(&mut self, node: &str, family: &str, key: &str, value: impl Into<Value>) {
        let now = self.now;
        self.mesh(node).db_set(now, family, key, value.into());
        self.settle();
    }

    pub(super) fn del(&mut self, node: &str, family: &str, key: &str) {
        let now = self.now;
        self.mesh(node).db_del(now, family, [key]);
        self.settle();
    }

    /// Sets a key on behalf of a node that has called.
    pub(super) fn lend(
        &mut self,
        node: &str,
        by: &str,
        key: &str,
        value: impl Into<Value>,
    ) -> Result<(), String> {
        let (now, by) = (self.now, id(by));
        let set = self.mesh(node).db_set_for(now, &by, "f", key, value.into());
        self.settle();
        set.map_err(|error| error.to_string())
    }

    pub(super) fn watch(&mut self, node: &str, family: &str) -> WatchId {
        let now = self.now;
        let watch = self.mesh(node).db_watch(now, family);
        self.settle();
        watch
    }

    pub(super) fn unwatch(&mut self, node: &str, watch: WatchId) {
        let now = self.now;
        self.mesh(node).db_unwatch(now, watch);
        self.settle();
    }

    /// Returns the answer to a query, if it comes at once.
    pub(super) fn ask(&mut self, node: &str, kind: Query, family: &str) -> Option<Answer> {
        let now = self.now;
        let query = self.mesh(node).db_query(now, kind, family);
        self.settle();
        self.answer(node, query)
    }

    pub(super) fn answer(&mut self, node: &str, query: QueryId) -> Option<Answer> {
        let answers = &mut self.node(node).answers;
        let at = answers.iter().position(|(id, _)| *id == query)?;
        answers.remove(at).1.ok()
    }

    /// Sends to a port on a node, and monitors it.
    pub(super) fn send_to(&mut self, node: &str, to: &str, message: &str) {
        let now = self.now;
        let (to, mesh) = (id(to), self.mesh(node));
        let urge = mesh.peers().with(&to, |peer| {
            let monitor = peer.monitor("p", MonitorId(1));
            monitor.and(peer.send("p", |packet| packet.str(message)).unwrap())
        });
        match urge {
            Urge::Connect => mesh.connect(now, &to),
            Urge::Overflow => mesh.overflow(now, &to),
            Urge::None | Urge::Write => {}
        }
        self.settle();
    }

    /// Takes the new events of a node's watches.
    pub(super) fn news(&mut self, node: &str) -> Vec<String> {
        std::mem::take(&mut self.node(node).news)
    }

    /// Takes the new requests of the database.
    pub(super) fn packets(&mut self) -> Vec<String> {
        std::mem::take(&mut self.packets)
    }

    /// Checks that all global nodes have the same content of a family, and returns it in the order of keys.
    pub(super) fn view(&mut self, family: &str) -> Vec<String> {
        let mut views = Vec::new();
        for node in self.nodes.values() {
            if *node.mesh.role() == Role::Global {
                let view = node.mesh.db_view(family).into_iter();
                let mut view: Vec<_> = view.map(|(key, value)| format!("{key}={value}")).collect();
                view.sort();
                views.push(view);
            }
        }
        views.dedup();
        assert_eq!(views.len(), 1, "{family}: {views:?}");
        views.remove(0)
    }

    /// Checks that no data of a node is left anywhere.
    pub(super) fn assert_no_trace_of(&self, gone: &str) {
        for (name, node) in &self.nodes {
            let traces = node.mesh.traces();
            assert!(!traces.contains(gone), "{name} knows {traces:?}");
            for family in [LISTENERS, GLOBALS] {
                let view = node.mesh.db_view(family);
                assert!(
                    !view.iter().any(|(key, _)| **key == *gone),
                    "{name} {family}"
                );
            }
        }
    }
}

impl Node {
    fn watched(&mut self, watch: WatchId, told: &Watched) {
        let view = self.views.entry(watch).or_default();
        let mut line = format!("{}", watch.0);
        match told {
            Watched::All(all) => {
                line += " all";
                view.clear();
                for (key, value) in all {
                    line += &format!(" {key}={value}");
                    view.insert(key.to_string(), value.clone());
                }
            }
            Watched::Changes(changes) => {
                for change in changes.iter() {
                    let key = &change.key;
                    assert_eq!(view.contains_key(&**key), change.was, "{line} {key}");
                    let sign = if change.was { "" } else { "+" };
                    if let Some(value) = &change.value {
                        line += &format!(" {sign}{key}={value}");
                        view.insert(key.to_string(), value.clone());
                    } else {
                        line += &format!(" -{key}");
                        view.remove(&**key);
                    }
                }
            }
        }
        self.news.push(line);
    }
}
