use super::*;

const TIMEOUT: Duration = Duration::from_secs(30);

fn at(millis: u64) -> Time {
    Time::from(Duration::from_millis(millis))
}

fn link(peer_keepalive: Option<Duration>) -> Link {
    let limits = Limits::default().with_max_packet(1 << 20);
    Link::new(
        at(0),
        &Format::Json,
        limits,
        TIMEOUT,
        peer_keepalive,
        b"[1][".into(),
    )
}

fn packets(link: &mut Link) -> Vec<String> {
    let mut packets = Vec::new();
    while let Some(packet) = link.next_packet().unwrap() {
        packets.push(String::from_utf8(packet.to_vec()).unwrap());
    }
    packets
}

#[test]
fn packets_come_out_however_they_arrive() {
    let mut link = link(None);
    assert_eq!(packets(&mut link), ["[1]"]);
    for byte in b"2 ] [3][" {
        link.received(at(1), &[*byte]);
    }
    assert_eq!(packets(&mut link), ["[2 ]", "[3]"]);
    link.space().extend_from_slice(b"]  \n []");
    link.heard(at(1));
    assert_eq!(packets(&mut link), ["[]", "[]"]);
}

#[test]
fn bytes_that_are_not_a_packet_end_the_connection() {
    for garbage in ["{}", "7", "\"x\"", "]"] {
        let mut link = link(None);
        link.received(at(0), b"]");
        link.received(at(0), garbage.as_bytes());
        assert_eq!(link.next_packet(), Ok(Some(b"[1]".as_slice())));
        assert_eq!(link.next_packet(), Ok(Some(b"[]".as_slice())));
        assert!(link.next_packet().is_err(), "{garbage}");
    }
    let mut link = link(None);
    link.received(at(0), &vec![b'['; 10_000]);
    let _ = link.next_packet();
    let error = link.next_packet().unwrap_err();
    assert_eq!(
        error.kind.to_string(),
        "a packet is nested deeper than 512 levels"
    );
}

#[test]
fn the_buffer_is_moved_rarely_and_does_not_stay_large() {
    let mut link = link(None);
    link.received(at(0), b"]");
    let _ = packets(&mut link);
    let packet = format!("[\"{}\"]", "x".repeat(600_000));
    for chunk in packet.as_bytes().chunks(1000) {
        link.received(at(0), chunk);
        let _ = link.next_packet().unwrap();
    }
    assert!(link.buffer.capacity() >= 600_000);
    // A consumed prefix that is shorter than the rest stays where it is, because moving would cost more than it frees.
    link.received(at(0), b"[1][2,");
    assert_eq!(packets(&mut link), ["[1]"]);
    link.received(at(0), b"3]");
    assert_eq!(packets(&mut link), ["[2,3]"]);
    let _ = link.space();
    assert!(link.buffer.capacity() <= 2 * MOST_ROOM);
}

#[test]
fn a_busy_reader_gets_more_room() {
    let mut link = link(None);
    for _ in 0..10 {
        let room = link.room;
        link.received(at(0), &vec![b' '; room]);
        let _ = link.next_packet();
    }
    assert_eq!(link.room, MOST_ROOM);
    for _ in 0..10 {
        link.received(at(0), b" ");
    }
    assert_eq!(link.room, LEAST_ROOM);
}

/// A socket that always fills the room. Returns the room behind some packets with elements of this size.
fn room_behind(link: &mut Link, element: usize) -> usize {
    let stream = format!("[\"{}\"]", "x".repeat(element)).repeat(100);
    let mut rest = stream.as_bytes();
    while let Some((read, later)) = rest.split_at_checked(link.room) {
        link.received(at(0), read);
        let _ = packets(link);
        rest = later;
    }
    let room = link.room;
    link.space().extend_from_slice(rest);
    let _ = packets(link);
    room
}

#[test]
fn bulk_is_read_in_small_pieces() {
    let mut link = link(None);
    link.received(at(0), b"]");
    assert_eq!(room_behind(&mut link, BULK / 2), MOST_ROOM);
    assert_eq!(room_behind(&mut link, 2 * BULK), BULK_ROOM);
    assert_eq!(room_behind(&mut link, BULK / 2), MOST_ROOM);
}

