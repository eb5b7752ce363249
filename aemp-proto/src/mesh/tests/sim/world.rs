use std::{collections::BTreeMap, time::Duration};

use aemp_codec::{Format, Limits, NodeId};

use super::reference::{Act, Reference};
use crate::{
    Random, Time,
    handshake::{HandshakeConfig, auth::Secret},
    link::Link,
    mesh::{Mesh, MeshConfig, Output, PeerMap, Peers},
    peer::{ConnId, MonitorId, PeerLimits, Urge},
};

const CUTS_END: u64 = 40_000;
const SENDS_END: u64 = 90_000;
const END: u64 = 150_000;

/// The configuration of a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    seeds: bool,
    cuts: bool,
    reference: bool,
}

impl Plan {
    /// Each node is a seed of the other.
    pub(super) fn seeds() -> Self {
        Self {
            seeds: true,
            cuts: false,
            reference: false,
        }
    }

    /// Each node knows the other's address and connects when it sends.
    pub(super) fn on_demand() -> Self {
        Self {
            seeds: false,
            ..Self::seeds()
        }
    }

    /// Connections break.
    pub(super) fn cut(self) -> Self {
        Self { cuts: true, ..self }
    }

    /// The second node is a reference node.
    pub(super) fn reference(self) -> Self {
        Self {
            reference: true,
            ..self
        }
    }
}

enum Event {
    /// A dialled connection is established.
    Connect(usize, ConnId),
    /// Bytes arrive at one side of a connection; `None` is its end.
    Arrive(usize, usize, Option<Vec<u8>>),
    /// Monitors have fired.
    Fired(usize),
    /// A node sends a message.
    Send(usize),
    /// The reference node checks its seed.
    Retry,
}

/// A connection, with the nodes at its two sides while they have it open.
struct Tcp {
    sides: [Option<(usize, ConnId)>; 2],
    /// The earliest time at which new bytes arrive at each side.
    busy: [Time; 2],
    cut: bool,
}

enum End {
    Ours(Box<Ours>),
    Reference(Box<Reference>),
}

struct Ours {
    mesh: Mesh<PeerMap>,
    other: NodeId,
    links: BTreeMap<ConnId, Link>,
    ups: usize,
    up: bool,
    /// Grows whenever the monitor of the other node fires.
    epoch: u64,
    message: u64,
    /// The last message that has arrived: epoch and number.
    arrived: (u64, u64),
}

pub(super) struct World {
    plan: Plan,
    random: u64,
    now: Time,
    events: BTreeMap<(Time, u64), Event>,
    count: u64,
    ends: [End; 2],
    tcp: Vec<Tcp>,
    history: Vec<String>,
}

fn at(millis: u64) -> Time {
    Time::from(Duration::from_millis(millis))
}

fn id(index: usize) -> NodeId {
    NodeId::new(["a", "b"][index]).unwrap()
}

impl Ours {
    fn new(plan: Plan, index: usize, seed: u64) -> Self {
        let mut handshake = HandshakeConfig::new(id(index), Some(Secret::new("s")));
        // The tests read and write packets as JSON.
        handshake.formats = vec![Format::Json];
        let mut config = MeshConfig::new(handshake);
        let address = format!("host:{}", 1 - index);
        if plan.seeds {
            config.seeds = vec![address.clone()];
        }
        let limits = PeerLimits {
            max_queue_bytes: 10_000,
            packet: Limits::default(),
        };
        let random = Random::predictable(2 * seed + index as u64);
        let mut mesh = Mesh::new(Time::ZERO, config, PeerMap::new(limits), random);
        let other = id(1 - index);
        if !plan.seeds {
            mesh.learn(Time::ZERO, &other, vec![address]);
        }
        Self {
            mesh,
            other,
            links: BTreeMap::new(),
            ups: 0,
            up: false,
            epoch: 0,
            message: 0,
            arrived: (0, 0),
        }
    }

    fn heed(&mut self, now: Time, urge: Urge) {
        match urge {
            Urge::Connect => self.mesh.connect(now, &self.other.clone()),
            Urge::Overflow => self.mesh.overflow(now, &self.other.clone()),
            Urge::None | Urge::Write => {}
        }
    }

