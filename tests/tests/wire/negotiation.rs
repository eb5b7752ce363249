//! The format of each direction of a connection (`aemp_proto::protocol::handshake`, "Authentication line").

use std::sync::Arc;

use aemp_codec::{Format, NodeId};
use aemp_proto::{
    Random, Time,
    auth::Secret,
    handshake::{Established, Handshake, HandshakeConfig, HandshakeOutput, Role},
};

/// Everything is compiled in for the tests.
const ALL: [&str; 3] = ["postcard/1", "cbor", "json"];

fn config(node: &str, formats: &[&str]) -> HandshakeConfig {
    let node = NodeId::new(node).unwrap();
    let mut config = HandshakeConfig::new(node, Some(Secret::new("s")));
    let known = Format::built_in();
    let named = |name: &&str| known.iter().find(|format| format.name() == *name);
    config.formats = formats.iter().filter_map(named).cloned().collect();
    assert_eq!(config.formats.len(), formats.len());
    config
}

fn start(config: HandshakeConfig, role: Role) -> Handshake {
    let nonce = Random::predictable(config.node.as_str().len() as u64).nonce();
    let mut handshake = Handshake::new(Time::ZERO, Arc::new(config), role, "127.0.0.1:4041", nonce);
    handshake.proceed();
    handshake
}

/// The octets that it sends, and its end, if it has ended.
fn drain(handshake: &mut Handshake) -> (Vec<u8>, Option<Result<Established, String>>) {
    let (mut sent, mut end) = (Vec::new(), None);
    while let Some(output) = handshake.poll() {
        match output {
            HandshakeOutput::Transmit(bytes) => sent.extend(bytes),
            HandshakeOutput::Established(established) => end = Some(Ok(established)),
            HandshakeOutput::Failed(error) => end = Some(Err(error.to_string())),
            _ => {}
        }
    }
    (sent, end)
}

/// The formats in which `a` sends and receives, after both ends have agreed about it.
fn agreed(a: &[&str], b: &[&str]) -> Result<(String, String), String> {
    let mut a = start(config("a", a), Role::Dialed);
    let mut b = start(config("bb", b), Role::Accepted);
    let (mut end_of_a, mut end_of_b) = (None, None);
    for _ in 0..3 {
        let (to_b, end) = drain(&mut a);
        end_of_a = end_of_a.or(end);
        let (to_a, end) = drain(&mut b);
        end_of_b = end_of_b.or(end);
        b.receive(&to_b);
        a.receive(&to_a);
    }
    let (at_a, at_b) = (end_of_a.expect("an end")?, end_of_b.expect("an end")?);
    assert_eq!((&at_a.send, &at_a.recv), (&at_b.recv, &at_b.send));
    Ok((at_a.send.to_string(), at_a.recv.to_string()))
}

#[test]
fn the_fastest_comes_first_and_json_last() {
    let built_in = Format::built_in();
    let names: Vec<_> = built_in.iter().map(Format::name).collect();
    assert_eq!(names, ALL);
    let offered =
        HandshakeConfig::new(NodeId::new("a").unwrap(), None).greeting(Role::Dialed, "127.0.0.1:1");
    assert_eq!(offered.formats, ALL);
    assert!(offered.to_string().contains(";postcard/1,cbor,json;"));
}

#[test]
fn each_direction_is_in_the_receivers_favourite_that_the_sender_has() {
    for (a, b, sends, receives) in [
        (&ALL[..], &ALL[..], "postcard/1", "postcard/1"),
        (&ALL, &["json"], "json", "json"),
        (&ALL, &["cbor", "json"], "cbor", "cbor"),
        (&["postcard/1"], &ALL, "postcard/1", "postcard/1"),
        (&ALL, &["json", "postcard/1"], "json", "postcard/1"),
        (
            &["cbor", "postcard/1"],
            &["postcard/1", "cbor"],
            "postcard/1",
            "cbor",
        ),
        (&["json", "cbor"], &["postcard/1", "cbor"], "cbor", "cbor"),
    ] {
        let expected = Ok((sends.to_owned(), receives.to_owned()));
        assert_eq!(agreed(a, b), expected, "{a:?} and {b:?}");
    }
    let error = agreed(&["postcard/1"], &["json", "cbor"]).unwrap_err();
    assert!(error.contains("no common framing"), "{error}");
}

/// Another version of a format is another format. A peer that offers more than the known ones is understood.
#[test]
fn unknown_names_are_passed_over() {
    for (theirs, sends) in [
        ("postcard/2,morse,postcard/1,json", Some("postcard/1")),
        ("postcard,json", Some("json")),
        ("postcard/10,cbor", Some("cbor")),
        ("storable,json", Some("json")),
        (",,json", Some("json")),
        ("postcard/2,storable", None),
        ("", None),
    ] {
        let mut ours = start(config("us", &ALL), Role::Accepted);
        drain(&mut ours);
        ours.receive(format!("aemp;1;x;hmac_sha3_512;{theirs}\nnonce\n").as_bytes());
        let (sent, end) = drain(&mut ours);
        let sent = String::from_utf8(sent).unwrap();
        match sends {
            Some(format) => {
                assert!(sent.ends_with(&format!(";{format}\n")), "{theirs}: {sent}");
                // The peer sends in any of the formats that were offered to it.
                ours.receive(b"cleartext;73;cbor\n");
                let established = drain(&mut ours).1.expect("an end").expect("no error");
                let names = (established.send.name(), established.recv.name());
                assert_eq!(names, (format, "cbor"));
            }
            None => {
                assert_eq!(sent, "", "{theirs}");
                assert!(end.expect("an end").is_err());
            }
        }
    }
}

#[test]
fn a_peer_that_sends_in_another_format_is_refused() {
    for theirs in ["postcard/1", "postcard/2", "", "JSON"] {
        let mut ours = start(config("us", &["cbor", "json"]), Role::Accepted);
        drain(&mut ours);
        ours.receive(b"aemp;1;x;hmac_sha3_512;postcard/1,json\nnonce\n");
        drain(&mut ours);
        ours.receive(format!("cleartext;73;{theirs}\n").as_bytes());
        let (_, end) = drain(&mut ours);
        assert!(end.expect("an end").is_err(), "{theirs}");
    }
}
