//! Properties that hold for any value, any bytes and any way of cutting them up. ciborium is the oracle.
#![cfg(feature = "cbor")]

#[path = "shared/properties.rs"]
mod shared;

use aemp_codec::{DecodeError, Format, Limits, Map, Value};
use ciborium::Value as Cbor;
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
        any::<f32>()
            .prop_filter("finite", |x| x.is_finite())
            .prop_map(Value::from),
        (-300i32..300).prop_map(|n| Value::from(f64::from(n))),
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
    let c = prop_oneof![4 => any::<char>(), 4 => prop::char::range(' ', '~')];
    proptest::collection::vec(c, 0..60).prop_map(|chars| chars.into_iter().collect())
}

/// The value that arrives for a value that was sent: octets that are ASCII are text, and 1.0 is 1.
fn arrived(value: &Value) -> Value {
    match value {
        Value::Bytes(octets) if octets.is_ascii() => value.text().expect("text").into(),
        Value::Float(x) if x.fract() == 0.0 && x.is_sign_positive() && *x < 4_294_967_296.0 => {
            Value::Int(*x as i64)
        }
        Value::Array(list) => list.iter().map(arrived).collect(),
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| (key, arrived(value)));
            Value::Map(entries.collect())
        }
        other => other.clone(),
    }
}

/// The same as ciborium has it.
fn theirs(value: &Value) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(b) => Cbor::Bool(*b),
        Value::Int(n) => Cbor::from(*n),
        Value::UInt(n) => Cbor::from(*n),
        Value::Float(x) => Cbor::Float(*x),
        Value::Str(s) => Cbor::Text(s.clone()),
        Value::Bytes(b) => Cbor::Bytes(b.clone()),
        Value::Array(list) => Cbor::Array(list.iter().map(theirs).collect()),
        Value::Map(map) => {
            let entry = |(key, value): (&str, &Value)| (Cbor::from(key), theirs(value));
            Cbor::Map(map.iter().map(entry).collect())
        }
    }
}

fn write(packet: &[Value]) -> Vec<u8> {
    shared::write(&Format::Cbor, packet)
}

fn read(packet: &[u8]) -> Result<Vec<Value>, DecodeError> {
    shared::read(&Format::Cbor, packet)
}

/// Bytes that are more often an item's head than chance would have it, most with short arguments.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => any::<u8>(),
        8 => (0u8..8, 0u8..5).prop_map(|(kind, short)| kind << 5 | short),
        2 => (2u8..6).prop_map(|kind| kind << 5 | 31),
        1 => Just(0xff),
        1 => (0u8..8, 24u8..28).prop_map(|(kind, long)| kind << 5 | long),
    ];
    let reference = prop_oneof![
        Just(vec![0xd8, 28]),
        Just(vec![0xd8, 29]),
        Just(vec![0xd8, 25]),
        Just(vec![0xd9, 1, 0]),
    ];
    let piece = prop_oneof![8 => byte.prop_map(|byte| vec![byte]), 1 => reference];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn values_arrive(packet in proptest::collection::vec(any_value(), 0..6)) {
        let bytes = write(&packet);
        let expected: Vec<Value> = packet.iter().map(arrived).collect();
        prop_assert_eq!(&read(&bytes).expect("it is a packet"), &expected);
        prop_assert_eq!(write(&expected), write(&read(&bytes).expect("it is a packet")));
    }

    #[test]
    fn ciborium_reads_our_packets(packet in proptest::collection::vec(any_value(), 0..6)) {
        let bytes = write(&packet);
        let read: Cbor = ciborium::from_reader(&*bytes).expect("CBOR");
        prop_assert_eq!(without_integral_floats(read), without_integral_floats(theirs(&Value::Array(packet))));
    }

    #[test]
    fn packets_of_ciborium_are_read(packet in proptest::collection::vec(any_value(), 0..6)) {
        let packet = Value::Array(packet);
        let mut bytes = Vec::new();
        ciborium::into_writer(&theirs(&packet), &mut bytes).expect("CBOR");
        let read = Value::Array(read(&bytes).expect("it is a packet"));
        prop_assert_eq!(arrived(&read), arrived(&packet));
    }

    #[test]
    fn every_chunking_finds_the_same_packets(
        packets in proptest::collection::vec(proptest::collection::vec(any_value(), 0..4), 1..5),
        tag in prop_oneof![Just(&[][..]), Just(&[0xd9, 0xd9, 0xf7][..])],
        cuts in proptest::collection::vec(1usize..20, 1..10),
    ) {
        let packets: Vec<Vec<u8>> = packets.iter().map(|packet| [tag, &write(packet)].concat()).collect();
        let mut framer = Format::Cbor.framer(Limits::default());
        prop_assert_eq!(frame(&mut framer, &packets.concat(), &cuts), Ok(packets));
    }

    #[test]
    fn every_chunking_finds_the_same_in_nonsense(
        stream in any_bytes(),
        cuts in proptest::collection::vec(1usize..9, 1..10),
        limit in prop_oneof![Just(20usize), Just(1_000)],
    ) {
        let stream = [&[0x84][..], &stream].concat();
        let limits = Limits::default().with_max_packet(limit).with_max_depth(4);
        let all = frame(&mut Format::Cbor.framer(limits), &stream, &[usize::MAX]);
        let pieces = frame(&mut Format::Cbor.framer(limits), &stream, &cuts);
        prop_assert_eq!(all, pieces);
    }

    #[test]
    fn the_framer_accepts_exactly_well_formed_packets(bytes in any_bytes()) {
        let bytes = [&[0x82][..], &bytes].concat();
        agrees(&bytes)?;
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

    #[test]
    fn halves_mean_the_same_to_ciborium(bits in any::<u16>()) {
        let [high, low] = bits.to_be_bytes();
        let packet = [0x81, 0xf9, high, low];
        let theirs: [f64; 1] = ciborium::from_reader(&packet[..]).expect("a float");
        let mut reader = Format::Cbor.reader(&packet, Limits::default()).expect("a packet");
        let ours: f64 = reader.required().expect("a float");
        prop_assert!(ours.to_bits() == theirs[0].to_bits() || ours.is_nan() && theirs[0].is_nan());
    }

    #[test]
    fn large_integers_mean_the_same_to_ciborium(octets in proptest::collection::vec(any::<u8>(), 0..16), negative: bool) {
        let mut packet = vec![0x81, 0xc2 + u8::from(negative), 0x40 + octets.len() as u8];
        packet.extend(octets);
        let theirs: [i128; 1] = ciborium::from_reader(&packet[..]).expect("an integer");
        let mut reader = Format::Cbor.reader(&packet, Limits::default()).expect("a packet");
        prop_assert_eq!(reader.required::<i128>().expect("an integer"), theirs[0]);
    }
}

