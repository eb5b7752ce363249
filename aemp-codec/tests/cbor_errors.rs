//! The errors of the CBOR reader and writer: their causes, texts and offsets.
#![cfg(feature = "cbor")]

#[path = "shared/hex.rs"]
mod hex;
#[path = "shared/errors.rs"]
mod shared;

use aemp_codec::{Format, Limits};

use hex::hex;

fn error(packet: &[u8]) -> String {
    shared::error(&Format::Cbor, packet)
}

#[test]
fn malformed_packets() {
    for (packet, expected) in [
        ("", "0: unexpected end"),
        ("a0", "0: a packet must be an array"),
        ("60", "0: a packet must be an array"),
        ("18", "1: unexpected end"),
        ("d9d9f7", "3: unexpected end"),
        ("d9d9f7 f6", "3: a packet must be an array"),
        ("df80", "0: a tag without number"),
        ("81", "1: unexpected end"),
        ("9f", "1: unexpected end"),
        ("8201", "2: unexpected end"),
        ("9bffffffffffffffff ff", "10: unexpected end"),
        ("9affffffff 01", "6: unexpected end"),
        ("9c", "0: reserved length of an argument"),
        ("8000", "1: something behind the packet"),
        ("9fff00", "2: something behind the packet"),
        ("9f01ff80", "3: something behind the packet"),
        ("811c", "1: reserved length of an argument"),
        ("81 f6 81 00", "2: something behind the packet"),
        ("8119 01", "3: unexpected end"),
        ("81 1b 00000000000000", "9: unexpected end"),
        ("811f", "1: an integer without length"),
        ("813f", "1: an integer without length"),
        ("81df00", "1: a tag without number"),
        ("81c1", "2: unexpected end"),
        ("81ff", "1: a break where there is nothing to end"),
        ("9fc1ff", "2: a break where there is nothing to end"),
        ("81 63 6162", "4: unexpected end"),
        ("81 43 6162", "4: unexpected end"),
        ("81 7bffffffffffffffff 61", "11: unexpected end"),
        ("81 5f 4161", "4: unexpected end"),
        ("81 5f 6161 ff", "2: something else in a string of chunks"),
        ("81 7f 4161 ff", "2: something else in a string of chunks"),
        (
            "81 7f 6161 7f ff ff",
            "4: something else in a string of chunks",
        ),
        ("81 7f 01 ff", "2: something else in a string of chunks"),
        ("81e0", "1: a simple value without meaning"),
        ("81f0", "1: a simple value without meaning"),
        ("81f8ff", "1: a simple value without meaning"),
        ("81f815", "1: a simple value without meaning"),
        ("81f93c", "3: unexpected end"),
        ("81fa3f8000", "5: unexpected end"),
        ("81fb3ff0000000", "7: unexpected end"),
        ("81fc", "1: reserved length of an argument"),
        ("81 a1 6161", "4: unexpected end"),
        ("81 bf 6161 ff", "4: a break where there is nothing to end"),
        ("81 a1 ff 01", "2: a break where there is nothing to end"),
        ("81 81 81 81 80", "4: nested deeper than 4 levels"),
        (
            "9f 9f 9f 9f 9f ffffffffff",
            "4: nested deeper than 4 levels",
        ),
        (
            "81 a1 6161 a1 6162 a1 6163 a0",
            "10: nested deeper than 4 levels",
        ),
        ("81 98 00 98 ff", "3: something behind the packet"),
        // References.
        ("81 d81d 00", "1: a reference to nothing"),
        ("82 d81c 01 d81d 01", "4: a reference to nothing"),
        ("82 d81c 01 d81d 20", "4: a reference to nothing"),
        ("81 d819 00", "1: a reference to nothing"),
        ("82 d90100 63616161 d819 00", "8: a reference to nothing"),
        ("81 d90100 82 626161 d819 00", "8: a reference to nothing"),
        ("81 d90100 82 63616161 d819 01", "9: a reference to nothing"),
        ("81 d90100 82 63616161 d819", "11: unexpected end"),
    ] {
        assert_eq!(error(&hex(packet)), expected, "{packet}");
    }
}

