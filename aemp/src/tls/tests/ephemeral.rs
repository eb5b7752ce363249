//! Sessions with ephemeral keys.

use super::{sessions::send, *};

pub(super) fn pair(client: &Ephemeral, server: &Ephemeral) -> Pair {
    let mut pair = Pair {
        client: client.session(true).unwrap(),
        server: server.session(false).unwrap(),
    };
    assert!(pair.client.binding().is_err(), "there is none yet");
    assert_eq!(pair.talk(), [None, None]);
    assert!(pair.client.is_up() && pair.server.is_up());
    pair
}

#[test]
fn bytes_go_both_ways() {
    let (a, b) = (Ephemeral::new().unwrap(), Ephemeral::new().unwrap());
    let mut pair = pair(&a, &b);
    for end in [&pair.client, &pair.server] {
        let described = end.describe().unwrap();
        assert!(
            described.starts_with("TLS 1.3 ") && described.ends_with(" (secret)"),
            "{described}"
        );
    }
    let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8).collect();
    assert!(send(&mut pair.client, &mut pair.server, &bytes) == bytes);
    assert!(send(&mut pair.server, &mut pair.client, &bytes) == bytes);
}

#[test]
fn both_ends_have_one_binding_and_each_connection_another() {
    let (a, b) = (Ephemeral::new().unwrap(), Ephemeral::new().unwrap());
    let binding = |session: &Session| session.binding().unwrap().unwrap();
    let (first, second) = (pair(&a, &b), pair(&a, &b));
    assert!(binding(&first.client) == binding(&first.server));
    assert!(binding(&second.client) == binding(&second.server));
    assert!(binding(&first.client) != binding(&second.client));
}

#[test]
fn with_certificates_there_is_nothing_to_bind() {
    let text = shared("shared");
    let pair = Pair::up(&context(&text, None), &context(&text, None));
    assert!(pair.client.binding().unwrap().is_none());
}

#[test]
fn the_end_is_reported_once() {
    let (a, b) = (Ephemeral::new().unwrap(), Ephemeral::new().unwrap());
    let mut pair = pair(&a, &b);
    pair.client.write(b"last").unwrap();
    pair.client.close();
    carry(&mut pair.client, &mut pair.server);
    let mut read = Vec::with_capacity(4096);
    pair.server.read(&mut read).unwrap();
    assert_eq!(read, b"last");
    assert!(pair.server.has_ended());
    // Nothing more can come, and reading again must return.
    pair.server.read(&mut read).unwrap();
    assert_eq!(read, b"last");
}

#[test]
fn changed_bytes_end_the_session() {
    let (a, b) = (Ephemeral::new().unwrap(), Ephemeral::new().unwrap());
    let mut pair = pair(&a, &b);
    pair.client.write(b"text").unwrap();
    let mut bytes = pair.client.to_send().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    pair.server.space(bytes.len()).extend_from_slice(&bytes);
    pair.server.arrived();
    let mut read = Vec::with_capacity(4096);
    assert!(pair.server.read(&mut read).is_err() && read.is_empty());
    assert!(!pair.server.to_send().is_empty(), "the peer is told");
    assert!(pair.server.read(&mut read).is_err(), "and it stays so");
}

#[test]
fn certificates_and_bare_keys_do_not_fit() {
    let text = shared("shared");
    let context = context(&text, None);
    let ephemeral = Ephemeral::new().unwrap();
    for certified in [true, false] {
        let own = |client: bool| match certified == client {
            true => context.session(client, &node("x")).unwrap(),
            false => ephemeral.session(client).unwrap(),
        };
        let mut pair = Pair {
            client: own(true),
            server: own(false),
        };
        assert!(pair.talk().iter().any(Option::is_some), "{certified}");
        assert!(!pair.client.is_up() || !pair.server.is_up());
    }
}

#[test]
fn bytes_that_are_not_tls_are_reported_as_such() {
    let mut session = Ephemeral::new().unwrap().session(false).unwrap();
    let nonsense = b"hmac_sha3_512;00;json\n";
    session.space(nonsense.len()).extend_from_slice(nonsense);
    session.arrived();
    let error = session.advance().unwrap_err().to_string();
    assert!(error.contains("does not speak TLS"), "{error}");
}
