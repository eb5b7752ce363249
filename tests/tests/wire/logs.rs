//! The recorded log catcher, done again with a whole node of this project in the place of each recorded node: it catches
//! by the service, and passes lines on by the layer of its subscriber. The recording plays the others over sockets.
//!
//! As in `replay`, the knowledge of the other nodes afterwards has to be the same. Requests of the log catcher and
//! lines are compared one by one, but for the names of ports and for times.

mod actor;
mod caught;

use std::{collections::BTreeMap, time::Duration};

use aemp::{Node, args, logs};
use serde_json::{Value as Json, json};
use tokio::{net::TcpListener, time::Instant};
use tracing_subscriber::{Registry, layer::SubscriberExt};

use self::{actor::Actor, caught::Caught};
use crate::replay::{
    story::{self, What},
    view::View,
};
use aemp_tests::transcript::{self, Transcript};

/// The recordings that are played here.
pub(crate) const SCENARIOS: &[&str] = &["log_catcher", "log_catcher_cbor"];

/// The time after which a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Plays a scenario once for each of its nodes.
fn replay(scenario: &str) {
    let transcript = transcript::one(scenario);
    for own in transcript.json["nodes"].as_object().unwrap().keys() {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(run(&transcript, own));
    }
}

#[test]
fn log_catcher() {
    replay("log_catcher");
}

#[test]
fn log_catcher_cbor() {
    replay("log_catcher_cbor");
}

async fn run(transcript: &Transcript, own: &str) {
    let caught = Caught::default();
    let subscriber = Registry::default().with(logs::layer()).with(caught.clone());
    let _subscriber = tracing::subscriber::set_default(subscriber);
    let mut replay = Replay::new(transcript, own).await;
    for happening in story::of(transcript) {
        replay.happen(&happening.what).await;
    }
    replay.compared().await;
    let expected: &[&str] = match own {
        "c" => &["WARN s main watch out"],
        _ => &[],
    };
    let deadline = Instant::now() + PATIENCE;
    while caught.lines() != expected && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    replay.node.stop().await;
    assert_eq!(caught.lines(), expected, "{own}");
}

/// One node of a scenario, done again.
struct Replay<'a> {
    transcript: &'a Transcript,
    own: &'a str,
    node: Node,
    /// Recorded addresses, with those of this run.
    addresses: Vec<(String, String)>,
    listeners: BTreeMap<String, TcpListener>,
    others: BTreeMap<String, Other>,
}

/// Another node.
struct Other {
    actor: Actor,
    /// The messages of our node to it.
    ours: View,
    /// The messages of the recorded node to it.
    theirs: View,
    /// Its messages to our node.
    heard: View,
    /// The port to which it sends its lines, as recorded and as our node has named it.
    ports: [String; 2],
}

impl Other {
    /// True if our node has asked at least as much as the recorded one.
    fn knows(ours: &View, theirs: &View) -> bool {
        ours.finds.is_superset(&theirs.finds) && ours.others.starts_with(&theirs.others)
    }
}

impl<'a> Replay<'a> {
    async fn new(transcript: &'a Transcript, own: &'a str) -> Self {
        let nodes = transcript.json["nodes"].as_object().unwrap();
        let (mut addresses, mut listeners) = (Vec::new(), BTreeMap::new());
        for (name, config) in nodes.iter().filter(|(name, _)| *name != own) {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let recorded = config["binds"][0].as_str().unwrap();
            addresses.push((recorded.into(), listener.local_addr().unwrap().to_string()));
            listeners.insert(name.clone(), listener);
        }
        let config = &nodes[own];
        let mut builder = Node::builder().node_id(own).bind("127.0.0.1:0");
        builder = builder.secret(transcript.secret(own));
        builder = builder.global(config["global"] == true);
        let formats = config["framing_format"].as_array().unwrap();
        builder = builder.framing_format(formats.iter().map(|name| name.as_str().unwrap()));
        for seed in config["seeds"].as_array().unwrap() {
            builder = builder.seed(renamed(&addresses, seed.as_str().unwrap(), false));
        }
        let node = builder.start().await.unwrap();
        let recorded = config["binds"][0].as_str().unwrap();
        addresses.push((recorded.into(), node.listeners().remove(0)));
        Self {
            transcript,
            own,
            node,
            addresses,
            listeners,
            others: BTreeMap::new(),
        }
    }

    async fn happen(&mut self, what: &What) {
        match what {
            What::Open(open) => {
                let (from, to) = (&open.initiator, &open.acceptor);
                let is_ours = [&from.node, &to.node].contains(&&self.own.to_owned());
                let other = if from.node == self.own { to } else { from };
                if is_ours {
                    let dialled = from.node == self.own;
                    self.connect(&other.node, dialled, open.conn, &other.greeting)
                        .await;
                }
            }
            What::Step(step) => {
                self.compared().await;
                self.act(step);
            }
            What::Packet { from, packet, .. } if from == self.own => self.record(what, packet),
            What::Packet {
                from, to, packet, ..
            } if to == self.own => {
                // The packet may be the answer to one of ours. Ours may also be ahead.
                self.wait_for(Other::knows).await;
                let other = self.others.get_mut(from).unwrap();
                other.heard.note(packet, &Default::default());
                let packet = renamed(&self.addresses, &packet.to_string(), false);
                let [recorded, ours] = &other.ports;
                let packet = match recorded.is_empty() {
                    true => packet,
                    false => packet.replace(recorded, ours),
                };
                other
                    .actor
                    .send(&serde_json::from_str(&packet).unwrap())
                    .await;
            }
            What::Packet { .. } | What::Proved(_) => {}
            What::Close { .. } => panic!("no connection is closed"),
        }
    }

