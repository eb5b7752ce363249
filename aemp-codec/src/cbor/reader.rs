//! A cursor over the bytes of one CBOR packet.

use std::borrow::Cow;
use std::sync::Arc;

use serde::de::Error;

use super::item::{Contents, Head, Left};
use super::references::References;
use super::{BREAK, major, number, tag};
use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::limits::Limits;
use crate::source::{Depth, Item, Source};

/// The number of bytes that references may add to any packet.
const AGAIN: usize = 1 << 20;

/// The number of bytes of a packet that references may add. It is smaller than the limit of a packet, because each
/// byte can become a value: otherwise a handful of references would stand for gigabytes.
fn again(packet: &[u8], limits: Limits) -> usize {
    packet
        .len()
        .saturating_mul(16)
        .saturating_add(AGAIN)
        .min(limits.max_packet)
}

/// Reads the items of a packet.
#[derive(Clone, Debug)]
pub(crate) struct CborReader<'de> {
    pub(super) packet: &'de [u8],
    /// The offset of the next byte.
    pub(super) at: usize,
    /// The targets of the references, once a reference was met.
    pub(super) references: Option<Arc<References>>,
    /// The number of bytes that references may still add.
    pub(super) again: usize,
    /// The limits of depth and of values for the survey of references. They are `u32` to keep the reader small.
    pub(super) limits: [u32; 2],
}

impl<'de> CborReader<'de> {
    /// The whole packet.
    pub(crate) fn packet(&self) -> &'de [u8] {
        self.packet
    }

    #[inline]
    pub(crate) fn new(packet: &'de [u8], limits: Limits) -> Self {
        Self {
            packet,
            at: 0,
            references: None,
            again: again(packet, limits),
            limits: [limits.max_depth, limits.max_values]
                .map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let [max_depth, max_values] = self.limits.map(|limit| limit as usize);
        Limits {
            max_depth,
            max_values,
            ..Limits::default()
        }
    }

    /// Finds the packet's array.
    #[inline]
    pub(crate) fn packet_contents(&mut self) -> Result<Contents, DecodeError> {
        let mut head = self.head()?;
        while head.is_tag() {
            self.tag(head)?;
            head = self.head()?;
        }
        if head.kind() != major::ARRAY {
            return Err(self.malformed(head, "a packet must be an array"));
        }
        self.contents(head)
    }

    /// True if there is another item in an array, or another entry in a map. Passes over a break.
    #[inline]
    fn more_left(&mut self, left: &mut Left) -> Result<bool, DecodeError> {
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
        self.packet
            .get(self.at)
            .copied()
            .ok_or_else(|| self.unexpected_end())
    }

    /// The next head.
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
        let value = value.ok_or_else(|| self.unexpected_end())?;
        let head = Head { first, value };
        self.at += head.size();
        Ok(head)
    }

    /// The next string in its most frequent form: shorter than 256 octets, and text or ASCII octets.
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

    fn other_item(&mut self, head: Head) -> Result<Item<'de, Contents>, DecodeError> {
        Ok(match head.kind() {
            major::ARRAY => Item::Array(self.contents(head)?),
            major::MAP => Item::Map(self.contents(head)?),
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
    pub(super) fn octets_of(&mut self, head: Head) -> Result<&'de [u8], DecodeError> {
        let rest = &self.packet[self.at..];
        let length = usize::try_from(head.value).unwrap_or(usize::MAX);
        let octets = rest.get(..length).ok_or_else(|| self.unexpected_end())?;
        self.at += length;
        Ok(octets)
    }

    /// The octets of a string in chunks.
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
            octets.extend_from_slice(self.octets_of(chunk)?);
        }
    }

    /// The array or map whose head was read last.
    #[inline]
    pub(super) fn contents(&self, head: Head) -> Result<Contents, DecodeError> {
        Ok(Contents {
            left: self.promised(head)?,
            start: self.at - head.size(),
            back: None,
        })
    }

    /// The number of items or entries that an array or a map promises.
    #[inline]
    fn promised(&self, head: Head) -> Result<Left, DecodeError> {
        if head.is_indefinite() {
            return Ok(Left::INDEFINITE);
        }
        // Each takes at least one byte.
        if head.value > (self.packet.len() - self.at) as u64 {
            return Err(self.unexpected_end());
        }
        Ok(Left::definite(head.value))
    }

    fn skip_contents(&mut self, head: Head, depth: &mut Depth) -> Result<(), DecodeError> {
        let mut left = self.promised(head)?;
        depth.enter(self.at - head.size())?;
        while self.more_left(&mut left)? {
            if head.kind() == major::MAP {
                self.skip(depth)?;
            }
            self.skip(depth)?;
        }
        depth.leave();
        Ok(())
    }

    /// An error about the item whose head was read last.
    #[cold]
    pub(super) fn malformed(&self, head: Head, text: &str) -> DecodeError {
        DecodeError::malformed(self.at - head.size(), text)
    }

    #[cold]
    fn unexpected_end(&self) -> DecodeError {
        DecodeError::malformed(self.packet.len(), "unexpected end")
    }
}

