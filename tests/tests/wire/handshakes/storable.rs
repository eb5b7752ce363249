//! Perl's own format.

use std::sync::Arc;

use aemp_codec::NodeId;
use aemp_proto::{
    Time,
    auth::Secret,
    handshake::{Handshake, HandshakeConfig, Role},
};

use super::{Outcome, ends};
use aemp_tests::transcript::{self, Transcript};

/// Storable is Perl's own and never offered. A node that speaks nothing else is let go before anything is proved to it; one that has
/// it among others is spoken to in another.
#[test]
fn storable_is_not_for_us() {
    let transcript = transcript::one("handshake_storable");
    for (conn, initiator, acceptor, record) in transcript.connections() {
        for [own, other] in ends(&transcript, conn, initiator, acceptor) {
            assert_eq!(record["framing"][format!("{own}->{other}")], "storable");
            let theirs = transcript.sent(conn, &other, "greeting");
            let [first, second] =
                [0, 1].map(|line| String::from_utf8(theirs[line].clone()).unwrap());
            let outcome = meet(
                &own,
                &transcript,
                &[&first, &second].map(String::as_str).concat(),
            );
            let failed = outcome.failed.unwrap_or_default();
            assert_eq!(failed, "storable: no common framing method supported");
            let lines = outcome.sent.iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(lines, 2, "nothing is said but the greeting");
            // With another one behind it there is something to say.
            let more = first.replace(";storable;", ";storable,json;");
            assert_ne!(more, first);
            let outcome = meet(&own, &transcript, &(more + &second));
            let sent = String::from_utf8(outcome.sent).unwrap();
            assert!(
                outcome.failed.is_none() && sent.ends_with(";json\n"),
                "{sent}"
            );
        }
    }
}

/// A node with the formats that are built in hears a greeting.
fn meet(own: &str, transcript: &Transcript, greeting: &str) -> Outcome {
    let secret = Secret::new(transcript.secret(own));
    let config = HandshakeConfig::new(NodeId::new(own).unwrap(), Some(secret));
    let mut handshake = Handshake::new(
        Time::ZERO,
        Arc::new(config),
        Role::Dialed,
        "127.0.0.1:1",
        "nonce".into(),
    );
    handshake.proceed();
    handshake.receive(greeting.as_bytes());
    let mut outcome = Outcome::default();
    outcome.take(&mut handshake);
    let greeting = String::from_utf8_lossy(&outcome.sent);
    assert!(!greeting.contains("storable"), "{greeting}");
    outcome
}
