//! The encoding of each kind of value in postcard, and the types as which it can be read.
#![cfg(feature = "postcard")]

#[path = "shared/hex.rs"]
mod hex;
#[path = "shared/values.rs"]
mod shared;

use std::borrow::Cow;
use std::collections::BTreeMap;

use aemp_codec::{EncodeError, Format, Limits, Value};
use serde::de::DeserializeOwned;
use serde::ser::SerializeSeq;
use serde::{Deserialize, Serialize, Serializer};

use hex::hex;
use shared::{digits, map};

/// The one argument of a packet, in hex.
fn written<T: Serialize + ?Sized>(argument: &T) -> Result<String, EncodeError> {
    let mut out = vec![0x55];
    let mut packet = Format::Postcard.writer(&mut out, Limits::default());
    packet.arg(argument)?;
    packet.finish()?;
    assert_eq!(out[..1], [0x55]);
    assert_eq!(out[1..5], (out.len() as u32 - 5).to_le_bytes());
    assert_eq!(out[5], 1);
    Ok(digits(&out[6..]))
}

fn packet(argument: &str) -> Vec<u8> {
    let item = hex(argument);
    [&(item.len() as u32 + 1).to_le_bytes()[..], &[1], &item].concat()
}

fn read<T: DeserializeOwned>(argument: &str) -> T {
    shared::read(&Format::Postcard, &packet(argument), argument)
}

/// Both ways, and as they are.
#[test]
fn values() {
    for (value, bytes) in [
        (Value::Null, "00"),
        (false.into(), "01"),
        (true.into(), "02"),
        (0.into(), "0300"),
        ((-1).into(), "0301"),
        (63.into(), "037e"),
        (64.into(), "038001"),
        ((-64).into(), "037f"),
        ((-65).into(), "038101"),
        (8192.into(), "03808001"),
        (123_456.into(), "0380890f"),
        ((1 << 20).into(), "0380808001"),
        (i64::MAX.into(), "03feffffffffffffffff01"),
        (i64::MIN.into(), "03ffffffffffffffffff01"),
        (Value::UInt(1 << 63), "0480808080808080808001"),
        (u64::MAX.into(), "04ffffffffffffffffff01"),
        (1.0.into(), "05000000000000f03f"),
        ((-0.0).into(), "050000000000000080"),
        (0.1.into(), "059a9999999999b93f"),
        ("".into(), "0600"),
        ("abc".into(), "0603616263"),
        ("\u{20ac}".into(), "0603e282ac"),
        (Value::bytes(""), "0700"),
        (Value::bytes("abc"), "0703616263"),
        (Value::bytes([0, 0xff]), "070200ff"),
        (Value::Array(vec![]), "0800"),
        (vec![vec![1], vec![1]].into(), "0802080103020801 0302"),
        (map([]), "0900"),
        (
            map([("a", 1.into()), ("", Value::Null)]),
            "0902016103020000",
        ),
    ] {
        let bytes = digits(&hex(bytes));
        assert_eq!(written(&value).as_deref(), Ok(&*bytes));
        let back: Value = read(&bytes);
        assert_eq!(format!("{back:?}"), format!("{value:?}"));
    }
}

/// Strings of every length around those at which something changes.
#[test]
fn strings() {
    for length in (0..40).chain([126, 127, 128, 129, 16_383, 16_384, 70_000]) {
        for shift in [0, 5] {
            let text: String = ('!'..='~').cycle().skip(shift).take(length).collect();
            let mut head = vec![6];
            let mut left = length;
            while left >= 0x80 {
                head.push(left as u8 | 0x80);
                left >>= 7;
            }
            head.push(left as u8);
            let expected = digits(&[&head, text.as_bytes()].concat());
            assert_eq!(written(&text).as_deref(), Ok(&*expected), "{length}");
            assert_eq!(read::<String>(&expected), text);
            head[0] = 7;
            let octets = Value::bytes(text.clone());
            let expected = digits(&[&head, text.as_bytes()].concat());
            assert_eq!(written(&octets).as_deref(), Ok(&*expected), "{length}");
            assert_eq!(read::<Value>(&expected), octets);
        }
    }
}

