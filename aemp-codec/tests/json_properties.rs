//! Properties that hold for any value, any bytes and any way of cutting them up.
#![cfg(feature = "json")]

#[path = "shared/properties.rs"]
mod shared;

use aemp_codec::{DecodeError, Format, Limits, Map, PacketReader, Value};
use proptest::prelude::*;

use shared::{config, frame};

fn any_value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1000i64..1000).prop_map(Value::from),
        any::<f64>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        any_text().prop_map(Value::from),
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Value::bytes),
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
    let c = prop_oneof![4 => any::<char>(), 4 => prop::char::range(' ', '~'), 1 => prop::char::range('\0', '\u{100}')];
    proptest::collection::vec(c, 0..100).prop_map(|chars| chars.into_iter().collect())
}

/// The value that arrives in JSON for a value that was sent: octets are text, and 1.0 is 1.
fn arrived(value: &Value) -> Value {
    match value {
        Value::Bytes(_) => value.text().expect("octets have a text").into(),
        Value::Float(x)
            if x.fract() == 0.0 && x.abs() < 1e15 && x.to_bits() != (-0.0f64).to_bits() =>
        {
            Value::Int(*x as i64)
        }
        Value::Array(list) => list.iter().map(arrived).collect(),
        Value::Map(map) => Value::Map(
            map.iter()
                .map(|(key, value)| (key, arrived(value)))
                .collect(),
        ),
        other => other.clone(),
    }
}

fn write(packet: &[Value]) -> Vec<u8> {
    shared::write(&Format::Json, packet)
}

fn read(packet: &[u8]) -> Result<Vec<Value>, DecodeError> {
    shared::read(&Format::Json, packet)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn values_arrive(packet in proptest::collection::vec(any_value(), 0..6)) {
        let bytes = write(&packet);
        let expected: Vec<Value> = packet.iter().map(arrived).collect();
        prop_assert_eq!(&read(&bytes).expect("it is a packet"), &expected);
        prop_assert_eq!(String::from_utf8(bytes.clone()).expect("UTF-8"), Value::from(packet).to_string());

        serde_json::from_slice::<serde_json::Value>(&bytes).expect("it is JSON");
    }

    #[test]
    fn every_chunking_finds_the_same_packets(
        packets in proptest::collection::vec(proptest::collection::vec(any_value(), 0..4), 1..5),
        space in "[ \t\r\n]{0,3}",
        cuts in proptest::collection::vec(1usize..20, 1..10),
    ) {
        let packets: Vec<Vec<u8>> = packets.iter().map(|packet| write(packet)).collect();
        let stream: Vec<u8> = packets.iter().flat_map(|packet| [space.as_bytes(), packet].concat()).collect();
        let mut framer = Format::Json.framer(Limits::default());
        prop_assert_eq!(frame(&mut framer, &stream, &cuts), Ok(packets));
    }

    #[test]
    fn every_chunking_finds_the_same_in_nonsense(
        stream in r#"[ \["\\\]\{\},:1eru\x00n-]{0,60}"#,
        cuts in proptest::collection::vec(1usize..9, 1..10),
    ) {
        let all = frame(&mut Format::Json.framer(Limits::default()), stream.as_bytes(), &[usize::MAX]);
        let pieces = frame(&mut Format::Json.framer(Limits::default()), stream.as_bytes(), &cuts);
        prop_assert_eq!(all, pieces);
    }

    #[test]
    fn json_like_text_is_accepted_when_serde_json_accepts_it(text in r#"\[[ \["\\\]\{\},:0-2eE.+\-ulntrfasu\x07\xe4\xff]{0,14}\]"#) {
        agrees(text.as_bytes())?;
    }

    #[test]
    fn damaged_packets_are_accepted_when_serde_json_accepts_them(
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

    #[test]
    fn strings_with_escapes_mean_the_same_to_serde_json(text in r#"(\\u[d0][8c0][0-9a-f]{2}|\\[nrtbf"/\\]|[a-z]{0,9}|ä){0,6}"#) {
        let packet = format!("[\"{text}\"]");
        let theirs = serde_json::from_str::<[String; 1]>(&packet).ok();
        let ours = Format::Json.reader(packet.as_bytes(), Limits::default())
            .and_then(|mut reader| reader.required::<String>()).ok();
        prop_assert_eq!(ours, theirs.map(|[text]| text));
    }

    #[test]
    fn numbers_mean_the_same_to_serde_json(text in r"-?[0-9]{1,21}(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?") {
        let packet = format!("[{text}]");
        let valid = serde_json::from_str::<serde::de::IgnoredAny>(&packet).is_ok();
        let mut reader = PacketReader::values(vec![Value::from(text.as_str())]);
        let from_text = reader.required::<f64>().ok();
        let ours = read(packet.as_bytes());
        prop_assert_eq!(valid, ours.is_ok() || ours.as_ref().is_err_and(|error| !error.is_malformed()));
        if let Ok([value]) = ours.as_deref() {
            let x = value.as_f64().or_else(|| value.as_str()?.parse().ok()).expect("a number");
            prop_assert_eq!(x, text.parse::<f64>().expect("a number"));
            prop_assert_eq!(from_text, Some(x));
        }
    }
}

/// True if the bytes are a packet is judged alike, however it is read.
fn agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    // serde_json passes over unread strings without looking at surrogates and UTF-8, and so do we.
    let theirs = bytes.trim_ascii_start().first() == Some(&b'[')
        && serde_json::from_slice::<Vec<serde::de::IgnoredAny>>(bytes).is_ok();
    let ours = read(bytes);
    if theirs {
        let values = serde_json::from_slice::<Vec<serde_json::Value>>(bytes);
        let held = values.map_or_else(
            |error| error.to_string().starts_with("number out of range"),
            |_| true,
        );
        let unicode = !ours.as_ref().is_err_and(DecodeError::is_not_unicode);
        prop_assert_eq!(unicode, held, "{:?}", String::from_utf8_lossy(bytes));
    }
    let ours = ours.is_ok() || ours.is_err_and(|error| !error.is_malformed());
    prop_assert!(ours || !theirs, "{:?}", String::from_utf8_lossy(bytes));
    let passed = Format::Json
        .reader(bytes, Limits::default())
        .and_then(|reader| reader.finish());
    prop_assert_eq!(
        passed.is_ok(),
        theirs,
        "{:?}",
        String::from_utf8_lossy(bytes)
    );
    Ok(())
}
