//! The errors of the postcard reader and writer: their causes, texts and offsets.
#![cfg(feature = "postcard")]

#[path = "shared/hex.rs"]
mod hex;
#[path = "shared/errors.rs"]
mod shared;

use std::fmt;

use aemp_codec::{EncodeError, Format, Limits, Value};
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use hex::hex;

/// A packet with that body.
fn packet(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("it is small");
    [&length.to_le_bytes()[..], body].concat()
}

fn error(packet: &[u8]) -> String {
    shared::error(&Format::Postcard, packet)
}

#[test]
fn malformed_packets() {
    for (body, expected) in [
        ("", "4: unexpected end"),
        ("01", "5: unexpected end"),
        ("80", "5: unexpected end"),
        ("0000", "5: something behind the packet"),
        ("01 00 00", "6: something behind the packet"),
        ("01 0a", "5: an unknown kind of value"),
        ("01 ff", "5: an unknown kind of value"),
        ("02 00 80 00", "6: an unknown kind of value"),
        ("01 03", "6: unexpected end"),
        ("01 03 80", "7: unexpected end"),
        ("01 04 ffffffffffffffffff02", "6: a number beyond 64 bits"),
        ("01 03 8080808080808080808000", "6: a number beyond 64 bits"),
        ("01 05 00000000000000", "13: unexpected end"),
        ("01 06 02 61", "8: unexpected end"),
        ("01 07 02 61", "8: unexpected end"),
        ("01 07 ffffffffffffffffff01 61", "17: unexpected end"),
        ("01 06 02 ff", "8: unexpected end"),
        ("02 06 01 ff ff", "8: an unknown kind of value"),
        ("01 09 01 01 61", "9: unexpected end"),
        ("01 09 02 00 00 00", "10: unexpected end"),
        // More elements than there can be.
        ("01 08 02 00", "8: unexpected end"),
        ("ffffffff0f 00", "10: unexpected end"),
        ("01 08 ffffffffffffffffff01 00", "17: unexpected end"),
        (
            "01 08 01 08 01 08 01 08 00",
            "11: nested deeper than 4 levels",
        ),
        (
            "01 09 01 00 09 01 00 08 01 08 00",
            "13: nested deeper than 4 levels",
        ),
    ] {
        assert_eq!(error(&packet(&hex(body))), expected, "{body}");
    }
    for (bytes, expected) in [
        ("", "0: unexpected end"),
        ("010000", "3: unexpected end"),
        ("02000000 00", "0: not as long as it says"),
        ("00000000 00", "0: not as long as it says"),
        ("ffffffff 00", "0: not as long as it says"),
    ] {
        assert_eq!(error(&hex(bytes)), expected, "{bytes}");
    }
}

/// A list of lists, as deep as the packet says.
#[derive(Debug, Deserialize, PartialEq)]
struct Tree(Vec<Self>);

#[test]
fn depth_is_limited_for_every_reader() {
    let nested = |levels: usize| {
        let lists = [8, 1].repeat(levels - 2);
        packet(&[&[1], &lists[..], &[8, 0]].concat())
    };
    let limits = Limits::default();
    let (deepest, deeper) = (nested(512), nested(513));
    let mut reader = Format::Postcard.reader(&deepest, limits).expect("a packet");
    assert!(reader.arg::<Tree>().is_ok());
    for bytes in [deeper, nested(if cfg!(miri) { 10_000 } else { 1_000_000 })] {
        let reader = || {
            Format::Postcard
                .reader(&bytes, limits)
                .expect("its beginning is right")
        };
        let expected = "malformed packet at byte 1027: nested deeper than 512 levels";
        assert_eq!(
            reader().arg::<Tree>().expect_err("too deep").to_string(),
            expected
        );
        assert_eq!(
            reader().value().expect_err("too deep").to_string(),
            expected
        );
        assert_eq!(
            reader().finish().expect_err("too deep").to_string(),
            expected
        );
    }
    assert!(
        Format::Postcard
            .reader(&packet(&[0]), limits.with_max_depth(0))
            .is_err()
    );
}

/// The size hint of a list, by which a type might allocate.
struct Claimed(Option<usize>);

impl<'de> Deserialize<'de> for Claimed {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Hint;

        impl<'de> Visitor<'de> for Hint {
            type Value = Claimed;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Claimed, A::Error> {
                let hint = list.size_hint();
                while list.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Claimed(hint))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Claimed, A::Error> {
                let hint = map.size_hint();
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Claimed(hint))
            }
        }

        deserializer.deserialize_any(Hint)
    }
}

/// In nested lists each could claim to have as many elements as there are bytes.
#[test]
fn claims_cost_nothing() {
    for (head, elements, expected) in [
        ("01 08 03", 3, 3),
        ("01 08 808004", 1 << 16, 1024),
        ("01 09 808002", 1 << 16, 1024),
    ] {
        let bytes = packet(&[hex(head), vec![0; elements]].concat());
        let mut reader = Format::Postcard
            .reader(&bytes, Limits::default())
            .expect("a packet");
        let Claimed(hint) = reader.required().expect("a list");
        assert_eq!(hint, Some(expected), "{head}");
    }
}

