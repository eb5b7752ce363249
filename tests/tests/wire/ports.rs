//! Recorded conversations of two nodes about ports, done again with a whole node of this project in the place of each: the
//! recording plays the other over a socket, in the format that it was recorded in.
//!
//! In each of them one node does something (`a`), and the other one's ports answer (`b`).

mod actors;
mod socket;
mod stage;

use std::time::Duration;

use aemp::Value;
use serde_json::{Value as Json, json};

use self::stage::Stage;
use crate::replay::story::{
    self, Happening,
    What::{self, Close, Open, Packet, Proved, Step},
};
use aemp_tests::transcript::{self, Transcript};

/// The time after which a test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

async fn soon<F: Future>(place: &str, future: F) -> F::Output {
    let patient = tokio::time::timeout(PATIENCE, future).await;
    patient.unwrap_or_else(|_| panic!("{place}: it has not come in time"))
}

/// Plays a scenario once for each of its nodes.
fn replay(scenario: &str) {
    let transcript = transcript::one(scenario);
    for [own, other] in [["a", "b"], ["b", "a"]] {
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.enable_all().build().unwrap();
        runtime.block_on(Replay::run(&transcript, own, other));
    }
}

/// One node of a scenario, done again.
struct Replay<'a> {
    transcript: &'a Transcript,
    stage: Stage,
    step: String,
    /// The request `eval` that has been answered already: a node of this project answers with an error in any case.
    refused: bool,
}

impl<'a> Replay<'a> {
    async fn run(transcript: &'a Transcript, own: &str, other: &str) {
        let story = story::of(transcript);
        let ports = ports(&story, own);
        let mut replay = Self {
            transcript,
            stage: Stage::new(transcript, own, other, &ports).await,
            step: "the start".into(),
            refused: false,
        };
        for happening in &story {
            replay.happen(&happening.what, own).await;
        }
        let place = replay.place();
        replay.stage.end(&place).await;
    }

    fn place(&self) -> String {
        let (name, own) = (&self.transcript.name, &self.stage.own);
        format!("{name}: {own}, after {:?}", self.step)
    }

    async fn happen(&mut self, what: &What, own: &str) {
        let place = self.place();
        match what {
            Step(step) => (self.step, self.refused) = (step.clone(), false),
            Open(_) | Close { .. } => self.stage.hang_up().await,
            Proved(proved) => soon(&place, self.stage.connect(proved)).await,
            Packet { from, packet, .. } if from == own => {
                let doing = self.stage.do_again(packet, &place);
                soon(&place, doing).await;
                if !is_keepalive(packet) && !self.refused {
                    let sent = soon(&place, self.stage.next_packet(&place)).await;
                    self.compare(&sent, &self.stage.translated(packet));
                }
            }
            Packet { packet, bytes, .. } => {
                self.stage.send(packet, bytes).await;
                // In secure mode nothing is said.
                let secure = self.transcript.name.contains("secure");
                if packet[1] == "eval" && packet[3].is_string() && !secure {
                    let answer = soon(&place, self.stage.next_packet(&place)).await;
                    self.check_refusal(packet, &answer);
                }
            }
        }
    }

    fn compare(&self, sent: &Json, recorded: &Json) {
        let place = self.place();
        let scenario = self.transcript.name.trim_end_matches("_cbor");
        match (scenario, recorded[1].as_str().unwrap_or_default()) {
            _ if self.step.starts_with("time") && recorded[0] != "" => {
                let (sent, recorded) = (sent.as_array().unwrap(), recorded.as_array().unwrap());
                let (now, message) = sent.split_last().unwrap();
                assert!(now.as_f64().unwrap() > 1.7e9, "{place}: {now}");
                assert_eq!(message, &recorded[..recorded.len() - 1], "{place}");
            }
            // The reference says nothing of the function, and forgets the reason of a death at once.
            ("spawn_unknown_function" | "spawn_dies", "kil0") => {
                assert_eq!((&sent[2], &sent[3]), (&recorded[2], &json!("die")));
                let text = sent[4].as_str().unwrap();
                let known = ["No::Such::function", "init failed"];
                assert!(known.iter().any(|known| text.contains(known)), "{sent}");
            }
            // The reference keeps the name of every request, even if it failed.
            ("node_requests_secure", "1") if self.step.contains("_spawn") => {
                assert_eq!((&sent[0], &sent[1]), (&recorded[0], &json!("")), "{place}");
            }
            // The reference loses the sign when it reads JSON.
            ("snd_values", "float_m0.0") => assert_eq!(sent[2].as_f64(), Some(0.0)),
            // It makes texts of numbers that it cannot hold.
            ("snd_values", _) => {
                let [ours, theirs]: [Value; 2] =
                    [sent, recorded].map(|packet| serde_json::from_value(packet.clone()).unwrap());
                assert!(ours.loose_eq(&theirs), "{place}: {ours} {theirs}");
            }
            _ => assert_eq!(sent, recorded, "{place}"),
        }
    }

    /// Code is never run: a text says so, behind the elements that the caller expects first.
    fn check_refusal(&mut self, request: &Json, answer: &Json) {
        self.refused = true;
        let place = self.place();
        let port = request[3].as_str().unwrap().split_once('#').unwrap().1;
        let request = request.as_array().unwrap();
        let mut expected = vec![json!(port)];
        expected.extend_from_slice(&request[4..]);
        let (text, start) = answer.as_array().unwrap().split_last().unwrap();
        assert_eq!(start, expected, "{place}");
        assert!(!text.as_str().unwrap().is_empty(), "{place}");
    }
}

/// True for a packet without content, which the project's reader of packets skips.
fn is_keepalive(packet: &Json) -> bool {
    let parts = packet.as_array().unwrap();
    parts.iter().all(|part| part == "")
}

/// The ports that a node has from the beginning: those that the other names, but for those that there are not.
fn ports(story: &[Happening], own: &str) -> Vec<String> {
    let mut ports = Vec::new();
    let mut spawned = Vec::new();
    for happening in story {
        let Packet { to, packet, .. } = &happening.what else {
            continue;
        };
        if to != own {
            continue;
        }
        let name = match (packet[0].as_str(), packet[1].as_str()) {
            (Some(""), Some("mon1" | "kil1")) => packet[2].as_str(),
            (Some(""), Some("AnyEvent::MP::_spawn")) => {
                spawned.extend(packet[2].as_str());
                None
            }
            (Some(""), _) => None,
            (name, _) => name,
        };
        ports.extend(name.filter(|name| !name.starts_with("nosuch")));
    }
    ports.retain(|port| !spawned.contains(port));
    ports.sort_unstable();
    ports.dedup();
    ports.into_iter().map(Into::into).collect()
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            replay(stringify!($name));
        })*

        /// The recordings of which there is a test.
        pub(crate) const SCENARIOS: &[&str] = &[$(stringify!($name)),*];
    };
}

scenarios! {
    cal_roundtrip cal_roundtrip_cbor
    connection_lost connection_lost_cbor
    handshake_hmac_cbor handshake_hmac_default handshake_hmac_json handshake_long_secret handshake_mixed_framing
    mon_kil_normal mon_kil_normal_cbor
    mon_kil_reason mon_kil_reason_cbor
    mon_no_such_port mon_no_such_port_cbor
    node_requests node_requests_cbor
    node_requests_secure node_requests_secure_cbor
    remote_kil remote_kil_cbor
    snd_values snd_values_cbor
    spawn_and_reply spawn_and_reply_cbor
    spawn_dies spawn_dies_cbor
    spawn_unknown_function spawn_unknown_function_cbor
    tls_one_sided
    unmon unmon_cbor
}
