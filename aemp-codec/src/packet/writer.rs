//! The writer of one packet, as a transaction.
//!
//! If an argument cannot be encoded, or the writer is dropped unfinished, the buffer is cut back to the beginning of
//! the packet. So no malformed packet reaches a connection.

use std::fmt;

use serde::Serialize;

#[cfg(feature = "cbor")]
use crate::cbor::Cbor;
use crate::encoding::Encoding;
use crate::error::EncodeError;
#[cfg(feature = "json")]
use crate::json::Json;
use crate::limits::Limits;
#[cfg(feature = "postcard")]
use crate::postcard::Postcard;
use crate::value::{Value, value_of, value_of_ref};
use crate::writer::Writer;

/// Writes one packet, completely or not at all.
///
/// Unless [`finish`](Self::finish) succeeds, the buffer is restored: an error removes the whole packet, and so does
/// dropping the writer.
///
/// ```
/// # #[cfg(feature = "json")] {
/// use aemp_codec::{Format, Limits};
///
/// let mut bytes = b"[]".to_vec();
/// let mut packet = Format::Json.writer(&mut bytes, Limits::default());
/// packet.str("port").unwrap();
/// assert!(packet.arg(&f64::NAN).is_err());
/// assert!(packet.finish().is_err());
/// assert_eq!(bytes, b"[]");
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a packet that is not finished is taken back"]
pub struct PacketWriter<'a> {
    sink: Sink<'a>,
}

#[derive(Debug)]
enum Sink<'a> {
    #[cfg(feature = "postcard")]
    Postcard(Writer<'a, Postcard>),
    #[cfg(feature = "cbor")]
    Cbor(Writer<'a, Cbor>),
    #[cfg(feature = "json")]
    Json(Writer<'a, Json>),
    Foreign(Writer<'a, &'a dyn Encoding>),
    Values(Collector<'a>),
    // Boxed, so that other writers are small.
    Encoded(Box<Encoded<'a>>),
    /// Nothing: the packet is finished, or was given up.
    Closed,
}

/// Collects the elements of a packet as values, behind those of the buffer.
#[derive(Debug)]
struct Collector<'a> {
    out: &'a mut Vec<Value>,
    start: usize,
    max_depth: usize,
}

type Encode<'a> = Box<dyn FnOnce(&[Value], &mut Vec<u8>) -> Result<(), EncodeError> + 'a>;

/// Collects the elements of a packet, which is encoded as a whole.
struct Encoded<'a> {
    encode: Option<Encode<'a>>,
    values: Vec<Value>,
    out: &'a mut Vec<u8>,
    start: usize,
    limits: Limits,
}

impl fmt::Debug for Encoded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoded")
            .field("values", &self.values)
            .finish_non_exhaustive()
    }
}

impl<'a> PacketWriter<'a> {
    /// Collects the elements of a packet as values at the end of `out`.
    pub fn values(out: &'a mut Vec<Value>, limits: Limits) -> Self {
        let start = out.len();
        Self::new(Sink::Values(Collector {
            out,
            start,
            max_depth: limits.max_depth,
        }))
    }

    /// Writes a packet in a format of another crate at the end of `out`.
    pub fn encoding(encoding: &'a dyn Encoding, out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Foreign(Writer::new(encoding, out, limits)))
    }

    /// Collects the elements of a packet. At the end `encode` appends them to `out`. For formats that can only be
    /// written as a whole.
    pub fn encoded(
        out: &'a mut Vec<u8>,
        limits: Limits,
        encode: impl FnOnce(&[Value], &mut Vec<u8>) -> Result<(), EncodeError> + 'a,
    ) -> Self {
        let start = out.len();
        Self::new(Sink::Encoded(Box::new(Encoded {
            encode: Some(Box::new(encode)),
            values: Vec::new(),
            out,
            start,
            limits,
        })))
    }

