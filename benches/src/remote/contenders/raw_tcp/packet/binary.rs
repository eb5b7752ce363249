//! The binary formats with serde: both ends know the types.

use serde_bytes::Bytes;

use super::{Content, Packet};

/// The elements of a packet. Text travels as bytes as well; `true` marks text.
pub(super) type Fields<'a> = (&'a str, &'a str, i64, bool, &'a Bytes, Option<&'a str>);

pub(super) fn fields<'a>(packet: &Packet<'a>) -> Fields<'a> {
    let (is_text, content) = match packet.content {
        Content::Text(text) => (true, text.as_bytes()),
        Content::Bytes(bytes) => (false, bytes),
    };
    let &Packet {
        port,
        tag,
        number,
        reply,
        ..
    } = packet;
    (port, tag, number, is_text, Bytes::new(content), reply)
}

pub(super) fn packet(fields: Fields<'_>) -> Option<Packet<'_>> {
    let (port, tag, number, is_text, content, reply) = fields;
    let content = if is_text {
        Content::Text(std::str::from_utf8(content).ok()?)
    } else {
        Content::Bytes(content)
    };
    Some(Packet {
        port,
        tag,
        number,
        content,
        reply,
    })
}