    fn send(&mut self, now: Time) {
        if self.message == 0 {
            let (other, id) = (self.other.clone(), MonitorId(self.epoch));
            let urge = self.mesh.peers().with(&other, |peer| peer.monitor("", id));
            self.heed(now, urge);
        }
        self.message += 1;
        let (other, content) = (self.other.clone(), (self.epoch, self.message));
        let sent = self
            .mesh
            .peers()
            .with(&other, |peer| peer.send("p", |packet| packet.arg(&content)));
        self.heed(now, sent.unwrap());
    }

    fn arrive(&mut self, now: Time, conn: ConnId, bytes: &[u8]) {
        let Some(link) = self.links.get_mut(&conn) else {
            return self.mesh.received(now, conn, bytes);
        };
        link.received(now, bytes);
        self.read(conn);
    }

    /// Checks that nothing is missing since the last fire, and that no earlier message arrives late.
    fn read(&mut self, conn: ConnId) {
        let link = self.links.get_mut(&conn).unwrap();
        while let Some(packet) = link.next_packet().unwrap() {
            let mut packet = Format::Json.reader(packet, Limits::default()).unwrap();
            let port = packet.text().unwrap();
            if port.as_deref() == Some("") {
                // A request that asks a seed to become global is ignored here.
                continue;
            }
            assert_eq!(port.as_deref(), Some("p"));
            let (epoch, number): (u64, u64) = packet.required().unwrap();
            let (last_epoch, last) = self.arrived;
            let next = if epoch == last_epoch { last + 1 } else { 1 };
            assert!(
                epoch >= last_epoch && number == next,
                "{epoch}.{number} after {:?}",
                self.arrived
            );
            self.arrived = (epoch, number);
        }
    }
}

impl World {
    pub(super) fn new(plan: Plan, seed: u64) -> Self {
        let second = if plan.reference {
            let config = HandshakeConfig::new(id(1), Some(Secret::new("s")));
            End::Reference(Box::new(Reference::new(
                config,
                Random::predictable(seed + 1000),
            )))
        } else {
            End::Ours(Box::new(Ours::new(plan, 1, seed)))
        };
        Self {
            plan,
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            now: Time::ZERO,
            events: BTreeMap::new(),
            count: 0,
            ends: [End::Ours(Box::new(Ours::new(plan, 0, seed))), second],
            tcp: Vec::new(),
            history: Vec::new(),
        }
    }

    pub(super) fn run(&mut self) {
        for node in 0..2 {
            let first = self.below(200);
            self.after(first, Event::Send(node));
        }
        let first = self.below(200);
        self.after(first, Event::Retry);
        self.perform(0);
        self.perform(1);
        while self.now < at(END) {
            self.step();
        }
    }

    fn step(&mut self) {
        let event = self.events.first_key_value().map(|((time, _), _)| *time);
        let deadline = |end: &End| match end {
            End::Ours(ours) => ours.mesh.checked_deadline(),
            End::Reference(_) => None,
        };
        let deadlines = [deadline(&self.ends[0]), deadline(&self.ends[1])];
        let next = deadlines.into_iter().flatten().chain(event).min();
        self.now = next.map_or_else(|| at(END), |next| next.max(self.now));
        if event == Some(self.now) {
            let (_, event) = self.events.pop_first().unwrap();
            self.happen(event);
        }
        for node in 0..2 {
            if let End::Ours(ours) = &mut self.ends[node]
                && ours
                    .mesh
                    .checked_deadline()
                    .is_some_and(|deadline| deadline <= self.now)
            {
                ours.mesh.timeout(self.now);
                let deadline = ours.mesh.checked_deadline();
                assert!(
                    deadline.is_none_or(|deadline| deadline > self.now),
                    "the deadline stays"
                );
            }
            self.perform(node);
        }
    }

    fn happen(&mut self, event: Event) {
        let now = self.now;
        match event {
            Event::Connect(node, conn) => self.connect(node, conn),
            Event::Arrive(tcp, side, bytes) => self.arrive(tcp, side, bytes.as_deref()),
            Event::Fired(node) => {
                let End::Ours(ours) = &mut self.ends[node] else {
                    return;
                };
                (ours.epoch, ours.message) = (ours.epoch + 1, 0);
                ours.mesh.drained(now, &ours.other.clone());
            }
            Event::Send(node) => {
                let later = self.below(3000);
                if let End::Ours(ours) = &mut self.ends[node]
                    && now < at(SENDS_END)
                {
                    ours.send(now);
                    self.after(later, Event::Send(node));
                }
            }
            Event::Retry => {
                if let End::Reference(reference) = &mut self.ends[1]
                    && reference.up.is_none()
                {
                    let (conn, acts) = reference.connected(now);
                    self.open((1, conn), 0);
                    self.act(acts);
                }
                let later = 1200 + self.below(1200);
                self.after(later, Event::Retry);
            }
        }
    }

