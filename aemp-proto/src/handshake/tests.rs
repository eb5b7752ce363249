use std::time::Duration;

use super::*;
use crate::Random;

mod channel;
mod tls;

fn at(seconds: u64) -> Time {
    Time::from(Duration::from_secs(seconds))
}

fn config(node: &str, secret: Option<&str>) -> HandshakeConfig {
    let mut config = HandshakeConfig::new(NodeId::new(node).unwrap(), secret.map(Secret::new));
    config.formats = vec![Format::Json];
    config
}

fn start(config: HandshakeConfig) -> Handshake {
    begin(config, Role::Accepted, "127.0.0.1:4041")
}

fn dial(config: HandshakeConfig) -> Handshake {
    begin(config, Role::Dialed, "127.0.0.1:4041")
}

fn begin(config: HandshakeConfig, role: Role, peeraddr: &str) -> Handshake {
    let nonce = Random::predictable(config.node.as_str().len() as u64).nonce();
    Handshake::new(at(0), Arc::new(config), role, peeraddr, nonce)
}

fn ours() -> Handshake {
    let mut handshake = start(config("us", Some("geheim")));
    handshake.proceed();
    handshake
}

/// The outputs at one end.
#[derive(Debug, Default)]
struct Outcome {
    sent: String,
    greeted: Option<String>,
    namesake: Option<Vec<u8>>,
    myself: Option<Vec<u8>>,
    ready: bool,
    verified: bool,
    tls: Option<StartTls>,
    established: Option<Established>,
    failed: Option<HandshakeError>,
}

fn drain(handshake: &mut Handshake) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(output) = handshake.poll() {
        match output {
            HandshakeOutput::Transmit(bytes) => {
                outcome.sent += std::str::from_utf8(&bytes).unwrap()
            }
            HandshakeOutput::Greeted { node, .. } => outcome.greeted = Some(node.as_str().into()),
            HandshakeOutput::StartTls(start) => outcome.tls = Some(start),
            HandshakeOutput::Ready => outcome.ready = true,
            HandshakeOutput::Namesake { nonce } => outcome.namesake = Some(nonce),
            HandshakeOutput::Myself { nonce } => outcome.myself = Some(nonce),
            HandshakeOutput::Verified => outcome.verified = true,
            HandshakeOutput::Established(established) => outcome.established = Some(established),
            HandshakeOutput::Failed(error) => outcome.failed = Some(error),
        }
    }
    outcome
}

fn after(bytes: &[u8]) -> Outcome {
    let mut handshake = ours();
    handshake.receive(bytes);
    drain(&mut handshake)
}

fn failure(bytes: &str) -> String {
    let outcome = after(bytes.as_bytes());
    assert!(outcome.established.is_none());
    outcome.failed.expect(bytes).to_string()
}

const THREE_LINES: &str = "aemp;1;minimal/1;hmac_sha3_512;json\n\ncleartext;67656865696d;json\n";

#[test]
fn two_nodes_agree() {
    let (mut a, mut b) = (dial(config("a", Some("s"))), start(config("bb", Some("s"))));
    let (to_b, to_a) = (drain(&mut a).sent, drain(&mut b).sent);
    assert!(to_b.starts_with(
        "aemp;1;a;tls_sha3_512,hmac_sha3_512,tls_anon,cleartext;json;provider=aemp-rs-"
    ));
    assert!(to_b.contains(
        ";peeraddr=127.0.0.1:4041;mproto=1;gproto=1;arbiter=1;keepalive=10;credit=1;deadline=1;role=dialed;relay=1\n"
    ));
    // The bytes arrive one by one, and no authentication line is sent before the caller allows it.
    for byte in to_b.bytes() {
        b.receive(&[byte]);
        assert_eq!(drain(&mut b).sent, "");
    }
    a.receive(to_a.as_bytes());
    assert_eq!(drain(&mut a).greeted.as_deref(), Some("bb"));
    a.proceed();
    let line = drain(&mut a).sent;
    assert!(line.starts_with("hmac_sha3_512;") && line.ends_with(";json\n"));
    b.receive((line + "[\"early\"]").as_bytes());
    let outcome = drain(&mut b);
    assert!(outcome.verified && outcome.established.is_none() && outcome.sent.is_empty());
    b.proceed();
    let outcome = drain(&mut b);
    let established = outcome.established.unwrap();
    assert_eq!(established.node.as_str(), "a");
    assert_eq!(established.leftover, b"[\"early\"]");
    assert_eq!(established.peer_keepalive, Some(Duration::from_secs(10)));
    a.receive(outcome.sent.as_bytes());
    assert_eq!(drain(&mut a).established.unwrap().node.as_str(), "bb");
}

