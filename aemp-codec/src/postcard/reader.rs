//! A cursor over the bytes of one packet.

use std::borrow::Cow;

use super::{PREFIX, kind};
use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::source::{Contents, Depth, Item, Source};

/// Reads the items of a packet.
#[derive(Clone, Debug)]
pub(crate) struct PostcardReader<'de> {
    packet: &'de [u8],
    /// The offset of the next byte.
    at: usize,
}

impl<'de> PostcardReader<'de> {
    #[inline]
    pub(crate) fn new(packet: &'de [u8]) -> Self {
        Self { packet, at: 0 }
    }

    /// The whole packet.
    pub(crate) fn packet(&self) -> &'de [u8] {
        self.packet
    }

    /// Finds the packet's list.
    #[inline]
    pub(crate) fn packet_contents(&mut self) -> Result<Contents, DecodeError> {
        match self.packet.split_first_chunk() {
            Some((length, body)) if body.len() as u64 == u32::from_le_bytes(*length).into() => {}
            Some(_) => return Err(DecodeError::malformed(0, "not as long as it says")),
            None => return Err(self.unexpected_end()),
        }
        self.at = PREFIX;
        let count = self.count(1)?;
        Ok(Contents::counted(PREFIX, count))
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = self.packet.get(self.at).copied();
        let byte = byte.ok_or_else(|| self.unexpected_end())?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn varint(&mut self) -> Result<u64, DecodeError> {
        match self.packet.get(self.at) {
            Some(&short) if short < 0x80 => {
                self.at += 1;
                Ok(short.into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, DecodeError> {
        let (start, mut n) = (self.at, 0);
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            n |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(n);
            }
        }
        Err(DecodeError::malformed(start, "a number beyond 64 bits"))
    }

    /// The number of elements or entries that follow. Each takes at least `least` bytes.
    #[inline]
    fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = self.varint()?;
        let most = (self.packet.len() - self.at) / least;
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(self.unexpected_end()),
        }
    }

    /// The bytes of a text, a key or a byte string.
    #[inline]
    fn bytes(&mut self) -> Result<&'de [u8], DecodeError> {
        let length = self.count(1)?;
        let octets = &self.packet[self.at..self.at + length];
        self.at += length;
        Ok(octets)
    }

    /// A text or a key.
    #[inline]
    fn str(&mut self) -> Result<&'de str, DecodeError> {
        let octets = self.bytes()?;
        std::str::from_utf8(octets).map_err(|_| DecodeError::not_unicode())
    }

    /// The next text in its most frequent form: shorter than 128 bytes.
    #[inline]
    fn short_text(&mut self) -> Option<&'de str> {
        let [kind::TEXT, length @ ..0x80, ref rest @ ..] = *self.packet.get(self.at..)? else {
            return None;
        };
        let text = std::str::from_utf8(rest.get(..usize::from(length))?).ok()?;
        self.at += 2 + text.len();
        Some(text)
    }

    fn float(&mut self) -> Result<f64, DecodeError> {
        let bytes = self.packet[self.at..].first_chunk();
        let bytes = *bytes.ok_or_else(|| self.unexpected_end())?;
        self.at += bytes.len();
        Ok(f64::from_le_bytes(bytes))
    }

    #[cold]
    fn unknown(start: usize) -> DecodeError {
        DecodeError::malformed(start, "an unknown kind of value")
    }

    #[cold]
    fn unexpected_end(&self) -> DecodeError {
        DecodeError::malformed(self.packet.len(), "unexpected end")
    }
}

