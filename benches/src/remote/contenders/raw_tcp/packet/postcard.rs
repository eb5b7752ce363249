//! postcard by the crate of that name: both ends know the types, so that nothing says what is what.

use serde_bytes::Bytes;

use super::{Content, Packet};
use crate::appended::Appended;

/// Text and byte strings are alike in postcard; `true` says which it is.
type Fields<'a> = (&'a str, &'a str, i64, bool, &'a Bytes, Option<&'a str>);

/// Appends the packet.
pub(super) fn write(packet: &Packet<'_>, buffer: &mut Vec<u8>) {
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
    let fields: Fields<'_> = (port, tag, number, is_text, Bytes::new(content), reply);
    postcard::serialize_with_flavor(&fields, Appended(buffer)).expect("plain types");
}

pub(super) fn parse(body: &[u8]) -> Option<Packet<'_>> {
    let (port, tag, number, is_text, content, reply): Fields<'_> =
        postcard::from_bytes(body).ok()?;
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