#[test]
fn frames() {
    let limits = Limits::default().with_max_packet(9);
    let scan = |bytes: &str| Format::Postcard.framer(limits).scan(&hex(bytes));
    assert_eq!(scan(""), Ok(None));
    assert_eq!(scan("010000"), Ok(None));
    assert_eq!(scan("01000000"), Ok(None));
    assert_eq!(scan("01000000 00 01"), Ok(Some(0..5)));
    assert_eq!(scan("05000000 00010203"), Ok(None));
    assert_eq!(scan("05000000 0001020304 ff"), Ok(Some(0..9)));
    for bytes in ["06000000", "ffffffff", "06000000 000000000000"] {
        let error = scan(bytes).expect_err("too large");
        assert_eq!(
            error.to_string(),
            "a packet is larger than 9 bytes (at byte 0)"
        );
    }
}

fn written<T: Serialize>(argument: &T, limits: Limits) -> Result<Vec<u8>, EncodeError> {
    let mut out = b"before".to_vec();
    let mut packet = Format::Postcard.writer(&mut out, limits);
    let result = packet.arg(argument).and_then(|()| packet.finish());
    if result.is_err() {
        assert_eq!(out, b"before");
    }
    result.map(|()| out.split_off(6))
}

#[test]
fn values_that_no_format_has_are_not_written() {
    let limits = Limits::default();
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(written(&x, limits), Err(EncodeError::NotFinite));
        assert_eq!(
            written(&Value::Array(vec![x.into()]), limits),
            Err(EncodeError::NotFinite)
        );
        assert_eq!(written(&(x as f32), limits), Err(EncodeError::NotFinite));
    }
    let keys = std::collections::BTreeMap::from([((1, 2), 3)]);
    assert_eq!(written(&keys, limits), Err(EncodeError::KeyNotString));
    let deep = limits.with_max_depth(2);
    assert_eq!(
        written(&[[1]], deep),
        Err(EncodeError::TooDeep { limit: 2 })
    );
    assert_eq!(written(&[1], deep), Ok(hex("05000000 01 08 01 03 02")));
    assert_eq!(
        written(&1, limits.with_max_depth(0)),
        Err(EncodeError::TooDeep { limit: 0 })
    );
    let small = limits.with_max_packet(7);
    assert_eq!(written(&1, small), Ok(hex("03000000 01 03 02")));
    assert_eq!(written(&64, small), Err(EncodeError::TooLarge { limit: 7 }));
}

/// Infinities can be in a packet of another implementation.
#[test]
fn infinite_floats_are_read() {
    let infinity = packet(&hex("01 05 000000000000f07f"));
    let reader = || {
        Format::Postcard
            .reader(&infinity, Limits::default())
            .expect("a packet")
    };
    assert_eq!(reader().required::<f64>(), Ok(f64::INFINITY));
    assert_eq!(reader().value(), Ok(Some(f64::INFINITY.into())));
    assert!(reader().required::<String>().is_ok());
    assert!(
        !reader()
            .required::<u8>()
            .expect_err("no integer")
            .is_malformed()
    );
}

/// The wrong type is the message's fault: the elements behind it can be read.
#[test]
fn the_wrong_type_costs_an_argument() {
    let mut out = Vec::new();
    let mut writer = Format::Postcard.writer(&mut out, Limits::default());
    writer.str("port").expect("text");
    writer.str("tag").expect("text");
    writer.arg(&(1, "two", [3.5])).expect("a list");
    writer.arg(&5).expect("a number");
    writer.finish().expect("a packet");
    let mut reader = Format::Postcard
        .reader(&out, Limits::default())
        .expect("a packet");
    assert_eq!(reader.text().expect("text").as_deref(), Some("port"));
    assert_eq!(reader.text().expect("text").as_deref(), Some("tag"));
    let error = reader
        .required::<(u8, u8)>()
        .expect_err("the second is text");
    assert_eq!(
        error.to_string(),
        "argument 1: invalid type: string \"two\", expected u8"
    );
    assert_eq!(reader.required(), Ok(5));
    assert_eq!(reader.finish(), Ok(0));
}

/// As in the other formats, it costs the message and not the connection.
#[test]
fn text_that_is_not_utf_8_is_the_ports_concern() {
    for value in [
        "06 01 ff",
        "06 02 61ff",
        "06 03 eda080",
        "09 01 01 ff 00",
        "08 01 09 01 01 61 06 01 ff",
    ] {
        let packet = packet(&hex(&format!("02 {value} 03 0a")));
        let reader = || {
            let reader = Format::Postcard.reader(&packet, Limits::default());
            reader.expect("a packet")
        };
        let mut values = reader();
        let error = values.value().expect_err("no value");
        assert!(!error.is_malformed() && error.is_not_unicode(), "{value}");
        assert_eq!(error.to_string(), "argument 1: text that is not Unicode");
        assert_eq!(values.arg::<u8>(), Ok(Some(5)), "{value}");
        assert_eq!(values.finish(), Ok(0), "{value}");
        let mut text = reader();
        assert!(!text.text().expect_err("no text").is_malformed(), "{value}");
        assert_eq!(text.finish(), Ok(1), "{value}");
        assert_eq!(reader().finish(), Ok(2), "{value}");
    }
}
