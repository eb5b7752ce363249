//! A cursor over the bytes of one CBOR packet.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::{DeserializeSeed, Error};

use super::item::{Contents, Head, Item, Left};
use super::references::References;
use super::{BREAK, major, number, tag};
use crate::error::DecodeError;
use crate::format::Limits;
use crate::lenient::Scalar;

/// Bytes of any packet that may be read once more.
const AGAIN: usize = 1 << 20;

/// How many bytes of a packet may be read once more because references lead to them. Not as many as a packet may have:
/// each can become a value, so that a handful of references would stand for gigabytes.
fn again(packet: &[u8], limits: Limits) -> usize {
    packet
        .len()
        .saturating_mul(16)
        .saturating_add(AGAIN)
        .min(limits.max_packet)
}

/// Walks through the elements of a packet, and through what is in them.
#[derive(Clone, Debug)]
pub(crate) struct CborReader<'de> {
    pub(super) packet: &'de [u8],
    /// The next byte to look at.
    pub(super) at: usize,
    /// How many elements of the packet are to come.
    left: Left,
    /// How many arrays and maps are open, the packet included.
    depth: usize,
    pub(super) max_depth: usize,
    /// Where references lead; found out when there is one.
    pub(super) references: Option<Arc<References>>,
    /// So many bytes may be read once more because references lead to them.
    pub(super) again: usize,
    /// How many values may still be made of it.
    values: usize,
    max_values: usize,
}

