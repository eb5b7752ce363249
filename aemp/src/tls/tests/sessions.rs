//! Data through a session.

use super::*;

fn tls12(mut context: Context) -> Context {
    static ONLY: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12];
    context.versions = ONLY;
    context
}

/// Writes all bytes while the other end reads. Returns the bytes that were read.
pub(super) fn send(from: &mut Session, to: &mut Session, mut bytes: &[u8]) -> Vec<u8> {
    let mut read = Vec::with_capacity(4096);
    while !bytes.is_empty() {
        let written = from.write(bytes).unwrap();
        assert!(written > 0);
        bytes = &bytes[written..];
        carry(from, to);
        while to.is_readable() {
            let before = read.len();
            read.reserve(4096);
            to.read(&mut read).unwrap();
            if read.len() == before {
                break;
            }
        }
    }
    read
}

#[test]
fn both_versions_carry_bytes_both_ways() {
    let text = shared("shared");
    for (client, server, version) in [
        (context(&text, None), context(&text, None), "TLS 1.3 "),
        (
            tls12(context(&text, None)),
            context(&text, None),
            "TLS 1.2 ",
        ),
        (
            context(&text, None),
            tls12(context(&text, None)),
            "TLS 1.2 ",
        ),
    ] {
        let mut pair = Pair::up(&client, &server);
        for end in [&pair.client, &pair.server] {
            let described = end.describe().unwrap();
            assert!(
                described.starts_with(version) && !described.contains("TLS_"),
                "{described}"
            );
        }
        let bytes: Vec<u8> = (0..300_000_u32).map(|n| (n / 7) as u8).collect();
        assert!(send(&mut pair.client, &mut pair.server, &bytes) == bytes);
        assert!(send(&mut pair.server, &mut pair.client, &bytes) == bytes);
    }
}

#[test]
fn tls12_has_the_same_rules() {
    let (a, b) = (shared("a"), shared("b"));
    for [first, second] in [
        Pair::refused(&tls12(context(&a, None)), &context(&b, None)),
        Pair::refused(&context(&a, None), &tls12(context(&b, None))),
    ] {
        assert!(first.contains("not trusted here"), "{first}");
        assert!(second.contains("refuses our certificate"), "{second}");
    }
}

#[test]
fn plaintext_that_comes_with_the_end_of_the_handshake_is_kept() {
    let shared = context(&shared("shared"), None);
    let mut pair = Pair::new(&shared, &shared);
    // The client is not up before its last flight, which carries its written bytes.
    while !pair.client.is_up() {
        pair.client.advance().unwrap();
        if pair.client.is_up() {
            break;
        }
        carry(&mut pair.client, &mut pair.server);
        pair.server.advance().unwrap();
        carry(&mut pair.server, &mut pair.client);
    }
    let flight = pair.client.to_send().to_vec();
    pair.client.sent(flight.len());
    assert_eq!(pair.client.write(b"early").unwrap(), 5);
    let all = [flight, pair.client.to_send().to_vec()].concat();
    pair.server.space(all.len()).extend_from_slice(&all);
    pair.server.arrived();
    pair.server.advance().unwrap();
    assert!(pair.server.is_up() && pair.server.is_readable());
    let mut read = Vec::new();
    pair.server.read(&mut read).unwrap();
    assert_eq!(read, b"early");
}

#[test]
fn ciphertext_may_come_in_any_pieces() {
    let shared = context(&shared("shared"), None);
    let mut pair = Pair::up(&shared, &shared);
    let bytes = vec![7; 40_000];
    assert_eq!(pair.client.write(&bytes).unwrap(), bytes.len());
    let cipher = pair.client.to_send().to_vec();
    let mut read = Vec::new();
    for piece in cipher.chunks(113) {
        pair.server.space(piece.len()).extend_from_slice(piece);
        pair.server.arrived();
        pair.server.read(&mut read).unwrap();
    }
    assert!(read == bytes);
}

#[test]
fn a_reader_with_little_room_gets_a_record_at_a_time() {
    let shared = context(&shared("shared"), None);
    let mut pair = Pair::up(&shared, &shared);
    assert_eq!(pair.client.write(&vec![7; 64 << 10]).unwrap(), 64 << 10);
    carry(&mut pair.client, &mut pair.server);
    let mut reads = 0;
    while pair.server.is_readable() && reads < 10 {
        let mut room = Vec::with_capacity(100);
        pair.server.read(&mut room).unwrap();
        assert!(room.len() <= 16 << 10, "{}", room.len());
        reads += usize::from(!room.is_empty());
    }
    assert_eq!(reads, 4);
}

