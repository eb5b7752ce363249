//! A cursor over the bytes of one packet.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Error, Unexpected};

use super::{PREFIX, kind};
use crate::error::DecodeError;
use crate::format::Limits;
use crate::lenient::Scalar;

/// Walks through the elements of a packet, and through what is in them.
#[derive(Clone, Debug)]
pub(crate) struct PostcardReader<'de> {
    packet: &'de [u8],
    /// The next byte to look at.
    at: usize,
    /// How many elements of the packet are to come.
    left: usize,
    /// How many arrays and maps are open, the packet included.
    depth: usize,
    max_depth: usize,
    /// How many values may still be made of it.
    values: usize,
    max_values: usize,
}

/// One value, up to what is in it.
#[derive(Debug)]
pub(super) enum Item<'de> {
    Scalar(Scalar<'de>),
    /// So many elements.
    Array(usize),
    /// So many entries.
    Map(usize),
}

impl Item<'_> {
    /// What it is, for those who wanted something else.
    pub(super) fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Scalar(scalar) => scalar.unexpected(),
            Self::Array(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
        }
    }
}

impl<'de> PostcardReader<'de> {
    /// All of the packet.
    pub(crate) fn packet(&self) -> &'de [u8] {
        self.packet
    }

    #[inline]
    pub(crate) fn new(packet: &'de [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Self {
            packet,
            at: PREFIX,
            left: 0,
            depth: 0,
            max_depth: limits.max_depth,
            values: limits.max_values,
            max_values: limits.max_values,
        };
        match packet.split_first_chunk() {
            Some((length, body)) if body.len() as u64 == u32::from_le_bytes(*length).into() => {}
            Some(_) => return Err(DecodeError::malformed(0, "not as long as it says")),
            None => return Err(reader.end()),
        }
        reader.left = reader.count(1)?;
        reader.enter(PREFIX)?;
        Ok(reader)
    }

    /// The next element by way of a seed; `None` at the packet's end.
    ///
    /// After a type error the element counts as read, and is known to be well-formed.
    #[inline]
    pub(crate) fn element<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        let start = self.at;
        match seed.deserialize(&mut *self) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.recover(start, error)),
        }
    }

    /// The next element as Perl's text; `None` at the packet's end.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        if let Some(text) = self.short_text() {
            return Ok(Some(Cow::Borrowed(text)));
        }
        let start = self.at;
        let error = match self.item() {
            Ok(Item::Scalar(scalar)) => return Ok(Some(scalar.into_text())),
            Ok(other) => DecodeError::invalid_type(other.unexpected(), &"text"),
            Err(error) => error,
        };
        Err(self.recover(start, error))
    }

    /// Passes over the next element; false at the packet's end.
    pub(crate) fn skip(&mut self) -> Result<bool, DecodeError> {
        let more = self.advance()?;
        if more {
            self.skip_value()?;
        }
        Ok(more)
    }

    /// Passes over all elements that are left, and counts them.
    #[inline]
    pub(crate) fn count_rest(mut self) -> Result<usize, DecodeError> {
        let mut count = 0;
        while self.skip()? {
            count += 1;
        }
        Ok(count)
    }

    /// Whether all elements have been read.
    pub(crate) fn ends_here(mut self) -> Result<bool, DecodeError> {
        Ok(!self.advance()?)
    }

    /// Goes to the next element of the packet, if there is one.
    #[inline]
    fn advance(&mut self) -> Result<bool, DecodeError> {
        if self.left > 0 {
            self.left -= 1;
            return Ok(true);
        }
        if self.at < self.packet.len() {
            let text = "something behind the packet";
            return Err(DecodeError::malformed(self.at, text));
        }
        Ok(false)
    }

    /// After an element that is not what was asked for: passes over it all the same.
    #[cold]
    fn recover(&mut self, start: usize, error: DecodeError) -> DecodeError {
        if error.is_malformed() {
            return error;
        }
        (self.at, self.depth) = (start, 1);
        match self.skip_value() {
            Ok(()) => error.at(start),
            Err(malformed) => malformed,
        }
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = self.packet.get(self.at).copied();
        let byte = byte.ok_or_else(|| self.end())?;
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

    /// How many elements or entries follow, each of which takes `least` bytes at least.
    #[inline]
    fn count(&mut self, least: usize) -> Result<usize, DecodeError> {
        let count = self.varint()?;
        let most = (self.packet.len() - self.at) / least;
        match usize::try_from(count) {
            Ok(count) if count <= most => Ok(count),
            _ => Err(self.end()),
        }
    }

    /// The bytes of text, of a key, or of a byte string.
    #[inline]
    fn octets(&mut self) -> Result<&'de [u8], DecodeError> {
        let length = self.count(1)?;
        let octets = &self.packet[self.at..self.at + length];
        self.at += length;
        Ok(octets)
    }

    /// Text, or a key.
    #[inline]
    pub(super) fn str(&mut self) -> Result<&'de str, DecodeError> {
        let octets = self.octets()?;
        std::str::from_utf8(octets).map_err(|_| DecodeError::not_unicode())
    }

    /// Passes over a key.
    pub(super) fn skip_key(&mut self) -> Result<(), DecodeError> {
        self.octets().map(drop)
    }

    /// The text that is next if it is as most are: of less than 128 bytes.
    #[inline]
    pub(super) fn short_text(&mut self) -> Option<&'de str> {
        let [kind::TEXT, length @ ..0x80, ref rest @ ..] = *self.packet.get(self.at..)? else {
            return None;
        };
        let text = std::str::from_utf8(rest.get(..usize::from(length))?).ok()?;
        self.at += 2 + text.len();
        Some(text)
    }

    /// The integer that is next, unless it is a large one or something else.
    #[inline]
    pub(super) fn short_integer(&mut self) -> Option<i64> {
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

    /// The byte string that is next, unless it is something else.
    #[inline]
    pub(super) fn byte_string(&mut self) -> Result<Option<&'de [u8]>, DecodeError> {
        if self.packet.get(self.at) != Some(&kind::BYTES) {
            return Ok(None);
        }
        self.at += 1;
        self.octets().map(Some)
    }

    /// Passes over the next value if it is nothing.
    #[inline]
    pub(super) fn is_nothing(&mut self) -> bool {
        let nothing = self.packet.get(self.at) == Some(&kind::NULL);
        self.at += usize::from(nothing);
        nothing
    }

    /// The item that is next; of arrays and maps only how much is in them.
    pub(super) fn item(&mut self) -> Result<Item<'de>, DecodeError> {
        let start = self.at;
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
            kind::BYTES => Scalar::Bytes(Cow::Borrowed(self.octets()?)),
            kind::ARRAY => return self.count(1).map(Item::Array),
            kind::MAP => return self.count(2).map(Item::Map),
            _ => return Err(DecodeError::malformed(start, "an unknown kind of value")),
        }))
    }

    fn float(&mut self) -> Result<f64, DecodeError> {
        let bytes = self.packet[self.at..].first_chunk();
        let bytes = *bytes.ok_or_else(|| self.end())?;
        self.at += bytes.len();
        Ok(f64::from_le_bytes(bytes))
    }

    /// Goes into an array or map whose first byte is at `start`.
    #[inline]
    pub(super) fn enter(&mut self, start: usize) -> Result<(), DecodeError> {
        if self.depth >= self.max_depth {
            let text = format!("nested deeper than {} levels", self.max_depth);
            return Err(DecodeError::malformed(start, text));
        }
        self.depth += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Another value is made. There is a limit to that, because each takes more memory than bytes of the packet.
    #[inline]
    pub(super) fn count_value(&mut self) -> Result<(), DecodeError> {
        match self.values.checked_sub(1) {
            Some(left) => {
                self.values = left;
                Ok(())
            }
            None => Err(DecodeError::too_many(self.at, self.max_values)),
        }
    }

    /// Where the cursor is.
    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    /// Checks the value that is next and passes over it.
    pub(super) fn skip_value(&mut self) -> Result<(), DecodeError> {
        let start = self.at;
        if self.packet.get(start) == Some(&kind::TEXT) {
            self.at += 1;
            return self.octets().map(drop);
        }
        let (count, is_map) = match self.item()? {
            Item::Scalar(_) => return Ok(()),
            Item::Array(count) => (count, false),
            Item::Map(count) => (count, true),
        };
        self.enter(start)?;
        for _ in 0..count {
            if is_map {
                self.skip_key()?;
            }
            self.skip_value()?;
        }
        self.leave();
        Ok(())
    }

    #[cold]
    fn end(&self) -> DecodeError {
        DecodeError::malformed(self.packet.len(), "unexpected end")
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
