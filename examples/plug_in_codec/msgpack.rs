//! [MessagePack](https://msgpack.org) as a wire format. Each packet is an array after its length
//! in four bytes, which shows its end.

use std::{borrow::Cow, ops::Range};

use aemp::{
    Codec, DecodeError, EncodeError, Limits,
    codec::{
        Contents, Cursor, Decoding, Encoding, FrameError, FrameErrorKind, Framing, Item, ListKind,
        PacketReader, PacketWriter, Scalar,
    },
};

/// The format, which has no state.
#[derive(Debug)]
pub(crate) struct MessagePack;

impl Codec for MessagePack {
    fn name(&self) -> &str {
        "example-msgpack"
    }

    fn framer(&self, limits: Limits) -> Box<dyn Framing> {
        Box::new(Framer { limits })
    }

    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        PacketWriter::encoding(self, out, limits)
    }

    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        PacketReader::decoding(self, packet, limits)
    }
}

/// The size of a packet's length, in bytes.
const PREFIX: usize = size_of::<u32>();

/// The first bytes of values.
mod first {
    pub(crate) const NIL: u8 = 0xc0;
    pub(crate) const FALSE: u8 = 0xc2;
    pub(crate) const TRUE: u8 = 0xc3;
    pub(crate) const BIN: u8 = 0xc4;
    pub(crate) const FLOAT_32: u8 = 0xca;
    pub(crate) const FLOAT_64: u8 = 0xcb;
    pub(crate) const UNSIGNED: u8 = 0xcc;
    pub(crate) const SIGNED: u8 = 0xd0;
    pub(crate) const STR: u8 = 0xd9;
    pub(crate) const ARRAY: u8 = 0xdc;
    pub(crate) const MAP: u8 = 0xde;
    pub(crate) const ARRAY_32: u8 = 0xdd;
}

/// Writes a number in the fewest bytes. The first bytes for 8, 16, 32 and 64 bits are consecutive.
fn push(out: &mut Vec<u8>, first: u8, n: u64) {
    let size = match n {
        0..=0xff => 0,
        0x100..=0xffff => 1,
        0x1_0000..=0xffff_ffff => 2,
        _ => 3,
    };
    out.push(first + size);
    out.extend_from_slice(&n.to_be_bytes()[8 - (1 << size)..]);
}

impl Encoding for MessagePack {
    fn begin(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&[0, 0, 0, 0, first::ARRAY_32, 0, 0, 0, 0]);
    }

    fn end(&self, out: &mut Vec<u8>, start: usize, count: usize) -> Result<(), EncodeError> {
        let body = start + PREFIX;
        let number = |n: usize| u32::try_from(n).map(u32::to_be_bytes);
        let too_large = |_| EncodeError::TooLarge {
            limit: u32::MAX as usize,
        };
        let count = number(count).map_err(too_large)?;
        let length = number(out.len() - body).map_err(too_large)?;
        out[start..body].copy_from_slice(&length);
        out[body + 1..body + 5].copy_from_slice(&count);
        Ok(())
    }

    fn null(&self, out: &mut Vec<u8>) {
        out.push(first::NIL);
    }

    fn bool(&self, out: &mut Vec<u8>, b: bool) {
        out.push(if b { first::TRUE } else { first::FALSE });
    }

    fn int(&self, out: &mut Vec<u8>, n: i64) {
        match n {
            0.. => self.unsigned(out, n as u64),
            -32..0 => out.push(n as u8),
            // The fewest bytes of the two's complement that hold the number and its sign.
            -0x80..0 => out.extend_from_slice(&[first::SIGNED, n as u8]),
            -0x8000..0 => push(out, first::SIGNED, u64::from(n as u16)),
            -0x8000_0000..0 => push(out, first::SIGNED, u64::from(n as u32)),
            _ => push(out, first::SIGNED, n as u64),
        }
    }

    fn unsigned(&self, out: &mut Vec<u8>, n: u64) {
        match n {
            0..0x80 => out.push(n as u8),
            _ => push(out, first::UNSIGNED, n),
        }
    }

    fn float(&self, out: &mut Vec<u8>, x: f64) {
        out.push(first::FLOAT_64);
        out.extend_from_slice(&x.to_be_bytes());
    }

    fn text(&self, out: &mut Vec<u8>, text: &str) {
        match text.len() {
            length @ 0..32 => out.push(0xa0 | length as u8),
            length => push(out, first::STR, length as u64),
        }
        out.extend_from_slice(text.as_bytes());
    }

    fn bytes(&self, out: &mut Vec<u8>, octets: &[u8]) {
        push(out, first::BIN, octets.len() as u64);
        out.extend_from_slice(octets);
    }

    fn key(&self, out: &mut Vec<u8>, key: &str) {
        Encoding::text(self, out, key);
    }

    fn open(&self, out: &mut Vec<u8>, kind: ListKind, count: usize) {
        let (short, long) = match kind {
            ListKind::Array => (0x90, first::ARRAY),
            ListKind::Map => (0x80, first::MAP),
        };
        match count {
            0..16 => out.push(short | count as u8),
            // There is no length of eight bits.
            16..=0xff => out.extend_from_slice(&[long, 0, count as u8]),
            _ => push(out, long - 1, count as u64),
        }
    }
}

