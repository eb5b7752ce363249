//! Reading a packet.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::DeserializeSeed;

#[cfg(feature = "cbor")]
use crate::cbor::{CborContents, CborReader};
use crate::decoding::{Decoding, Foreign};
use crate::error::DecodeError;
use crate::format::Format;
#[cfg(feature = "json")]
use crate::json::{Brackets, JsonReader};
use crate::lenient::Missing;
use crate::limits::Limits;
#[cfg(feature = "postcard")]
use crate::postcard::PostcardReader;
use crate::reader::Elements;
use crate::source::{Contents, Depth};
use crate::value::{Held, Value, Values};

/// Reads one packet, element by element, straight from its bytes into Rust types.
///
/// Reading is as lenient as Perl peers need it: numbers and strings of digits are the same; 1, 0 and the empty string
/// are truth values; missing arguments are `None`. An element of the wrong type counts as read.
///
/// ```
/// # #[cfg(feature = "json")] {
/// use aemp_codec::{Format, Limits};
///
/// let bytes = br#"["port","add","42",null]"#;
/// let mut packet = Format::Json.reader(bytes, Limits::default()).unwrap();
/// assert_eq!(packet.text().unwrap().unwrap(), "port");
/// assert_eq!(packet.text().unwrap().unwrap(), "add");
/// assert_eq!(packet.required::<i32>().unwrap(), 42);
/// assert_eq!(packet.required::<Option<f64>>().unwrap(), None);
/// assert_eq!(packet.required::<Option<f64>>().unwrap(), None);
/// assert_eq!(packet.required::<u8>().unwrap_err().to_string(), "missing argument 3");
/// # }
/// ```
#[derive(Debug)]
pub struct PacketReader<'a> {
    origin: Origin<'a>,
    position: usize,
    /// The number of elements before the arguments: port name and tag, which were read as text.
    arguments: usize,
    /// True if the rest is known to be the elements of a list.
    list: bool,
}

#[derive(Debug)]
enum Origin<'a> {
    #[cfg(feature = "postcard")]
    Postcard(Elements<'a, PostcardReader<'a>, Contents>),
    #[cfg(feature = "cbor")]
    Cbor(Elements<'a, CborReader<'a>, CborContents>),
    #[cfg(feature = "json")]
    Json(Elements<'a, JsonReader<'a>, Brackets>),
    Foreign(Elements<'a, Foreign<'a>, Contents>, Option<&'a Format>),
    Values(Values<'a>),
}

/// One variant for all packets of bytes, and one for values.
macro_rules! by_origin {
    ($origin:expr, $packet:ident => $bytes:expr, $values:ident => $of_values:expr) => {
        match $origin {
            #[cfg(feature = "postcard")]
            Origin::Postcard($packet) => $bytes,
            #[cfg(feature = "cbor")]
            Origin::Cbor($packet) => $bytes,
            #[cfg(feature = "json")]
            Origin::Json($packet) => $bytes,
            Origin::Foreign($packet, _) => $bytes,
            Origin::Values($values) => $of_values,
        }
    };
}

impl<'a> From<&'a [Value]> for PacketReader<'a> {
    fn from(packet: &'a [Value]) -> Self {
        Self::new(Origin::Values(Values::Borrowed(packet.iter())))
    }
}

impl<'a> PacketReader<'a> {
    /// Reads a packet that consists of these elements.
    #[must_use]
    pub fn values(packet: Vec<Value>) -> Self {
        Self::new(Origin::Values(Values::Owned(packet.into_iter())))
    }

    #[cfg(feature = "postcard")]
    #[inline]
    pub(crate) fn postcard(packet: &'a [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut source = PostcardReader::new(packet);
        let list = source.packet_contents()?;
        let depth = Depth::within(&list, limits)?;
        let elements = Elements::new(source, list, depth, limits);
        Ok(Self::new(Origin::Postcard(elements)))
    }

    #[cfg(feature = "cbor")]
    #[inline]
    pub(crate) fn cbor(packet: &'a [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut source = CborReader::new(packet, limits);
        let list = source.packet_contents()?;
        let depth = Depth::within(&list, limits)?;
        let elements = Elements::new(source, list, depth, limits);
        Ok(Self::new(Origin::Cbor(elements)))
    }

    #[cfg(feature = "json")]
    #[inline]
    pub(crate) fn json(packet: &'a [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut source = JsonReader::new(packet);
        let list = source.packet_contents()?;
        let depth = Depth::within(&list, limits)?;
        let elements = Elements::new(source, list, depth, limits);
        Ok(Self::new(Origin::Json(elements)))
    }

    /// Reads a packet in a format of another crate.
    ///
    /// # Errors
    ///
    /// If its beginning is malformed, or it is not a list.
    pub fn decoding(
        decoding: &'a dyn Decoding,
        packet: &'a [u8],
        limits: Limits,
    ) -> Result<Self, DecodeError> {
        let mut source = Foreign::new(decoding, packet);
        let list = source.packet_contents()?;
        let depth = Depth::within(&list, limits)?;
        let elements = Elements::new(source, list, depth, limits);
        Ok(Self::new(Origin::Foreign(elements, None)))
    }

    /// Remembers the format of the packet, so that the packet can be kept as bytes.
    pub(crate) fn of_format(mut self, format: &'a Format) -> Self {
        if let Origin::Foreign(_, known) = &mut self.origin {
            *known = Some(format);
        }
        self
    }

    #[inline]
    fn new(origin: Origin<'a>) -> Self {
        Self {
            origin,
            position: 0,
            arguments: 0,
            list: false,
        }
    }

    /// Declares that the remaining elements are those of a list, even if there are fewer than two. An
    /// [answer](Self::answer) of any type is then an array.
    pub fn mark_list(&mut self) {
        self.list = true;
    }

