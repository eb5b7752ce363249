//! Recorded conversations about seeds, masters and the database, done again: once with a node of this project in the
//! place of each recorded one, while the recording plays the others.
//!
//! The knowledge of the other nodes afterwards has to be the same. The order and the number of packets are free:
//! changes may be merged, and a node may ask a seed to become global more than once.

mod compare;
mod outcome;
mod script;
pub(crate) mod story;
mod subject;
mod told;
pub(crate) mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aemp_codec::{Format, Limits};
use serde_json::Value as Json;

use self::{
    script::{Line, When},
    story::{Open, Proved, What},
    subject::Subject,
    view::View,
};
use aemp_tests::transcript::{self, Transcript, packet_json};

/// Plays a scenario once for each of its nodes.
fn replay(scenario: &str) {
    let transcript = transcript::one(scenario);
    let nodes = transcript.json["nodes"].as_object().unwrap();
    for node in nodes.keys() {
        Replay::new(&transcript, node).run();
    }
}

/// One node of a scenario, done again.
struct Replay<'a> {
    transcript: &'a Transcript,
    node: &'a str,
    script: Vec<Line>,
    subject: Option<Subject>,
    started: bool,
    /// The reports of the node to each of the others.
    ours: BTreeMap<String, View>,
    /// The reports of the recorded node to them.
    theirs: BTreeMap<String, View>,
    /// The reports of the others to the node.
    heard: BTreeMap<String, View>,
    /// The nodes that the node has dialled itself.
    dialled: BTreeSet<String>,
    /// The connections that one end has closed.
    ended: BTreeSet<u64>,
    /// The nodes whose processes have been killed. Packets to them depend on when the sender notices.
    dead: BTreeSet<String>,
    step: String,
    /// The number of packets that had been sent when the step began.
    before: usize,
}

impl<'a> Replay<'a> {
    fn new(transcript: &'a Transcript, node: &'a str) -> Self {
        let mut script = script::of(transcript);
        script.retain(|line| line.node == node);
        Self {
            transcript,
            node,
            script,
            subject: None,
            started: false,
            ours: BTreeMap::new(),
            theirs: BTreeMap::new(),
            heard: BTreeMap::new(),
            dialled: BTreeSet::new(),
            ended: BTreeSet::new(),
            dead: BTreeSet::new(),
            step: "the start".into(),
            before: 0,
        }
    }

    fn run(mut self) {
        let story = story::of(self.transcript);
        for (place, happening) in story.iter().enumerate() {
            match &happening.what {
                What::Step(step) => {
                    self.pass(story::before_next(&story[place..]));
                    self.begin_step(step);
                }
                what => {
                    self.pass(happening.at);
                    self.happen(happening.at, what);
                }
            }
        }
        let end = story.last().unwrap().at;
        self.pass(end + Duration::from_millis(200));
        self.check();
        // As long as an attempt to connect may take.
        self.pass(end + Duration::from_millis(2200));
        if let Some(subject) = &self.subject {
            outcome::check(self.transcript, subject);
        }
        // Entries that were kept for a while, in the hope that their owner would be back, are gone too.
        self.pass(end + Duration::from_secs(20));
        self.check();
    }