#[test]
fn bytes_that_can_never_become_a_packet() {
    for (bytes, expected) in [
        ("a0", "a packet must be an array (at byte 0)"),
        ("60", "a packet must be an array (at byte 0)"),
        ("5b", "a packet must be an array (at byte 0)"),
        ("f6", "a packet must be an array (at byte 0)"),
        ("ff", "a packet must be an array (at byte 0)"),
        ("d9d9f7 01", "a packet must be an array (at byte 3)"),
        (
            "9c",
            "malformed packet: reserved length of an argument (at byte 0)",
        ),
        (
            "df",
            "malformed packet: indefinite length of a number or tag (at byte 0)",
        ),
        (
            "81 1f",
            "malformed packet: indefinite length of a number or tag (at byte 1)",
        ),
        (
            "81 fd",
            "malformed packet: reserved length of an argument (at byte 1)",
        ),
        (
            "81 ff",
            "malformed packet: a break where there is nothing to end (at byte 1)",
        ),
        (
            "9f c1 ff",
            "malformed packet: a break where there is nothing to end (at byte 2)",
        ),
        (
            "81 5f 61",
            "malformed packet: something else in a string of chunks (at byte 2)",
        ),
        (
            "81 5f 5f",
            "malformed packet: something else in a string of chunks (at byte 2)",
        ),
        (
            "81 81 81 81 81",
            "a packet is nested deeper than 4 levels (at byte 4)",
        ),
        (
            "81 81 81 81 80",
            "a packet is nested deeper than 4 levels (at byte 4)",
        ),
        ("81 50", "a packet is larger than 16 bytes (at byte 1)"),
        (
            "81 7bffffffffffffffff",
            "a packet is larger than 16 bytes (at byte 1)",
        ),
        (
            "81 9bffffffffffffffff",
            "a packet is larger than 16 bytes (at byte 1)",
        ),
        (
            "81 bbffffffffffffffff",
            "a packet is larger than 16 bytes (at byte 1)",
        ),
        ("90", "a packet is larger than 16 bytes (at byte 0)"),
        (
            "9f 01020304 05060708 01020304 050607",
            "a packet is larger than 16 bytes (at byte 16)",
        ),
        (
            "9f 01020304 05060708 01020304 0506 19",
            "a packet is larger than 16 bytes (at byte 16)",
        ),
    ] {
        let limits = Limits::default().with_max_depth(4).with_max_packet(16);
        let error = Format::Cbor.framer(limits).scan(&hex(bytes));
        assert_eq!(
            error.expect_err("no packet").to_string(),
            expected,
            "{bytes}"
        );
    }
}

#[test]
fn odd_packets_that_are_fine() {
    for (bytes, length) in [
        ("80", 1),
        ("81f6", 2),
        ("8140", 2),
        ("8160 8160", 2),
        ("9fff 80", 2),
        ("d9d9f7 80", 4),
        ("d9d9f7 d9d9f7 9f f7 ff", 9),
        ("9b0000000000000000", 9),
        ("81 c0 9f c1 80 ff", 6),
        ("81 5f ff", 3),
        ("81 bf ff", 3),
        ("81 bf 01 7f 6161 60 ff ff", 9),
        ("81 4d 00000000000000000000000000", 15),
        ("9f 01020304 05060708 01020304 0506 ff", 16),
    ] {
        let limits = Limits::default().with_max_packet(16);
        let bytes = hex(bytes);
        let found = Format::Cbor.framer(limits).scan(&bytes);
        assert_eq!(found, Ok(Some(0..length)), "{bytes:x?}");
        let reader = Format::Cbor.reader(&bytes[..length], limits);
        reader.expect("a packet").finish().expect("well-formed");
    }
}

#[test]
fn ten_thousand_levels_are_refused_and_the_allowed_ones_are_not() {
    let deep = |levels: usize| [vec![0x81; levels - 1], vec![0x80]].concat();
    let limits = Limits::default();
    for packet in [deep(10_000), vec![0x9f; 10_000], vec![0xa1; 10_000]] {
        let packet = [vec![0x81], packet].concat();
        let error = Format::Cbor.framer(limits).scan(&packet);
        assert_eq!(
            error.expect_err("too deep").to_string(),
            "a packet is nested deeper than 512 levels (at byte 512)"
        );
    }
    let packet = deep(10_000);
    let reader = Format::Cbor.reader(&packet, limits).expect("an array");
    assert_eq!(reader.finish().expect_err("too deep").offset(), Some(512));

    let packet = deep(512);
    assert_eq!(Format::Cbor.framer(limits).scan(&packet), Ok(Some(0..512)));
    let mut reader = Format::Cbor.reader(&packet, limits).expect("an array");
    let value = reader.value().expect("not too deep").expect("one element");
    let mut out = Vec::new();
    let mut writer = Format::Cbor.writer(&mut out, limits);
    writer.value(&value).expect("not too deep");
    writer.finish().expect("not too deep");
    assert_eq!(out, packet);
}

