//! Every recorded handshake, both as the one and as the other end.

mod storable;

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use aemp_codec::{
    Codec, DecodeError, Format, FrameError, Framing, Limits, NodeId, PacketReader, PacketWriter,
};
use aemp_proto::{
    Time,
    auth::{Method, Secret},
    handshake::{
        Established, Greeting, Handshake, HandshakeConfig, HandshakeError, HandshakeOutput,
    },
};
use serde_json::Value as Json;

use aemp_tests::transcript::{self, Transcript, without_end};

/// The recordings that are about nothing else.
pub(crate) const SCENARIOS: &[&str] = &[
    "handshake_bad_secret",
    "handshake_cleartext",
    "handshake_crlf",
    "handshake_echo_attack",
    "handshake_no_common_auth",
    "handshake_no_common_framing",
    "handshake_pipelined_data",
    "handshake_same_node_id",
    "handshake_storable",
    "handshake_version_mismatch",
];

/// A format that only has a name, for those that this build does not have.
#[derive(Debug)]
struct NameOnly(String);

impl Codec for NameOnly {
    fn name(&self) -> &str {
        &self.0
    }

    fn framer(&self, _: Limits) -> Box<dyn Framing> {
        Box::new(Self(String::new()))
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        PacketWriter::encoded(out, limits, |_, _| Ok(()))
    }

    fn reader<'a>(&'a self, _: &'a [u8], _: Limits) -> Result<PacketReader<'a>, DecodeError> {
        Ok(PacketReader::values(vec![]))
    }
}

impl Framing for NameOnly {
    fn scan(&mut self, _: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        Ok(None)
    }
}

fn format(name: &str) -> Format {
    match name {
        "cbor" => Format::Cbor,
        "json" => Format::Json,
        other => Arc::new(NameOnly(other.into())).into(),
    }
}

/// One end of a recorded connection.
struct Seat<'a> {
    transcript: &'a Transcript,
    conn: u64,
    own: &'a str,
    other: &'a str,
    record: &'a Json,
}

impl Seat<'_> {
    fn sent(&self, from: &str, phase: &str) -> Vec<Vec<u8>> {
        self.transcript.sent(self.conn, from, phase)
    }

    /// A handshake that begins as the recorded end did.
    fn sit_down(&self) -> Option<(Handshake, Vec<u8>)> {
        let lines = self.sent(self.own, "greeting");
        let [first, second] = lines.as_slice() else {
            return None;
        };
        let greeting = Greeting::parse(without_end(first)).unwrap();
        assert_eq!(greeting.to_string().as_bytes(), without_end(first));
        let node = NodeId::new(&greeting.node).unwrap();
        let secret = Secret::new(self.transcript.secret(self.own));
        let mut config = HandshakeConfig::new(node, Some(secret));
        config.formats = greeting.formats.iter().map(|name| format(name)).collect();
        config.auth_accept = greeting
            .auth
            .iter()
            .filter_map(|name| Method::from_name(name))
            .collect();
        config.auth_offer = self.offer();
        let nonce = String::from_utf8(without_end(second).to_vec()).unwrap();
        let hello = [without_end(first), b"\n", without_end(second), b"\n"].concat();
        let mut handshake = Handshake::with_greeting(Time::ZERO, Arc::new(config), greeting, nonce);
        handshake.proceed();
        Some((handshake, hello))
    }

    /// A minimal client proves itself with nothing but the secret, unasked.
    fn offer(&self) -> Vec<Method> {
        let auth = self.sent(self.own, "auth");
        let clear = auth
            .first()
            .is_some_and(|line| line.starts_with(b"cleartext;"));
        if clear {
            vec![Method::Cleartext]
        } else {
            Method::OFFERED.to_vec()
        }
    }

    fn title(&self) -> String {
        format!(
            "{} connection {} as {}",
            self.transcript.name, self.conn, self.own
        )
    }

    /// Replays the other end and compares this one with the recording.
    fn replay(&self, chunk: usize) -> bool {
        let Some((mut handshake, hello)) = self.sit_down() else {
            return false;
        };
        let sent = |phase| self.sent(self.other, phase).concat();
        let mut theirs = [sent("greeting"), sent("auth")].concat();
        // The first bytes of the rest suffice: the others are for the link.
        theirs.extend([sent("data"), sent("raw")].concat().into_iter().take(1000));
        let mut outcome = Outcome::default();
        outcome.take(&mut handshake);
        for bytes in theirs.chunks(chunk) {
            handshake.receive(bytes);
            outcome.take(&mut handshake);
        }
        self.compare(&hello, outcome, theirs.len().min(chunk));
        true
    }

    fn compare(&self, hello: &[u8], outcome: Outcome, received: usize) {
        let title = self.title();
        assert!(outcome.sent.starts_with(hello), "{title}");
        let proof = String::from_utf8_lossy(&outcome.sent[hello.len()..]).into_owned();
        match self.sent(self.own, "auth").first() {
            // The minimal client does not look at the requested method.
            Some(line) if line.starts_with(b"cleartext;") && proof.is_empty() => return,
            Some(line) => {
                let line = String::from_utf8_lossy(without_end(line)).into_owned();
                assert_eq!(proof.trim_end(), line, "{title}");
            }
            // A refused end did not get so far; a mesh would not have let us either.
            None => {}
        }
        let both = [self.own, self.other].map(|end| !self.sent(end, "auth").is_empty());
        let failed = outcome.failed.as_deref().unwrap_or_default();
        match outcome.established {
            Some(established) => {
                assert!(both[1], "{title}");
                self.check_established(&established, received);
            }
            // The reference stops at the node ID and does not compare the nonce with its own as well.
            None if failed == HandshakeError::Echo.to_string() => {
                assert_eq!(self.transcript.name, "handshake_echo_attack");
            }
            None if failed.is_empty() => assert!(!both[1], "{title}: nothing came of it"),
            None => assert!(
                self.transcript.logged().contains(failed),
                "{title}: {failed}"
            ),
        }
    }

    fn check_established(&self, established: &Established, received: usize) {
        let framing =
            |from: &str, to: &str| self.record["framing"][format!("{from}->{to}")].as_str();
        let title = self.title();
        if let Some(send) = framing(self.own, self.other) {
            assert_eq!(established.send.name(), send, "{title}");
        }
        assert_eq!(
            Some(established.recv.name()),
            framing(self.other, self.own),
            "{title}"
        );
        let lines: usize = ["greeting", "auth"]
            .into_iter()
            .map(|phase| self.sent(self.other, phase).concat().len())
            .sum();
        // Octets in the same read as the authentication line are kept; the rest goes to the link.
        if received > lines {
            assert_eq!(established.leftover.len(), received - lines, "{title}");
        }
    }
}

