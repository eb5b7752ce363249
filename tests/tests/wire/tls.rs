//! A recorded connection in TLS, as far as it holds bytes: the greetings, and the lines within.

use std::sync::Arc;

use aemp_codec::{Format, NodeId};
use aemp_proto::{
    Time,
    auth::Secret,
    handshake::{Greeting, Handshake, HandshakeConfig, HandshakeOutput, Keys, StartTls},
};

use aemp_tests::transcript::{self, Transcript, without_end};

fn sit_down(transcript: &Transcript, own: &str) -> Handshake {
    let lines = transcript.sent(1, own, "greeting");
    let greeting = Greeting::parse(without_end(&lines[0])).unwrap();
    let secret = Secret::new(transcript.secret(own));
    let mut config = HandshakeConfig::new(NodeId::new(own).unwrap(), Some(secret));
    config.formats = vec![Format::Json];
    let nonce = String::from_utf8(without_end(&lines[1]).to_vec()).unwrap();
    let mut handshake = Handshake::with_greeting(Time::ZERO, Arc::new(config), greeting, nonce);
    handshake.proceed();
    handshake
}

/// The line that an end has sent within TLS.
fn line(transcript: &Transcript, sender: &str) -> String {
    let lines = transcript.json["tls"]["auth_lines_inside_tls"].as_array();
    let mut lines = lines.unwrap().iter();
    let line = lines.find(|line| line["sender"] == sender).unwrap();
    let text = |key: &str| line[key].as_str().unwrap();
    format!("{};{};json\n", text("method"), text("lauth"))
}

#[test]
fn recorded_tls_begins_at_the_same_byte_with_the_same_content() {
    let transcript = transcript::one("tls_handshake");
    for [own, other] in [["a", "b"], ["b", "a"]] {
        let mut handshake = sit_down(&transcript, own);
        let greeting = transcript.sent(1, other, "greeting").concat();
        handshake.receive(&[greeting.as_slice(), b"\x16\x03"].concat());
        let outputs: Vec<_> = std::iter::from_fn(|| handshake.poll()).collect();
        let Some(HandshakeOutput::StartTls(start)) = outputs.last() else {
            panic!("{outputs:?}");
        };
        let expected = StartTls {
            keys: Keys::Certificates,
            client: transcript.json["tls"]["role_of_a"] == "client" && own == "a",
            node: NodeId::new(other).unwrap(),
            leftover: b"\x16\x03".to_vec(),
        };
        assert_eq!(*start, expected);
        handshake.secured();
        handshake.receive(line(&transcript, other).as_bytes());
        let (mut sent, mut established) = (Vec::new(), None);
        while let Some(output) = handshake.poll() {
            match output {
                HandshakeOutput::Transmit(bytes) => sent.extend(bytes),
                HandshakeOutput::Established(done) => established = Some(done),
                HandshakeOutput::Failed(error) => panic!("{error}"),
                _ => {}
            }
        }
        assert_eq!(String::from_utf8(sent).unwrap(), line(&transcript, own));
        assert!(established.unwrap().trusted);
    }
}
