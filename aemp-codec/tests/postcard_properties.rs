//! Properties that hold for any value, any bytes and any way of cutting them up. A reader after SPEC.md, by means of
//! the crate `postcard` alone, is the oracle.
#![cfg(feature = "postcard")]

#[path = "shared/properties.rs"]
mod shared;

use aemp_codec::{DecodeError, Format, Limits, Map, Value, to_value};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use shared::{config, frame};

/// As it stands in SPEC.md.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Item {
    Null,
    False,
    True,
    Int(i64),
    UInt(u64),
    Float(f64),
    Text(String),
    Bytes(Vec<u8>),
    Array(Vec<Self>),
    Map(Vec<(String, Self)>),
}

impl Item {
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(false) => Self::False,
            Value::Bool(true) => Self::True,
            Value::Int(n) => Self::Int(*n),
            Value::UInt(n) => i64::try_from(*n).map_or(Self::UInt(*n), Self::Int),
            Value::Float(x) => Self::Float(*x),
            Value::Str(s) => Self::Text(s.clone()),
            Value::Bytes(b) => Self::Bytes(b.clone()),
            Value::Array(list) => Self::Array(list.iter().map(Self::of).collect()),
            Value::Map(map) => {
                Self::Map(map.iter().map(|(k, v)| (k.into(), Self::of(v))).collect())
            }
        }
    }

    fn value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::False => false.into(),
            Self::True => true.into(),
            Self::Int(n) => n.into(),
            Self::UInt(n) => n.into(),
            Self::Float(x) => x.into(),
            Self::Text(s) => s.into(),
            Self::Bytes(b) => Value::Bytes(b),
            Self::Array(list) => list.into_iter().map(Self::value).collect(),
            Self::Map(map) => {
                let entries = map.into_iter().map(|(key, item)| (key, item.value()));
                Value::Map(entries.collect::<Map>())
            }
        }
    }
}

/// A packet as an implementer writes it from the specification alone.
fn theirs(items: &[Item]) -> Vec<u8> {
    let body = postcard::to_stdvec(items).expect("it can be encoded");
    let length = u32::try_from(body.len()).expect("it is small");
    [&length.to_le_bytes()[..], &body].concat()
}

fn read_by_them(packet: &[u8]) -> Option<Vec<Item>> {
    let (length, body) = packet.split_first_chunk()?;
    let whole = body.len() as u64 == u32::from_le_bytes(*length).into();
    let (items, rest) = postcard::take_from_bytes(body).ok()?;
    (whole && rest.is_empty()).then_some(items)
}

fn write(packet: &[Value]) -> Vec<u8> {
    shared::write(&Format::Postcard, packet)
}

fn read(packet: &[u8]) -> Result<Vec<Value>, DecodeError> {
    shared::read(&Format::Postcard, packet)
}

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::UInt),
        (0u32..64).prop_map(|bits| Value::from(1i64 << bits)),
        (-300i64..300).prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        any_text().prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..200).prop_map(Value::bytes),
    ];
    scalar.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            proptest::collection::vec((any_text(), inner), 0..6)
                .prop_map(|entries| Value::Map(entries.into_iter().collect::<Map>())),
        ]
    })
}

fn any_text() -> impl Strategy<Value = String> {
    let c = prop_oneof![4 => any::<char>(), 4 => prop::char::range(' ', '~')];
    proptest::collection::vec(c, 0..60).prop_map(|chars| chars.into_iter().collect())
}

/// Values as they arrive: `UInt` only for numbers that are too large for `Int`.
fn arrived(packet: &[Value]) -> Vec<Value> {
    packet.iter().map(|value| Item::of(value).value()).collect()
}

/// A type with everything that serde knows, for packets that are written without a [`Value`] in between.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    flag: bool,
    small: i8,
    wide: u64,
    signed: i64,
    float: f64,
    single: f32,
    text: String,
    character: char,
    list: Vec<Option<u16>>,
    pair: (i32, String),
    map: std::collections::BTreeMap<i16, Kind>,
    unit: (),
    wrapped: Wrapped,
    huge: i128,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Wrapped(u32);

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Kind {
    Unit,
    One(String),
    Two(u8, i64),
    Named { a: bool, b: Vec<u8> },
}

fn any_kind() -> impl Strategy<Value = Kind> {
    prop_oneof![
        Just(Kind::Unit),
        any_text().prop_map(Kind::One),
        any::<(u8, i64)>().prop_map(|(a, b)| Kind::Two(a, b)),
        any::<(bool, Vec<u8>)>().prop_map(|(a, b)| Kind::Named { a, b }),
    ]
}

