//! Packets that Perl nodes have sent: every packet of the recorded conversations is read and written.
#![cfg(feature = "cbor")]

#[path = "shared/transcripts.rs"]
mod shared;

use aemp_codec::{Format, Limits, Map, Value};
use serde_json::Value as Json;

use shared::{base64, recording};

/// The connections of a recording that are CBOR in a direction, and the packets that went there.
fn packets(recording: &Json) -> Vec<Vec<u8>> {
    let is_cbor = |event: &Json| {
        let connections = recording["connections"].as_array().expect("connections");
        let conn = connections.iter().find(|conn| conn["id"] == event["conn"]);
        conn.is_some_and(|conn| {
            conn["framing"][event["dir"].as_str().expect("a direction")] == "cbor"
        })
    };
    let events = recording["events"].as_array().expect("events").iter();
    events
        .filter(|event| event["phase"] == "data" && is_cbor(event))
        .map(|event| base64(event["bytes_b64"].as_str().expect("packets have bytes")))
        .collect()
}

fn read(packet: &[u8]) -> Vec<Value> {
    shared::read(&Format::Cbor, packet)
}

fn write(packet: &[Value]) -> Vec<u8> {
    shared::write(&Format::Cbor, packet)
}

/// The same packet with Perl's strings, which are byte strings unless they are not ASCII.
fn as_perl(values: &[Value]) -> Vec<u8> {
    use ciborium::Value as Cbor;
    fn perl(value: &Value) -> Cbor {
        match value {
            Value::Str(s) if s.is_ascii() => Cbor::Bytes(s.as_bytes().into()),
            Value::Array(list) => Cbor::Array(list.iter().map(perl).collect()),
            Value::Map(map) => Cbor::Map(
                map.iter()
                    .map(|(key, value)| (perl(&key.into()), perl(value)))
                    .collect(),
            ),
            other => Cbor::serialized(other).expect("CBOR"),
        }
    }
    let mut out = Vec::new();
    let list: Vec<Cbor> = values.iter().map(perl).collect();
    ciborium::into_writer(&list, &mut out).expect("CBOR");
    out
}

#[test]
fn every_packet_survives_the_way_through_values() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/transcripts");
    let (mut count, mut same) = (0, 0);
    for entry in std::fs::read_dir(folder).expect("the fixtures are there") {
        let name = entry
            .expect("a file")
            .file_name()
            .into_string()
            .expect("a name");
        let recording = recording(&name);
        if !recording["events"].is_array() {
            continue;
        }
        for packet in packets(&recording) {
            let mut reader = Format::Cbor
                .reader(&packet, Limits::default())
                .expect("a packet");
            let values = reader.rest();
            let finite = values.as_ref().is_ok_and(|values| {
                values
                    .iter()
                    .all(|value| value.as_f64().is_none_or(f64::is_finite))
            });
            if let (true, Ok(values)) = (finite, values) {
                assert_eq!(read(&packet), values, "{name}");
                assert_eq!(read(&write(&values)), values, "{name}");
                assert_eq!(read(&as_perl(&values)), values, "{name}");
                same += usize::from(as_perl(&values) == packet);
            }
            count += 1;
        }
    }
    assert!(count > 300, "only {count} packets");
    assert!(
        same > count * 9 / 10,
        "only {same} of {count} packets are as Perl would write them"
    );
}

/// The value that was sent under that label, of the first that were.
fn sent(packets: &[Vec<u8>], label: &str) -> Value {
    let packet = packets.iter().map(|packet| {
        let mut reader = Format::Cbor
            .reader(packet, Limits::default())
            .expect("a packet");
        let _ = reader.text();
        (
            reader
                .text()
                .expect("a label")
                .unwrap_or_default()
                .into_owned(),
            reader,
        )
    });
    let mut found = packet.filter(|(is, _)| is == label);
    let (_, mut reader) = found.next().unwrap_or_else(|| panic!("no {label}"));
    reader.value().expect(label).expect(label)
}

#[test]
fn recorded_values_are_read_as_perl_wrote_them() {
    let packets = packets(&recording("snd_values_cbor.json"));
    let map = |entry: (&str, i64)| Value::Map([entry].into_iter().collect::<Map>());
    for (label, value) in [
        ("undef", Value::Null),
        ("int_2e53p1", Value::Int(9_007_199_254_740_993)),
        ("int_2e63m1", Value::Int(i64::MAX)),
        ("int_2e63", Value::UInt(1 << 63)),
        ("int_2e64m1", Value::UInt(u64::MAX)),
        ("int_m2e63", Value::Int(i64::MIN)),
        ("float_1.5", Value::Float(1.5)),
        ("float_1.0", Value::Int(1)),
        ("float_0.1", Value::Float(0.1)),
        ("float_1e15", Value::Float(1e15)),
        ("float_1e100", Value::Float(1e100)),
        ("float_1em7", Value::Float(1e-7)),
        ("str_number", "42".into()),
        ("str_latin1_bytes", Value::bytes([0xe4])),
        ("str_latin1_utf8flag", "\u{e4}".into()),
        ("str_euro_octets", Value::bytes([0xe2, 0x82, 0xac])),
        ("str_emoji", "\u{1f600}".into()),
        ("str_binary", Value::bytes([0, 0xff, 0xfe, 0x80])),
        (
            "str_control",
            "a\n\t\r\u{8}\u{c}\u{1}\u{1f}\u{7f}\"\\/".into(),
        ),
        ("true", true.into()),
        ("ref_to_0", false.into()),
        ("perl_yes", "1".into()),
        ("perl_no", "".into()),
        ("array_empty", Value::Array(vec![])),
        ("hash_numeric_key", map(("5", 6))),
        ("port_id", "b#abc".into()),
    ] {
        assert_eq!(sent(&packets, label), value, "{label}");
    }
}

#[test]
fn every_recorded_value_is_read() {
    let recording = recording("snd_values_cbor.json");
    let packets = packets(&recording);
    for value in recording["values"].as_array().expect("a list") {
        let label = value["label"].as_str().expect("a label");
        let value = sent(&packets, label);
        if value.as_f64().is_none_or(f64::is_finite) {
            assert_eq!(
                read(&write(std::slice::from_ref(&value))),
                [value],
                "{label}"
            );
        }
    }
}