#[test]
fn three_lines_are_enough() {
    let outcome = after(THREE_LINES.as_bytes());
    assert_eq!(outcome.sent.lines().count(), 3);
    let established = outcome.established.unwrap();
    assert_eq!(
        (established.node.as_str(), established.peer_keepalive),
        ("minimal/1", None)
    );
    assert!(
        after(THREE_LINES.replace('\n', "\r\n").as_bytes())
            .established
            .is_some()
    );
    let with_data = format!("{THREE_LINES}[\"p\",1]");
    assert_eq!(
        after(with_data.as_bytes()).established.unwrap().leftover,
        b"[\"p\",1]"
    );
}

#[test]
fn cleartext_can_be_forbidden() {
    let mut config = config("us", Some("geheim"));
    config
        .auth_accept
        .retain(|method| *method != Method::Cleartext);
    let mut handshake = start(config);
    handshake.receive(THREE_LINES.as_bytes());
    let outcome = drain(&mut handshake);
    let text = outcome.failed.unwrap().to_string();
    assert_eq!(
        text,
        "cleartext: fatal, selected unsupported rcv auth method"
    );
    assert!(!outcome.sent.lines().next().unwrap().contains("cleartext"));
}

#[test]
fn cleartext_can_be_offered() {
    let mut config = config("us", Some("geheim"));
    config.auth_offer = vec![Method::Cleartext];
    let mut handshake = start(config);
    handshake.proceed();
    handshake.receive(b"aemp;1;minimal/1;hmac_sha3_512,cleartext;json\n\n");
    let sent = drain(&mut handshake).sent;
    assert_eq!(sent.lines().nth(2), Some("cleartext;67656865696d;json"));
}

#[test]
fn refusals_have_the_texts_of_the_reference() {
    let cases = [
        (
            "SSH-2.0-OpenSSH_9\r\n",
            "unparsable greeting, expected 'aemp', got 'SSH-2.0-OpenSSH_9'",
        ),
        (
            "aemp-other;1;x;;\n",
            "unparsable greeting, expected 'aemp', got 'aemp-other'",
        ),
        ("aemp;2;x;;\n", "version mismatch (we: 1, they: 2)"),
        ("aemp;2;us;;\n", "version mismatch (we: 1, they: 2)"),
        (
            "aemp;1;x;hmac_md6_64_256;json\n\n",
            "hmac_md6_64_256: no common auth type supported",
        ),
        (
            "aemp;1;x;tls_sha3_512;json\n\n",
            "tls_sha3_512: no common auth type supported",
        ),
        (
            "aemp;1;x;hmac_sha3_512;cbor,storable\n\n",
            "cbor,storable: no common framing method supported",
        ),
        ("aemp;1;x\n\n", ": no common auth type supported"),
        (
            "aemp;1;x;hmac_sha3_512;json\n\ntls_anon;;json\n",
            "tls_anon: fatal, selected unsupported rcv auth method",
        ),
        (
            "aemp;1;x;hmac_sha3_512;json\n\ncleartext;67656865696e;json\n",
            "authentication failure/shared secret mismatch",
        ),
        (
            "aemp;1;x;hmac_sha3_512;json\n\nhmac_sha3_512;;json\n",
            "authentication failure/shared secret mismatch",
        ),
        (
            "aemp;1;x;hmac_sha3_512;json\n\ncleartext;67656865696d;storable\n",
            "storable: unusable remote framing",
        ),
        (
            "aemp;1;x;hmac_sha3_512;json\n\ncleartext;67656865696d\n",
            ": unusable remote framing",
        ),
    ];
    for (bytes, text) in cases {
        assert_eq!(failure(bytes), text, "{bytes:?}");
    }
}