    /// Repeats the actions of the recorded nodes.
    fn act(&self, step: &str) {
        match (step, self.own) {
            ("c starts to catch", "c") => {
                self.node.spawn("c", logs::CATCH, args![5]);
            }
            ("s logs a warning and a debug message", "s") => {
                tracing::warn!(target: "main", "watch out");
                tracing::debug!(target: "main", "only for debugging");
            }
            _ => {}
        }
    }

    async fn connect(&mut self, other: &str, dialled: bool, conn: u64, greeting: &[u8]) {
        let mut connections = self.transcript.connections();
        let (.., record) = connections.find(|(id, ..)| *id == conn).unwrap();
        let framing = |from: &str, to: &str| record["framing"][format!("{from}->{to}")].clone();
        let (send, recv) = (framing(other, self.own), framing(self.own, other));
        let formats = [&send, &recv].map(|name| name.as_str().unwrap());
        let stream = match dialled {
            true => {
                let accepted = self.listeners[other].accept();
                tokio::time::timeout(PATIENCE, accepted)
                    .await
                    .unwrap()
                    .unwrap()
                    .0
            }
            false => {
                let address = self.node.listeners().remove(0);
                tokio::net::TcpStream::connect(address).await.unwrap()
            }
        };
        let secret = self.transcript.secret(other);
        let actor = Actor::login(stream, greeting, secret, formats).await;
        self.node.until_up(other).await;
        let other = other.to_owned();
        self.others.insert(
            other,
            Other {
                actor,
                ours: View::default(),
                theirs: View::default(),
                heard: View::default(),
                ports: Default::default(),
            },
        );
    }

    /// Takes note of a packet of the recorded node.
    fn record(&mut self, what: &What, packet: &Json) {
        let What::Packet { to, .. } = what else {
            return;
        };
        let other = self.others.get_mut(to).unwrap();
        if packet[1] == logs::CONNECT {
            other.ports[0] = name_of(packet);
        }
        let asked = other.heard.watched.clone();
        other.theirs.note(&timeless(packet), &asked);
    }

    /// Waits until our node has told the others the same as the recorded one by now, and nothing else.
    async fn compared(&mut self) {
        self.wait_for(|ours, theirs| ours == theirs).await;
    }

    async fn wait_for(&mut self, done: impl Fn(&View, &View) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            self.collect();
            let wrong = self.others.iter().find(|(_, other)| {
                let [ours, theirs] = [&other.ours, &other.theirs];
                !done(&self.plain(other, ours), &self.plain(other, theirs))
            });
            let Some((name, other)) = wrong else { return };
            assert!(
                Instant::now() < deadline,
                "{}: {} to {name}:\nours:   {:#?}\ntheirs: {:#?}",
                self.transcript.name,
                self.own,
                self.plain(other, &other.ours),
                self.plain(other, &other.theirs),
            );
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Takes note of the packets of our node.
    fn collect(&mut self) {
        for other in self.others.values_mut() {
            for packet in other.actor.take() {
                if packet[1] == logs::CONNECT {
                    other.ports[1] = name_of(&packet);
                }
                let text = renamed(&self.addresses, &packet.to_string(), true);
                let [recorded, ours] = &other.ports;
                let text = match ours.is_empty() {
                    true => text,
                    false => text.replace(ours, recorded),
                };
                let packet = serde_json::from_str(&text).unwrap();
                let asked = other.heard.watched.clone();
                other.ours.note(&timeless(&packet), &asked);
            }
        }
    }

    /// Leaves out the parts that may differ, as `replay` does.
    fn plain(&self, other: &Other, view: &View) -> View {
        let mut view = view.clone();
        view.ids.clear();
        view.packets = 0;
        view.hint = false;
        // The reference asks its seed for the addresses of its seed.
        view.finds.remove("g");
        if self.own == "g" {
            view.slave = false;
            view.watched.remove("'g");
        }
        if other.heard.global {
            view.told.remove("'g");
        }
        view
    }
}

/// The name of the port in a request for lines.
fn name_of(request: &Json) -> String {
    request[3]
        .as_str()
        .unwrap()
        .split_once('#')
        .unwrap()
        .1
        .into()
}

/// A packet without the time of a line.
fn timeless(packet: &Json) -> Json {
    let mut packet = packet.clone();
    if packet[0] != "" && packet[1].is_f64() {
        packet[1] = json!("time");
    }
    packet
}

/// A text with the addresses of this run, or with the recorded ones.
fn renamed(addresses: &[(String, String)], text: &str, recorded: bool) -> String {
    let renamed = |text: String, (theirs, ours): &(String, String)| match recorded {
        true => text.replace(ours, theirs),
        false => text.replace(theirs, ours),
    };
    addresses.iter().fold(text.to_owned(), renamed)
}
