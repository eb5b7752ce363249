//! The encoding of each kind of value in CBOR, and the other encodings that are read.
#![cfg(feature = "cbor")]

#[path = "shared/hex.rs"]
mod hex;
#[path = "shared/values.rs"]
mod shared;

use std::collections::BTreeMap;

use aemp_codec::{EncodeError, Format, Limits, Value};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use hex::hex;
use shared::{digits, map};

/// The one argument of a packet, in hex.
fn written<T: Serialize + ?Sized>(argument: &T) -> Result<String, EncodeError> {
    let mut out = vec![0x55];
    let mut packet = Format::Cbor.writer(&mut out, Limits::default());
    packet.arg(argument)?;
    packet.finish()?;
    assert_eq!(out[..2], [0x55, 0x81]);
    Ok(digits(&out[2..]))
}

fn read<T: DeserializeOwned>(argument: &str) -> T {
    let packet = [vec![0x81], hex(argument)].concat();
    shared::read(&Format::Cbor, &packet, argument)
}

/// Both ways, in the shortest form.
#[test]
fn values() {
    for (value, bytes) in [
        (Value::Null, "f6"),
        (true.into(), "f5"),
        (false.into(), "f4"),
        (0.into(), "00"),
        (23.into(), "17"),
        (24.into(), "1818"),
        (255.into(), "18ff"),
        (256.into(), "190100"),
        (65_535.into(), "19ffff"),
        (65_536.into(), "1a00010000"),
        ((1i64 << 32).into(), "1b0000000100000000"),
        (i64::MAX.into(), "1b7fffffffffffffff"),
        (Value::UInt(1 << 63), "1b8000000000000000"),
        (u64::MAX.into(), "1bffffffffffffffff"),
        ((-1).into(), "20"),
        ((-24).into(), "37"),
        ((-25).into(), "3818"),
        ((-257).into(), "390100"),
        (i64::MIN.into(), "3b7fffffffffffffff"),
        (1.5.into(), "fa3fc00000"),
        ((-5.5).into(), "fac0b00000"),
        ((-5.0).into(), "fac0a00000"),
        (4_294_967_296.0.into(), "fa4f800000"),
        (0.1.into(), "fb3fb999999999999a"),
        (1e100.into(), "fb54b249ad2594c37d"),
        (1e15.into(), "fb430c6bf526340000"),
        ((-0.0).into(), "fa80000000"),
        ("".into(), "60"),
        ("abc".into(), "63616263"),
        ("\u{e4}".into(), "62c3a4"),
        ("\u{20ac}".into(), "63e282ac"),
        ("\u{1f600}".into(), "64f09f9880"),
        ("\u{ffff}\0\"\n".into(), "66efbfbf00220a"),
        (Value::bytes([0xe4]), "41e4"),
        (Value::bytes([0, 0xff, 0xfe, 0x80]), "4400fffe80"),
        (Value::Array(vec![]), "80"),
        (vec![vec![1], vec![1]].into(), "8281018101"),
        (map([]), "a0"),
        (map([("a", 1.into())]), "a1616101"),
    ] {
        assert_eq!(written(&value).as_deref(), Ok(bytes));
        let back: Value = read(bytes);
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
    }
}

/// Some values arrive as others than those that were written.
#[test]
fn values_that_change() {
    for (value, bytes, arrives) in [
        (Value::from(1.0), "01", Value::from(1)),
        (0.0.into(), "00", 0.into()),
        (
            4_294_967_295.0.into(),
            "1affffffff",
            4_294_967_295i64.into(),
        ),
        // Perl does not know text from octets unless something is not ASCII.
        (Value::bytes("abc"), "43616263", "abc".into()),
        (Value::bytes(""), "40", "".into()),
    ] {
        assert_eq!(written(&value).as_deref(), Ok(bytes));
        assert_eq!(read::<Value>(bytes), arrives);
    }
    let lengths = [0, 23, 24, 255, 256, 65_535, 65_536];
    for (length, head) in
        lengths
            .into_iter()
            .zip(["60", "77", "7818", "78ff", "790100", "79ffff", "7a00010000"])
    {
        let text = "x".repeat(length);
        let bytes = written(&text).expect("text");
        assert_eq!(bytes[..head.len()], *head);
        assert_eq!(read::<String>(&bytes), text);
    }
}

