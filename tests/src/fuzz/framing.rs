//! Framers, and packets through values and back.
//!
//! The first byte selects format and limits, the second the division of the stream by the socket. The rest is the data
//! of a peer after its handshake.

use aemp_codec::{DecodeError, EncodeError, Format, Limits, Value};

use super::stream::{Stream, format};

/// The formats that have numbers.
const FORMATS: u8 = 3;

pub(super) fn run(bytes: &[u8]) -> usize {
    let stream = Stream::new(bytes);
    let whole = stream.whole();
    assert_eq!(
        whole,
        stream.in_pieces(),
        "how bytes arrive must not matter"
    );
    let packets = whole.0.into_iter();
    packets
        .filter(|range| packet(&stream, &stream.bytes[range.clone()]))
        .count()
}

/// Reads one packet in every way. Returns true if it has values.
fn packet(stream: &Stream<'_>, packet: &[u8]) -> bool {
    let Stream { format, limits, .. } = stream;
    let Ok(values) = read(format, packet, *limits) else {
        // Also then there is an answer, and soon.
        let _ = format.reader(packet, *limits).map(|reader| reader.finish());
        return false;
    };
    counts_agree(stream, packet, values.len());
    let most = match format.name() {
        "cbor" => limits.max_packet,
        _ => packet.len(),
    };
    assert!(weight(&values) <= most, "{} bytes of values", packet.len());
    for number in 0..FORMATS {
        travels(&self::format(number), &values, *limits);
    }
    settles(format, &values, *limits);
    true
}

fn read(format: &Format, packet: &[u8], limits: Limits) -> Result<Vec<Value>, DecodeError> {
    format.reader(packet, limits)?.rest()
}

fn write(format: &Format, values: &[Value], limits: Limits) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    let mut writer = format.writer(&mut out, limits);
    values.iter().try_for_each(|value| writer.value(value))?;
    writer.finish()?;
    Ok(out)
}

fn counts_agree(stream: &Stream<'_>, packet: &[u8], count: usize) {
    let open = || {
        let reader = stream.format.reader(packet, stream.limits);
        reader.expect("it was read before")
    };
    assert_eq!(open().remaining(), Ok(count));
    assert_eq!(open().finish(), Ok(count));
    let mut reader = open();
    while reader.skip().expect("it was read before") {}
    assert_eq!(reader.position(), count);
    let mut reader = open();
    while !matches!(reader.text(), Ok(None)) {}
    assert_eq!(reader.position(), count);
}

/// The number of values, with those in lists and maps.
fn weight(values: &[Value]) -> usize {
    let inner = |value: &Value| match value {
        Value::Array(list) => weight(list),
        Value::Map(map) => map
            .values()
            .map(|value| weight(std::slice::from_ref(value)))
            .sum(),
        _ => 0,
    };
    values.len() + values.iter().map(inner).sum::<usize>()
}

/// A packet that has arrived can be sent on in any format, and is the same to Perl there.
fn travels(format: &Format, values: &[Value], limits: Limits) {
    let bytes = match write(format, values, limits) {
        Ok(bytes) => bytes,
        // Other formats need more room, and some floats have no place in packets.
        Err(EncodeError::TooLarge { .. }) => return,
        Err(EncodeError::NotFinite) if !all_finite(values) => return,
        Err(error) => panic!("{format} cannot carry {values:?}: {error}"),
    };
    let found = format.framer(limits).scan(&bytes);
    assert_eq!(found, Ok(Some(0..bytes.len())), "{format} {values:?}");
    let arrived = read(format, &bytes, limits).expect("the written packet can be read");
    let same = Value::from(arrived.clone()).loose_eq(&Value::from(values.to_vec()));
    assert!(same, "{format}: {values:?} arrives as {arrived:?}");
}

fn all_finite(values: &[Value]) -> bool {
    values.iter().all(|value| match value {
        Value::Float(x) => x.is_finite(),
        Value::Array(list) => all_finite(list),
        Value::Map(map) => map
            .values()
            .all(|value| all_finite(std::slice::from_ref(value))),
        _ => true,
    })
}

/// A packet that has been written and read once does not change any more.
fn settles(format: &Format, values: &[Value], limits: Limits) {
    let Ok(first) = write(format, values, limits) else {
        return;
    };
    let once = read(format, &first, limits).expect("the written packet can be read");
    let second = write(format, &once, limits).expect("the values that were read can be written");
    let twice = read(format, &second, limits).expect("the written packet can be read");
    assert_eq!(first, second, "{once:?}");
    assert_eq!(format!("{once:?}"), format!("{twice:?}"));
}
