//! A whole sans-IO node in the place of a recorded one.

mod acts;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use aemp_codec::{Format, Limits, NodeId};
use aemp_proto::{
    Random, Time,
    auth::Secret,
    global::{Role, WatchId},
    handshake::HandshakeConfig,
    link::Link,
    mesh::{Mesh, MeshConfig, Output, PeerMap, Peers},
    peer::{ConnId, PeerLimits},
    request::Request,
};
use serde_json::Value as Json;

use super::told::{Watching, answer_json, json};
use aemp_tests::transcript::{format, packet_json};

pub(crate) struct Subject {
    pub(crate) id: String,
    mesh: Mesh<PeerMap>,
    now: Time,
    /// Attempts to connect that have not been answered.
    dials: VecDeque<(ConnId, String)>,
    /// The connections by their recorded numbers; of a connection to itself, a node has both ends.
    conns: BTreeMap<u64, Vec<ConnId>>,
    links: BTreeMap<ConnId, Line>,
    last_monitor: u64,
    /// Packets that have been sent and not been taken yet.
    sent: Vec<(String, Json)>,
    pub(crate) watches: BTreeMap<WatchId, Watching>,
    /// The answers to queries, in the order in which they came.
    pub(crate) answers: Vec<Json>,
    /// The monitors that have fired: node and text.
    pub(crate) fired: Vec<(String, String)>,
    closed: BTreeSet<ConnId>,
    /// The greetings that it has sent.
    hellos: BTreeMap<ConnId, Vec<u8>>,
    proofs: BTreeMap<ConnId, Vec<u8>>,
}

/// A connection that is up.
struct Line {
    node: NodeId,
    link: Link,
    /// The format in which this node writes.
    send: Format,
}

impl Subject {
    pub(crate) fn new(at: Duration, id: &str, config: &Json) -> Self {
        let secret = Secret::new("geheim");
        let mut handshake = HandshakeConfig::new(NodeId::new(id).unwrap(), Some(secret));
        let formats = texts(&config["framing_format"]);
        handshake.formats = formats.iter().map(|name| format(name).unwrap()).collect();
        let mut settings = MeshConfig::new(handshake);
        settings.seeds = texts(&config["seeds"]);
        settings.listeners = texts(&config["binds"]);
        settings.global = config["global"] == true;
        let limits = PeerLimits {
            max_queue_bytes: 1 << 20,
            packet: Limits::default(),
        };
        let now = Time::from(at);
        let mut subject = Self {
            id: id.into(),
            mesh: Mesh::new(now, settings, PeerMap::new(limits), Random::predictable(1)),
            now,
            dials: VecDeque::new(),
            conns: BTreeMap::new(),
            links: BTreeMap::new(),
            last_monitor: 0,
            sent: Vec::new(),
            watches: BTreeMap::new(),
            answers: Vec::new(),
            fired: Vec::new(),
            closed: BTreeSet::new(),
            hellos: BTreeMap::new(),
            proofs: BTreeMap::new(),
        };
        subject.settle();
        subject
    }

    /// Lets time pass.
    pub(crate) fn run_until(&mut self, at: Duration) {
        let at = Time::from(at);
        while let Some(next) = self.mesh.deadline().filter(|next| *next <= at) {
            self.now = self.now.max(next);
            self.mesh.timeout(self.now);
            self.settle();
        }
        self.now = self.now.max(at);
    }

    /// Another node has dialled this one.
    pub(crate) fn accept(&mut self, number: u64, greeting: &[u8]) {
        let conn = self.mesh.accepted(self.now, "127.0.0.1:50000");
        self.conns.entry(number).or_default().push(conn);
        self.mesh.received(self.now, conn, greeting);
        self.settle();
    }

    /// The other end of a connection that this node has dialled answers. False if it has not dialled that address.
    pub(crate) fn answer_dial(&mut self, number: u64, address: &str, greeting: &[u8]) -> bool {
        let Some(place) = self.dials.iter().position(|(_, addr)| addr == address) else {
            return false;
        };
        let (conn, _) = self.dials.remove(place).unwrap();
        self.conns.entry(number).or_default().push(conn);
        self.mesh.dialed(self.now, conn, Ok(address.into()));
        self.mesh.received(self.now, conn, greeting);
        self.settle();
        true
    }

    /// This node has dialled itself: recorded nonces are not its own, by which it has to know that.
    pub(crate) fn meet_itself(&mut self, number: u64, address: &str) {
        let dialled = self.answer_dial(number, address, b"");
        assert!(dialled, "{} has not dialled itself", self.id);
        self.accept(number, b"");
        let conns = self.conns(number);
        for (to, from) in [(conns[1], conns[0]), (conns[0], conns[1])] {
            self.mesh.received(self.now, to, &self.hellos[&from]);
            self.settle();
        }
        for (to, from) in [(conns[1], conns[0]), (conns[0], conns[1])] {
            self.mesh.received(self.now, to, &self.proofs[&from]);
            self.settle();
        }
    }

    /// The other end proves itself, with any nonce of this node: recorded proofs are good for recorded nonces only. It
    /// will write `framing`.
    pub(crate) fn prove(&mut self, number: u64, framing: &str) {
        let proof = format!("cleartext;67656865696d;{framing}\n");
        for conn in self.conns(number) {
            self.mesh.received(self.now, conn, proof.as_bytes());
            self.settle();
        }
    }