    /// Carries out the outputs of a mesh.
    fn perform(&mut self, node: usize) {
        while let End::Ours(ours) = &mut self.ends[node]
            && let Some(output) = ours.mesh.poll()
        {
            self.history
                .push(format!("{:?} {node} {output:?}", self.now));
            self.output(node, output);
        }
        self.write(node);
    }

    fn output(&mut self, node: usize, output: Output) {
        let now = self.now;
        let End::Ours(ours) = &mut self.ends[node] else {
            return;
        };
        match output {
            Output::Dial { conn, .. } => {
                let delay = self.below(100);
                self.after(delay, Event::Connect(node, conn));
            }
            Output::Transmit { conn, bytes } => self.transmit((node, conn), &bytes),
            Output::Close { conn } => {
                ours.links.remove(&conn);
                self.close((node, conn));
            }
            Output::Established {
                conn,
                recv,
                leftover,
                peer_keepalive,
                ..
            } => {
                let timeout = Duration::from_secs(30);
                let link = Link::new(
                    now,
                    &recv,
                    Limits::default(),
                    timeout,
                    peer_keepalive,
                    leftover,
                );
                ours.links.insert(conn, link);
                ours.read(conn);
            }
            Output::Fire { text, .. } => {
                assert!(!text.is_empty());
                let delay = self.below(300);
                self.after(delay, Event::Fired(node));
            }
            Output::NodeUp(_) => {
                assert!(!ours.up, "up twice");
                (ours.up, ours.ups) = (true, ours.ups + 1);
            }
            Output::NodeDown(..) => {
                assert!(ours.up, "down twice");
                ours.up = false;
            }
            Output::LookUp { .. } => unreachable!("seeds are addresses"),
            Output::WakeWriter { .. }
            | Output::Log { .. }
            | Output::TellWritten { .. }
            | Output::Stream { .. }
            | Output::StreamFailed { .. }
            | Output::TunnelStirred { .. }
            | Output::SeedsChanged => {}
            Output::Tunnel { .. } => panic!("no node relays"),
            Output::StartTls { .. } => panic!("no node wants TLS"),
            Output::Answer { .. } | Output::Watched { .. } => panic!("no question was asked"),
        }
    }

    /// Writes the output of a node's peer.
    fn write(&mut self, node: usize) {
        let End::Ours(ours) = &mut self.ends[node] else {
            return;
        };
        let (other, mut out) = (ours.other.clone(), Vec::new());
        let conn = ours.mesh.peers().with(&other, |peer| {
            let conn = peer.conn()?;
            peer.swap_output(conn, &mut out).then_some(conn)
        });
        if let Some(conn) = conn
            && !out.is_empty()
        {
            self.transmit((node, conn), &out);
        }
    }

