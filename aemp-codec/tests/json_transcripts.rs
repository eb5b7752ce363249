//! Packets that Perl nodes have sent: every packet of the recorded conversations is read and written.
#![cfg(feature = "json")]

#[path = "shared/transcripts.rs"]
mod shared;

use aemp_codec::{Format, Limits, PacketReader, Value};
use serde_json::Value as Json;

use shared::{base64, recording};

/// The bytes of every JSON packet of a recording, in order.
fn packets(recording: &Json) -> Vec<Vec<u8>> {
    let events = recording["events"]
        .as_array()
        .expect("a recording has events");
    let data = events.iter().filter(|event| event["phase"] == "data");
    let octets = |event: &Json| base64(event["bytes_b64"].as_str().expect("packets have bytes"));
    data.map(octets)
        .filter(|packet| packet.first() == Some(&b'['))
        .collect()
}

fn read(packet: &[u8]) -> Vec<Value> {
    shared::read(&Format::Json, packet)
}

fn write(packet: &[Value]) -> Vec<u8> {
    shared::write(&Format::Json, packet)
}

#[test]
fn every_packet_survives_the_way_through_values() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/fixtures/transcripts");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the fixtures are there") {
        let name = entry
            .expect("a file")
            .file_name()
            .into_string()
            .expect("a name");
        let recording = recording(&name);
        if !recording["events"].is_array() || name == "snd_unencodable.json" {
            continue;
        }
        for packet in packets(&recording) {
            let values = read(&packet);
            assert_eq!(read(&write(&values)), values, "{name}");
            let json: Json = serde_json::from_slice(&packet).expect("JSON");
            let ours: Json = serde_json::from_str(&Value::from(values).to_string()).expect("JSON");
            assert_eq!(ours, json, "{name}");
            count += 1;
        }
    }
    assert!(count > 500, "only {count} packets");
}

/// Packets that are written other than they came: Perl's floats, in notation only.
const OTHER_NOTATION: &[(&str, &str)] =
    &[("float_1e15", "1000000000000000.0"), ("float_1em7", "1e-7")];

#[test]
fn every_recorded_value_is_written_as_perl_wrote_it() {
    let mut labels = Vec::new();
    for packet in packets(&recording("snd_values.json")) {
        let values = read(&packet);
        let label = values[1].as_str().expect("a label").to_owned();
        let other = OTHER_NOTATION.iter().find(|(of, _)| *of == label);
        let expected = match other {
            Some((_, digits)) => format!("[{},\"{label}\",{digits}]", values[0]).into_bytes(),
            None => packet,
        };
        assert_eq!(
            String::from_utf8_lossy(&write(&values)),
            String::from_utf8_lossy(&expected)
        );
        labels.push(label);
    }
    for value in recording("snd_values.json")["values"]
        .as_array()
        .expect("a list")
    {
        let label = value["label"].as_str().expect("a label");
        assert!(
            labels.iter().any(|seen| seen == label),
            "{label} is not in the recording"
        );
    }
}

#[test]
fn recorded_values_are_read_as_perl_wrote_them() {
    let expected: &[(&str, Value)] = &[
        ("undef", Value::Null),
        ("int_2e53p1", Value::Int(9_007_199_254_740_993)),
        ("int_2e63m1", Value::Int(i64::MAX)),
        ("int_2e63", Value::UInt(1 << 63)),
        ("int_2e64m1", Value::UInt(u64::MAX)),
        ("int_m2e63", Value::Int(i64::MIN)),
        ("float_1.5", Value::Float(1.5)),
        ("float_1.0", Value::Int(1)),
        ("float_1e100", Value::Float(1e100)),
        ("float_1em7", Value::Float(1e-7)),
        ("float_time", Value::Float(1_795_462_663.201_33)),
        ("str_number", "42".into()),
        ("str_latin1_bytes", "\u{e4}".into()),
        ("str_latin1_utf8flag", "\u{e4}".into()),
        ("str_euro_octets", "\u{e2}\u{82}\u{ac}".into()),
        ("str_emoji", "\u{1f600}".into()),
        ("str_binary", "\0\u{ff}\u{fe}\u{80}".into()),
        (
            "str_control",
            "a\n\t\r\u{8}\u{c}\u{1}\u{1f}\u{7f}\"\\/".into(),
        ),
        ("true", true.into()),
        ("ref_to_0", false.into()),
        ("perl_yes", "1".into()),
        ("perl_no", "".into()),
        ("array_empty", Value::Array(vec![])),
        (
            "hash_numeric_key",
            Value::Map([("5", 6)].into_iter().collect()),
        ),
        ("port_id", "b#abc".into()),
    ];
    let packets: Vec<_> = packets(&recording("snd_values.json"))
        .iter()
        .map(|p| read(p))
        .collect();
    for (label, value) in expected {
        let packet = packets
            .iter()
            .find(|packet| packet[1] == Value::from(*label));
        let mut reader = PacketReader::values(packet.expect("it is there").clone());
        reader.text().expect("a port name");
        reader.text().expect("a label");
        assert_eq!(reader.value().as_ref(), Ok(&Some(value.clone())), "{label}");
    }
}

#[test]
fn values_that_perl_cannot_encode() {
    let (json, limits) = (Format::Json, Limits::default());
    let mut outcomes = Vec::new();
    for packet in packets(&recording("snd_unencodable.json")) {
        let framed = json
            .framer(limits)
            .scan(&packet)
            .map_err(|error| error.to_string());
        let label = json
            .reader(&packet, limits)
            .and_then(|mut reader| Ok(reader.rest()?[1].to_string()));
        outcomes.push((framed.err(), label.map_err(|error| error.to_string())));
    }
    let error = |text: &str| Err(format!("malformed packet at byte {text}"));
    let framing = |at| {
        Some(format!(
            "malformed packet: unexpected character (at byte {at})"
        ))
    };
    assert_eq!(
        outcomes,
        [
            (None, Ok("\"devnull\"".into())),
            (framing(16), error("16: expected a value")),
            (framing(21), error("21: expected a digit")),
            (None, error("16: expected a value")),
            // Half of a surrogate pair, which costs the port that it is for.
            (None, Err("argument 3: text that is not Unicode".into())),
            (None, Ok("\"noncharacter\"".into())),
        ]
    );
}