#[test]
fn values_that_perl_would_misread_are_not_written() {
    assert_eq!(
        written(&u128::from(u64::MAX)).as_deref(),
        Ok("1bffffffffffffffff")
    );
    assert_eq!(
        written(&i128::from(i64::MIN)).as_deref(),
        Ok("3b7fffffffffffffff")
    );
    let below = i128::from(i64::MIN) - 1;
    assert_eq!(written(&below), written("-9223372036854775809"));
    assert_eq!(read::<i128>(&written(&below).expect("text")), below);
    assert_eq!(written(&u128::MAX), written(&u128::MAX.to_string()));
    for x in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(written(&x), Err(EncodeError::NotFinite));
        assert_eq!(written(&(x as f32)), Err(EncodeError::NotFinite));
    }
    assert_eq!(written(&()).as_deref(), Ok("f6"));
    assert_eq!(written(&None::<u8>).as_deref(), Ok("f6"));
}

/// Encodings that this project does not write, and that other writers of CBOR may use.
#[test]
fn other_ways_to_say_it() {
    for (bytes, value) in [
        ("1800", Value::from(0)),
        ("1b0000000000000000", 0.into()),
        ("3900 00", (-1).into()),
        ("f7", Value::Null),
        ("f93e00", 1.5.into()),
        ("f9c400", (-4.0).into()),
        ("fb3ff8000000000000", 1.5.into()),
        ("f97c00", f64::INFINITY.into()),
        ("faff800000", f64::NEG_INFINITY.into()),
        // Integers beyond 64 bits.
        ("3b8000000000000000", "-9223372036854775809".into()),
        ("3bffffffffffffffff", "-18446744073709551616".into()),
        ("c249010000000000000000", "18446744073709551616".into()),
        ("c349010000000000000000", "-18446744073709551617".into()),
        ("c2 41 2a", 42.into()),
        ("c3 5f 41 00 41 2a ff", (-43).into()),
        ("c2 40", 0.into()),
        // In pieces, of any length.
        ("5f 4161 426263 40 ff", "abc".into()),
        ("5f 41ff 41fe ff", Value::bytes([0xff, 0xfe])),
        ("7f 61c3 61a4 ff", "\u{e4}".into()),
        ("7fff", "".into()),
        (
            "9f 01 9f ff 80 ff",
            vec![1.into(), Value::Array(vec![]), Value::Array(vec![])].into(),
        ),
        (
            "bf 6161 01 4162 02 ff",
            map([("a", 1.into()), ("b", 2.into())]),
        ),
        ("98 03 010203", vec![1, 2, 3].into()),
        // Keys of all sorts are text; the last of equal ones counts.
        (
            "a6 01 f6 20 f6 f5 f6 f4 f6 fa3fc00000 f6 41e4 f6",
            map(["1", "-1", "", "1.5", "\u{e4}"].map(|key| (key, Value::Null))),
        ),
        ("a2 6161 01 4161 02", map([("a", 2.into())])),
        // Tags.
        ("d9d9f7 d9d9f7 01", 1.into()),
        ("d95652 01", true.into()),
        ("d95652 00", false.into()),
        ("d95652 02", 2.into()),
        ("d95652 63616263", "abc".into()),
        ("d820 66 687474703a2f", "http:/".into()),
        ("c0 63616263", "abc".into()),
        ("c1 1a00010000", 65_536.into()),
        ("d81a 82 61 61 01", vec![Value::from("a"), 1.into()].into()),
        ("c4 82 20 01", vec![-1, 1].into()),
        ("dbffffffffffffffff f6", Value::Null),
    ] {
        assert_eq!(read::<Value>(bytes), value, "{bytes}");
    }
    assert!(read::<f64>("fb7ff8000000000000").is_nan());
    assert_eq!(read::<f32>("f97c00"), f32::INFINITY);
}