/// Reads a number of 8, 16, 32 or 64 bits. The first byte determines the size.
fn number(cursor: &mut Cursor<'_>, size: u8) -> Result<u64, DecodeError> {
    Ok(match size {
        0 => cursor.byte()?.into(),
        1 => u16::from_be_bytes(cursor.array()?).into(),
        2 => u32::from_be_bytes(cursor.array()?).into(),
        _ => u64::from_be_bytes(cursor.array()?),
    })
}

fn octets<'de>(cursor: &mut Cursor<'de>, length: u64) -> Result<&'de [u8], DecodeError> {
    cursor.bytes(usize::try_from(length).unwrap_or(usize::MAX))
}

fn text<'de>(cursor: &mut Cursor<'de>, length: u64) -> Result<Scalar<'de>, DecodeError> {
    let text = std::str::from_utf8(octets(cursor, length)?);
    let text = text.map_err(|_| DecodeError::not_unicode())?;
    Ok(Scalar::Str(text.into()))
}

impl Decoding for MessagePack {
    fn packet(&self, cursor: &mut Cursor<'_>) -> Result<Contents, DecodeError> {
        cursor.array::<PREFIX>()?;
        match self.item(cursor)? {
            Item::Array(contents) => Ok(contents),
            _ => Err(DecodeError::malformed(PREFIX, "a packet must be an array")),
        }
    }

    fn item<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Item<'de, Contents>, DecodeError> {
        let start = cursor.at();
        let contents = |count: u64| Contents::counted(start, count.try_into().unwrap_or(0));
        let first = cursor.byte()?;
        Ok(Item::Scalar(match first {
            0..0x80 => Scalar::Int(first.into()),
            0x80..0x90 => return Ok(Item::Map(contents((first & 15).into()))),
            0x90..0xa0 => return Ok(Item::Array(contents((first & 15).into()))),
            0xa0..0xc0 => text(cursor, (first & 31).into())?,
            first::NIL => Scalar::Null,
            first::FALSE => Scalar::Bool(false),
            first::TRUE => Scalar::Bool(true),
            first::BIN..=0xc6 => {
                let length = number(cursor, first - first::BIN)?;
                Scalar::Bytes(octets(cursor, length)?.into())
            }
            first::FLOAT_32 => Scalar::Float(f32::from_be_bytes(cursor.array()?).into()),
            first::FLOAT_64 => Scalar::Float(f64::from_be_bytes(cursor.array()?)),
            first::UNSIGNED..=0xcf => {
                let n = number(cursor, first - first::UNSIGNED)?;
                i64::try_from(n).map_or(Scalar::UInt(n), Scalar::Int)
            }
            first::SIGNED..=0xd3 => {
                let n = number(cursor, first - first::SIGNED)?;
                let unused = 64 - (8 << (first - first::SIGNED));
                Scalar::Int((n << unused) as i64 >> unused)
            }
            first::STR..=0xdb => {
                let length = number(cursor, first - first::STR)?;
                text(cursor, length)?
            }
            first::ARRAY..=first::ARRAY_32 => {
                let count = number(cursor, first - first::ARRAY + 1)?;
                return Ok(Item::Array(contents(count)));
            }
            first::MAP..=0xdf => {
                let count = number(cursor, first - first::MAP + 1)?;
                return Ok(Item::Map(contents(count)));
            }
            0xe0.. => Scalar::Int((first as i8).into()),
            _ => {
                return Err(DecodeError::malformed(
                    start,
                    "an extension, or no MessagePack",
                ));
            }
        }))
    }

    fn key<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Cow<'de, str>, DecodeError> {
        let start = cursor.at();
        match self.item(cursor)? {
            Item::Scalar(Scalar::Str(key)) => Ok(key),
            _ => Err(DecodeError::malformed(start, "a key must be text")),
        }
    }

    /// Small integers have one byte, and most texts are shorter than 32 bytes.
    fn integer(&self, cursor: &mut Cursor<'_>) -> Option<i64> {
        let first = *cursor.rest().first().filter(|&&first| first < 0x80)?;
        cursor.byte().ok()?;
        Some(first.into())
    }

    fn text<'de>(&self, cursor: &mut Cursor<'de>) -> Option<&'de str> {
        let (first @ 0xa0..0xc0, rest) = cursor.rest().split_first()? else {
            return None;
        };
        let text = std::str::from_utf8(rest.get(..usize::from(first & 31))?).ok()?;
        cursor.bytes(1 + text.len()).ok()?;
        Some(text)
    }
}

