//! The guarantee, checked against a model: a peer, a connection that can break anywhere, and the other node.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send(u8),
    Monitor(u8),
    /// One of the monitors that are set.
    Unmonitor(prop::sample::Index),
    Release(prop::sample::Index),
    Sweep,
    LinkUp,
    /// The writer takes what there is to write.
    Write,
    /// So many packets arrive at the other node.
    Arrive(u8),
    LinkDown,
    ConnectFailed,
    Drained,
    /// A port of the other node dies, which it tells if it watches it for us.
    Die(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..3u8).prop_map(Step::Send),
        4 => (0..4u8).prop_map(Step::Monitor),
        2 => any::<prop::sample::Index>().prop_map(Step::Unmonitor),
        2 => any::<prop::sample::Index>().prop_map(Step::Release),
        1 => Just(Step::Sweep),
        4 => Just(Step::LinkUp),
        4 => Just(Step::Write),
        4 => (1..5u8).prop_map(Step::Arrive),
        2 => Just(Step::LinkDown),
        1 => Just(Step::ConnectFailed),
        4 => Just(Step::Drained),
        1 => (0..3u8).prop_map(Step::Die),
    ]
}

/// A monitor that is set, and what should arrive before it fires.
#[derive(Debug)]
struct Watch {
    port: String,
    /// How many messages had been sent to the port when it was set, and those that have arrived since.
    sent_before: usize,
    arrived: Vec<u64>,
}

#[derive(Debug)]
struct World {
    peer: Peer,
    conn: u64,
    messages: u64,
    monitors: u64,
    /// All messages by their port, in the order in which they were sent.
    sent: BTreeMap<String, Vec<u64>>,
    set: BTreeMap<MonitorId, Watch>,
    /// Packets that the writer has taken.
    wire: Vec<u8>,
    /// What the other node watches for us on this connection.
    watched: BTreeSet<String>,
    /// The ports of the other node that have died.
    dead: BTreeSet<String>,
    /// Whether the writer waits to be woken.
    asleep: bool,
    connecting: bool,
}

impl World {
    fn new() -> Self {
        Self {
            peer: limited(250),
            conn: 0,
            messages: 0,
            monitors: 0,
            sent: BTreeMap::new(),
            set: BTreeMap::new(),
            wire: Vec::new(),
            watched: BTreeSet::new(),
            dead: BTreeSet::new(),
            asleep: true,
            connecting: false,
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Send(port) => self.send(*port),
            Step::Monitor(port) => self.monitor(*port),
            Step::Unmonitor(index) => self.take_back(index, Peer::unmonitor),
            Step::Release(index) => self.take_back(index, Peer::release),
            Step::Sweep => {
                let urge = self.peer.sweep();
                self.heed(urge);
            }
            Step::LinkUp => self.link_up(),
            Step::Write => self.write(),
            Step::Arrive(count) => (0..*count).for_each(|_| self.arrive()),
            Step::LinkDown => self.link_down(),
            Step::ConnectFailed => {
                let fired = self.peer.connect_failed();
                self.fire(fired);
            }
            Step::Drained => self.drained(),
            Step::Die(port) => self.die(*port),
        }
        self.check_urges();
    }

    fn send(&mut self, port: u8) {
        self.messages += 1;
        let (port, message) = (format!("p{port}"), self.messages);
        let urge = self
            .peer
            .send(&port, |packet| packet.arg(&message))
            .unwrap();
        self.sent.entry(port).or_default().push(message);
        self.heed(urge);
    }

    fn monitor(&mut self, port: u8) {
        // The last one is the node's own port.
        let port = if port == 3 {
            String::new()
        } else {
            format!("p{port}")
        };
        self.monitors += 1;
        let id = MonitorId(self.monitors);
        let watch = Watch {
            sent_before: self.sent.get(&port).map_or(0, Vec::len),
            arrived: Vec::new(),
            port: port.clone(),
        };
        self.set.insert(id, watch);
        let urge = self.peer.monitor(&port, id);
        self.heed(urge);
    }

    fn take_back(
        &mut self,
        index: &prop::sample::Index,
        how: fn(&mut Peer, &str, MonitorId) -> Urge,
    ) {
        if self.set.is_empty() {
            return;
        }
        let id = *self.set.keys().nth(index.index(self.set.len())).unwrap();
        let watch = self.set.remove(&id).unwrap();
        let urge = how(&mut self.peer, &watch.port, id);
        self.heed(urge);
    }

    fn link_up(&mut self) {
        if matches!(self.peer.standing(), Standing::Down | Standing::Connecting) {
            self.conn += 1;
            self.wire.clear();
            self.watched.clear();
            self.asleep = true;
            self.connecting = false;
            let urge = self.peer.link_up(ConnId(self.conn), Format::Json);
            self.heed(urge);
        }
    }

    fn write(&mut self) {
        let mut out = Vec::new();
        if self.peer.swap_output(ConnId(self.conn), &mut out) {
            self.asleep = out.is_empty();
            self.wire.append(&mut out);
        }
    }

