//! The writer of one packet, as a transaction.
//!
//! If an argument cannot be encoded, or the writer is dropped unfinished, the buffer is cut back to the beginning of
//! the packet. So no malformed packet reaches a connection.

use std::sync::Arc;

use serde::Serialize;

use super::answer;
#[cfg(feature = "cbor")]
use crate::cbor::Cbor;
#[cfg(any(feature = "cbor", feature = "postcard"))]
use crate::counted::CountedWriter;
use crate::error::EncodeError;
use crate::format::{Codec, Limits};
#[cfg(feature = "json")]
use crate::json::JsonWriter;
#[cfg(feature = "postcard")]
use crate::postcard::Postcard;
use crate::value::{Value, value_of, value_of_ref};

/// Writes one packet, all of it or nothing.
///
/// Unless [`finish`](Self::finish) succeeds, the buffer is afterwards what it was before: an error
/// takes the whole packet back, and so does dropping the writer.
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
    Postcard(CountedWriter<'a, Postcard>),
    #[cfg(feature = "cbor")]
    Cbor(CountedWriter<'a, Cbor>),
    #[cfg(feature = "json")]
    Json(JsonWriter<'a>),
    Values(Collector<'a>),
    // Boxed, so that writers of the built-in formats are small.
    Custom(Box<Custom<'a>>),
    /// Nothing: the packet is finished, or has been given up.
    Closed,
}

/// Collects the elements of a packet as values, behind those that are there already.
#[derive(Debug)]
struct Collector<'a> {
    out: &'a mut Vec<Value>,
    start: usize,
    max_depth: usize,
}

/// Collects the elements of a packet for a codec from outside.
#[derive(Debug)]
struct Custom<'a> {
    codec: Arc<dyn Codec>,
    values: Vec<Value>,
    out: &'a mut Vec<u8>,
    start: usize,
    limits: Limits,
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

    #[cfg(feature = "postcard")]
    #[inline]
    pub(crate) fn postcard(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Postcard(CountedWriter::new(out, limits)))
    }

    #[cfg(feature = "cbor")]
    #[inline]
    pub(crate) fn cbor(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Cbor(CountedWriter::new(out, limits)))
    }

    #[cfg(feature = "json")]
    #[inline]
    pub(crate) fn json(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Json(JsonWriter::new(out, limits)))
    }

    pub(crate) fn custom(codec: Arc<dyn Codec>, out: &'a mut Vec<u8>, limits: Limits) -> Self {
        let start = out.len();
        let custom = Custom {
            codec,
            values: Vec::new(),
            out,
            start,
            limits,
        };
        Self::new(Sink::Custom(Box::new(custom)))
    }

    #[inline]
    fn new(sink: Sink<'a>) -> Self {
        Self { sink }
    }

    /// Appends text: a port name, a tag.
    ///
    /// # Errors
    ///
    /// When an earlier element could not be encoded.
    #[inline]
    pub fn str(&mut self, text: &str) -> Result<(), EncodeError> {
        match &mut self.sink {
            #[cfg(feature = "postcard")]
            Sink::Postcard(postcard) => postcard.str(text),
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.str(text),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.str(text),
            _ => self.collect_text(text)?,
        }
        Ok(())
    }

    /// Appends anything that can be serialised.
    ///
    /// # Errors
    ///
    /// When it cannot be encoded; the packet is then given up.
    #[inline]
    pub fn arg<T: Serialize + ?Sized>(&mut self, argument: &T) -> Result<(), EncodeError> {
        let result = match &mut self.sink {
            #[cfg(feature = "postcard")]
            Sink::Postcard(postcard) => postcard.arg(argument),
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.arg(argument),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.arg(argument),
            other => other
                .max_depth()
                .and_then(|limit| value_of(argument, 1, limit))
                .map(|value| other.collect(value)),
        };
        self.or_give_up(result)
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// When it cannot be encoded; the packet is then given up.
    pub fn value(&mut self, value: &Value) -> Result<(), EncodeError> {
        let result = match &mut self.sink {
            #[cfg(feature = "postcard")]
            Sink::Postcard(postcard) => postcard.arg(value),
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.arg(value),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.arg(value),
            other => other
                .max_depth()
                .and_then(|limit| value_of_ref(value, 1, limit))
                .map(|value| other.collect(value)),
        };
        self.or_give_up(result)
    }

    /// Appends an answer, which is a list of values: the elements of a tuple, array or vector,
    /// none for `()`, and one for anything else.
    ///
    /// # Errors
    ///
    /// When it cannot be encoded; the packet is then given up.
    pub fn answer<T: Serialize + ?Sized>(&mut self, answer: &T) -> Result<(), EncodeError> {
        if matches!(self.sink, Sink::Closed) {
            return Err(EncodeError::GivenUp);
        }
        let result = answer::write(self, answer);
        self.or_give_up(result)
    }

    /// Whether an answer is a list of one element or none. Written as an answer it looks like that element, or like nothing, to a
    /// reader that takes any type; [`PacketReader::mark_list`](super::PacketReader::mark_list) tells the reader.
    #[must_use]
    pub fn is_short_list<T: Serialize + ?Sized>(answer: &T) -> bool {
        answer::is_short_list(answer)
    }

    /// Ends the packet, which from now on stays in the buffer.
    ///
    /// # Errors
    ///
    /// When the packet is too large, or an earlier element could not be encoded; the buffer is
    /// then what it was before.
    #[inline]
    pub fn finish(mut self) -> Result<(), EncodeError> {
        // They take back themselves what cannot be finished; nothing is left to be done when this is dropped.
        match std::mem::replace(&mut self.sink, Sink::Closed) {
            #[cfg(feature = "postcard")]
            Sink::Postcard(postcard) => postcard.finish(),
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.finish(),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.finish(),
            Sink::Values(_) => Ok(()),
            Sink::Custom(custom) => {
                self.sink = Sink::Custom(custom);
                self.finish_custom()
            }
            Sink::Closed => Err(EncodeError::GivenUp),
        }
    }

    /// Calls foreign code: whether it fails or panics, dropping this takes back what it has written.
    fn finish_custom(&mut self) -> Result<(), EncodeError> {
        if let Sink::Custom(custom) = &mut self.sink {
            custom.finish()?;
        }
        self.sink = Sink::Closed;
        Ok(())
    }

    /// Apart from the rest, so that it costs those nothing that write bytes.
    #[inline(never)]
    fn collect_text(&mut self, text: &str) -> Result<(), EncodeError> {
        self.sink.max_depth()?;
        self.sink.collect(text.into());
        Ok(())
    }

    #[inline]
    fn or_give_up(&mut self, result: Result<(), EncodeError>) -> Result<(), EncodeError> {
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

impl Sink<'_> {
    /// The limit for what collects values.
    fn max_depth(&self) -> Result<usize, EncodeError> {
        match self {
            Self::Values(values) => Ok(values.max_depth),
            Self::Custom(custom) => Ok(custom.limits.max_depth),
            _ => Err(EncodeError::GivenUp),
        }
    }

    /// Appends to what collects values.
    #[inline(never)]
    fn collect(&mut self, value: Value) {
        match self {
            Self::Values(values) => values.out.push(value),
            Self::Custom(custom) => custom.values.push(value),
            _ => {}
        }
    }

    fn take_back(&mut self) {
        match self {
            #[cfg(feature = "postcard")]
            Self::Postcard(postcard) => postcard.take_back(),
            #[cfg(feature = "cbor")]
            Self::Cbor(cbor) => cbor.take_back(),
            #[cfg(feature = "json")]
            Self::Json(json) => json.take_back(),
            Self::Values(values) => values.out.truncate(values.start),
            Self::Custom(custom) => custom.out.truncate(custom.start),
            Self::Closed => {}
        }
    }
}

impl Custom<'_> {
    fn finish(&mut self) -> Result<(), EncodeError> {
        self.codec.encode(&self.values, self.out)?;
        let limit = self.limits.max_packet;
        if self.out.len() - self.start > limit {
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