#[test]
fn a_quiet_link_sends_keepalives() {
    let mut link = link(None);
    assert_eq!(link.timeout(at(2_000)), LinkAction::Rest);
    assert_eq!(link.deadline(), at(10_000));
    assert_eq!(link.timeout(at(9_999)), LinkAction::None);
    assert_eq!(link.timeout(at(10_000)), LinkAction::SendKeepalive);
    assert_eq!(link.timeout(at(10_000)), LinkAction::None);
    link.writing(at(10_000));
    link.wrote(at(10_001));
    assert_eq!(link.timeout(at(12_001)), LinkAction::Rest);
    assert_eq!(link.deadline(), at(20_001));
    link.wrote(at(15_000));
    assert_eq!(link.timeout(at(17_000)), LinkAction::Rest);
    assert_eq!(link.timeout(at(20_001)), LinkAction::None);
    assert_eq!(link.deadline(), at(25_000));
}

#[test]
fn only_peers_that_promised_keepalives_die_of_silence() {
    let mut reference = link(None);
    assert_eq!(reference.timeout(at(100_000)), LinkAction::SendKeepalive);

    let mut ours = link(Some(Duration::from_secs(10)));
    ours.received(at(5_000), b"]");
    ours.wrote(at(34_000));
    assert_eq!(ours.deadline(), at(35_000));
    assert_eq!(ours.timeout(at(34_999)), LinkAction::None);
    assert_eq!(ours.timeout(at(35_000)), LinkAction::Dead);

    // A peer that promises keepalives less often than our timeout gets twice its interval.
    let slow = link(Some(Duration::from_secs(100)));
    assert_eq!(slow.death(), Some(at(200_000)));
}

#[test]
fn a_socket_that_accepts_nothing_is_dead() {
    let mut link = link(None);
    link.writing(at(1_000));
    link.writing(at(2_000));
    assert_eq!(link.timeout(at(11_000)), LinkAction::None);
    link.progress(at(20_000));
    assert_eq!(link.timeout(at(31_000)), LinkAction::None);
    assert_eq!(link.timeout(at(49_999)), LinkAction::None);
    assert_eq!(link.timeout(at(50_000)), LinkAction::Dead);
    link.wrote(at(50_000));
    assert_eq!(link.timeout(at(50_000)), LinkAction::None);
}

