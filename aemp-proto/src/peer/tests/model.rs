//! The guarantee, checked against a model: a peer, a connection that can break anywhere, and the other node.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Send(u8),
    Monitor(u8),
    /// Removes one of the set monitors.
    Unmonitor(prop::sample::Index),
    Release(prop::sample::Index),
    Sweep,
    LinkUp,
    /// The writer takes the output.
    Write,
    /// This number of packets arrives at the other node.
    Arrive(u8),
    LinkDown,
    ConnectFailed,
    /// The mesh hears that the node must be given up.
    GiveUp,
    /// The next monitor of a loss is called. If true, it monitors its port again and sends to it.
    Call(bool),
    /// All remaining monitors are called.
    Fired,
    /// A port of the other node dies. The other node reports it if it watches the port for us.
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
        2 => Just(Step::GiveUp),
        4 => any::<bool>().prop_map(Step::Call),
        4 => Just(Step::Fired),
        1 => (0..3u8).prop_map(Step::Die),
    ]
}

/// A monitor that is set, and the messages that should arrive before it fires.
#[derive(Debug)]
struct Watch {
    port: String,
    /// The number of messages that had been sent to the port when the monitor was set, and of those that arrived since.
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
    /// The loss whose monitors are being fired, and the monitors that have not been called yet.
    loss: Option<LossId>,
    uncalled: VecDeque<(MonitorId, String)>,
    /// Messages that followed a hole of which the sender had not heard, and that no new monitor covers.
    doomed: BTreeSet<u64>,
    /// The packets that the writer has taken.
    wire: Vec<u8>,
    /// The ports that the other node watches for us on this connection.
    watched: BTreeSet<String>,
    /// The ports of the other node that have died.
    dead: BTreeSet<String>,
    /// True if the writer waits to be woken.
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
            loss: None,
            uncalled: VecDeque::new(),
            doomed: BTreeSet::new(),
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
                let lost = self.peer.connect_failed();
                self.hand_out(lost);
            }
            Step::GiveUp => {
                if let GivenUp::Now { lost, .. } = self.peer.give_up() {
                    self.wire.clear();
                    self.hand_out(lost);
                }
            }
            Step::Call(again) => self.call(*again),
            Step::Fired => self.fired(),
            Step::Die(port) => self.die(*port),
        }
        self.check_urges();
    }

    fn send(&mut self, port: u8) {
        self.send_to(format!("p{port}"));
    }

    fn send_to(&mut self, port: String) {
        self.messages += 1;
        let message = self.messages;
        if self.is_behind_a_hole(&port) {
            self.doomed.insert(message);
        }
        let urge = self
            .peer
            .send(&port, |packet| packet.arg(&message))
            .unwrap();
        self.sent.entry(port).or_default().push(message);
        self.heed(urge);
    }

    /// True if an uncalled monitor covers the port, and no new one does.
    fn is_behind_a_hole(&self, port: &str) -> bool {
        let covers = |name: &str| name == port || name.is_empty();
        let old = |id: &MonitorId| self.uncalled.iter().any(|(other, _)| other == id);
        let mut set = self.set.iter().filter(|(_, watch)| covers(&watch.port));
        self.uncalled.iter().any(|(_, port)| covers(port)) && set.all(|(id, _)| old(id))
    }

    fn monitor(&mut self, port: u8) {
        // The last one stands for the node itself.
        let port = if port == 3 {
            String::new()
        } else {
            format!("p{port}")
        };
        self.monitor_port(&port);
    }

    fn monitor_port(&mut self, port: &str) {
        self.monitors += 1;
        let id = MonitorId(self.monitors);
        let watch = Watch {
            sent_before: self.sent.get(port).map_or(0, Vec::len),
            arrived: Vec::new(),
            port: port.to_owned(),
        };
        self.set.insert(id, watch);
        let urge = self.peer.monitor(port, id);
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
        self.conn += 1;
        match self.peer.link_up(ConnId(self.conn), Format::Json) {
            LinkUp::Up(urge) => {
                self.wire.clear();
                self.watched.clear();
                self.asleep = true;
                self.connecting = false;
                self.heed(urge);
            }
            LinkUp::Mourning(loss) => assert_eq!(self.loss, Some(loss)),
            LinkUp::Lost(lost, _) => {
                self.wire.clear();
                self.hand_out(lost);
            }
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
                assert!(!self.doomed.contains(&message), "{message} arrives");
                let set = self.set.values_mut().filter(|watch| watch.port == port);
                for watch in set {
                    // There is no hole, and messages sent before the monitor do not count.
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
        let conn = self.peer.conn();
        let lost = self.peer.link_down(conn.unwrap_or(ConnId(self.conn)));
        assert_eq!(lost != Lost::Not, conn.is_some());
        if conn.is_some() {
            self.wire.clear();
        }
        self.hand_out(lost);
    }

    fn hand_out(&mut self, lost: Lost) {
        let Lost::Fire(loss) = lost else { return };
        assert!(self.loss.is_none(), "{loss:?} while {:?} fires", self.loss);
        let order = &loss.monitors;
        assert!(
            order.is_sorted(),
            "not in the order in which they were set: {order:?}"
        );
        assert!(
            self.set.keys().eq(order),
            "{order:?} of {:?}",
            self.set.keys()
        );
        let port = |id: &MonitorId| self.set[id].port.clone();
        self.uncalled = order.iter().map(|id| (*id, port(id))).collect();
        self.loss = Some(loss.id);
    }

    fn call(&mut self, again: bool) {
        let (Some(loss), Some((id, port))) = (self.loss, self.uncalled.pop_front()) else {
            return;
        };
        self.peer.begun(loss, id);
        // Skips a monitor that was removed meanwhile.
        if self.set.remove(&id).is_some() && again && !port.is_empty() {
            self.monitor_port(&port);
            self.send_to(port);
        }
    }

    fn fired(&mut self) {
        let Some(loss) = self.loss else {
            return;
        };
        while !self.uncalled.is_empty() {
            self.call(false);
        }
        self.loss = None;
        match self.peer.fired(loss) {
            Fired::Again(loss, _) => self.hand_out(Lost::Fire(loss)),
            // The code that fires the monitors sees that a connection is wanted.
            Fired::Connecting => self.connecting = true,
            Fired::Down => {}
            Fired::Not => panic!("{loss:?} is not mourned"),
        }
    }

    fn die(&mut self, port: u8) {
        let port = format!("p{port}");
        if self.watched.remove(&port) {
            self.kil0(&port);
        }
        self.dead.insert(port);
    }

    /// The other node reports that a port is dead.
    fn kil0(&mut self, port: &str) {
        if self.peer.is_up() {
            for id in self.peer.port_died(port) {
                assert!(
                    self.set.remove(&id).is_some(),
                    "{id:?} fired twice, or after it was taken back"
                );
            }
        }
    }

    fn heed(&mut self, urge: Urge) {
        match urge {
            Urge::None | Urge::Overflow => {}
            Urge::Write => self.asleep = false,
            Urge::Connect => self.connecting = true,
        }
    }

    /// Checks that no state waits for an event that never comes.
    fn check_urges(&self) {
        match self.peer.standing() {
            Standing::Up(_) => assert!(!self.asleep || self.peer.pending_bytes() == 0),
            Standing::Connecting => assert!(self.connecting, "the runtime was not told to connect"),
            _ => {}
        }
    }

    /// Lets everything arrive. Then every monitored port has got all its messages and is watched.
    fn end_well(&mut self) {
        while !matches!(self.peer.standing(), Standing::Up(_)) {
            self.run(&Step::GiveUp);
            self.run(&Step::Fired);
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

    /// Loses everything. Then all monitors have fired, and nothing is left.
    fn end_badly(&mut self) {
        while !self.peer.is_idle() {
            self.link_down();
            self.run(&Step::ConnectFailed);
            self.run(&Step::Fired);
        }
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