    fn config(&self, node: &str) -> &'a Json {
        &self.transcript.json["nodes"][node]
    }

    /// Lets time pass.
    fn pass(&mut self, until: Duration) {
        if let Some(subject) = &mut self.subject {
            subject.run_until(until);
            self.collect();
        }
    }

    fn begin_step(&mut self, step: &str) {
        self.check();
        self.step = step.into();
        self.before = self.packets();
        self.act(|when| matches!(when, When::Step(text) if *text == step));
    }

    fn act(&mut self, now: impl Fn(&When) -> bool) {
        if let Some(subject) = &mut self.subject {
            let lines = self.script.iter().filter(|line| now(&line.when));
            lines.for_each(|line| subject.act(&line.act));
            self.collect();
        }
    }

    /// Repeats the action by which the recorded node sent a packet.
    fn act_before(&mut self, packet: &Json) {
        let text = packet.to_string();
        self.act(|when| matches!(when, When::Before(start) if text.starts_with(start)));
        self.script
            .retain(|line| !matches!(&line.when, When::Before(start) if text.starts_with(start)));
    }

    fn packets(&self) -> usize {
        self.ours.values().map(|view| view.packets).sum()
    }

    fn happen(&mut self, at: Duration, what: &What) {
        match what {
            What::Open(open) => self.open(at, open),
            What::Proved(proved) => self.prove(proved),
            What::Packet {
                conn,
                from,
                to,
                format,
                bytes,
                packet,
            } => {
                // Packets to a process that has ended arrive nowhere.
                if self.ended.contains(conn) {
                    return;
                }
                if from == self.node {
                    self.act_before(packet);
                    let asked = self.asked(to);
                    self.theirs
                        .entry(to.clone())
                        .or_default()
                        .note(packet, &asked);
                } else if to == self.node {
                    self.receive(*conn, from, format, bytes);
                }
            }
            What::Close { conn, by, died } => self.close(*conn, by, *died),
            What::Step(_) => {}
        }
        self.collect();
    }

    /// The families that another node watches here.
    fn asked(&self, other: &str) -> BTreeSet<String> {
        let heard = self.heard.get(other);
        heard.map(|heard| heard.watched.clone()).unwrap_or_default()
    }

    fn start(&mut self, at: Duration) {
        if self.subject.is_none() {
            self.subject = Some(Subject::new(at, self.node, self.config(self.node)));
            if !std::mem::replace(&mut self.started, true) {
                self.act(|when| *when == When::Start);
            }
        }
    }

    fn open(&mut self, at: Duration, open: &Open) {
        let (from, to) = (&open.initiator, &open.acceptor);
        if from.node != self.node && to.node != self.node {
            return;
        }
        self.start(at);
        let address = self.config(&to.node)["binds"][0].as_str().unwrap();
        let subject = self.subject.as_mut().unwrap();
        if from.node == to.node {
            return subject.meet_itself(open.conn, address);
        }
        if from.node == self.node {
            // A seed that is connected already need not be tried again.
            let mut patience = at;
            while !subject.answer_dial(open.conn, address, &to.greeting)
                && patience < at + Duration::from_secs(40)
            {
                patience += Duration::from_millis(100);
                subject.run_until(patience);
            }
        }
        if to.node == self.node {
            subject.accept(open.conn, &from.greeting);
        }
    }

    fn prove(&mut self, proved: &Proved) {
        let Some(subject) = &mut self.subject else {
            return;
        };
        let conn = proved.conn;
        let mut connections = self.transcript.connections();
        let (_, from, to, _) = connections.find(|(id, ..)| *id == conn).unwrap();
        if from != self.node && to != self.node {
            return;
        }
        let other = if from == self.node { to } else { from };
        subject.prove(conn, proved.framing(other, self.node));
        let subject = self.subject.as_ref().unwrap();
        assert!(subject.is_up(conn), "{}", self.place(other));
        let framing = proved.framing(self.node, other);
        assert_eq!(subject.framing(conn), framing, "{}", self.place(other));
        if from == self.node {
            self.dialled.insert(other.into());
        } else {
            self.dialled.remove(other);
        }
        self.dead.remove(other);
        for views in [&mut self.ours, &mut self.theirs, &mut self.heard] {
            views.insert(other.into(), View::default());
        }
    }

    fn receive(&mut self, conn: u64, from: &str, format: &Format, bytes: &[u8]) {
        let mut packet = packet_json(format, bytes);
        let heard = self.heard.get_mut(from).unwrap();
        heard.note(&packet, &BTreeSet::new());
        let subject = self.subject.as_mut().unwrap();
        if packet[1] != "g_reply" {
            return subject.receive(conn, format, bytes);
        }
        // The numbers of queries are each node's own.
        let theirs = &self.theirs[from].ids;
        let place = theirs.iter().position(|id| *id == packet[2]).unwrap();
        packet[2] = self.ours[from].ids[place].clone();
        let mut bytes = Vec::new();
        let mut writer = format.writer(&mut bytes, Limits::default());
        let parts = packet.as_array().unwrap();
        parts.iter().for_each(|part| writer.arg(part).unwrap());
        writer.finish().unwrap();
        subject.receive(conn, format, &bytes);
    }

    fn close(&mut self, conn: u64, by: &str, died: bool) {
        self.ended.insert(conn);
        if died {
            self.dead.insert(by.into());
        }
        if by != self.node {
            if let Some(subject) = &mut self.subject {
                subject.lose(conn);
            }
        } else if died {
            self.check();
            self.subject = None;
        } else if let Some(subject) = &self.subject {
            assert!(subject.has_closed(conn), "{}", self.place(by));
        }
    }

    /// Takes note of the sent packets.
    fn collect(&mut self) {
        let Some(subject) = &mut self.subject else {
            return;
        };
        for (other, packet) in subject.take_sent() {
            let asked = self.asked(&other);
            let place = self.place(&other);
            if let Some("g_chg1" | "g_chg2") = packet[1].as_str()
                && !self.heard[&other].global
            {
                let family = packet[2].as_str().unwrap();
                assert!(
                    asked.contains(family),
                    "{place}: without a question: {packet}"
                );
            }
            self.ours.entry(other).or_default().note(&packet, &asked);
        }
    }
}

macro_rules! scenarios {
    ($($name:ident $name_cbor:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        }

        #[test]
        fn $name_cbor() {
            replay(stringify!($name_cbor));
        })*

        /// The recordings of which there is a test.
        pub(crate) const SCENARIOS: &[&str] = &[$(stringify!($name), stringify!($name_cbor)),*];
    };
}

scenarios! {
    db_conflict db_conflict_cbor
    db_leaked_monitor db_leaked_monitor_cbor
    db_monitor db_monitor_cbor
    db_queries db_queries_cbor
    db_slave_sync db_slave_sync_cbor
    db_two_globals db_two_globals_cbor
    db_two_globals_conflict db_two_globals_conflict_cbor
    find_node find_node_cbor
    global_down global_down_cbor
    master_failover master_failover_cbor
    mon_unreachable mon_unreachable_cbor
    mutual_seeds mutual_seeds_cbor
    seed_upgrade seed_upgrade_cbor
    self_seed self_seed_cbor
}
