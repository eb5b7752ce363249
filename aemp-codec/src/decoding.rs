//! The reading side of a format from another crate.
//!
//! A [`Decoding`] has no state. Each method gets the [`Cursor`], which has the bytes and the position. So `PacketReader`
//! stays covariant in the lifetime of its bytes.

use std::borrow::Cow;
use std::fmt;

use crate::error::DecodeError;
use crate::source::{Contents, Item, Source};

/// Reads packets in a format of another crate: item by item, straight into the requested types.
///
/// It knows nothing of types. [`PacketReader::decoding`](crate::PacketReader::decoding) reads the items that serde
/// requests, as leniently as from the built-in formats, and keeps the [`Limits`](crate::Limits) of depth and of
/// values. Each method reads at a [`Cursor`], and moves the cursor behind the bytes that it has read.
///
/// Methods with a default body are shorter ways for frequent cases. They do not change the result.
///
/// ```
/// use std::borrow::Cow;
///
/// use aemp_codec::{Contents, Cursor, DecodeError, Decoding, Item, Limits, PacketReader, Scalar};
///
/// /// One digit is a number; `x` and one digit is a list of as many elements.
/// #[derive(Debug)]
/// struct Digits;
///
/// impl Decoding for Digits {
///     fn item<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Item<'de, Contents>, DecodeError> {
///         let start = cursor.at();
///         Ok(match cursor.byte()? {
///             b'x' => Item::Array(Contents::counted(start, usize::from(cursor.byte()? - b'0'))),
///             digit @ b'0'..=b'9' => Item::Scalar(Scalar::Int((digit - b'0').into())),
///             _ => return Err(DecodeError::malformed(start, "no digit")),
///         })
///     }
///
///     fn key<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Cow<'de, str>, DecodeError> {
///         Err(DecodeError::malformed(cursor.at(), "there are no maps"))
///     }
/// }
///
/// let mut packet = PacketReader::decoding(&Digits, b"x27x3123", Limits::default()).unwrap();
/// assert_eq!(packet.text().unwrap().unwrap(), "7");
/// assert_eq!(packet.required::<(u8, u16, f64)>().unwrap(), (1, 2, 3.0));
/// assert_eq!(packet.finish(), Ok(0));
/// ```
pub trait Decoding: fmt::Debug + Send + Sync {
    /// Opens the packet, which is a list. The cursor is at the packet's first byte.
    ///
    /// # Errors
    ///
    /// If it is malformed, or is not a list.
    fn packet(&self, cursor: &mut Cursor<'_>) -> Result<Contents, DecodeError> {
        let start = cursor.at();
        match self.item(cursor)? {
            Item::Array(contents) => Ok(contents),
            _ => Err(DecodeError::malformed(start, "a packet must be a list")),
        }
    }

    /// The next item. Of a list or a map this is only the beginning: its elements, or keys and values, are requested
    /// later.
    ///
    /// # Errors
    ///
    /// If it is malformed, or is text that is [not Unicode](DecodeError::not_unicode). The cursor is then behind the
    /// text.
    fn item<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Item<'de, Contents>, DecodeError>;

    /// The next key.
    ///
    /// # Errors
    ///
    /// As those of [`item`](Self::item).
    fn key<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Cow<'de, str>, DecodeError>;

    /// Goes to the next element or key. Returns false behind the last one, however often it is called. Formats
    /// implement it if their lists do not begin with the number of their elements.
    ///
    /// # Errors
    ///
    /// If it is malformed.
    #[inline]
    fn more(&self, cursor: &mut Cursor<'_>, contents: &mut Contents) -> Result<bool, DecodeError> {
        let _ = cursor;
        Ok(contents.take())
    }

    /// The next integer, if it is found at once. Otherwise `None`, and the cursor stays.
    #[inline]
    fn integer(&self, cursor: &mut Cursor<'_>) -> Option<i64> {
        let _ = cursor;
        None
    }

    /// The next text, if it is found at once. Otherwise `None`, and the cursor stays.
    #[inline]
    fn text<'de>(&self, cursor: &mut Cursor<'de>) -> Option<&'de str> {
        let _ = cursor;
        None
    }
}

/// A place in a packet, at which reading continues.
#[derive(Clone, Copy, Debug)]
pub struct Cursor<'de> {
    packet: &'de [u8],
    at: usize,
}

impl<'de> Cursor<'de> {
    /// At the first byte of a packet.
    #[must_use]
    pub fn new(packet: &'de [u8]) -> Self {
        Self { packet, at: 0 }
    }

    /// The number of bytes before the cursor.
    #[inline]
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The bytes behind the cursor.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'de [u8] {
        &self.packet[self.at..]
    }

    /// The next byte.
    ///
    /// # Errors
    ///
    /// If there is none.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    ///
    /// If there are fewer.
    #[inline]
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        match self.rest().first_chunk() {
            Some(bytes) => {
                self.at += N;
                Ok(*bytes)
            }
            None => Err(self.unexpected_end()),
        }
    }

    /// The next bytes, as many as the argument says.
    ///
    /// # Errors
    ///
    /// If there are fewer.
    #[inline]
    pub fn bytes(&mut self, length: usize) -> Result<&'de [u8], DecodeError> {
        match self.rest().get(..length) {
            Some(bytes) => {
                self.at += length;
                Ok(bytes)
            }
            None => Err(self.unexpected_end()),
        }
    }

    #[cold]
    fn unexpected_end(&self) -> DecodeError {
        DecodeError::malformed(self.packet.len(), "unexpected end")
    }
}

/// A packet in a format of another crate.
#[derive(Debug)]
pub(crate) struct Foreign<'de> {
    decoding: &'de dyn Decoding,
    cursor: Cursor<'de>,
}

impl<'de> Foreign<'de> {
    pub(crate) fn new(decoding: &'de dyn Decoding, packet: &'de [u8]) -> Self {
        let cursor = Cursor::new(packet);
        Self { decoding, cursor }
    }

    /// The whole packet.
    pub(crate) fn packet(&self) -> &'de [u8] {
        self.cursor.packet
    }

    /// Finds the packet's list.
    pub(crate) fn packet_contents(&mut self) -> Result<Contents, DecodeError> {
        self.decoding.packet(&mut self.cursor)
    }
}

impl<'de> Source<'de> for Foreign<'de> {
    type List = Contents;

    fn at(&self) -> usize {
        self.cursor.at
    }

    fn go_to(&mut self, at: usize) {
        self.cursor.at = at;
    }

    fn item(&mut self) -> Result<Item<'de, Contents>, DecodeError> {
        self.decoding.item(&mut self.cursor)
    }

    fn more(&mut self, contents: &mut Contents) -> Result<bool, DecodeError> {
        self.decoding.more(&mut self.cursor, contents)
    }

    fn key(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        self.decoding.key(&mut self.cursor)
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        if self.cursor.rest().is_empty() {
            return Ok(());
        }
        let text = "something behind the packet";
        Err(DecodeError::malformed(self.cursor.at, text))
    }

    fn integer(&mut self) -> Option<i64> {
        self.decoding.integer(&mut self.cursor)
    }

    fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        Ok(self.decoding.text(&mut self.cursor).map(Cow::Borrowed))
    }
}
