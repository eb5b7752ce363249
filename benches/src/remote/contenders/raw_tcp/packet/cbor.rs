//! CBOR by minicbor: the same array as in JSON.

use std::convert::Infallible;

use super::{Content, Packet};

/// Appends the packet.
pub(super) fn write(packet: &Packet<'_>, buffer: &mut Vec<u8>) {
    encode(packet, &mut minicbor::Encoder::new(buffer)).expect("vectors take everything");
}

fn encode(
    packet: &Packet<'_>,
    cbor: &mut minicbor::Encoder<&mut Vec<u8>>,
) -> Result<(), minicbor::encode::Error<Infallible>> {
    let elements = 4 + u64::from(packet.reply.is_some());
    cbor.array(elements)?.str(packet.port)?.str(packet.tag)?;
    cbor.i64(packet.number)?;
    match packet.content {
        Content::Text(text) => cbor.str(text)?,
        Content::Bytes(bytes) => cbor.bytes(bytes)?,
    };
    if let Some(reply) = packet.reply {
        cbor.str(reply)?;
    }
    Ok(())
}

pub(super) fn parse(body: &[u8]) -> Option<Packet<'_>> {
    let mut cbor = minicbor::Decoder::new(body);
    let elements = cbor.array().ok()??;
    let (port, tag, number) = (cbor.str().ok()?, cbor.str().ok()?, cbor.i64().ok()?);
    let content = match cbor.datatype().ok()? {
        minicbor::data::Type::Bytes => Content::Bytes(cbor.bytes().ok()?),
        _ => Content::Text(cbor.str().ok()?),
    };
    let reply = if elements > 4 {
        Some(cbor.str().ok()?)
    } else {
        None
    };
    Some(Packet {
        port,
        tag,
        number,
        content,
        reply,
    })
}