/// Integral floats travel as integers.
fn without_integral_floats(value: Cbor) -> Cbor {
    let again = |list: Vec<Cbor>| list.into_iter().map(without_integral_floats).collect();
    match value {
        Cbor::Float(x) if x.fract() == 0.0 && x.is_sign_positive() && x < 4_294_967_296.0 => {
            Cbor::from(x as u32)
        }
        Cbor::Array(list) => Cbor::Array(again(list)),
        Cbor::Map(entries) => Cbor::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key, without_integral_floats(value)))
                .collect(),
        ),
        other => other,
    }
}

/// All ways of reading agree on the validity of the packet, and the framer finds the same end.
fn agrees(bytes: &[u8]) -> Result<(), TestCaseError> {
    let values = read(bytes);
    let read = values
        .as_ref()
        .map_or_else(|error| !error.is_malformed(), |_| true);
    let passed = Format::Cbor
        .reader(bytes, Limits::default())
        .and_then(|reader| reader.finish());
    prop_assert_eq!(
        passed.is_ok(),
        passed.is_ok() && read,
        "{:x?} {:?} {:?}",
        bytes,
        passed,
        values
    );
    if passed.is_ok() {
        let found = Format::Cbor.framer(Limits::default()).scan(bytes);
        prop_assert_eq!(found, Ok(Some(0..bytes.len())), "{:x?}", bytes);
    }
    // A packet that both libraries can read has the same number of elements for both.
    if let (Ok(values), Ok(Cbor::Array(theirs))) =
        (&values, ciborium::from_reader::<Cbor, _>(bytes))
    {
        prop_assert_eq!(values.len(), theirs.len(), "{:x?}", bytes);
    }
    Ok(())
}

/// All half floats that there are, by another's conversion.
#[test]
fn every_half_float_agrees_with_ciborium() {
    // Under Miri some of them have to do: those with round numbers, and those next to them.
    let step = if cfg!(miri) { 511 } else { 1 };
    for bits in (0..=u16::MAX).step_by(step) {
        let [high, low] = bits.to_be_bytes();
        let packet = [0x81, 0xf9, high, low];
        let mut reader = Format::Cbor
            .reader(&packet, Limits::default())
            .expect("a packet");
        let ours: f64 = reader.required().expect("a float");
        let theirs: f64 = ciborium::from_reader(&packet[1..]).expect("a float");
        let same = ours.to_bits() == theirs.to_bits() || ours.is_nan() && theirs.is_nan();
        assert!(same, "{bits:#06x}: {ours} {theirs}");
    }
}
