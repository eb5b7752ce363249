//! The handshake's part in TLS, without a TLS implementation.

use super::*;

const NO_TLS: &str = "aemp;1;x;hmac_sha3_512;json;tls=2.0\n~\n";

fn with_cert(node: &str, secret: Option<&str>) -> HandshakeConfig {
    let mut config = config(node, secret);
    config.tls = true;
    config
}

/// A handshake whose peer has greeted, and its outputs.
fn greeted(config: HandshakeConfig, greeting: &str) -> (Handshake, Outcome) {
    let mut handshake = start(config);
    handshake.proceed();
    handshake.receive(greeting.as_bytes());
    let outcome = drain(&mut handshake);
    (handshake, outcome)
}

/// The outputs of an authentication line inside of TLS.
fn login(config: HandshakeConfig, line: &str) -> Outcome {
    let (mut handshake, outcome) = greeted(
        config,
        "aemp;1;x;tls_sha3_512,hmac_sha3_512;json;tls=1.0\n~\n",
    );
    assert!(outcome.tls.is_some(), "{outcome:?}");
    handshake.secured();
    handshake.receive(line.as_bytes());
    drain(&mut handshake)
}

#[test]
fn both_ends_agree_to_tls() {
    let (mut a, mut b) = (dial(with_cert("a", None)), start(with_cert("bb", None)));
    let (to_b, to_a) = (drain(&mut a).sent, drain(&mut b).sent);
    assert!(to_b.lines().next().unwrap().ends_with(";tls=1.0"), "{to_b}");
    a.proceed();
    b.proceed();
    a.receive(to_a.as_bytes());
    b.receive((to_b.clone() + "\u{16}\u{3}\u{1}").as_bytes());
    let (at_a, at_b) = (drain(&mut a), drain(&mut b));
    // Nothing more is sent in clear text, and no end is ready.
    assert!(at_a.sent.is_empty() && at_b.sent.is_empty() && !at_a.ready && !at_b.ready);
    let (at_a, at_b) = (at_a.tls.unwrap(), at_b.tls.unwrap());
    let lower = to_b.lines().nth(1) < to_a.lines().nth(1);
    assert_eq!((at_a.client, at_b.client), (lower, !lower));
    assert_eq!((at_a.node.as_str(), at_b.node.as_str()), ("bb", "a"));
    assert_eq!(at_a.leftover, b"");
    assert_eq!(at_b.leftover, b"\x16\x03\x01");
    a.secured();
    b.secured();
    let (at_a, at_b) = (drain(&mut a), drain(&mut b));
    assert!(at_a.ready && at_b.ready);
    assert!(at_a.sent.starts_with("tls_sha3_512;") && at_a.sent.ends_with(";json\n"));
    a.receive((at_b.sent + "[]").as_bytes());
    let established = drain(&mut a).established.unwrap();
    assert!(established.trusted);
    assert_eq!(established.leftover, b"[]");
}

#[test]
fn a_certificate_at_one_end_alone_is_not_used() {
    for greeting in [NO_TLS, "aemp;1;x;hmac_sha3_512;json\n~\n"] {
        let (_, outcome) = greeted(with_cert("us", Some("geheim")), greeting);
        assert!(outcome.tls.is_none() && outcome.ready, "{outcome:?}");
        assert!(outcome.sent.contains("\nhmac_sha3_512;"), "{outcome:?}");
    }
    let (_, outcome) = greeted(
        config("us", Some("geheim")),
        "aemp;1;x;hmac_sha3_512;json;tls=1.0\n~\n",
    );
    assert!(outcome.tls.is_none() && outcome.ready, "{outcome:?}");
}

#[test]
fn without_tls_and_secret_there_is_no_connection() {
    let (_, outcome) = greeted(with_cert("us", None), NO_TLS);
    assert_eq!(outcome.failed, Some(HandshakeError::NoSecret));
}

#[test]
fn required_tls_cannot_be_negotiated_away() {
    let mut config = with_cert("us", Some("geheim"));
    config.require_tls = true;
    let (_, outcome) = greeted(config, NO_TLS);
    let text = outcome.failed.unwrap().to_string();
    assert!(
        text.contains("require_tls") && text.contains("TLS with x"),
        "{text}"
    );
    assert!(
        !outcome.sent.contains("hmac_sha3_512;"),
        "nothing is proved"
    );
}