impl<'de> CborReader<'de> {
    /// All of the packet.
    pub(crate) fn packet(&self) -> &'de [u8] {
        self.packet
    }

    #[inline]
    pub(crate) fn new(packet: &'de [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Self {
            packet,
            at: 0,
            left: Left::NONE,
            depth: 0,
            max_depth: limits.max_depth,
            references: None,
            again: again(packet, limits),
            values: limits.max_values,
            max_values: limits.max_values,
        };
        let mut head = reader.head()?;
        while head.is_tag() {
            reader.tag(head)?;
            head = reader.head()?;
        }
        if head.kind() != major::ARRAY {
            return Err(reader.malformed(head, "a packet must be an array"));
        }
        reader.left = reader.promised(head)?;
        reader.enter(reader.at - head.size())?;
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
    pub(crate) fn count(mut self) -> Result<usize, DecodeError> {
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
        let mut left = self.left;
        let more = self.more(&mut left)?;
        self.left = left;
        if !more && self.at < self.packet.len() {
            return Err(DecodeError::malformed(
                self.at,
                "something behind the packet",
            ));
        }
        Ok(more)
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

    /// Whether there is another item in an array, or another entry in a map; passes over a break.
    #[inline]
    pub(super) fn more(&mut self, left: &mut Left) -> Result<bool, DecodeError> {
        if left.take() {
            return Ok(true);
        }
        if *left == Left::NONE {
            return Ok(false);
        }
        if self.peek()? != BREAK {
            return Ok(true);
        }
        self.at += 1;
        *left = Left::NONE;
        Ok(false)
    }

    #[inline]
    pub(super) fn peek(&self) -> Result<u8, DecodeError> {
        self.packet.get(self.at).copied().ok_or_else(|| self.end())
    }

    /// The head that is next.
    #[inline]
    pub(super) fn head(&mut self) -> Result<Head, DecodeError> {
        let first = self.peek()?;
        let short = first & 31;
        if short < 24 || short == 31 {
            self.at += 1;
            let value = short.into();
            return Ok(Head { first, value });
        }
        self.long_head(first)
    }

    #[inline]
    fn long_head(&mut self, first: u8) -> Result<Head, DecodeError> {
        let rest = &self.packet[self.at + 1..];
        let value = match first & 31 {
            24 => rest.first_chunk().map(|&[byte]| byte.into()),
            25 => rest.first_chunk().map(|&b| u16::from_be_bytes(b).into()),
            26 => rest.first_chunk().map(|&b| u32::from_be_bytes(b).into()),
            27 => rest.first_chunk().map(|&b| u64::from_be_bytes(b)),
            _ => {
                let text = "reserved length of an argument";
                return Err(DecodeError::malformed(self.at, text));
            }
        };
        let value = value.ok_or_else(|| self.end())?;
        let head = Head { first, value };
        self.at += head.size();
        Ok(head)
    }

    /// The string that is next if it is as most are: of less than 256 octets, and text by either name.
    #[inline]
    pub(super) fn short_text(&mut self) -> Option<&'de str> {
        let rest = self.packet.get(self.at..)?;
        let (octets, size) = match *rest {
            [first @ (0x40..=0x57 | 0x60..=0x77), ref rest @ ..] => {
                (rest.get(..usize::from(first & 31))?, 1)
            }
            [0x58 | 0x78, length, ref rest @ ..] => (rest.get(..usize::from(length))?, 2),
            _ => return None,
        };
        let is_text = rest[0] >= 0x60 || octets.is_ascii();
        let text = std::str::from_utf8(octets).ok().filter(|_| is_text)?;
        self.at += size + octets.len();
        Some(text)
    }

    /// The integer that is next, unless it is a large one or something else.
    #[inline]
    pub(super) fn short_integer(&mut self) -> Option<i64> {
        let (n, size): (u32, _) = match *self.packet.get(self.at..)? {
            [first @ (0..24 | 0x20..0x38), ..] => ((first & 31).into(), 1),
            [0x18 | 0x38, n, ..] => (n.into(), 2),
            [0x19 | 0x39, a, b, ..] => (u16::from_be_bytes([a, b]).into(), 3),
            [0x1a | 0x3a, a, b, c, d, ..] => (u32::from_be_bytes([a, b, c, d]), 5),
            _ => return None,
        };
        let negative = self.packet[self.at] >= 0x20;
        self.at += size;
        let n = i64::from(n);
        Some(if negative { -1 - n } else { n })
    }

    /// The item that is next, whatever its tags; of arrays and maps only the head.
    #[inline]
    pub(super) fn item(&mut self) -> Result<Item<'de>, DecodeError> {
        let head = self.head()?;
        match head.kind() {
            major::UNSIGNED => Ok(Item::Scalar(match i64::try_from(head.value) {
                Ok(n) if !head.is_indefinite() => Scalar::Int(n),
                Err(_) => Scalar::UInt(head.value),
                Ok(_) => return Err(self.malformed(head, "an integer without length")),
            })),
            major::TEXT | major::BYTES if !head.is_indefinite() => {
                let octets = self.octets(head)?;
                string(head.kind(), Cow::Borrowed(octets)).map(Item::Scalar)
            }
            major::TAG => self.tagged(head),
            _ => self.other_item(head),
        }
    }

    fn other_item(&mut self, head: Head) -> Result<Item<'de>, DecodeError> {
        let start = self.at - head.size();
        let contents = |left| Contents {
            left,
            start,
            back: None,
        };
        Ok(match head.kind() {
            major::ARRAY => Item::Array(contents(self.promised(head)?)),
            major::MAP => Item::Map(contents(self.promised(head)?)),
            major::TEXT | major::BYTES => {
                let octets = self.chunks(head)?;
                Item::Scalar(string(head.kind(), Cow::Owned(octets))?)
            }
            major::NEGATIVE if !head.is_indefinite() => Item::Scalar(number::negative(head.value)),
            major::SIMPLE => Item::Scalar(self.simple(head)?),
            _ => return Err(self.malformed(head, "an integer without length")),
        })
    }

    fn simple(&self, head: Head) -> Result<Scalar<'de>, DecodeError> {
        Ok(match head.first {
            0xf4 => Scalar::Bool(false),
            0xf5 => Scalar::Bool(true),
            0xf6 | 0xf7 => Scalar::Null,
            0xf9 => Scalar::Float(number::half(head.value as u16)),
            0xfa => Scalar::Float(f32::from_bits(head.value as u32).into()),
            0xfb => Scalar::Float(f64::from_bits(head.value)),
            BREAK => return Err(self.malformed(head, "a break where there is nothing to end")),
            _ => return Err(self.malformed(head, "a simple value without meaning")),
        })
    }

    /// The octets of a string of definite length.
    #[inline]
    pub(super) fn octets(&mut self, head: Head) -> Result<&'de [u8], DecodeError> {
        let rest = &self.packet[self.at..];
        let length = usize::try_from(head.value).unwrap_or(usize::MAX);
        let octets = rest.get(..length).ok_or_else(|| self.end())?;
        self.at += length;
        Ok(octets)
    }

    /// The octets of a string that comes in chunks.
    pub(super) fn chunks(&mut self, head: Head) -> Result<Vec<u8>, DecodeError> {
        let mut octets = Vec::new();
        loop {
            let chunk = self.head()?;
            if chunk.first == BREAK {
                return Ok(octets);
            }
            if chunk.kind() != head.kind() || chunk.is_indefinite() {
                return Err(self.malformed(chunk, "something else in a string of chunks"));
            }
            octets.extend_from_slice(self.octets(chunk)?);
        }
    }

    /// How many items or entries an array or a map promises.
    #[inline]
    pub(super) fn promised(&self, head: Head) -> Result<Left, DecodeError> {
        if head.is_indefinite() {
            return Ok(Left::INDEFINITE);
        }
        // Each takes a byte at least.
        if head.value > (self.packet.len() - self.at) as u64 {
            return Err(self.end());
        }
        Ok(Left::definite(head.value))
    }

    /// Goes into the array or map whose head is at `start`.
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

    /// Checks the value that is next and passes over it.
    pub(super) fn skip_value(&mut self) -> Result<(), DecodeError> {
        let mut head = self.head()?;
        while head.is_tag() {
            if let tag::STRING | tag::REFERENCE = self.tag(head)? {
                self.target(head)?;
            }
            head = self.head()?;
        }
        match head.kind() {
            major::TEXT | major::BYTES if head.is_indefinite() => {
                self.chunks(head)?;
            }
            major::TEXT | major::BYTES => {
                self.octets(head)?;
            }
            major::ARRAY | major::MAP => self.skip_contents(head)?,
            _ => {
                self.at -= head.size();
                self.item()?;
            }
        }
        Ok(())
    }

    fn skip_contents(&mut self, head: Head) -> Result<(), DecodeError> {
        let mut left = self.promised(head)?;
        self.enter(self.at - head.size())?;
        while self.more(&mut left)? {
            if head.kind() == major::MAP {
                self.skip_value()?;
            }
            self.skip_value()?;
        }
        self.leave();
        Ok(())
    }

    /// Goes back to the packet's beginning.
    pub(super) fn restart(&mut self) {
        (self.at, self.depth) = (0, 0);
        self.values = self.max_values;
    }

    /// What is wrong with the item whose head was the last.
    #[cold]
    pub(super) fn malformed(&self, head: Head, text: &str) -> DecodeError {
        DecodeError::malformed(self.at - head.size(), text)
    }

    #[cold]
    fn end(&self) -> DecodeError {
        DecodeError::malformed(self.packet.len(), "unexpected end")
    }
}

/// The string of those octets. Text that is no UTF-8 is well-formed: one node's fault, and no
/// reason to mistrust the connection.
#[inline]
fn string(kind: u8, octets: Cow<'_, [u8]>) -> Result<Scalar<'_>, DecodeError> {
    if kind == major::BYTES {
        return Ok(Scalar::Bytes(octets));
    }
    let text = match octets {
        Cow::Borrowed(octets) => std::str::from_utf8(octets).ok().map(Cow::Borrowed),
        Cow::Owned(octets) => String::from_utf8(octets).ok().map(Cow::Owned),
    };
    text.map(Scalar::Str).ok_or_else(DecodeError::not_unicode)
}