#[test]
fn node_ids_that_cannot_be_are_refused() {
    let long = "x".repeat(256);
    for id in ["", "a#b", "a b", "\u{1}", &long] {
        let text = failure(&format!("aemp;1;{id};hmac_sha3_512;json\n"));
        assert!(text.starts_with("unusable node ID: "), "{id:?}: {text}");
    }
    // A node ID with a semicolon ends there, and the rest is read as an invalid list of methods.
    assert_eq!(
        failure("aemp;1;a;b;hmac_sha3_512;json\n\n"),
        "b: no common auth type supported"
    );
}

#[test]
fn garbage_is_shown_shortened_and_without_control_characters() {
    let error = failure(&format!("\u{7}{}\n", "x".repeat(3000)));
    assert!(error.len() < 200 && error.contains("'.xxx") && error.ends_with("...'"));
    let outcome = after(b"\xff\xfe\x00\n");
    assert!(
        outcome
            .failed
            .unwrap()
            .to_string()
            .starts_with("unparsable greeting")
    );
}

#[test]
fn lines_are_limited() {
    assert_eq!(failure(&"x".repeat(4096)), "No space left on device");
    let padded = |len: usize| {
        let line = "aemp;1;x;hmac_sha3_512;json;pad=";
        format!("{line}{}\n\n", "x".repeat(len - line.len() - 1))
    };
    assert!(after(padded(4096).as_bytes()).failed.is_none());
    assert_eq!(failure(&padded(4097)), "No space left on device");
}

#[test]
fn peers_without_a_secret_are_refused() {
    for secret in [None, Some("")] {
        let mut handshake = start(config("us", secret));
        handshake.proceed();
        handshake.receive(b"aemp;1;x;hmac_sha3_512;json\n\ncleartext;;json\n");
        let text = drain(&mut handshake).failed.unwrap().to_string();
        assert_eq!(
            text,
            "unable to handshake TLS and no shared secret configured"
        );
    }
}

/// A greeting alone proves nothing, because any peer can pass on a greeting of this node.
#[test]
fn this_node_itself_has_to_prove_that_it_is() {
    let make = |role: Role, nonce: &str| {
        let config = config("us", Some("geheim"));
        Handshake::new(Time::ZERO, config.into(), role, "1.2.3.4:5", nonce.into())
    };
    for proof in [true, false] {
        let mut dialled = make(Role::Dialed, "one");
        let mut accepted = make(Role::Accepted, "two");
        let (first, second) = (drain(&mut dialled).sent, drain(&mut accepted).sent);
        dialled.receive(second.as_bytes());
        accepted.receive(first.as_bytes());
        assert_eq!(
            drain(&mut dialled).namesake.as_deref(),
            Some(b"two".as_slice())
        );
        assert!(drain(&mut accepted).namesake.is_some());
        dialled.meet_myself();
        accepted.meet_myself();
        let line = drain(&mut accepted).sent;
        assert!(line.starts_with("hmac_sha3_512;"), "{line}");
        dialled.receive(if proof {
            line.as_bytes()
        } else {
            b"cleartext;00;json\n"
        });
        let outcome = drain(&mut dialled);
        assert_eq!(outcome.myself.is_some(), proof);
        assert_eq!(
            outcome.failed,
            (!proof).then_some(HandshakeError::WrongSecret)
        );
        assert!(outcome.established.is_none());
        // The other end has proved nothing to this one, which does not wait for ever.
        accepted.timeout(accepted.deadline());
        assert_eq!(drain(&mut accepted).failed, Some(HandshakeError::TimedOut));
        // An end that has sent its proof does not wait for ever either.
        dialled.timeout(dialled.deadline());
        let expected = proof.then_some(HandshakeError::TimedOut);
        assert_eq!(drain(&mut dialled).failed, expected);
    }
}

