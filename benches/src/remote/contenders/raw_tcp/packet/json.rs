//! JSON, written and parsed by hand: `["PORT","TAG",NUMBER,"TEXT"]`, and a reply port as the fifth element.

use std::str;

use super::{Content, Packet};

/// Appends the packet. The strings are the bench's own, and need no escapes.
pub(super) fn write(packet: &Packet<'_>, buffer: &mut Vec<u8>) {
    let Content::Text(text) = packet.content else {
        unreachable!("there are no byte strings in JSON")
    };
    buffer.extend_from_slice(b"[\"");
    buffer.extend_from_slice(packet.port.as_bytes());
    buffer.extend_from_slice(b"\",\"");
    buffer.extend_from_slice(packet.tag.as_bytes());
    buffer.extend_from_slice(b"\",");
    buffer.extend_from_slice(itoa::Buffer::new().format(packet.number).as_bytes());
    buffer.extend_from_slice(b",\"");
    buffer.extend_from_slice(text.as_bytes());
    if let Some(reply) = packet.reply {
        buffer.extend_from_slice(b"\",\"");
        buffer.extend_from_slice(reply.as_bytes());
    }
    buffer.extend_from_slice(b"\"]");
}

pub(super) fn parse(body: &[u8]) -> Option<Packet<'_>> {
    let rest = body.strip_prefix(b"[")?.strip_suffix(b"]")?;
    let (port, rest) = string(rest)?;
    let (tag, rest) = string(rest.strip_prefix(b",")?)?;
    let (number, rest) = integer(rest.strip_prefix(b",")?)?;
    let (text, rest) = string(rest.strip_prefix(b",")?)?;
    let reply = match rest.strip_prefix(b",") {
        Some(rest) => Some(string(rest)?.0),
        None => None,
    };
    Some(Packet {
        port,
        tag,
        number,
        content: Content::Text(text),
        reply,
    })
}

fn string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let bytes = bytes.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', bytes)?;
    if bytes[end] == b'\\' {
        // Escapes are never sent here, but a JSON parser must look for them.
        return None;
    }
    Some((str::from_utf8(&bytes[..end]).ok()?, &bytes[end + 1..]))
}

fn integer(bytes: &[u8]) -> Option<(i64, &[u8])> {
    let (negative, digits) = match bytes.strip_prefix(b"-") {
        Some(digits) => (true, digits),
        None => (false, bytes),
    };
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    let mut value: i64 = 0;
    for digit in &digits[..end] {
        value = value
            .checked_mul(10)?
            .checked_add(i64::from(digit - b'0'))?;
    }
    Some((if negative { -value } else { value }, &digits[end..]))
}
