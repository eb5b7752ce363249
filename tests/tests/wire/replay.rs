//! Recorded conversations about seeds, masters and the database, done again: once with a node of this project in the
//! place of each recorded one, while the recording plays the others.
//!
//! What has to be the same is what the others know afterwards. Free are the order and the number of packets that say it:
//! changes may be merged, and a node may ask a seed to become global more than once.

mod compare;
mod outcome;
mod script;
mod story;
mod subject;
mod told;
mod view;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::Value as Json;

use self::{
    script::{Line, When},
    story::{Happening, Open, What},
    subject::Subject,
    view::View,
};
use aemp_tests::transcript::{self, Transcript};

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
    /// What the node has told each of the others.
    ours: BTreeMap<String, View>,
    /// What the recorded node had told them.
    theirs: BTreeMap<String, View>,
    /// What they have told the node.
    heard: BTreeMap<String, View>,
    /// Whom the node has dialled itself.
    dialled: BTreeSet<String>,
    /// The connections that one end has closed.
    ended: BTreeSet<u64>,
    step: String,
    /// How many packets had been sent when the step began.
    before: usize,
}

impl<'a> Replay<'a> {
    fn new(transcript: &'a Transcript, node: &'a str) -> Self {
        let mut script = script::of(&transcript.name);
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
            step: "the start".into(),
            before: 0,
        }
    }

    fn run(mut self) {
        let story = story::of(self.transcript);
        for (place, happening) in story.iter().enumerate() {
            match &happening.what {
                What::Step(step) => {
                    self.pass(before_next(&story[place..]));
                    self.begin_step(step);
                }
                what => {
                    self.pass(happening.at);
                    self.happen(happening.at, what);
                }
            }
        }
        let end = story.last().unwrap().at + Duration::from_millis(200);
        self.pass(end);
        self.check();
        if let Some(subject) = &self.subject {
            outcome::check(self.transcript, subject);
        }
        // What had been kept for a while, in the hope that its owner would be back, is gone too.
        self.pass(end + Duration::from_secs(20));
        self.check();
    }

    fn config(&self, node: &str) -> &'a Json {
        &self.transcript.json["nodes"][node]
    }

    /// Lets time pass, and does what the recorded node did at its times.
    fn pass(&mut self, until: Duration) {
        let lines = self.script.iter();
        let due: Vec<_> = lines
            .filter_map(|line| match line.when {
                When::At(millis) => Some((Duration::from_secs_f64(millis / 1000.0), &line.act)),
                _ => None,
            })
            .filter(|(at, _)| *at <= until)
            .map(|(at, act)| (at, act.clone()))
            .collect();
        self.script.retain(|line| match line.when {
            When::At(millis) => Duration::from_secs_f64(millis / 1000.0) > until,
            _ => true,
        });
        let Some(subject) = &mut self.subject else {
            return;
        };
        for (at, act) in due {
            subject.run_until(at);
            subject.act(&act);
        }
        subject.run_until(until);
        self.collect();
    }

    fn begin_step(&mut self, step: &str) {
        self.check();
        self.step = step.into();
        self.before = self.packets();
        self.act(|when| matches!(when, When::Step(text) if text == step));
    }

    fn act(&mut self, now: impl Fn(When) -> bool) {
        if let Some(subject) = &mut self.subject {
            let lines = self.script.iter().filter(|line| now(line.when));
            lines.for_each(|line| subject.act(&line.act));
            self.collect();
        }
    }

    fn packets(&self) -> usize {
        self.ours.values().map(|view| view.packets).sum()
    }

    fn happen(&mut self, at: Duration, what: &What) {
        match what {
            What::Open(open) => self.open(at, open),
            What::Proved { conn } => self.prove(*conn),
            What::Packet {
                conn,
                from,
                to,
                packet,
            } => {
                // What is sent to a process that has ended arrives nowhere.
                if self.ended.contains(conn) {
                    return;
                }
                if from == self.node {
                    let asked = self.asked(to);
                    self.theirs
                        .entry(to.clone())
                        .or_default()
                        .note(packet, &asked);
                } else if to == self.node {
                    self.receive(*conn, from, packet);
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
                self.act(|when| when == When::Start);
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

    fn prove(&mut self, conn: u64) {
        let Some(subject) = &mut self.subject else {
            return;
        };
        subject.prove(conn);
        let mut connections = self.transcript.connections();
        let (_, from, to, _) = connections.find(|(id, ..)| *id == conn).unwrap();
        if from != self.node && to != self.node {
            return;
        }
        let other = if from == self.node { to } else { from };
        assert!(subject.is_up(conn), "{}", self.place(other));
        if from == self.node {
            self.dialled.insert(other.into());
        } else {
            self.dialled.remove(other);
        }
        for views in [&mut self.ours, &mut self.theirs, &mut self.heard] {
            views.insert(other.into(), View::default());
        }
    }

    fn receive(&mut self, conn: u64, from: &str, packet: &Json) {
        let heard = self.heard.get_mut(from).unwrap();
        heard.note(packet, &BTreeSet::new());
        let mut packet = packet.clone();
        if packet[1] == "g_reply" {
            // The numbers of queries are each node's own.
            let theirs = &self.theirs[from].ids;
            let place = theirs.iter().position(|id| *id == packet[2]).unwrap();
            packet[2] = self.ours[from].ids[place].clone();
        }
        self.subject.as_mut().unwrap().receive(conn, &packet);
    }

    fn close(&mut self, conn: u64, by: &str, died: bool) {
        self.ended.insert(conn);
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

    /// Takes note of what has been sent.
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
                assert!(asked.contains(family), "{place}: nobody asked: {packet}");
            }
            self.ours.entry(other).or_default().note(&packet, &asked);
        }
    }
}

/// Just before the next thing that has a time.
fn before_next(rest: &[Happening]) -> Duration {
    let timed = rest
        .iter()
        .find(|happening| !matches!(happening.what, What::Step(_)));
    match timed {
        Some(next) => next.at.saturating_sub(Duration::from_micros(400)),
        None => rest[0].at + Duration::from_millis(150),
    }
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*
    };
}

scenarios! {
    db_conflict db_leaked_monitor db_monitor db_queries db_slave_sync db_two_globals db_two_globals_conflict
    find_node global_down master_failover mutual_seeds seed_upgrade self_seed
}
