//! Packets, written and parsed by hand.

use std::str;

/// `["PORT","TAG",NUMBER,"TEXT"]`, or with a reply port as the fifth element.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) port: &'a str,
    pub(crate) tag: &'a str,
    pub(crate) number: i64,
    pub(crate) text: &'a str,
    pub(crate) reply: Option<&'a str>,
}

impl<'a> Packet<'a> {
    /// Appends the packet and its length. The strings are the bench's own, and need no escapes.
    pub(crate) fn write(&self, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        buffer.extend_from_slice(b"[\"");
        buffer.extend_from_slice(self.port.as_bytes());
        buffer.extend_from_slice(b"\",\"");
        buffer.extend_from_slice(self.tag.as_bytes());
        buffer.extend_from_slice(b"\",");
        buffer.extend_from_slice(itoa::Buffer::new().format(self.number).as_bytes());
        buffer.extend_from_slice(b",\"");
        buffer.extend_from_slice(self.text.as_bytes());
        if let Some(reply) = self.reply {
            buffer.extend_from_slice(b"\",\"");
            buffer.extend_from_slice(reply.as_bytes());
        }
        buffer.extend_from_slice(b"\"]");
        let length = (buffer.len() - start - 4) as u32;
        buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Parses a packet without its length.
    pub(crate) fn parse(body: &'a [u8]) -> Option<Self> {
        let rest = body.strip_prefix(b"[")?.strip_suffix(b"]")?;
        let (port, rest) = string(rest)?;
        let (tag, rest) = string(rest.strip_prefix(b",")?)?;
        let (number, rest) = integer(rest.strip_prefix(b",")?)?;
        let (text, rest) = string(rest.strip_prefix(b",")?)?;
        let reply = match rest.strip_prefix(b",") {
            Some(rest) => Some(string(rest)?.0),
            None => None,
        };
        Some(Self {
            port,
            tag,
            number,
            text,
            reply,
        })
    }
}

/// Splits the first whole packet off, without its length.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

fn string(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let bytes = bytes.strip_prefix(b"\"")?;
    let end = memchr::memchr2(b'"', b'\\', bytes)?;
    if bytes[end] == b'\\' {
        // Never sent here, but a parser that did not look for them would be no JSON parser.
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

#[cfg(test)]
mod tests {
    use super::{Packet, split};

    #[test]
    fn what_is_written_is_parsed() {
        for reply in [None, Some("7")] {
            let packet = Packet {
                port: "p",
                tag: "t",
                number: -12,
                text: "x y",
                reply,
            };
            let mut bytes = Vec::new();
            packet.write(&mut bytes);
            assert_eq!(split(&bytes[..bytes.len() - 1]), None);
            let (body, rest) = split(&bytes).unwrap();
            assert!(rest.is_empty());
            assert_eq!(Packet::parse(body), Some(packet));
        }
    }
}