/// Reads the length, and waits for that number of bytes.
#[derive(Debug)]
struct Framer {
    limits: Limits,
}

impl Framing for Framer {
    fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        let Some(length) = buffer.first_chunk() else {
            return Ok(None);
        };
        let limit = self.limits.max_packet;
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        match length.checked_add(PREFIX) {
            Some(end) if end <= limit => Ok((buffer.len() >= end).then_some(0..end)),
            _ => Err(FrameError::new(0, FrameErrorKind::TooLarge { limit })),
        }
    }
}

#[cfg(test)]
mod tests {
    use aemp::Value;

    use super::*;

    fn write(write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut packet = MessagePack.writer(&mut bytes, Limits::default());
        write(&mut packet).unwrap();
        packet.finish().unwrap();
        bytes
    }

    #[test]
    fn integers_are_as_short_as_possible_and_come_back() {
        let bits = (0..64).map(|bits| 1i64.wrapping_shl(bits));
        for n in bits.flat_map(|n| [n.wrapping_sub(1), n, n.wrapping_neg(), !n]) {
            let bytes = write(|packet| packet.arg(&n));
            let size = bytes.len() - PREFIX - 5;
            let shortest = match n {
                -0x20..0x80 => 1,
                -0x80..0x100 => 2,
                -0x8000..0x1_0000 => 3,
                -0x8000_0000..0x1_0000_0000 => 5,
                _ => 9,
            };
            assert_eq!(size, shortest, "{n}");
            let mut packet = MessagePack.reader(&bytes, Limits::default()).unwrap();
            assert_eq!(packet.required::<i64>(), Ok(n));
            assert_eq!(packet.finish(), Ok(0));
        }
    }

    #[test]
    fn types_and_values_come_back_and_are_the_same_bytes() {
        let lengths = [0, 15, 16, 31, 32, 255, 256, 65_535, 65_536];
        for length in lengths {
            let typed = (
                "x".repeat(length),
                vec![Some(-1.5), None],
                vec![u64::MAX; length],
                [("key".to_owned(), true)]
                    .into_iter()
                    .collect::<std::collections::HashMap<_, _>>(),
            );
            let bytes = write(|packet| packet.arg(&typed));
            let open = || MessagePack.reader(&bytes, Limits::default()).unwrap();
            assert_eq!(open().required().as_ref(), Ok(&typed));
            assert_eq!(open().finish(), Ok(1));
            let value: Value = open().required().unwrap();
            assert!(write(|packet| packet.value(&value)) == bytes);
        }
        let octets = Value::bytes([0, 255]);
        let bytes = write(|packet| packet.value(&octets));
        assert_eq!(bytes, [0, 0, 0, 9, 0xdd, 0, 0, 0, 1, 0xc4, 2, 0, 255]);
        let mut packet = MessagePack.reader(&bytes, Limits::default()).unwrap();
        assert_eq!(packet.value(), Ok(Some(octets)));
    }

    #[test]
    fn limits_are_kept_and_kinds_of_faults_are_distinguished() {
        let read = |body: &[u8], limits| {
            let packet = [&(body.len() as u32).to_be_bytes(), body].concat();
            let mut packet = MessagePack.reader(&packet, limits)?;
            let value = packet.required::<Value>();
            packet.finish().and(value)
        };
        let is_malformed = |body, limits| read(body, limits).unwrap_err().is_malformed();
        let limits = Limits::default();
        assert!(is_malformed(b"\x91\x91\x91\x01", limits.with_max_depth(2)));
        assert!(is_malformed(
            b"\x91\x93\x01\x02\x03",
            limits.with_max_values(3)
        ));
        for malformed in [
            &b"\x91"[..],
            b"\x91\xc1",
            b"\x91\xa2x",
            b"\x91\x01\x01",
            b"\x01",
            b"",
        ] {
            assert!(is_malformed(malformed, limits), "{malformed:x?}");
        }
        let error = read(b"\x92\xa1\xff\x01", limits).unwrap_err();
        assert!(error.is_not_unicode() && !error.is_malformed());
    }
}
