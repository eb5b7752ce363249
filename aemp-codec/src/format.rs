//! The wire formats, and the way in for formats of other crates.
//!
//! A format is three things: a framer, which finds the end of a packet and looks at each byte once; a writer, a serde
//! serializer into the peer's buffer; and a reader, a serde deserializer over the packet's bytes. `Format::built_in`
//! lists the compiled formats, the fastest first and JSON last; the greeting offers them in this order.

use std::fmt;
use std::mem;
use std::ops::Range;
use std::sync::Arc;

#[cfg(feature = "cbor")]
use crate::cbor;
use crate::error::{DecodeError, FrameError};
#[cfg(feature = "json")]
use crate::json;
use crate::limits::Limits;
use crate::packet::{PacketReader, PacketWriter};
#[cfg(feature = "postcard")]
use crate::postcard;

/// A wire format: a built-in one, or one from another crate.
///
/// ```
/// # #[cfg(feature = "json")] {
/// use aemp_codec::{Format, Limits};
///
/// let json = Format::built_in().pop().unwrap();
/// let limits = Limits::default();
/// let mut bytes = Vec::new();
/// let mut packet = json.writer(&mut bytes, limits);
/// packet.str("port").unwrap();
/// packet.arg(&(1, "two")).unwrap();
/// packet.finish().unwrap();
/// assert_eq!(bytes, br#"["port",[1,"two"]]"#);
///
/// let range = json.framer(limits).scan(&bytes).unwrap().unwrap();
/// let mut packet = json.reader(&bytes[range], limits).unwrap();
/// assert_eq!(packet.text().unwrap().unwrap(), "port");
/// assert_eq!(packet.arg::<(u8, &str)>().unwrap(), Some((1, "two")));
/// # }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Format {
    /// postcard, a compact binary format between nodes of this project.
    ///
    #[doc = include_str!("postcard/SPEC.md")]
    #[cfg(feature = "postcard")]
    Postcard,
    /// CBOR, which the reference prefers.
    #[cfg(feature = "cbor")]
    Cbor,
    /// JSON, which every AnyEvent::MP node understands.
    #[cfg(feature = "json")]
    Json,
    /// A format from another crate.
    Custom(Arc<dyn Codec>),
}

impl Format {
    /// The formats that are compiled in, the preferred ones first, JSON last.
    #[must_use]
    pub fn built_in() -> Vec<Self> {
        vec![
            #[cfg(feature = "postcard")]
            Self::Postcard,
            #[cfg(feature = "cbor")]
            Self::Cbor,
            #[cfg(feature = "json")]
            Self::Json,
        ]
    }