#[test]
fn references() {
    let same: Value = vec![vec![1, 2], vec![1, 2]].into();
    for (bytes, value) in [
        ("82 d81c 82 0102 d81d 00", same.clone()),
        ("82 d81c 9f 0102 ff d81d 00", same),
        (
            "83 d81c 63616263 d81c 01 82 d81d 01 d81d 00",
            vec![
                Value::from("abc"),
                1.into(),
                vec![Value::from(1), "abc".into()].into(),
            ]
            .into(),
        ),
        (
            "82 d81c a1 6161 d81c 01 82 d81d 00 d81d 01",
            vec![
                map([("a", 1.into())]),
                vec![map([("a", 1.into())]), 1.into()].into(),
            ]
            .into(),
        ),
        ("83 d81c d81c 05 d81d 00 d81d 01", vec![5, 5, 5].into()),
        ("d90100 83 63616263 d819 00 d819 00", vec!["abc"; 3].into()),
        (
            "d90100 82 a1 63616263 01 a1 d819 00 02",
            vec![map([("abc", 1.into())]), map([("abc", 2.into())])].into(),
        ),
        // Short strings and those in chunks have no number; lists of strings within lists.
        (
            "d90100 84 6161 7f 64 61616161 ff 63616263 d819 00",
            vec!["a", "aaaa", "abc", "abc"].into(),
        ),
        (
            "d90100 83 63616263 d90100 82 63646566 d819 00 d819 00",
            vec![Value::from("abc"), vec!["def", "def"].into(), "abc".into()].into(),
        ),
        ("82 d81c f6 d81d 00", vec![Value::Null, Value::Null].into()),
        ("83 d81c 61 61 d81c d81d 00 d81d 01", vec!["a"; 3].into()),
        (
            "d90100 82 44 ffffffff c2 d819 00",
            vec![Value::bytes([0xff; 4]), 0xffff_ffffu32.into()].into(),
        ),
    ] {
        assert_eq!(read::<Value>(bytes), value, "{bytes}");
    }
    // Behind 24 strings a fourth character is needed.
    let mut bytes = String::from("d90100 98 1b");
    (0..24).for_each(|n| bytes += &format!("63 6161{n:02x}"));
    bytes += "63 616263 64 61626364 d819 1818";
    let list: Vec<String> = read(&bytes);
    assert_eq!(list[24..], ["abc", "abcd", "abcd"]);

    // References reach across the elements of a packet, also to one that did not have the wanted type.
    let packet = hex("85 d81c 83 010203 d81d 00 d81c d81c 82 6161 d81d 02 d81d 00 f6");
    let mut reader = Format::Cbor
        .reader(&packet, Limits::default())
        .expect("a packet");
    assert!(reader.arg::<u8>().is_err());
    assert_eq!(reader.arg::<Vec<u8>>(), Ok(Some(vec![1, 2, 3])));
    assert!(reader.arg::<Value>().is_err(), "it contains itself");
    assert_eq!(reader.remaining(), Ok(2));
    assert_eq!(reader.arg::<Option<[u8; 3]>>(), Ok(Some(Some([1, 2, 3]))));
    assert_eq!(reader.arg::<Option<u8>>(), Ok(Some(None)));
    assert_eq!(reader.finish(), Ok(0));
    assert_eq!(
        read::<Vec<Option<u8>>>("83 d81c f6 d81d 00 c1 01"),
        [None, None, Some(1)]
    );
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Point {
    x: i32,
    y: Option<f32>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    names: Vec<String>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Circle(u8),
    Line(u8, u8),
    Rect { w: u8 },
}

/// The encoding of Rust types, and the other encodings that each of them accepts.
#[test]
fn types() {
    fn both<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T, bytes: &str) {
        assert_eq!(written(value), Ok(bytes.replace(' ', "")));
        assert_eq!(read::<T>(bytes), *value);
    }
    both(&(1u8, 'x', "y".to_owned(), ()), "84 01 6178 6179 f6");
    both(
        &Point {
            x: -1,
            y: Some(0.5),
            names: vec![],
        },
        "a2 6178 20 6179 fa3f000000",
    );
    both(
        &Point {
            x: 1,
            y: None,
            names: vec!["n".into()],
        },
        "a3 6178 01 6179 f6 656e616d6573 81 616e",
    );
    both(&Shape::Nothing, "67 4e6f7468696e67");
    both(&Shape::Circle(1), "a1 66 436972636c65 01");
    both(&Shape::Line(1, 2), "a1 64 4c696e65 82 0102");
    both(&Shape::Rect { w: 1 }, "a1 64 52656374 a1 6177 01");
    both(
        &BTreeMap::from([(1u16, true), (2, false)]),
        "a2 6131 f5 6132 f4",
    );
    both(&[1u64, u64::MAX], "82 01 1bffffffffffffffff");
    both(&vec![-1i8, 0], "82 20 00");

    let point = Point {
        x: 5,
        y: Some(1.0),
        names: vec![],
    };
    for bytes in [
        "bf 4178 4135 4179 4131 ff",
        "a3 417a 83 010203 6178 05 6179 43 312e30",
        "d9d9f7 a2 6178 c1 05 6179 d81c f93c00",
    ] {
        assert_eq!(read::<Point>(bytes), point, "{bytes}");
    }
    assert_eq!(
        read::<BTreeMap<u16, bool>>("a2 01 00 4132 41 31"),
        BTreeMap::from([(1, false), (2, true)])
    );
    assert_eq!(read::<Shape>("47 4e6f7468696e67"), Shape::Nothing);
    assert_eq!(
        read::<Shape>("bf 46 436972636c65 4131 ff"),
        Shape::Circle(1)
    );
    assert_eq!(
        read::<(u8, String, bool, bool)>("84 41 37 18 2a 01 40"),
        (7, "42".into(), true, false)
    );
    assert_eq!(read::<String>("41e4"), "\u{e4}");
    assert_eq!(read::<u128>("c249010000000000000000"), 1 << 64);
    assert_eq!(read::<f64>("c249010000000000000000"), 2f64.powi(64));
}