/// The example at the end of the specification.
#[test]
fn the_example_of_the_specification() {
    let specification = include_str!("../src/postcard/SPEC.md");
    let (_, example) = specification.split_once("```text").expect("there is one");
    let (example, _) = example.split_once("```").expect("it has an end");
    let bytes: String = example.lines().filter_map(|line| line.get(..32)).collect();
    let mut out = Vec::new();
    let mut packet = Format::Postcard.writer(&mut out, Limits::default());
    packet.str("counter").expect("text");
    packet.str("inc").expect("text");
    packet.arg(&5).expect("an integer");
    packet.arg(&-1.5).expect("a float");
    let who = map([("who", Value::bytes([0, 0xff]))]);
    packet.value(&who).expect("a map");
    packet.finish().expect("a packet");
    assert_eq!(digits(&out), digits(&hex(&bytes)));
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
enum Shape {
    Point,
    Circle(u8),
    Line(i8, i8),
    Box { width: u8, height: Option<u8> },
}

/// The same bytes as the values that they stand for.
#[test]
fn types() {
    assert_eq!(written(&Shape::Point).as_deref(), Ok("0605506f696e74"));
    assert_eq!(
        written(&Shape::Circle(1)).as_deref(),
        Ok("090106436972636c650302")
    );
    assert_eq!(
        written(&Shape::Line(0, -1)).as_deref(),
        Ok("0901044c696e65080203000301")
    );
    let square = Shape::Box {
        width: 1,
        height: None,
    };
    assert_eq!(
        written(&square).as_deref(),
        Ok("090103426f78090205776964746803020668656967687400")
    );
    for shape in [
        Shape::Point,
        Shape::Circle(255),
        Shape::Line(-128, 127),
        square,
    ] {
        assert_eq!(read::<Shape>(&written(&shape).expect("a value")), shape);
    }
    // A field that is missing, and one that the type does not have.
    let shape: Shape = read("0901 03426f78 0902 0577696474680302 016108020009010000");
    assert_eq!(
        shape,
        Shape::Box {
            width: 1,
            height: None
        }
    );
    assert_eq!(written(&(1u8, 'x', ())).as_deref(), Ok("0803030206017800"));
    assert_eq!(written(&Some(1.5f32)).as_deref(), Ok("05000000000000f83f"));
    assert_eq!(
        written(&u128::MAX).as_deref(),
        Ok(&*format!(
            "0627{}",
            digits(u128::MAX.to_string().as_bytes())
        ))
    );
    assert_eq!(
        read::<u128>(&written(&u128::MAX).expect("digits")),
        u128::MAX
    );
    assert_eq!(
        written(&i128::from(u64::MAX)).as_deref(),
        Ok("04ffffffffffffffffff01")
    );
    let by_number = BTreeMap::from([(-1, 'a'), (10, 'b')]);
    let bytes = written(&by_number).expect("keys are text");
    assert_eq!(bytes, "0902022d31060161023130060162");
    assert_eq!(read::<BTreeMap<i32, char>>(&bytes), by_number);
}

/// A list that does not say how long it is, or not the truth.
struct Lying(Option<usize>, usize);

impl Serialize for Lying {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(self.0)?;
        for _ in 0..self.1 {
            list.serialize_element(&())?;
        }
        list.end()
    }
}

#[test]
fn lists_whose_length_becomes_known_late() {
    for truth in [0, 1, 127, 128, 300] {
        let expected = written(&vec![(); truth]).expect("a list");
        for promise in [None, Some(0), Some(1), Some(128), Some(20_000)] {
            assert_eq!(written(&Lying(promise, truth)).as_deref(), Ok(&*expected));
        }
    }
    // The packet itself is such a list.
    for count in [0, 1, 127, 128, 20_000] {
        let mut out = Vec::new();
        let mut packet = Format::Postcard.writer(&mut out, Limits::default());
        (0..count).for_each(|n| packet.arg(&n).expect("a number"));
        packet.finish().expect("a packet");
        let mut reader = Format::Postcard
            .reader(&out, Limits::default())
            .expect("a packet");
        assert_eq!(reader.remaining(), Ok(count));
        (0..count).for_each(|n| assert_eq!(reader.required(), Ok(n)));
        assert_eq!(reader.finish(), Ok(0));
    }
}

/// 42 is "42", as with any other format.
#[test]
fn leniency() {
    assert_eq!(read::<u8>("06023432"), 42);
    assert_eq!(read::<u8>("07023432"), 42);
    assert_eq!(read::<u8>("050000000000004540"), 42);
    assert_eq!(read::<u8>("042a"), 42);
    assert_eq!(read::<u8>("03d400"), 42);
    assert_eq!(read::<String>("0354"), "42");
    assert_eq!(read::<String>("0703616263"), "abc");
    assert_eq!(read::<f64>("060431653130"), 1e10);
    assert!(read::<bool>("0302"));
    assert!(!read::<bool>("0600"));
    assert_eq!(read::<Option<u8>>("00"), None);
    assert_eq!(read::<Shape>("0705506f696e74"), Shape::Point);
    assert_eq!(
        read::<BTreeMap<String, u8>>("0901 0161 060131"),
        BTreeMap::from([("a".into(), 1)])
    );
    let numbers = packet("0802 0302 0304");
    let mut reader = Format::Postcard
        .reader(&numbers, Limits::default())
        .expect("a packet");
    assert_eq!(reader.required::<Vec<u8>>(), Ok(vec![1, 2]));
    for (name, text) in [
        ("0354", "42"),
        ("02", "1"),
        ("00", ""),
        ("0600", ""),
        ("070161", "a"),
    ] {
        let name = packet(name);
        let mut reader = Format::Postcard
            .reader(&name, Limits::default())
            .expect("a packet");
        assert_eq!(reader.text(), Ok(Some(text.into())));
    }
}

/// Text and octets are where the packet is: nothing is copied.
#[test]
fn strings_are_borrowed() {
    let long = "x".repeat(1_000);
    let mut out = Vec::new();
    let mut packet = Format::Postcard.writer(&mut out, Limits::default());
    packet.str("port").expect("text");
    packet.arg(&long).expect("text");
    packet.value(&Value::bytes(long.clone())).expect("octets");
    packet.value(&Value::bytes("ab")).expect("octets");
    packet.finish().expect("a packet");
    let mut reader = Format::Postcard
        .reader(&out, Limits::default())
        .expect("a packet");
    assert!(matches!(reader.text(), Ok(Some(Cow::Borrowed("port")))));
    assert_eq!(reader.required::<&str>(), Ok(&*long));
    assert_eq!(reader.required::<&[u8]>(), Ok(long.as_bytes()));
    assert_eq!(reader.required::<&str>(), Ok("ab"));
}