fn everything() -> impl Strategy<Value = Everything> {
    let float = any::<f64>().prop_filter("finite", |x| x.is_finite());
    let single = any::<f32>().prop_filter("finite", |x| x.is_finite());
    let map = proptest::collection::btree_map(any::<i16>(), any_kind(), 0..5);
    let scalars = any::<(bool, i8, u64, i64, char)>();
    let lists = any::<(Vec<Option<u16>>, i32, u32, i128)>();
    (scalars, float, single, any_text(), lists, map).prop_map(
        |((flag, small, wide, signed, character), float, single, text, lists, map)| Everything {
            flag,
            small,
            wide,
            signed,
            float,
            single,
            pair: (lists.1, text.clone()),
            text,
            character,
            list: lists.0,
            map,
            unit: (),
            wrapped: Wrapped(lists.2),
            huge: lists.3,
        },
    )
}

/// Bodies that are more often right than chance would have it.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![2 => any::<u8>(), 8 => 0u8..10, 2 => 0x80u8..0x84];
    proptest::collection::vec(byte, 0..40)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn values_are_written_as_specified_and_arrive(packet in proptest::collection::vec(any_value(), 0..6)) {
        let items: Vec<Item> = packet.iter().map(Item::of).collect();
        let bytes = write(&packet);
        prop_assert_eq!(&bytes, &theirs(&items));
        prop_assert_eq!(read(&bytes).expect("it is a packet"), arrived(&packet));
        prop_assert_eq!(read_by_them(&bytes), Some(items));
    }

    #[test]
    fn typed_arguments_are_the_same_bytes_as_values(argument in everything()) {
        let value = to_value(&argument).expect("it can be encoded");
        let mut out = Vec::new();
        let mut writer = Format::Postcard.writer(&mut out, Limits::default());
        writer.arg(&argument).expect("it can be encoded");
        writer.finish().expect("it is not too large");
        prop_assert_eq!(&out, &write(std::slice::from_ref(&value)));
        prop_assert_eq!(&out, &theirs(&[Item::of(&value)]));
        let mut reader = Format::Postcard.reader(&out, Limits::default()).expect("a packet");
        prop_assert_eq!(reader.required::<Everything>().expect("the written bytes can be read"), argument);
        prop_assert_eq!(reader.finish(), Ok(0));
    }

    #[test]
    fn every_chunking_finds_the_same_packets(
        packets in proptest::collection::vec(proptest::collection::vec(any_value(), 0..4), 1..5),
        cuts in proptest::collection::vec(1usize..20, 1..10),
    ) {
        let packets: Vec<Vec<u8>> = packets.iter().map(|packet| write(packet)).collect();
        let mut framer = Format::Postcard.framer(Limits::default());
        prop_assert_eq!(frame(&mut framer, &packets.concat(), &cuts), Ok(packets));
    }

    #[test]
    fn nonsense_is_judged_as_the_crate_judges_it(body in any_bytes()) {
        let packet = [&(body.len() as u32).to_le_bytes()[..], &body].concat();
        agrees(&packet)?;
    }

    #[test]
    fn damaged_packets_are_judged_alike(
        packet in proptest::collection::vec(any_value(), 0..4),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        end in any::<prop::sample::Index>(),
    ) {
        let mut bytes = write(&packet);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agrees(&bytes)?;
        bytes.truncate(end.index(bytes.len()));
        agrees(&bytes)?;
    }
}

/// True if bytes are a packet is judged alike however it is read, and as the crate does it, except that it reads numbers of
/// items in more than one byte and floats that are not finite, and that text which is not UTF-8 is no reason to refuse the packet.
fn agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    let values = read(bytes);
    let reader = Format::Postcard.reader(bytes, Limits::default());
    let passed = reader.and_then(|reader| reader.finish());
    // Values are read up to the first that is none.
    let not_unicode = values.as_ref().is_err_and(DecodeError::is_not_unicode);
    prop_assert!(
        passed.is_ok() == values.is_ok() || not_unicode,
        "{:x?} {:?} {:?}",
        bytes,
        passed,
        values
    );
    if let Err(error) = &values {
        prop_assert!(
            error.is_malformed() || not_unicode,
            "{:x?} {}",
            bytes,
            error
        );
    }
    let theirs = read_by_them(bytes);
    match (values, theirs) {
        (Ok(values), Some(items)) => {
            let theirs: Vec<Value> = items.into_iter().map(Item::value).collect();
            prop_assert_eq!(format!("{values:?}"), format!("{theirs:?}"), "{:x?}", bytes);
        }
        (Ok(_), None) => prop_assert!(false, "the crate refuses {:x?}", bytes),
        (Err(error), Some(_)) => {
            let known = error.to_string().ends_with("an unknown kind of value");
            prop_assert!(known, "the crate reads {:x?}: {}", bytes, error);
        }
        (Err(_), None) => {}
    }
    Ok(())
}