#[test]
fn octets_are_borrowed_and_need_no_detour() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Borrowed<'a>(#[serde(borrow)] &'a [u8]);
    let packet = hex("84 41ff 416162 c3a4 43616263"
        .replace("416162 c3a4", "42c3a4 63616263")
        .as_str());
    let mut reader = Format::Cbor
        .reader(&packet, Limits::default())
        .expect("a packet");
    assert_eq!(reader.arg(), Ok(Some(Borrowed(&[0xff]))));
    assert_eq!(reader.arg(), Ok(Some(Borrowed(&[0xc3, 0xa4]))));
    assert_eq!(reader.arg(), Ok(Some("abc")));
    assert_eq!(reader.arg(), Ok(Some("abc")), "octets that are ASCII");
}

/// More elements than a head of one byte has room for, and lists that do not know their length.
#[test]
fn lengths_that_are_known_late() {
    for count in [0, 1, 23, 24, 300] {
        let mut out = Vec::new();
        let mut packet = Format::Cbor.writer(&mut out, Limits::default());
        for n in 0..count {
            packet.arg(&n).expect("a number");
        }
        packet.finish().expect("a packet");
        let mut reader = Format::Cbor
            .reader(&out, Limits::default())
            .expect("a packet");
        assert_eq!(reader.rest(), Ok((0..count).map(Value::from).collect()));
    }

    struct Unknown(u32);
    impl Serialize for Unknown {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            use serde::ser::SerializeSeq;
            // One that promises nothing, one that does not keep its promise.
            let mut seq = serializer.serialize_seq(Some(1000).filter(|_| self.0 % 2 == 1))?;
            for n in 0..self.0 {
                seq.serialize_element(&n)?;
            }
            seq.end()
        }
    }
    for count in [0, 1, 23, 24, 25, 255, 256, 301] {
        let bytes = written(&(Unknown(count), "behind")).expect("a list");
        let (list, behind): (Vec<u32>, String) = read(&bytes);
        assert_eq!((list.len(), behind.as_str()), (count as usize, "behind"));
    }
}

#[test]
fn limits_when_writing() {
    let deep = vec![vec![vec![1]]];
    for (limits, expected) in [
        (Limits::default().with_max_depth(4), Ok(())),
        (
            Limits::default().with_max_depth(3),
            Err(EncodeError::TooDeep { limit: 3 }),
        ),
        (Limits::default().with_max_packet(5), Ok(())),
        (
            Limits::default().with_max_packet(4),
            Err(EncodeError::TooLarge { limit: 4 }),
        ),
    ] {
        let mut out = vec![7];
        let mut packet = Format::Cbor.writer(&mut out, limits);
        let result = packet.arg(&deep).and_then(|()| packet.finish());
        assert_eq!(result, expected);
        let rest: &[u8] = if expected.is_ok() {
            &[0x81, 0x81, 0x81, 0x81, 1]
        } else {
            &[]
        };
        assert_eq!(out, [&[7], rest].concat());
    }
    let enums = Limits::default().with_max_depth(2);
    for shape in [Shape::Line(1, 2), Shape::Rect { w: 1 }] {
        let mut out = Vec::new();
        let mut packet = Format::Cbor.writer(&mut out, enums);
        assert_eq!(packet.arg(&shape), Err(EncodeError::TooDeep { limit: 2 }));
        drop(packet);
        assert_eq!(out, []);
    }
}