    /// True if that connection is up.
    pub(crate) fn is_up(&self, number: u64) -> bool {
        self.conns(number)
            .iter()
            .any(|conn| self.links.contains_key(conn))
    }

    /// In the format that this node writes on that connection.
    pub(crate) fn framing(&self, number: u64) -> &str {
        self.links[&self.conns(number)[0]].send.name()
    }

    /// True if this node has closed that connection, or seen it closed.
    pub(crate) fn has_closed(&self, number: u64) -> bool {
        self.conns(number)
            .iter()
            .all(|conn| self.closed.contains(conn))
    }

    fn conns(&self, number: u64) -> Vec<ConnId> {
        self.conns.get(&number).cloned().unwrap_or_default()
    }

    pub(crate) fn receive(&mut self, number: u64, format: &Format, packet: &[u8]) {
        let conn = self.conns(number)[0];
        let Line { link, .. } = self.links.get_mut(&conn).expect("the connection is up");
        link.received(self.now, packet);
        let mut requests = Vec::new();
        while let Some(packet) = link.next_packet().unwrap() {
            let mut reader = format.reader(packet, Limits::default()).unwrap();
            if reader.text().unwrap().unwrap_or_default().is_empty() {
                requests.push(Request::read(&mut reader).unwrap());
            }
        }
        for request in requests {
            if let Request::Global { request, args } = request {
                self.mesh.requests(self.now, conn, [(request, args)]);
            }
        }
        self.settle();
    }

    pub(crate) fn lose(&mut self, number: u64) {
        for conn in self.conns(number) {
            self.links.remove(&conn);
            self.closed.insert(conn);
            self.mesh.closed(self.now, conn, "Unexpected end-of-file");
            self.settle();
        }
    }

    pub(crate) fn is_global(&self) -> bool {
        *self.mesh.role() == Role::Global
    }

    /// Its master, if it is a slave.
    pub(crate) fn master(&self) -> Option<String> {
        match self.mesh.role() {
            Role::Slave(master) => Some(master.as_str().into()),
            _ => None,
        }
    }

    /// The content of a family in the whole database, on a global node.
    pub(crate) fn view(&self, family: &str) -> BTreeMap<String, Json> {
        let entries = self.mesh.db_view(family);
        entries
            .iter()
            .map(|(key, value)| (key.to_string(), json(value)))
            .collect()
    }

    /// The packets that have been sent since the last time, with their receivers.
    pub(crate) fn take_sent(&mut self) -> Vec<(String, Json)> {
        std::mem::take(&mut self.sent)
    }

    fn settle(&mut self) {
        loop {
            while let Some(output) = self.mesh.poll() {
                self.perform(output);
            }
            if !self.write() {
                return;
            }
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Dial { conn, addr } => self.dials.push_back((conn, addr)),
            Output::Transmit { conn, bytes } if bytes.starts_with(b"aemp;") => {
                self.hellos.insert(conn, bytes);
            }
            Output::Transmit { conn, bytes } => drop(self.proofs.insert(conn, bytes)),
            Output::Close { conn } => {
                self.links.remove(&conn);
                self.dials.retain(|(dialled, _)| *dialled != conn);
                self.closed.insert(conn);
            }
            Output::Established {
                conn,
                node,
                recv,
                leftover,
                ..
            } => {
                let peers = self.mesh.peers();
                let send = peers.with(&node, |peer| peer.format().cloned());
                let send = send.expect("the connection is up");
                let link = link(self.now, &recv, leftover);
                self.links.insert(conn, Line { node, link, send });
            }
            Output::Answer { answer, .. } => self.answers.push(answer_json(answer.unwrap())),
            Output::Watched { watch, told } => {
                // Reports that were on their way when the watch ended are ignored.
                if let Some(watching) = self.watches.get_mut(&watch) {
                    watching.told(told);
                }
            }
            Output::TellWritten { node } => self.mesh.written(self.now, &node),
            Output::Fire { node, text, .. } => {
                self.fired.push((node.as_str().into(), text));
                self.mesh.drained(self.now, &node);
            }
            _ => {}
        }
    }

    /// Takes the written bytes. Returns true if there were any.
    fn write(&mut self) -> bool {
        let mut any = false;
        for (conn, Line { node, send, .. }) in &self.links {
            let mut out = Vec::new();
            self.mesh
                .peers()
                .with(node, |peer| peer.swap_output(*conn, &mut out));
            let mut link = link(self.now, send, out);
            while let Some(packet) = link.next_packet().unwrap() {
                any = true;
                let packet = packet_json(send, packet);
                self.sent.push((node.as_str().into(), packet));
            }
        }
        any
    }
}

fn link(now: Time, format: &Format, bytes: Vec<u8>) -> Link {
    let timeout = Duration::from_secs(30);
    Link::new(now, format, Limits::default(), timeout, None, bytes)
}

fn texts(list: &Json) -> Vec<String> {
    let list = list.as_array().into_iter().flatten();
    list.map(|text| text.as_str().unwrap().into()).collect()
}