    #[cfg(feature = "postcard")]
    #[inline]
    pub(crate) fn postcard(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Postcard(Writer::new(Postcard, out, limits)))
    }

    #[cfg(feature = "cbor")]
    #[inline]
    pub(crate) fn cbor(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Cbor(Writer::new(Cbor, out, limits)))
    }

    #[cfg(feature = "json")]
    #[inline]
    pub(crate) fn json(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Json(Writer::new(Json, out, limits)))
    }

    #[inline]
    fn new(sink: Sink<'a>) -> Self {
        Self { sink }
    }

    /// Appends text: a port name or a tag.
    ///
    /// # Errors
    ///
    /// If an earlier element could not be encoded.
    #[inline]
    pub fn str(&mut self, text: &str) -> Result<(), EncodeError> {
        match &mut self.sink {
            #[cfg(feature = "postcard")]
            Sink::Postcard(writer) => writer.str(text),
            #[cfg(feature = "cbor")]
            Sink::Cbor(writer) => writer.str(text),
            #[cfg(feature = "json")]
            Sink::Json(writer) => writer.str_apart(text),
            other => other.str(text)?,
        }
        Ok(())
    }

    /// Appends a value of any type that can be serialised.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded. The packet is then given up.
    #[inline]
    pub fn arg<T: Serialize + ?Sized>(&mut self, argument: &T) -> Result<(), EncodeError> {
        let result = match &mut self.sink {
            #[cfg(feature = "postcard")]
            Sink::Postcard(writer) => writer.arg(argument),
            #[cfg(feature = "cbor")]
            Sink::Cbor(writer) => writer.arg(argument),
            #[cfg(feature = "json")]
            Sink::Json(writer) => writer.arg(argument),
            other => other.arg(argument, value_of),
        };
        self.or_give_up(result)
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded. The packet is then given up.
    pub fn value(&mut self, value: &Value) -> Result<(), EncodeError> {
        let result = match &mut self.sink {
            #[cfg(feature = "postcard")]
            Sink::Postcard(writer) => writer.arg(value),
            #[cfg(feature = "cbor")]
            Sink::Cbor(writer) => writer.arg(value),
            #[cfg(feature = "json")]
            Sink::Json(writer) => writer.arg(value),
            other => other.arg(value, value_of_ref),
        };
        self.or_give_up(result)
    }

    /// The size of the written part of the packet, in bytes; 0 for a packet of values, or one that is only encoded at
    /// its end.
    #[must_use]
    pub fn size(&self) -> usize {
        match &self.sink {
            #[cfg(feature = "postcard")]
            Sink::Postcard(writer) => writer.size(),
            #[cfg(feature = "cbor")]
            Sink::Cbor(writer) => writer.size(),
            #[cfg(feature = "json")]
            Sink::Json(writer) => writer.size(),
            Sink::Foreign(writer) => writer.size(),
            Sink::Values(_) | Sink::Encoded(_) | Sink::Closed => 0,
        }
    }

    /// Ends the packet, which stays in the buffer from now on.
    ///
    /// # Errors
    ///
    /// If the packet is too large, or an earlier element could not be encoded. The buffer is then restored.
    #[inline]
    pub fn finish(mut self) -> Result<(), EncodeError> {
        if let Sink::Foreign(_) | Sink::Encoded(_) = self.sink {
            return self.finish_foreign();
        }
        // They restore the buffer themselves, so nothing is left to do when this is dropped.
        match std::mem::replace(&mut self.sink, Sink::Closed) {
            #[cfg(feature = "postcard")]
            Sink::Postcard(writer) => writer.finish(),
            #[cfg(feature = "cbor")]
            Sink::Cbor(writer) => writer.finish(),
            #[cfg(feature = "json")]
            Sink::Json(writer) => writer.finish(),
            Sink::Values(_) => Ok(()),
            _ => Err(EncodeError::GivenUp),
        }
    }

    /// Calls foreign code. If it fails or panics, dropping this value removes everything that it has written.
    #[inline(never)]
    fn finish_foreign(&mut self) -> Result<(), EncodeError> {
        match &mut self.sink {
            Sink::Foreign(writer) => writer.end()?,
            Sink::Encoded(encoded) => encoded.finish()?,
            _ => {}
        }
        self.sink = Sink::Closed;
        Ok(())
    }

    /// An error if the packet is finished, or was given up.
    #[inline]
    pub(super) fn check_open(&self) -> Result<(), EncodeError> {
        match self.sink {
            Sink::Closed => Err(EncodeError::GivenUp),
            _ => Ok(()),
        }
    }

    #[inline]
    pub(super) fn or_give_up(
        &mut self,
        result: Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if result.is_err() {
            self.give_up();
        }
        result
    }

    #[cold]
    fn give_up(&mut self) {
        self.sink.take_back();
        self.sink = Sink::Closed;
    }
}

/// Writers of formats from other crates. They are apart, so that they cost the built-in ones nothing.
impl Sink<'_> {
    #[inline(never)]
    fn str(&mut self, text: &str) -> Result<(), EncodeError> {
        match self {
            Self::Foreign(writer) => writer.str(text),
            Self::Values(values) => values.out.push(text.into()),
            Self::Encoded(encoded) => encoded.values.push(text.into()),
            _ => return Err(EncodeError::GivenUp),
        }
        Ok(())
    }

    /// `value_of` makes a value of the argument, at a level, within a limit.
    #[inline(never)]
    fn arg<T: Serialize + ?Sized>(
        &mut self,
        argument: &T,
        value_of: fn(&T, usize, usize) -> Result<Value, EncodeError>,
    ) -> Result<(), EncodeError> {
        let (values, max_depth) = match self {
            Self::Foreign(writer) => return writer.arg(argument),
            Self::Values(values) => (&mut *values.out, values.max_depth),
            Self::Encoded(encoded) => (&mut encoded.values, encoded.limits.max_depth),
            _ => return Err(EncodeError::GivenUp),
        };
        values.push(value_of(argument, 1, max_depth)?);
        Ok(())
    }

    fn take_back(&mut self) {
        match self {
            #[cfg(feature = "postcard")]
            Self::Postcard(writer) => writer.take_back(),
            #[cfg(feature = "cbor")]
            Self::Cbor(writer) => writer.take_back(),
            #[cfg(feature = "json")]
            Self::Json(writer) => writer.take_back(),
            Self::Foreign(writer) => writer.take_back(),
            Self::Values(values) => values.out.truncate(values.start),
            Self::Encoded(encoded) => encoded.out.truncate(encoded.start),
            Self::Closed => {}
        }
    }
}

impl Encoded<'_> {
    fn finish(&mut self) -> Result<(), EncodeError> {
        if let Some(encode) = self.encode.take() {
            encode(&self.values, self.out)?;
        }
        let limit = self.limits.max_packet;
        if self.out.len().wrapping_sub(self.start) > limit {
            return Err(EncodeError::TooLarge { limit });
        }
        Ok(())
    }
}

impl Drop for PacketWriter<'_> {
    fn drop(&mut self) {
        if !matches!(self.sink, Sink::Closed) {
            self.give_up();
        }
    }
}