/// A large buffer is grown on another thread. Reading then continues as if it had not been.
#[test]
fn a_large_buffer_is_grown_by_others() {
    let text = format!(r#"["{}"]"#, "x".repeat(3 * LARGE));
    let limits = Limits::default();
    let leftover = b"[1]".to_vec();
    let mut link = Link::new(at(0), &Format::Json, limits, TIMEOUT, None, leftover);
    let mut grown = 0;
    assert!(link.next_packet().unwrap().is_some());
    for part in text.as_bytes().chunks(100_000) {
        assert!(link.next_packet().unwrap().is_none());
        if link.is_cramped() {
            grown += 1;
            let buffer = link.take_buffer();
            link.put_buffer(Link::grow(buffer));
            assert!(!link.is_cramped(), "there is room now");
        }
        let (room, held) = (link.buffer.capacity(), link.buffer.len());
        link.received(at(0), part);
        assert!(
            held < LARGE || link.buffer.capacity() == room,
            "it was not moved"
        );
    }
    assert_eq!(link.next_packet().unwrap().unwrap(), text.as_bytes());
    assert!(
        (1..=3).contains(&grown),
        "each time to twice the size: {grown}"
    );
}

/// Traffic in either direction puts the rest off, and so do bytes that the socket does not take.
#[test]
fn a_connection_rests_when_it_is_quiet() {
    let mut link = link(None);
    link.heard(at(1_000));
    assert_eq!(link.deadline(), at(3_000));
    assert_eq!(link.timeout(at(2_999)), LinkAction::None);
    link.writing(at(2_999));
    assert_eq!(link.timeout(at(3_000)), LinkAction::None);
    link.wrote(at(4_000));
    assert_eq!(link.timeout(at(5_999)), LinkAction::None);
    assert_eq!(link.timeout(at(6_000)), LinkAction::Rest);
    assert_eq!(link.timeout(at(6_001)), LinkAction::None);
    link.heard(at(7_000));
    assert_eq!(link.timeout(at(9_000)), LinkAction::Rest);
}

#[test]
fn a_link_at_rest_keeps_no_room() {
    let mut link = link(None);
    let large = vec![b'1'; LEAST_ROOM];
    assert_eq!(packets(&mut link).len(), 1);
    link.received(at(1), &large);
    link.received(at(1), b"][3");
    assert_eq!(packets(&mut link).len(), 1);
    link.rest();
    let (buffer, start) = link.take_buffer();
    assert_eq!((&buffer[..], start), (&b"[3"[..], 0));
    assert!(buffer.capacity() < LEAST_ROOM);
    link.put_buffer(buffer);
    link.received(at(2), b"]");
    assert_eq!(packets(&mut link), ["[3]"]);
    // A part of a large packet stays where it is.
    link.received(at(3), b"[");
    link.received(at(3), &large);
    link.rest();
    assert!(link.take_buffer().0.capacity() > LEAST_ROOM);
}

#[test]
fn links_share_the_room_for_reads() {
    let mut spare = Spare::default();
    let mut links: Vec<_> = (0..50).map(|_| link(None)).collect();
    for round in 0..20 {
        for link in &mut links {
            let expected = match round {
                0 => ["[1]", "[]", "[2]"].as_slice(),
                _ => ["[3]", "[2]"].as_slice(),
            };
            link.borrow_room(&mut spare);
            let place = link.space();
            assert!(place.capacity() - place.len() >= LEAST_ROOM);
            place.extend_from_slice(b"][2][3");
            link.heard(at(round));
            assert_eq!(packets(link), expected);
            link.give_back(&mut spare);
            assert!(link.buffer.capacity() < 16, "the part of a packet only");
        }
    }
    assert!(
        (LEAST_ROOM..2 * LEAST_ROOM).contains(&spare.kept()),
        "one buffer for all"
    );
}

#[test]
fn a_link_with_many_bytes_keeps_its_buffer() {
    let mut spare = Spare::default();
    let mut link = link(None);
    link.received(at(0), b"]");
    assert_eq!(packets(&mut link), ["[1]", "[]"]);
    let packet = format!("[\"{}\"]", "x".repeat(40_000));
    let (first, last) = packet.as_bytes().split_at(30_000);
    link.borrow_room(&mut spare);
    link.received(at(1), first);
    assert!(packets(&mut link).is_empty());
    let before = link.buffer.as_ptr();
    link.give_back(&mut spare);
    link.borrow_room(&mut spare);
    assert_eq!(
        link.buffer.as_ptr(),
        before,
        "30,000 bytes are not copied for each read"
    );
    link.received(at(2), last);
    assert_eq!(packets(&mut link), [packet]);
    link.give_back(&mut spare);
    assert_eq!(link.buffer.capacity(), 0);
}

/// A read of a busy connection must not be cut short because another one needs less room.
#[test]
fn borrowed_room_has_the_size_that_the_link_needs() {
    let mut spare = Spare::default();
    let (mut busy, mut calm) = (link(None), link(None));
    for link in [&mut busy, &mut calm] {
        link.received(at(0), b"]");
        assert_eq!(packets(link), ["[1]", "[]"]);
    }
    for _ in 0..10 {
        for link in [&mut busy, &mut calm] {
            link.borrow_room(&mut spare);
            let room = link.room;
            let space = link.space();
            let free = space.capacity() - space.len();
            assert!(free >= room && free <= 2 * room, "{free} for {room}");
        }
        let room = busy.room;
        busy.space().extend_from_slice(&vec![b' '; room]);
        calm.space().extend_from_slice(b" ");
        for link in [&mut busy, &mut calm] {
            link.heard(at(1));
            assert!(packets(link).is_empty());
            // Blanks are no packet.
            let all = link.buffer.len();
            link.start = all;
            link.give_back(&mut spare);
        }
    }
    assert_eq!((busy.room, calm.room), (MOST_ROOM, LEAST_ROOM));
}