/// The caller distinguishes this node from another one. Other errors of the greeting do not matter.
#[test]
fn only_the_nonce_of_a_peer_with_our_id_is_used() {
    let outcome = after(b"aemp;1;us;rot13;morse\n");
    assert!(outcome.namesake.is_none() && outcome.failed.is_none());
    let outcome = after(b"aemp;1;us;rot13;morse\nnonce\ncleartext;67656865696d;json\n");
    assert_eq!(outcome.namesake.as_deref(), Some(b"nonce".as_slice()));
    assert!(outcome.greeted.is_none() && outcome.established.is_none());
    assert_eq!(outcome.sent.lines().count(), 2);
}

#[test]
fn an_echo_is_noticed() {
    let mut handshake = ours();
    let sent = drain(&mut handshake).sent;
    handshake.receive(sent.as_bytes());
    assert_eq!(drain(&mut handshake).failed, Some(HandshakeError::Echo));
    // The same holds where node IDs are not compared.
    let config = Arc::new(config("us", Some("geheim")));
    let mut greeting = config.greeting(Role::Accepted, "127.0.0.1:1");
    greeting.protocol = "aemp-dataconn".into();
    let mut handshake = Handshake::with_greeting(at(0), config, greeting, "nonce".into());
    let sent = drain(&mut handshake).sent;
    handshake.receive(sent.as_bytes());
    let text = drain(&mut handshake).failed.unwrap().to_string();
    assert_eq!(text, "authentication error, echo attack?");
}

/// The handshake of a node that opens a data connection.
fn dial_stream(node: &str, stream: &str) -> Handshake {
    let config = Arc::new(config(node, Some("s")));
    let greeting = config.data_greeting("127.0.0.1:4041", stream);
    Handshake::with_greeting(at(0), config, greeting, format!("nonce of {node}"))
}

#[test]
fn both_ends_of_a_data_connection_know_the_stream() {
    let (mut a, mut b) = (dial_stream("a", "s1@a"), start(config("bb", Some("s"))));
    let (to_b, to_a) = (drain(&mut a).sent, drain(&mut b).sent);
    let greeting = to_b.lines().next().unwrap();
    assert!(greeting.starts_with("aemp-dataconn;1;a;"), "{greeting}");
    assert!(greeting.ends_with(";peeraddr=127.0.0.1:4041;role=dialed;dataconn_id=s1@a;ends=1"));
    assert!(to_a.starts_with("aemp;1;bb;"), "the ordinary greeting");
    a.receive(to_a.as_bytes());
    b.receive(to_b.as_bytes());
    a.proceed();
    b.proceed();
    let (first, second) = (drain(&mut a), drain(&mut b));
    a.receive(second.sent.as_bytes());
    b.receive(first.sent.as_bytes());
    let stream = |handshake: &mut Handshake| drain(handshake).established.unwrap().stream.unwrap();
    let (ours, theirs) = (stream(&mut a), stream(&mut b));
    assert_eq!((ours.id.as_str(), theirs.id.as_str()), ("s1@a", "s1@a"));
    assert!(ours.ends && theirs.ends);
    assert!(ours.dialed && !theirs.dialed);
}

#[test]
fn a_data_connection_of_the_reference_has_no_marks() {
    let mut b = start(config("bb", Some("geheim")));
    drain(&mut b);
    b.proceed();
    b.receive(
        b"aemp-dataconn;1;p;hmac_sha3_512;json;dataconn_id=x@p\n\ncleartext;67656865696d;json\nraw",
    );
    let established = drain(&mut b).established.unwrap();
    let stream = established.stream.unwrap();
    assert_eq!((stream.id.as_str(), stream.ends), ("x@p", false));
    assert_eq!(established.leftover, b"raw");
    // A node that has dialled for packets finds no data connection there.
    let mut a = dial(config("a", Some("geheim")));
    drain(&mut a);
    a.receive(b"aemp-dataconn;1;p;hmac_sha3_512;json;dataconn_id=x@p\n\n");
    let text = drain(&mut a).failed.unwrap().to_string();
    assert_eq!(
        text,
        "unparsable greeting, expected 'aemp', got 'aemp-dataconn'"
    );
}