    fn act(&mut self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Transmit(conn, bytes) => self.transmit((1, conn), &bytes),
                Act::Close(conn) => self.close((1, conn)),
            }
        }
    }

    fn connect(&mut self, node: usize, conn: ConnId) {
        self.open((node, conn), 1 - node);
        if let End::Ours(ours) = &mut self.ends[node] {
            ours.mesh
                .dialed(self.now, conn, Ok(format!("host:{}", 1 - node)));
        }
    }

    /// Opens a connection to a listener. The other end notices it later, with the first bytes.
    fn open(&mut self, from: (usize, ConnId), to: usize) {
        let now = self.now;
        let mut acts = Vec::new();
        let conn = match &mut self.ends[to] {
            End::Ours(ours) => ours.mesh.accepted(now, "stranger:1"),
            End::Reference(reference) => {
                let (conn, more) = reference.connected(now);
                acts = more;
                conn
            }
        };
        self.tcp.push(Tcp {
            sides: [Some(from), Some((to, conn))],
            busy: [now; 2],
            cut: false,
        });
        self.act(acts);
    }

    fn find(&self, end: (usize, ConnId)) -> Option<(usize, usize)> {
        let mut places = self.tcp.iter().enumerate().rev();
        places
            .find_map(|(tcp, it)| Some((tcp, it.sides.iter().position(|side| *side == Some(end))?)))
    }

    fn transmit(&mut self, from: (usize, ConnId), bytes: &[u8]) {
        let Some((tcp, side)) = self.find(from) else {
            return;
        };
        if self.tcp[tcp].cut {
            return;
        }
        let cut = self.plan.cuts && self.now < at(CUTS_END) && self.below(8) == 0;
        let arrives = if cut {
            self.below(bytes.len() as u64 + 1) as usize
        } else {
            bytes.len()
        };
        let middle = self.below(arrives as u64 + 1) as usize;
        self.arrive_later(tcp, 1 - side, Some(bytes[..middle].to_vec()));
        self.arrive_later(tcp, 1 - side, Some(bytes[middle..arrives].to_vec()));
        if cut {
            self.tcp[tcp].cut = true;
            self.arrive_later(tcp, 0, None);
            self.arrive_later(tcp, 1, None);
        }
    }

    fn arrive_later(&mut self, tcp: usize, side: usize, bytes: Option<Vec<u8>>) {
        let time =
            (self.now + Duration::from_millis(self.below(150))).max(self.tcp[tcp].busy[side]);
        self.tcp[tcp].busy[side] = time;
        self.count += 1;
        self.events
            .insert((time, self.count), Event::Arrive(tcp, side, bytes));
    }

    fn close(&mut self, end: (usize, ConnId)) {
        if let Some((tcp, side)) = self.find(end) {
            self.tcp[tcp].sides[side] = None;
            self.arrive_later(tcp, 1 - side, None);
        }
    }

    fn arrive(&mut self, tcp: usize, side: usize, bytes: Option<&[u8]>) {
        let now = self.now;
        let Some((node, conn)) = self.tcp[tcp].sides[side] else {
            return;
        };
        if bytes.is_none() {
            self.close((node, conn));
        }
        match (&mut self.ends[node], bytes) {
            (End::Ours(ours), Some(bytes)) => ours.arrive(now, conn, bytes),
            (End::Ours(ours), None) => {
                ours.links.remove(&conn);
                ours.mesh.closed(now, conn, "Unexpected end-of-file");
            }
            (End::Reference(reference), Some(bytes)) => {
                let acts = reference.received(conn, bytes);
                self.act(acts);
            }
            (End::Reference(reference), None) => reference.closed(conn),
        }
    }

    fn after(&mut self, millis: u64, event: Event) {
        self.count += 1;
        let time = self.now + Duration::from_millis(millis);
        self.events.insert((time, self.count), event);
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % bound
    }

    pub(super) fn ups(&self) -> [usize; 2] {
        [0, 1].map(|node| match &self.ends[node] {
            End::Ours(ours) => ours.ups,
            End::Reference(reference) => reference.ups,
        })
    }

    pub(super) fn switched(&self) -> usize {
        match &self.ends[1] {
            End::Ours(_) => 0,
            End::Reference(reference) => reference.switched,
        }
    }

    pub(super) fn history(&self) -> Vec<String> {
        self.history.clone()
    }

    /// Checks that both ends have exactly one connection, that nothing else is left, and that the last messages have
    /// arrived.
    pub(super) fn assert_one_connection(&self) {
        let history = || self.history.join("\n");
        let open: Vec<_> = self
            .tcp
            .iter()
            .filter(|tcp| tcp.sides.iter().any(Option::is_some))
            .collect();
        assert_eq!(open.len(), 1, "{}", history());
        for side in open[0].sides {
            let (node, conn) = side.expect("both ends are open");
            match &self.ends[node] {
                End::Ours(ours) => {
                    assert!(ours.up && ours.mesh.is_up(&ours.other), "{}", history());
                    assert_eq!(ours.mesh.connections(), 1);
                    assert_eq!(ours.links.keys().collect::<Vec<_>>(), [&conn]);
                }
                End::Reference(reference) => assert_eq!(reference.up, Some(conn)),
            }
        }
        if let [End::Ours(a), End::Ours(b)] = &self.ends {
            assert_eq!(b.arrived, (a.epoch, a.message), "{}", history());
            assert_eq!(a.arrived, (b.epoch, b.message), "{}", history());
        }
    }
}
