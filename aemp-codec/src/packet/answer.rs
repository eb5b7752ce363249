//! Answers: a list of values on the wire, one Rust value at both ends.

use std::fmt;

use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, SeqAccess, Visitor};
use serde::ser::{Impossible, SerializeSeq, SerializeTuple, Serializer};

use super::{PacketReader, PacketWriter};
use crate::error::{DecodeError, EncodeError};
use crate::value::{Held, Value};

impl PacketWriter<'_> {
    /// Appends an answer, which is a list of values: the elements of a tuple, array or vector; no values for `()`;
    /// one value for any other type.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded. The packet is then given up.
    pub fn answer<T: Serialize + ?Sized>(&mut self, answer: &T) -> Result<(), EncodeError> {
        self.check_open()?;
        let result = match answer.serialize(Spread(&mut *self)) {
            Ok(()) => Ok(()),
            Err(Stop::Single) => self.arg(answer),
            Err(Stop::Failed(error)) => Err(error),
        };
        self.or_give_up(result)
    }

    /// True if an answer is a list with at most one element. Written as an answer, a reader that takes any type would
    /// read it as that element, or as null; [`PacketReader::mark_list`](super::PacketReader::mark_list) tells the
    /// reader.
    #[must_use]
    pub fn is_short_list<T: Serialize + ?Sized>(answer: &T) -> bool {
        let mut elements = None;
        let counted = answer.serialize(Spread(&mut elements));
        counted.is_ok() && matches!(elements, Some(0 | 1))
    }
}

impl PacketReader<'_> {
    /// The rest of the packet as an answer, in the form that [`PacketWriter::answer`] writes.
    ///
    /// A tuple, array or vector takes its elements from the list of values. `()` accepts any list, and all other
    /// types take the first value. A [`Value`] takes everything: null, one value, or an array of several.
    ///
    /// [`PacketWriter::answer`]: super::PacketWriter::answer
    ///
    /// # Errors
    ///
    /// If the values do not fit `T`, or are malformed.
    pub fn answer<T: DeserializeOwned>(&mut self) -> Result<T, DecodeError> {
        match T::deserialize(Gather(self)) {
            Ok(answer) => Ok(answer),
            Err(Stop::Single) => self.required(),
            Err(Stop::Failed(error)) => Err(error),
        }
    }
}

/// The result of an attempt to write or read a list.
#[derive(Debug)]
enum Stop<E> {
    /// The answer is a single value, and nothing has been written or read yet.
    Single,
    Failed(E),
}

impl<E: fmt::Display> fmt::Display for Stop<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Single => f.write_str("an answer of one value"),
            Self::Failed(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for Stop<E> {}

impl serde::ser::Error for Stop<EncodeError> {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Failed(serde::ser::Error::custom(text))
    }
}

impl serde::de::Error for Stop<DecodeError> {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Failed(serde::de::Error::custom(text))
    }
}

/// Writes the elements of a list one by one, and declines everything else.
struct Spread<'s, S>(&'s mut S);

/// The destination of the elements of a list.
trait Sink {
    /// A list begins.
    fn begin(&mut self);
    fn element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Stop<EncodeError>>;
}

impl Sink for PacketWriter<'_> {
    fn begin(&mut self) {}

    fn element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Stop<EncodeError>> {
        self.arg(v).map_err(Stop::Failed)
    }
}

/// Counts the elements of a list. Gives up at the second one.
impl Sink for Option<usize> {
    fn begin(&mut self) {
        *self = Some(0);
    }

    fn element<T: Serialize + ?Sized>(&mut self, _: &T) -> Result<(), Stop<EncodeError>> {
        let elements = self.get_or_insert(0);
        *elements += 1;
        if *elements > 1 {
            return Err(Stop::Single);
        }
        Ok(())
    }
}

type Declined = Impossible<(), Stop<EncodeError>>;

macro_rules! decline {
    ($($method:ident($($type:ty),*) $ok:ty;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$ok, Stop<EncodeError>> {
            Err(Stop::Single)
        }
    )*};
}