#[test]
fn the_same_nonce_under_another_node_id_is_accepted() {
    let mut handshake = ours();
    let sent = drain(&mut handshake).sent;
    let nonce = sent.lines().nth(1).unwrap();
    let bytes = format!("aemp;1;x;hmac_sha3_512;json\n{nonce}\ncleartext;67656865696d;json\n");
    handshake.receive(bytes.as_bytes());
    assert!(drain(&mut handshake).established.is_some());
}

#[test]
fn a_replayed_proof_is_worth_nothing() {
    let mut first = dial(config("x", Some("geheim")));
    first.proceed();
    let hello = drain(&mut first).sent;
    let mut victim = ours();
    first.receive(drain(&mut victim).sent.as_bytes());
    let recorded = hello + &drain(&mut first).sent;
    victim.receive(recorded.as_bytes());
    assert!(drain(&mut victim).established.is_some());
    let config = Arc::new(config("us", Some("geheim")));
    let nonce = Random::predictable(77).nonce();
    let mut victim = Handshake::new(at(0), config, Role::Accepted, "127.0.0.1:4041", nonce);
    victim.receive(recorded.as_bytes());
    assert_eq!(drain(&mut victim).failed, Some(HandshakeError::WrongSecret));
}

#[test]
fn a_slow_greeting_is_not_waited_for() {
    let mut handshake = ours();
    assert_eq!(handshake.deadline(), at(30));
    for second in 0..30 {
        handshake.receive(b"a");
        handshake.timeout(at(second));
        assert!(drain(&mut handshake).failed.is_none());
    }
    handshake.timeout(at(30));
    assert_eq!(
        drain(&mut handshake).failed.unwrap().to_string(),
        "Connection timed out"
    );
    handshake.receive(THREE_LINES.as_bytes());
    assert!(handshake.poll().is_none());
}

#[test]
fn data_sent_ahead_of_the_handshake_is_limited() {
    let mut handshake = start(config("us", Some("geheim")));
    handshake.receive(THREE_LINES.as_bytes());
    assert!(!handshake.is_full());
    handshake.receive(&vec![b' '; 64 << 10]);
    assert!(drain(&mut handshake).failed.is_none() && handshake.is_full());
    // A caller that reads on in spite of `is_full` fails the handshake.
    handshake.receive(&vec![b' '; (16 << 10) + 1]);
    assert_eq!(
        drain(&mut handshake).failed,
        Some(HandshakeError::TooMuchAhead)
    );
}

#[test]
fn contexts_travel_only_if_both_ends_have_offered_it() {
    for (ours, theirs) in [(true, true), (true, false), (false, true), (false, false)] {
        let traced = |node, trace| {
            let mut config = config(node, Some("s"));
            config.trace = trace;
            config
        };
        let (mut a, mut b) = (dial(traced("a", ours)), start(traced("bb", theirs)));
        let (to_b, to_a) = (drain(&mut a).sent, drain(&mut b).sent);
        assert_eq!(to_b.contains(";trace=1"), ours);
        assert_eq!(to_a.contains(";trace=1"), theirs);
        a.receive(to_a.as_bytes());
        b.receive(to_b.as_bytes());
        a.proceed();
        b.proceed();
        let mut ends = [Outcome::default(), Outcome::default()];
        for _ in 0..3 {
            for (at, end) in [&mut a, &mut b].into_iter().enumerate() {
                let outcome = drain(end);
                ends[at].sent = outcome.sent;
                ends[at].established = ends[at].established.take().or(outcome.established);
            }
            a.receive(ends[1].sent.as_bytes());
            b.receive(ends[0].sent.as_bytes());
        }
        for end in ends {
            let traces = end.established.map(|end| end.traces);
            assert_eq!(traces, Some(ours && theirs));
        }
    }
}