    /// The name under which nodes negotiate the format.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            #[cfg(feature = "postcard")]
            Self::Postcard => postcard::NAME,
            #[cfg(feature = "cbor")]
            Self::Cbor => "cbor",
            #[cfg(feature = "json")]
            Self::Json => "json",
            Self::Custom(codec) => codec.name(),
        }
    }

    /// A framer, which finds packets in the bytes of a connection.
    #[must_use]
    pub fn framer(&self, limits: Limits) -> Framer {
        Framer(match self {
            #[cfg(feature = "postcard")]
            Self::Postcard => FramerKind::Postcard(postcard::PostcardFramer::new(limits)),
            #[cfg(feature = "cbor")]
            Self::Cbor => FramerKind::Cbor(cbor::CborFramer::new(limits)),
            #[cfg(feature = "json")]
            Self::Json => FramerKind::Json(json::JsonFramer::new(limits)),
            Self::Custom(codec) => FramerKind::Custom(codec.framer(limits)),
        })
    }

    /// Begins a packet at the end of `out`.
    #[expect(
        clippy::inline_always,
        reason = "a writer is large, and costs more to move than to make"
    )]
    #[inline(always)]
    pub fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
        match self {
            #[cfg(feature = "postcard")]
            Self::Postcard => PacketWriter::postcard(out, limits),
            #[cfg(feature = "cbor")]
            Self::Cbor => PacketWriter::cbor(out, limits),
            #[cfg(feature = "json")]
            Self::Json => PacketWriter::json(out, limits),
            Self::Custom(codec) => codec.writer(out, limits),
        }
    }

    /// Opens a packet that the [`framer`](Self::framer) has found.
    ///
    /// # Errors
    ///
    /// If its beginning is malformed. Formats from other crates that decode a packet as a whole check all of it.
    #[expect(
        clippy::inline_always,
        reason = "a reader is large, and costs more to move than to make"
    )]
    #[inline(always)]
    pub fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError> {
        match self {
            #[cfg(feature = "postcard")]
            Self::Postcard => PacketReader::postcard(packet, limits),
            #[cfg(feature = "cbor")]
            Self::Cbor => PacketReader::cbor(packet, limits),
            #[cfg(feature = "json")]
            Self::Json => PacketReader::json(packet, limits),
            Self::Custom(codec) => {
                let packet = codec.reader(packet, limits)?;
                Ok(packet.of_format(self))
            }
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl PartialEq for Format {
    /// Formats with the same name are equal.
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        let built_in = !matches!(self, Self::Custom(_));
        built_in && mem::discriminant(self) == mem::discriminant(other)
            || self.name() == other.name()
    }
}

impl Eq for Format {}

impl<C: Codec> From<Arc<C>> for Format {
    fn from(codec: Arc<C>) -> Self {
        Self::Custom(codec)
    }
}

/// A wire format from another crate.
///
/// An [`Encoding`](crate::Encoding) and a [`Decoding`](crate::Decoding) write and read its packets straight from and
/// to the types of a message. A format that can only write or read a whole packet does so by way of values
/// ([`PacketWriter::encoded`], [`PacketReader::values`]). A format that wraps another one delegates to it:
///
/// ```
/// # #[cfg(feature = "json")] {
/// use std::ops::Range;
///
/// use aemp_codec::{
///     Codec, DecodeError, Format, FrameError, Framer, Framing, Limits, PacketReader, PacketWriter,
/// };
///
/// /// JSON under another name.
/// #[derive(Debug)]
/// struct Renamed;
///
/// #[derive(Debug)]
/// struct Frames(Framer);
///
/// impl Framing for Frames {
///     fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
///         self.0.scan(buffer)
///     }
/// }
///
/// impl Codec for Renamed {
///     fn name(&self) -> &str {
///         "renamed"
///     }
///
///     fn framer(&self, limits: Limits) -> Box<dyn Framing> {
///         Box::new(Frames(Format::Json.framer(limits)))
///     }
///
///     fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a> {
///         Format::Json.writer(out, limits)
///     }
///
///     fn reader<'a>(
///         &'a self,
///         packet: &'a [u8],
///         limits: Limits,
///     ) -> Result<PacketReader<'a>, DecodeError> {
///         Format::Json.reader(packet, limits)
///     }
/// }
/// # }
/// ```
pub trait Codec: fmt::Debug + Send + Sync + 'static {
    /// The name under which nodes negotiate the format. It contains neither `,` nor `;`.
    fn name(&self) -> &str;

    /// A framer for one connection.
    fn framer(&self, limits: Limits) -> Box<dyn Framing>;

    /// Begins a packet at the end of `out`.
    fn writer<'a>(&'a self, out: &'a mut Vec<u8>, limits: Limits) -> PacketWriter<'a>;

    /// Opens a packet that the framer has found.
    ///
    /// # Errors
    ///
    /// If it is malformed. The connection is then closed.
    fn reader<'a>(
        &'a self,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<PacketReader<'a>, DecodeError>;
}

/// Finds packets in the bytes that a connection receives.
pub trait Framing: fmt::Debug + Send {
    /// Scans the part of `buffer` that it has not scanned yet.
    ///
    /// The buffer begins at the end of the last packet, and only grows until a packet is found. `Some` is the range
    /// of the packet, without white space around it. The caller then drops everything before the end of the range,
    /// and the rest is a new buffer. `None` means that more bytes are needed.
    ///
    /// # Errors
    ///
    /// If the bytes can never be a packet. The connection is then closed.
    fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError>;
}

/// Finds packets in the bytes that a connection receives, in any [`Format`].
#[derive(Debug)]
pub struct Framer(FramerKind);

#[derive(Debug)]
enum FramerKind {
    #[cfg(feature = "postcard")]
    Postcard(postcard::PostcardFramer),
    #[cfg(feature = "cbor")]
    Cbor(cbor::CborFramer),
    #[cfg(feature = "json")]
    Json(json::JsonFramer),
    Custom(Box<dyn Framing>),
}

impl Framer {
    /// See [`Framing::scan`].
    ///
    /// # Errors
    ///
    /// If the bytes can never be a packet. The connection is then closed.
    #[inline]
    pub fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        match &mut self.0 {
            #[cfg(feature = "postcard")]
            FramerKind::Postcard(framer) => framer.scan(buffer),
            #[cfg(feature = "cbor")]
            FramerKind::Cbor(framer) => framer.scan(buffer),
            #[cfg(feature = "json")]
            FramerKind::Json(framer) => framer.scan(buffer),
            FramerKind::Custom(framer) => framer.scan(buffer),
        }
    }
}