impl<S: Sink> Serializer for Spread<'_, S> {
    type Ok = ();
    type Error = Stop<EncodeError>;
    type SerializeSeq = Self;
    type SerializeTuple = Self;
    type SerializeTupleStruct = Declined;
    type SerializeTupleVariant = Declined;
    type SerializeMap = Declined;
    type SerializeStruct = Declined;
    type SerializeStructVariant = Declined;

    fn serialize_unit(self) -> Result<(), Self::Error> {
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self, Self::Error> {
        self.0.begin();
        Ok(self)
    }

    fn serialize_tuple(self, _: usize) -> Result<Self, Self::Error> {
        self.0.begin();
        Ok(self)
    }

    decline! {
        serialize_bool(bool) ();
        serialize_i8(i8) ();
        serialize_i16(i16) ();
        serialize_i32(i32) ();
        serialize_i64(i64) ();
        serialize_i128(i128) ();
        serialize_u8(u8) ();
        serialize_u16(u16) ();
        serialize_u32(u32) ();
        serialize_u64(u64) ();
        serialize_u128(u128) ();
        serialize_f32(f32) ();
        serialize_f64(f64) ();
        serialize_char(char) ();
        serialize_str(&str) ();
        serialize_bytes(&[u8]) ();
        serialize_none() ();
        serialize_unit_struct(&'static str) ();
        serialize_unit_variant(&'static str, u32, &'static str) ();
        serialize_tuple_struct(&'static str, usize) Declined;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) Declined;
        serialize_map(Option<usize>) Declined;
        serialize_struct(&'static str, usize) Declined;
        serialize_struct_variant(&'static str, u32, &'static str, usize) Declined;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<(), Self::Error> {
        Err(Stop::Single)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<(), Self::Error> {
        Err(Stop::Single)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), Self::Error> {
        Err(Stop::Single)
    }
}

impl<S: Sink> SerializeSeq for Spread<'_, S> {
    type Ok = ();
    type Error = Stop<EncodeError>;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Self::Error> {
        self.0.element(v)
    }

    fn end(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

impl<S: Sink> SerializeTuple for Spread<'_, S> {
    type Ok = ();
    type Error = Stop<EncodeError>;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), Self::Error> {
        SerializeSeq::serialize_element(self, v)
    }

    fn end(self) -> Result<(), Self::Error> {
        Ok(())
    }
}

macro_rules! decline_to_read {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Self::Error> {
            Err(Stop::Single)
        }
    )*};
}

/// Makes a list of the remaining elements, and declines everything else.
struct Gather<'r, 'a>(&'r mut PacketReader<'a>);

impl<'a> Deserializer<'a> for Gather<'_, 'a> {
    type Error = Stop<DecodeError>;

    /// For types that can be anything: null, one value or a list, according to the number of elements.
    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        let mut rest = self.0.rest().map_err(Stop::Failed)?;
        let value = match (rest.pop(), rest.len()) {
            (last, _) if self.0.is_list() => {
                rest.extend(last);
                Value::Array(rest)
            }
            (None, _) => Value::Null,
            (Some(only), 0) => only,
            (Some(last), _) => {
                rest.push(last);
                Value::Array(rest)
            }
        };
        let mut value = Held::Owned(value).reader();
        value.deserialize_any(visitor).map_err(Stop::Failed)
    }

    fn deserialize_seq<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(Elements {
            packet: self.0,
            expected: 0,
        })
    }

    fn deserialize_tuple<V: Visitor<'a>>(
        self,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        visitor.visit_seq(Elements {
            packet: self.0,
            expected: len,
        })
    }

    fn deserialize_unit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_ignored_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_unit()
    }

    fn deserialize_option<V: Visitor<'a>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(Stop::Single)
    }

    fn deserialize_unit_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Self::Error> {
        Err(Stop::Single)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: V,
    ) -> Result<V::Value, Self::Error> {
        Err(Stop::Single)
    }

    fn deserialize_tuple_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: usize,
        _: V,
    ) -> Result<V::Value, Self::Error> {
        Err(Stop::Single)
    }

    fn deserialize_struct<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        Err(Stop::Single)
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Self::Error> {
        Err(Stop::Single)
    }

    decline_to_read! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_map
        deserialize_identifier
    }
}

/// The remaining elements. Missing ones are null for an `Option`.
struct Elements<'r, 'a> {
    packet: &'r mut PacketReader<'a>,
    expected: usize,
}

impl<'a> SeqAccess<'a> for Elements<'_, 'a> {
    type Error = Stop<DecodeError>;

    fn next_element_seed<S: DeserializeSeed<'a>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Self::Error> {
        let expected = self.expected;
        self.expected = expected.saturating_sub(1);
        if expected > 0 && self.packet.is_at_end().map_err(Stop::Failed)? {
            return seed
                .deserialize(self.packet.missing())
                .map(Some)
                .map_err(Stop::Failed);
        }
        self.packet.element(seed).map_err(Stop::Failed)
    }
}
