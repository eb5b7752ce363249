//! How a format from outside this crate is read.

use std::borrow::Cow;
use std::fmt;

use crate::error::DecodeError;
use crate::source::{Contents, Item, Source};

/// How packets are read in a format of one's own: item by item, straight into the types that are asked for.
///
/// It knows nothing of types. [`PacketReader::decoding`](crate::PacketReader::decoding) reads whatever serde asks for, as leniently as
/// from the built-in formats, and keeps the [`Limits`](crate::Limits) of depth and of values. Each method reads at a [`Cursor`], and moves
/// it behind what it has read.
///
/// The methods that have a body are shorter ways for what is frequent. They do not change what is read.
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
    /// The packet itself, which is a list, at its first byte.
    ///
    /// # Errors
    ///
    /// When it is malformed, or no list.
    fn packet(&self, cursor: &mut Cursor<'_>) -> Result<Contents, DecodeError> {
        let start = cursor.at();
        match self.item(cursor)? {
            Item::Array(contents) => Ok(contents),
            _ => Err(DecodeError::malformed(start, "a packet must be a list")),
        }
    }

    /// The next item. Of a list or a map it is only the beginning: its elements, or keys and values, are asked for later.
    ///
    /// # Errors
    ///
    /// When it is malformed, or text that is [not Unicode](DecodeError::not_unicode). The cursor is behind the text then.
    fn item<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Item<'de, Contents>, DecodeError>;

    /// The next key.
    ///
    /// # Errors
    ///
    /// The same as [`item`](Self::item).
    fn key<'de>(&self, cursor: &mut Cursor<'de>) -> Result<Cow<'de, str>, DecodeError>;

    /// Goes to the next element or key; false behind the last one, however often it is called. Implemented where lists do not begin
    /// with the number of their elements.
    ///
    /// # Errors
    ///
    /// When it is malformed.
    #[inline]
    fn more(&self, cursor: &mut Cursor<'_>, contents: &mut Contents) -> Result<bool, DecodeError> {
        let _ = cursor;
        Ok(contents.take())
    }

    /// The integer that is next, if it is found at once; `None`, with the cursor where it was, otherwise.
    #[inline]
    fn integer(&self, cursor: &mut Cursor<'_>) -> Option<i64> {
        let _ = cursor;
        None
    }

    /// The text that is next, if it is found at once; `None`, with the cursor where it was, otherwise.
    #[inline]
    fn text<'de>(&self, cursor: &mut Cursor<'de>) -> Option<&'de str> {
        let _ = cursor;
        None
    }
}

/// A place in a packet, from where on it is read.
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

    /// How many bytes are before it.
    #[inline]
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// The bytes that are to come.
    #[inline]
    #[must_use]
    pub fn rest(&self) -> &'de [u8] {
        &self.packet[self.at..]
    }

    /// The next byte.
    ///
    /// # Errors
    ///
    /// When there is none.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        self.array().map(|[byte]| byte)
    }

    /// The next `N` bytes.
    ///
    /// # Errors
    ///
    /// When there are less.
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

    /// As many bytes as that.
    ///
    /// # Errors
    ///
    /// When there are less.
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

/// A packet in such a format.
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

    /// All of the packet.
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
