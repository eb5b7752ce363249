//! Packets: their length in four bytes, and an array in one of the formats.

mod binary;
mod json;

use crate::appended::Appended;
use crate::remote::codec::Codec;

/// The parts of a packet. The reply port comes last, if there is one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    pub(crate) port: &'a str,
    pub(crate) tag: &'a str,
    pub(crate) number: i64,
    pub(crate) content: Content<'a>,
    pub(crate) reply: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    Text(&'a str),
    Bytes(&'a [u8]),
}

impl<'a> Packet<'a> {
    /// Appends the packet and its length.
    pub(crate) fn write(&self, codec: Codec, buffer: &mut Vec<u8>) {
        let start = buffer.len();
        buffer.extend_from_slice(&[0; 4]);
        match codec {
            Codec::Json => json::write(self, buffer),
            Codec::Cbor => cbor4ii::serde::to_writer(&mut *buffer, &binary::fields(self))
                .expect("vectors take everything"),
            Codec::Postcard => {
                postcard::serialize_with_flavor(&binary::fields(self), Appended(buffer))
                    .expect("vectors take everything");
            }
        }
        let length = (buffer.len() - start - 4) as u32;
        buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }

    /// Parses a packet without its length.
    pub(crate) fn parse(codec: Codec, body: &'a [u8]) -> Option<Self> {
        match codec {
            Codec::Json => json::parse(body),
            Codec::Cbor => binary::packet(cbor4ii::serde::from_slice(body).ok()?),
            Codec::Postcard => binary::packet(postcard::from_bytes(body).ok()?),
        }
    }
}

/// Splits the first whole packet off, without its length.
pub(crate) fn split(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use super::{Content, Packet, split};
    use crate::remote::codec::CODECS;

    #[test]
    fn written_packets_are_parsed_again() {
        for codec in CODECS {
            for (reply, content) in [
                (None, Content::Text("x y")),
                (Some("7"), Content::Text("")),
                (None, Content::Bytes(b"\xff")),
            ] {
                if matches!(content, Content::Bytes(_)) && !codec.has_bytes() {
                    continue;
                }
                let packet = Packet {
                    port: "p",
                    tag: "t",
                    number: -12,
                    content,
                    reply,
                };
                let mut bytes = Vec::new();
                packet.write(codec, &mut bytes);
                assert_eq!(split(&bytes[..bytes.len() - 1]), None);
                let (body, rest) = split(&bytes).unwrap();
                assert!(rest.is_empty());
                assert_eq!(Packet::parse(codec, body), Some(packet));
            }
        }
    }
}