impl<'de> Source<'de> for PostcardReader<'de> {
    type List = Contents;

    #[inline]
    fn at(&self) -> usize {
        self.at
    }

    #[inline]
    fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    fn item(&mut self) -> Result<Item<'de, Contents>, DecodeError> {
        let start = self.at;
        let contents = |count| Contents::counted(start, count);
        Ok(Item::Scalar(match self.byte()? {
            kind::NULL => Scalar::Null,
            kind::FALSE => Scalar::Bool(false),
            kind::TRUE => Scalar::Bool(true),
            kind::INT => Scalar::Int(unzigzag(self.varint()?)),
            kind::UINT => {
                let n = self.varint()?;
                i64::try_from(n).map_or(Scalar::UInt(n), Scalar::Int)
            }
            kind::FLOAT => Scalar::Float(self.float()?),
            kind::TEXT => Scalar::Str(Cow::Borrowed(self.str()?)),
            kind::BYTES => Scalar::Bytes(Cow::Borrowed(self.bytes()?)),
            kind::ARRAY => return self.count(1).map(contents).map(Item::Array),
            kind::MAP => return self.count(2).map(contents).map(Item::Map),
            _ => return Err(Self::unknown(start)),
        }))
    }

    #[inline]
    fn more(&mut self, contents: &mut Contents) -> Result<bool, DecodeError> {
        Ok(contents.take())
    }

    #[inline]
    fn more_at_once(&mut self, contents: &mut Contents) -> bool {
        contents.take()
    }

    #[inline]
    fn key(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        self.str().map(Cow::Borrowed)
    }

    #[inline]
    fn end(&mut self) -> Result<(), DecodeError> {
        if self.at < self.packet.len() {
            let text = "something behind the packet";
            return Err(DecodeError::malformed(self.at, text));
        }
        Ok(())
    }

    fn skip(&mut self, depth: &mut Depth) -> Result<(), DecodeError> {
        let start = self.at;
        let (count, is_map) = match self.byte()? {
            kind::NULL | kind::FALSE | kind::TRUE => return Ok(()),
            kind::INT | kind::UINT => return self.varint().map(drop),
            kind::FLOAT => return self.float().map(drop),
            kind::TEXT | kind::BYTES => return self.bytes().map(drop),
            kind::ARRAY => (self.count(1)?, false),
            kind::MAP => (self.count(2)?, true),
            _ => return Err(Self::unknown(start)),
        };
        depth.enter(start)?;
        for _ in 0..count {
            if is_map {
                self.skip_key(depth)?;
            }
            self.skip(depth)?;
        }
        depth.leave();
        Ok(())
    }

    fn skip_key(&mut self, _: &mut Depth) -> Result<(), DecodeError> {
        self.bytes().map(drop)
    }

    /// An integer whose varint is short.
    #[inline]
    fn integer(&mut self) -> Option<i64> {
        let (n, size) = match *self.packet.get(self.at..)? {
            [kind::INT, a @ ..0x80, ..] => (u64::from(a), 2),
            [kind::INT, a, b @ ..0x80, ..] => (groups([a, b, 0, 0]), 3),
            [kind::INT, a, b, c @ ..0x80, ..] => (groups([a, b, c, 0]), 4),
            [kind::INT, a, b, c, d @ ..0x80, ..] => (groups([a, b, c, d]), 5),
            _ => return None,
        };
        self.at += size;
        Some(unzigzag(n))
    }

    /// Text in its most frequent form: shorter than 128 bytes.
    #[inline]
    fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        Ok(self.short_text().map(Cow::Borrowed))
    }

    #[inline]
    fn octets(&mut self) -> Result<Option<&'de [u8]>, DecodeError> {
        if self.packet.get(self.at) != Some(&kind::BYTES) {
            return Ok(None);
        }
        self.at += 1;
        self.bytes().map(Some)
    }

    #[inline]
    fn nothing(&mut self) -> Result<bool, DecodeError> {
        let nothing = self.packet.get(self.at) == Some(&kind::NULL);
        self.at += usize::from(nothing);
        Ok(nothing)
    }
}

/// The number that consists of these groups of seven bits.
#[inline]
fn groups(groups: [u8; 4]) -> u64 {
    let [a, b, c, d] = groups.map(|group| u64::from(group & 0x7f));
    a | b << 7 | c << 14 | d << 21
}

#[inline]
fn unzigzag(n: u64) -> i64 {
    (n >> 1) as i64 ^ -((n & 1) as i64)
}