    pub(super) fn is_list(&self) -> bool {
        self.list
    }

    /// The size of the whole packet in bytes; 0 if it did not arrive as bytes.
    #[must_use]
    #[inline]
    pub fn size(&self) -> usize {
        self.bytes().map_or(0, |(_, packet)| packet.len())
    }

    /// The bytes of the packet, if it arrived as bytes.
    #[inline]
    pub(super) fn bytes(&self) -> Option<(Format, &'a [u8])> {
        match &self.origin {
            #[cfg(feature = "postcard")]
            Origin::Postcard(packet) => Some((Format::Postcard, packet.source().packet())),
            #[cfg(feature = "cbor")]
            Origin::Cbor(packet) => Some((Format::Cbor, packet.source().packet())),
            #[cfg(feature = "json")]
            Origin::Json(packet) => Some((Format::Json, packet.source().packet())),
            Origin::Foreign(packet, format) => Some(((*format)?.clone(), packet.source().packet())),
            Origin::Values(_) => None,
        }
    }

    /// The place in the packet, and true if the rest is a list: for [`resume`](Self::resume).
    pub(super) fn place(&self) -> ([usize; 2], bool) {
        ([self.position, self.arguments], self.list)
    }

    /// Passes over the elements that had been read when the packet was kept.
    pub(super) fn resume(
        &mut self,
        [read, arguments]: [usize; 2],
        list: bool,
    ) -> Result<(), DecodeError> {
        while self.position < read && self.skip()? {}
        (self.arguments, self.list) = (arguments, list);
        Ok(())
    }

    /// The next element as the text that Perl would see; `None` at the packet's end.
    ///
    /// The arguments of the message, which errors count, begin behind the last text.
    ///
    /// # Errors
    ///
    /// If it is an array or a map, or malformed.
    #[inline]
    pub fn text(&mut self) -> Result<Option<Cow<'a, str>>, DecodeError> {
        let text = by_origin!(
            &mut self.origin,
            packet => packet.text(),
            values => values.next().map(|value| value.into_text()).transpose()
        );
        self.position += usize::from(!matches!(text, Ok(None)));
        self.arguments = self.position;
        text
    }

    /// The next element as a `T`; `None` at the packet's end.
    ///
    /// # Errors
    ///
    /// If it is not a `T`, or malformed.
    #[inline]
    pub fn arg<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, DecodeError> {
        self.element(PhantomData)
    }

    /// The next element as a `T`. At the packet's end it is null if `T` is an `Option`.
    ///
    /// # Errors
    ///
    /// If it is not a `T`, malformed, or missing.
    #[inline]
    pub fn required<T: Deserialize<'a>>(&mut self) -> Result<T, DecodeError> {
        match self.arg()? {
            Some(argument) => Ok(argument),
            None => T::deserialize(self.missing()),
        }
    }

    /// The next element, of any type; `None` at the packet's end.
    ///
    /// # Errors
    ///
    /// If it is malformed, or is a number that no value can hold.
    pub fn value(&mut self) -> Result<Option<Value>, DecodeError> {
        let Origin::Values(values) = &mut self.origin else {
            return self.arg();
        };
        let value = values.next().map(Held::into_value);
        self.position += usize::from(value.is_some());
        Ok(value)
    }

    /// All remaining elements.
    ///
    /// # Errors
    ///
    /// If one of them is malformed, or is a number that no value can hold.
    pub fn rest(&mut self) -> Result<Vec<Value>, DecodeError> {
        let mut rest = Vec::new();
        while let Some(value) = self.value()? {
            rest.push(value);
        }
        Ok(rest)
    }

    /// The number of remaining elements. They can still be read.
    ///
    /// # Errors
    ///
    /// If the rest of the packet is malformed.
    pub fn remaining(&mut self) -> Result<usize, DecodeError> {
        by_origin!(
            &mut self.origin,
            packet => packet.ahead(Elements::count),
            values => Ok(values.len())
        )
    }

    /// The number of elements that have been read.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }

    /// Passes over the next element. Returns false at the packet's end.
    ///
    /// # Errors
    ///
    /// If it is malformed.
    pub fn skip(&mut self) -> Result<bool, DecodeError> {
        let skipped = by_origin!(
            &mut self.origin,
            packet => packet.skip()?,
            values => values.next().is_some()
        );
        self.position += usize::from(skipped);
        Ok(skipped)
    }

    /// Checks the rest of the packet. Returns the number of elements that were left.
    ///
    /// # Errors
    ///
    /// If the rest of the packet is malformed.
    #[inline]
    pub fn finish(mut self) -> Result<usize, DecodeError> {
        by_origin!(
            &mut self.origin,
            packet => packet.count(),
            values => Ok(values.len())
        )
    }

    /// True if all elements have been read.
    pub(super) fn is_at_end(&mut self) -> Result<bool, DecodeError> {
        by_origin!(
            &mut self.origin,
            packet => packet.ahead(|packet| packet.advance().map(|more| !more)),
            values => Ok(values.len() == 0)
        )
    }

    /// The source of a missing argument.
    pub(super) fn missing(&self) -> Missing {
        Missing {
            argument: self.position - self.arguments + 1,
        }
    }

    /// The next element, read with a seed; `None` at the packet's end.
    #[inline]
    pub(super) fn element<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let element = by_origin!(
            &mut self.origin,
            packet => packet.element(seed),
            values => values
                .next()
                .map(|value| seed.deserialize(&mut value.reader()))
                .transpose()
        );
        match element {
            Ok(None) => Ok(None),
            Ok(some) => {
                self.position += 1;
                Ok(some)
            }
            Err(error) => {
                self.position += 1;
                Err(error.in_argument(self.position - self.arguments))
            }
        }
    }
}
