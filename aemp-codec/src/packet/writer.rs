//! Writing a packet.

use std::sync::Arc;

use serde::Serialize;

use super::answer;
#[cfg(feature = "cbor")]
use crate::cbor::CborWriter;
use crate::error::EncodeError;
use crate::format::{Codec, Limits};
#[cfg(feature = "json")]
use crate::json::JsonWriter;
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
    state: State,
}

#[derive(Debug, PartialEq)]
enum State {
    Open,
    GivenUp,
    Finished,
}

#[derive(Debug)]
enum Sink<'a> {
    #[cfg(feature = "cbor")]
    Cbor(CborWriter<'a>),
    #[cfg(feature = "json")]
    Json(JsonWriter<'a>),
    Values(Collector<'a>),
    // Boxed, so that writers of the built-in formats are small.
    Custom(Box<Custom<'a>>),
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

    #[cfg(feature = "cbor")]
    #[inline]
    pub(crate) fn cbor(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        Self::new(Sink::Cbor(CborWriter::new(out, limits)))
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
        Self {
            sink,
            state: State::Open,
        }
    }

    /// Appends text: a port name, a tag.
    ///
    /// # Errors
    ///
    /// When an earlier element could not be encoded.
    #[inline]
    pub fn str(&mut self, text: &str) -> Result<(), EncodeError> {
        self.check_open()?;
        match &mut self.sink {
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.str(text),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.str(text),
            Sink::Values(values) => values.out.push(text.into()),
            Sink::Custom(custom) => custom.values.push(text.into()),
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
        self.check_open()?;
        let result = match &mut self.sink {
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.arg(argument),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.arg(argument),
            Sink::Values(values) => {
                value_of(argument, 1, values.max_depth).map(|value| values.out.push(value))
            }
            Sink::Custom(custom) => value_of(argument, 1, custom.limits.max_depth)
                .map(|value| custom.values.push(value)),
        };
        self.or_give_up(result)
    }

    /// Appends a value.
    ///
    /// # Errors
    ///
    /// When it cannot be encoded; the packet is then given up.
    pub fn value(&mut self, value: &Value) -> Result<(), EncodeError> {
        self.check_open()?;
        let result = match &mut self.sink {
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.arg(value),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.arg(value),
            Sink::Values(values) => {
                value_of_ref(value, 1, values.max_depth).map(|value| values.out.push(value))
            }
            Sink::Custom(custom) => value_of_ref(value, 1, custom.limits.max_depth)
                .map(|value| custom.values.push(value)),
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
        self.check_open()?;
        let result = answer::write(self, answer);
        self.or_give_up(result)
    }

    /// Ends the packet, which from now on stays in the buffer.
    ///
    /// # Errors
    ///
    /// When the packet is too large, or an earlier element could not be encoded; the buffer is
    /// then what it was before.
    #[inline]
    pub fn finish(mut self) -> Result<(), EncodeError> {
        self.check_open()?;
        let result = match &mut self.sink {
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.finish(),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.finish(),
            Sink::Values(_) => Ok(()),
            Sink::Custom(custom) => custom.finish(),
        };
        if result.is_ok() {
            self.state = State::Finished;
        }
        result
    }

    #[inline]
    fn check_open(&self) -> Result<(), EncodeError> {
        if self.state == State::Open {
            Ok(())
        } else {
            Err(EncodeError::GivenUp)
        }
    }

    #[inline]
    fn or_give_up(&mut self, result: Result<(), EncodeError>) -> Result<(), EncodeError> {
        if result.is_err() {
            self.state = State::GivenUp;
            self.take_back();
        }
        result
    }

    #[cold]
    fn take_back(&mut self) {
        match &mut self.sink {
            #[cfg(feature = "cbor")]
            Sink::Cbor(cbor) => cbor.take_back(),
            #[cfg(feature = "json")]
            Sink::Json(json) => json.take_back(),
            Sink::Values(values) => values.out.truncate(values.start),
            Sink::Custom(custom) => custom.out.truncate(custom.start),
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
        if self.state == State::Open {
            self.take_back();
        }
    }
}