    fn arrive(&mut self) {
        let mut packets = serde_json::Deserializer::from_slice(&self.wire).into_iter::<Vec<Json>>();
        let Some(packet) = packets.next() else { return };
        let (packet, used) = (packet.unwrap(), packets.byte_offset());
        self.wire.drain(..used);
        match (packet[0].as_str().unwrap(), &packet[1]) {
            ("", request) => {
                let port = packet[2].as_str().unwrap().to_owned();
                match request.as_str().unwrap() {
                    "mon1" if self.dead.contains(&port) => self.kil0(&port),
                    "mon1" => assert!(self.watched.insert(port), "watched twice"),
                    "mon0" => assert!(self.watched.remove(&port) || self.dead.contains(&port)),
                    other => panic!("{other}"),
                }
            }
            (port, _) if self.dead.contains(port) => {}
            (port, message) => {
                let message = message.as_u64().unwrap();
                let set = self.set.values_mut().filter(|watch| watch.port == port);
                for watch in set {
                    // No hole, and nothing that was sent before counts.
                    let due = &self.sent[port][watch.sent_before..];
                    if due.contains(&message) {
                        watch.arrived.push(message);
                        assert!(due.starts_with(&watch.arrived), "{watch:?} of {due:?}");
                    }
                }
            }
        }
    }

    fn link_down(&mut self) {
        let up = self.peer.conn().is_some();
        let fired = self.peer.link_down(ConnId(self.conn));
        assert_eq!(fired.is_some(), up);
        self.wire.clear();
        self.fire(fired.unwrap_or_default());
    }

    fn drained(&mut self) {
        let fired = self.peer.drained();
        // Whoever drains sees for itself that a connection is wanted.
        self.connecting |= fired.is_empty() && self.peer.standing() == Standing::Connecting;
        self.fire(fired);
    }

    fn die(&mut self, port: u8) {
        let port = format!("p{port}");
        if self.watched.remove(&port) {
            self.kil0(&port);
        }
        self.dead.insert(port);
    }

    /// The other node tells that a port is dead.
    fn kil0(&mut self, port: &str) {
        if self.peer.is_up() {
            let fired = self.peer.port_died(port);
            self.fire(fired);
        }
    }

    fn fire(&mut self, fired: Vec<MonitorId>) {
        let order = fired.clone();
        assert!(
            order.is_sorted(),
            "not in the order in which they were set: {order:?}"
        );
        for id in fired {
            assert!(
                self.set.remove(&id).is_some(),
                "{id:?} fired twice, or after it was taken back"
            );
        }
    }

    fn heed(&mut self, urge: Urge) {
        match urge {
            Urge::None | Urge::Overflow => {}
            Urge::Write => self.asleep = false,
            Urge::Connect => self.connecting = true,
        }
    }

    /// Nobody waits for something that never comes.
    fn check_urges(&self) {
        match self.peer.standing() {
            Standing::Up(_) => assert!(!self.asleep || self.peer.pending_bytes() == 0),
            Standing::Connecting => assert!(self.connecting, "nobody was told to connect"),
            _ => {}
        }
    }

    /// Lets everything arrive: whatever is still monitored has got all its messages, and is watched.
    fn end_well(&mut self) {
        while !matches!(self.peer.standing(), Standing::Up(_)) {
            self.link_down();
            self.run(&Step::ConnectFailed);
            self.drained();
            self.drained();
            self.link_up();
        }
        self.write();
        while !self.wire.is_empty() {
            self.arrive();
        }
        for watch in self.set.values() {
            let due = self
                .sent
                .get(&watch.port)
                .map_or(&[][..], |sent| &sent[watch.sent_before..]);
            assert_eq!(watch.arrived, due, "{watch:?}");
            assert!(
                watch.port.is_empty() || self.watched.contains(&watch.port),
                "{watch:?}"
            );
        }
        self.run(&Step::Sweep);
        self.write();
        while !self.wire.is_empty() {
            self.arrive();
        }
        let wanted: BTreeSet<_> = self.set.values().map(|watch| watch.port.clone()).collect();
        let watched = &self.watched | &[String::new()].into();
        assert_eq!(
            &wanted | &[String::new()].into(),
            watched,
            "watched in vain"
        );
    }

    /// Loses everything: all monitors fire, and nothing is left.
    fn end_badly(&mut self) {
        self.link_down();
        self.run(&Step::ConnectFailed);
        self.drained();
        self.drained();
        self.run(&Step::ConnectFailed);
        self.drained();
        assert!(self.set.is_empty(), "never fired: {:?}", self.set);
        assert!(self.peer.is_idle(), "{:?}", self.peer);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_message_arrives_in_order_or_the_monitor_fires(
        steps in prop::collection::vec(step(), 0..60),
        well: bool,
    ) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        if well {
            world.end_well();
        }
        world.end_badly();
    }
}