#[derive(Default)]
struct Outcome {
    sent: Vec<u8>,
    established: Option<Established>,
    failed: Option<String>,
}

impl Outcome {
    fn take(&mut self, handshake: &mut Handshake) {
        while let Some(output) = handshake.poll() {
            match output {
                HandshakeOutput::Transmit(bytes) => self.sent.extend(bytes),
                HandshakeOutput::Established(established) => self.established = Some(established),
                HandshakeOutput::Failed(error) => self.failed = Some(error.to_string()),
                // Here a mesh compares the nonce with its own; the reference does not.
                HandshakeOutput::Namesake { .. } => {
                    self.failed = Some(HandshakeError::Myself.to_string());
                }
                _ => {}
            }
        }
    }
}

/// Connections that use TLS or carry something else than packets come with later parts of the project.
fn is_covered(transcript: &Transcript, conn: u64, record: &Json) -> bool {
    let tls = transcript
        .events(conn)
        .iter()
        .any(|event| event.phase == "tls");
    let dataconn = record["protocol"]
        .as_str()
        .is_some_and(|protocol| protocol != "aemp");
    !tls && !dataconn
}

#[test]
fn every_handshake_goes_as_it_went() {
    let mut count = 0;
    let mut done = BTreeSet::new();
    for transcript in transcript::all() {
        for (conn, initiator, acceptor, record) in transcript.connections() {
            if !is_covered(&transcript, conn, record) {
                continue;
            }
            for [own, other] in ends(&transcript, conn, initiator, acceptor) {
                let seat = Seat {
                    transcript: &transcript,
                    conn,
                    own: &own,
                    other: &other,
                    record,
                };
                for chunk in [1, 7, usize::MAX] {
                    if seat.replay(chunk) {
                        count += 1;
                        done.insert(transcript.name.clone());
                    }
                }
            }
        }
    }
    assert!(count > 500, "only {count} replays");
    for name in SCENARIOS {
        assert!(done.contains(*name), "{name} has not been played");
    }
}

/// Both ends, as the events name them: two processes of one node ID are told apart there.
fn ends(transcript: &Transcript, conn: u64, initiator: &str, acceptor: &str) -> [[String; 2]; 2] {
    let events = transcript.events(conn);
    let (a, b) = events
        .first()
        .map_or((initiator, acceptor), |event| (event.from, event.to));
    [[a.into(), b.into()], [b.into(), a.into()]]
}

#[test]
fn failures_are_those_that_were_logged() {
    let expected = [
        (
            "handshake_bad_secret",
            "authentication failure/shared secret mismatch",
        ),
        (
            "handshake_version_mismatch",
            "version mismatch (we: 2, they: 1)",
        ),
        ("handshake_same_node_id", "I refuse to talk to myself"),
        (
            "handshake_no_common_framing",
            "no common framing method supported",
        ),
        ("handshake_no_common_auth", "no common auth type supported"),
        (
            "handshake_echo_attack",
            "authentication error, echo attack?",
        ),
    ];
    for (name, text) in expected {
        let transcript = transcript::one(name);
        let mut texts = Vec::new();
        for (conn, initiator, acceptor, record) in transcript.connections() {
            for [own, other] in ends(&transcript, conn, initiator, acceptor) {
                let seat = Seat {
                    transcript: &transcript,
                    conn,
                    own: &own,
                    other: &other,
                    record,
                };
                let Some((mut handshake, _)) = seat.sit_down() else {
                    continue;
                };
                handshake.receive(&seat.sent(&other, "greeting").concat());
                handshake.receive(&seat.sent(&other, "auth").concat());
                let mut outcome = Outcome::default();
                outcome.take(&mut handshake);
                texts.extend(outcome.failed);
            }
        }
        assert!(
            texts.iter().any(|failed| failed.contains(text)),
            "{name}: {texts:?}"
        );
    }
}