/// Neither is a reason to give up the connection, and the elements behind it are read as usual.
#[test]
fn values_that_no_type_can_hold_cost_the_port_alone() {
    let cycle = "d81c 81 d81d 00";
    let long = format!("c2 59 0101 {}", "11".repeat(257));
    for (value, expected) in [
        ("63 eda080", "argument 1: text that is not Unicode"),
        ("61 ff", "argument 1: text that is not Unicode"),
        ("7f 61c3 62 28ff ff", "argument 1: text that is not Unicode"),
        (
            long.as_str(),
            "argument 1: an integer of more than 256 octets",
        ),
        (cycle, "argument 1: a value that contains itself"),
        ("a1 61ff 01", "argument 1: text that is not Unicode"),
        ("81 a1 00 61ff", "argument 1: text that is not Unicode"),
        (
            "a1 80 01",
            "argument 1: invalid type: sequence, expected a key",
        ),
    ] {
        let packet = hex(&format!("82 {value} 02"));
        let mut reader = Format::Cbor
            .reader(&packet, Limits::default())
            .expect("a packet");
        let error = reader.value().expect_err("not a value");
        assert!(!error.is_malformed(), "{value}");
        assert_eq!(
            (error.to_string().as_str(), error.offset()),
            (expected, Some(1)),
            "{value}"
        );
        assert_eq!(reader.arg::<u8>(), Ok(Some(2)), "{value}");
    }
}

/// A few bytes that stand for 2^60 values, and references that lead to references.
#[test]
fn references_do_not_make_a_packet_grow_beyond_the_limit() {
    let mut packet = hex("9f d81c 63616161");
    for level in 0..60u8 {
        packet.extend(hex("d81c 82"));
        for _ in 0..2 {
            packet.extend([0xd8, 0x1d, 0x18, level]);
        }
    }
    packet.push(0xff);
    let limits = Limits::default().with_max_packet(10_000);
    assert_eq!(
        Format::Cbor.framer(limits).scan(&packet),
        Ok(Some(0..packet.len()))
    );
    let mut reader = Format::Cbor.reader(&packet, limits).expect("a packet");
    let error = reader.rest().expect_err("too large");
    assert!(!error.is_malformed());
    assert!(
        error
            .to_string()
            .ends_with("references make the packet too large"),
        "{error}"
    );
    reader.finish().expect("well-formed all the same");

    let mut packet = hex("9f d81c 01");
    let many: u32 = if cfg!(miri) { 200 } else { 50_000 };
    for level in 0..many {
        packet.extend(hex("d81c d81d 1a"));
        packet.extend(level.to_be_bytes());
    }
    packet.push(0xff);
    let limits = Limits::default().with_max_packet(20 * many as usize);
    let mut reader = Format::Cbor.reader(&packet, limits).expect("a packet");
    let mut count = 0;
    while let Ok(Some(1)) = reader.arg::<u8>() {
        count += 1;
    }
    assert!((many / 100..many).contains(&count), "{count}");
}

/// A few hundred bytes cannot stand for as many values as the largest packet has bytes.
#[test]
#[cfg_attr(miri, ignore = "reads a million values")]
fn references_grow_with_the_packet_only() {
    let mut packet = hex("9f d81c 99 1000");
    packet.extend([0x01; 0x1000]);
    for _ in 0..5000 {
        packet.extend(hex("d81d 00"));
    }
    packet.push(0xff);
    let limits = Limits::default();
    let most = packet.len() * 16 + (1 << 20);
    assert!(most < limits.max_packet);
    let mut reader = Format::Cbor.reader(&packet, limits).expect("a packet");
    let mut count = 0;
    while let Ok(Some(list)) = reader.arg::<Vec<u8>>() {
        assert_eq!(list.len(), 0x1000);
        count += 1;
    }
    assert_eq!(count - 1, most / (0x1000 + 3));
}
