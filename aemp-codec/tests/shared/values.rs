//! Parts of the tests of values in all formats.

use aemp_codec::{Format, Limits, Map, Value};
use serde::de::DeserializeOwned;

/// The only argument of a packet, which is shown as `argument` in failures.
pub(crate) fn read<T: DeserializeOwned>(format: &Format, packet: &[u8], argument: &str) -> T {
    let found = format.framer(Limits::default()).scan(packet);
    assert_eq!(found, Ok(Some(0..packet.len())), "{argument}");
    let mut reader = format.reader(packet, Limits::default()).expect("a packet");
    let value = reader
        .required()
        .unwrap_or_else(|error| panic!("{argument}: {error}"));
    assert_eq!(reader.finish(), Ok(0), "{argument}");
    value
}

/// A map of these entries.
pub(crate) fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(entries.into_iter().collect::<Map>())
}

/// The digits of these octets.
pub(crate) fn digits(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