#[test]
fn the_end_of_the_peer_is_reported() {
    let shared = context(&shared("shared"), None);
    let mut pair = Pair::up(&shared, &shared);
    pair.client.write(b"last").unwrap();
    carry(&mut pair.client, &mut pair.server);
    pair.client.close();
    assert!(!pair.client.to_send().is_empty());
    carry(&mut pair.client, &mut pair.server);
    let mut read = Vec::new();
    while !pair.server.has_ended() {
        pair.server.read(&mut read).unwrap();
    }
    assert_eq!(read, b"last");
}

#[test]
fn keys_are_renewed_on_the_way() {
    let shared = context(&shared("shared"), None);
    let mut pair = Pair::up(&shared, &shared);
    for round in 0..20_u8 {
        let Conn::Client(conn) = &mut pair.client.conn else {
            unreachable!()
        };
        match conn.process_tls_records(&mut []).state.unwrap() {
            rustls::unbuffered::ConnectionState::WriteTraffic(traffic) => {
                traffic.refresh_traffic_keys().unwrap();
            }
            other => panic!("{other:?}"),
        }
        let bytes = vec![round; 1000];
        assert_eq!(send(&mut pair.client, &mut pair.server, &bytes), bytes);
        assert_eq!(send(&mut pair.server, &mut pair.client, &bytes), bytes);
    }
}

#[test]
fn a_peer_that_updates_its_keys_endlessly_is_disconnected() {
    let shared = context(&shared("shared"), None);
    let mut pair = Pair::up(&shared, &shared);
    let failed = (0..1000).find_map(|_| {
        let Conn::Client(conn) = &mut pair.client.conn else {
            unreachable!()
        };
        if let Ok(rustls::unbuffered::ConnectionState::WriteTraffic(traffic)) =
            conn.process_tls_records(&mut []).state
        {
            traffic.refresh_traffic_keys().unwrap();
        }
        pair.client.unread = true;
        pair.client.advance().unwrap();
        carry(&mut pair.client, &mut pair.server);
        pair.server.advance().err()
    });
    let failed = failed.unwrap().to_string();
    assert!(failed.contains("KeyUpdate"), "{failed}");
    // The number of its own unsent bytes is bounded as well.
    assert!(pair.server.to_send().len() < 10_000);
}

#[test]
fn garbage_is_no_tls() {
    let shared = context(&shared("shared"), None);
    for garbage in [
        &b"tls_anon;;json\n"[..],
        &[0; 5],
        &[0x16, 3, 1, 0xff, 0xff, 1],
        &[0x17; 100],
    ] {
        for client in [true, false] {
            let mut session = shared.session(client, &node("x")).unwrap();
            let _ = session.advance();
            session.space(garbage.len()).extend_from_slice(garbage);
            session.arrived();
            let text = session.advance().unwrap_err().to_string();
            assert!(!text.is_empty());
            // The error is permanent.
            assert_eq!(session.advance().unwrap_err().to_string(), text);
            assert_eq!(session.write(b"x").unwrap_err().to_string(), text);
            assert_eq!(session.read(&mut Vec::new()).unwrap_err().to_string(), text);
            session.close();
        }
    }
}

#[test]
fn a_changed_record_ends_it() {
    let shared = context(&shared("shared"), None);
    let mut pair = Pair::up(&shared, &shared);
    pair.client.write(b"hello").unwrap();
    let mut cipher = pair.client.to_send().to_vec();
    *cipher.last_mut().unwrap() ^= 1;
    pair.server.space(cipher.len()).extend_from_slice(&cipher);
    pair.server.arrived();
    let mut read = Vec::new();
    assert!(pair.server.read(&mut read).is_err());
    assert!(read.is_empty());
}

/// Changes each byte of a handshake, and cuts it off at each byte.
#[test]
fn a_damaged_handshake_is_an_error_and_no_panic() {
    let shared = context(&shared("shared"), None);
    let hello = {
        let mut client = shared.session(true, &node("x")).unwrap();
        client.advance().unwrap();
        client.to_send().to_vec()
    };
    for at in 0..hello.len() {
        let mut server = shared.session(false, &node("x")).unwrap();
        server.space(at).extend_from_slice(&hello[..at]);
        server.arrived();
        server.advance().unwrap();
        assert!(!server.is_up());
        let mut changed = hello.clone();
        changed[at] ^= 0x55;
        let mut server = shared.session(false, &node("x")).unwrap();
        server.space(changed.len()).extend_from_slice(&changed);
        server.arrived();
        let _ = server.advance();
        assert!(!server.is_up());
    }
}
