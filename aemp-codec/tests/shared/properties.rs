//! Parts of the tests of properties of all formats.

use aemp_codec::{DecodeError, Format, Framer, Limits, Value};
use proptest::prelude::*;

/// Under Miri a case has to do: it is slow, and checks the code's operations rather than its results.
pub(crate) fn config() -> ProptestConfig {
    let mut config = ProptestConfig::default();
    if cfg!(miri) {
        config.cases = 1;
    }
    config.failure_persistence = None;
    config
}

/// The packet of these values.
pub(crate) fn write(format: &Format, packet: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = format.writer(&mut out, Limits::default());
    for value in packet {
        writer.value(value).expect("it can be encoded");
    }
    writer.finish().expect("it is not too large");
    out
}

/// The values of a packet.
pub(crate) fn read(format: &Format, packet: &[u8]) -> Result<Vec<Value>, DecodeError> {
    format.reader(packet, Limits::default())?.rest()
}

/// Feeds a stream in pieces, the way a connection does, and collects the packets.
pub(crate) fn frame(
    framer: &mut Framer,
    stream: &[u8],
    cuts: &[usize],
) -> Result<Vec<Vec<u8>>, String> {
    let (mut packets, mut buffer, mut rest) = (Vec::new(), Vec::new(), stream);
    for &cut in cuts.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, behind) = rest.split_at(cut.clamp(1, rest.len()));
        buffer.extend_from_slice(piece);
        rest = behind;
        while let Some(range) = framer
            .scan(&buffer)
            .map_err(|error| error.kind.to_string())?
        {
            packets.push(buffer[range.clone()].to_vec());
            buffer.drain(..range.end);
        }
    }
    Ok(packets)
}