impl<'de> Source<'de> for CborReader<'de> {
    type List = Contents;

    #[inline]
    fn at(&self) -> usize {
        self.at
    }

    #[inline]
    fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    /// Tags before the item are resolved.
    #[inline]
    fn item(&mut self) -> Result<Item<'de, Contents>, DecodeError> {
        let head = self.head()?;
        match head.kind() {
            major::UNSIGNED => Ok(Item::Scalar(match i64::try_from(head.value) {
                Ok(n) if !head.is_indefinite() => Scalar::Int(n),
                Err(_) => Scalar::UInt(head.value),
                Ok(_) => return Err(self.malformed(head, "an integer without length")),
            })),
            major::TEXT | major::BYTES if !head.is_indefinite() => {
                let octets = self.octets_of(head)?;
                string(head.kind(), Cow::Borrowed(octets)).map(Item::Scalar)
            }
            major::TAG => self.tagged(head),
            _ => self.other_item(head),
        }
    }

    #[inline]
    fn more(&mut self, contents: &mut Contents) -> Result<bool, DecodeError> {
        self.more_left(&mut contents.left)
    }

    #[inline]
    fn more_at_once(&mut self, contents: &mut Contents) -> bool {
        contents.left.take()
    }

    /// The key as Perl's text, because code that takes keys of any kind must not see the type of a number.
    #[inline]
    fn key(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        if let Some(text) = self.short_text() {
            return Ok(text.into());
        }
        match self.item()? {
            Item::Scalar(key) => Ok(key.into_text()),
            other => Err(DecodeError::invalid_type(other.unexpected(), &"a key")),
        }
    }

    #[inline]
    fn end(&mut self) -> Result<(), DecodeError> {
        if self.at < self.packet.len() {
            let text = "something behind the packet";
            return Err(DecodeError::malformed(self.at, text));
        }
        Ok(())
    }

    /// Returns to the reference that has led here.
    #[inline]
    fn leave(&mut self, contents: Contents) {
        if let Some(back) = contents.back {
            self.at = back.get();
        }
    }

    /// Does not follow references.
    fn skip(&mut self, depth: &mut Depth) -> Result<(), DecodeError> {
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
                self.octets_of(head)?;
            }
            major::ARRAY | major::MAP => self.skip_contents(head, depth)?,
            major::UNSIGNED | major::NEGATIVE if !head.is_indefinite() => {}
            _ => {
                self.at -= head.size();
                self.item()?;
            }
        }
        Ok(())
    }

    fn skip_key(&mut self, depth: &mut Depth) -> Result<(), DecodeError> {
        self.skip(depth)
    }

    /// An integer below 2^32 and at least -2^32.
    #[inline]
    fn integer(&mut self) -> Option<i64> {
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

    /// Text in its most frequent form: shorter than 256 octets.
    #[inline]
    fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        Ok(self.short_text().map(Cow::Borrowed))
    }

    #[inline]
    fn octets(&mut self) -> Result<Option<&'de [u8]>, DecodeError> {
        if !matches!(self.peek()?, 0x40..=0x5b) {
            return Ok(None);
        }
        let head = self.head()?;
        self.octets_of(head).map(Some)
    }

    /// Perl does not distinguish them.
    #[inline]
    fn has_text_as_octets(&self) -> bool {
        true
    }

    #[inline]
    fn nothing(&mut self) -> Result<bool, DecodeError> {
        let first = self.peek()?;
        if first >> 5 == major::TAG {
            return self.is_tagged_nothing();
        }
        let nothing = matches!(first, 0xf6 | 0xf7);
        self.at += usize::from(nothing);
        Ok(nothing)
    }
}

/// A string with these octets. Text that is not UTF-8 is well-formed: the fault of one node, which is no reason to
/// mistrust the connection.
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