#[test]
fn within_tls_the_secret_still_counts() {
    let outcome = login(
        with_cert("us", Some("geheim")),
        "cleartext;67656865696d;json\n",
    );
    assert!(outcome.established.unwrap().trusted);
    let failed = |outcome: Outcome| outcome.failed.unwrap().to_string();
    let outcome = login(with_cert("us", Some("geheim")), "cleartext;00;json\n");
    assert_eq!(
        failed(outcome),
        "authentication failure/shared secret mismatch"
    );
    // Without a secret, an empty secret does not count either.
    for line in ["cleartext;;json\n", "hmac_sha3_512;00;json\n"] {
        for secret in [None, Some("")] {
            let text = failed(login(with_cert("us", secret), line));
            assert!(text.contains("unsupported rcv auth method"), "{text}");
        }
    }
}

#[test]
fn a_wrong_hash_is_noticed() {
    let outcome = login(with_cert("us", None), "tls_sha3_512;00;json\n");
    assert_eq!(outcome.failed, Some(HandshakeError::WrongSecret));
}

#[test]
fn the_anonymous_are_not_trusted() {
    let outcome = login(with_cert("us", None), "tls_anon;;json\n");
    assert!(!outcome.established.unwrap().trusted);
    let outcome = login(with_cert("us", None), "tls_anon;x;json\n");
    assert_eq!(outcome.failed, Some(HandshakeError::WrongSecret));
    let mut config = with_cert("us", None);
    config
        .auth_accept
        .retain(|method| *method != Method::TlsAnon);
    let text = login(config, "tls_anon;;json\n").failed.unwrap();
    assert!(text.to_string().starts_with("tls_anon: fatal"), "{text}");
}

#[test]
fn methods_with_a_secret_are_offered_only_with_one() {
    let (_, outcome) = greeted(
        with_cert("us", None),
        "aemp;1;x;hmac_sha3_512;json;tls=1.0\n~\n",
    );
    let text = outcome.failed.unwrap().to_string();
    assert_eq!(text, "hmac_sha3_512: no common auth type supported");
    let greeting = "aemp;1;x;hmac_sha3_512,tls_anon;json;tls=1.0\n~\n";
    let mut config = with_cert("us", Some("geheim"));
    config.auth_offer.push(Method::TlsAnon);
    let (mut handshake, _) = greeted(config, greeting);
    handshake.secured();
    assert!(drain(&mut handshake).sent.starts_with("hmac_sha3_512;"));
}

#[test]
fn clear_text_is_not_taken_for_tls_content() {
    let greeting = "aemp;1;x;tls_sha3_512;json;tls=1.0\n~\n";
    let (mut handshake, _) = greeted(with_cert("us", None), greeting);
    handshake.receive(b"tls_anon;;json\n");
    assert!(matches!(
        drain(&mut handshake).failed,
        Some(HandshakeError::Tls(_))
    ));
    handshake.secured();
    assert!(drain(&mut handshake).sent.is_empty());
}

#[test]
fn a_failure_of_tls_ends_the_handshake_once() {
    let greeting = "aemp;1;x;tls_sha3_512;json;tls=1.0\n~\n";
    let (mut handshake, _) = greeted(with_cert("us", None), greeting);
    handshake.tls_failed("no luck");
    let text = drain(&mut handshake).failed.unwrap().to_string();
    assert_eq!(text, "TLS: no luck");
    handshake.tls_failed("again");
    assert!(drain(&mut handshake).failed.is_none());
}

#[test]
fn a_hanging_tls_handshake_is_ended() {
    let greeting = "aemp;1;x;tls_sha3_512;json;tls=1.0\n~\n";
    let (mut handshake, _) = greeted(with_cert("us", None), greeting);
    handshake.timeout(at(30));
    let outcome = drain(&mut handshake);
    assert_eq!(outcome.failed, Some(HandshakeError::TimedOut));
}
