//! Parts of the tests with recorded packets.

use aemp_codec::{Format, Limits, Value};
use serde_json::Value as Json;

/// A recording of Perl nodes.
pub(crate) fn recording(name: &str) -> Json {
    let folder = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../tests/fixtures/transcripts/"
    );
    let text = std::fs::read_to_string(format!("{folder}{name}")).expect("the fixture is there");
    // One recording shows a lone surrogate, which JSON cannot carry.
    serde_json::from_str(&text.replace(r#""\ud800""#, r#""lone""#)).expect("a recording is JSON")
}

/// The octets of a text in base64.
pub(crate) fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digit = |c: u8| DIGITS.iter().position(|&d| d == c).expect("a digit") as u32;
    let mut octets = Vec::new();
    let text = text.trim_end_matches('=').as_bytes();
    for group in text.chunks(4) {
        let bits = group.iter().fold(0, |bits, &c| bits << 6 | digit(c)) << (6 * (4 - group.len()));
        octets.extend_from_slice(&bits.to_be_bytes()[1..group.len()]);
    }
    octets
}

/// The values of the only packet of these bytes.
pub(crate) fn read(format: &Format, packet: &[u8]) -> Vec<Value> {
    let limits = Limits::default();
    assert_eq!(
        format.framer(limits).scan(packet),
        Ok(Some(0..packet.len()))
    );
    let mut reader = format.reader(packet, limits).expect("a packet");
    let values = reader.rest().expect("values");
    assert_eq!(reader.finish(), Ok(0));
    values
}

/// The packet of values that were read.
pub(crate) fn write(format: &Format, packet: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = format.writer(&mut out, Limits::default());
    for value in packet {
        writer.value(value).expect("a read value can be written");
    }
    writer.finish().expect("a read value can be written");
    out
}
