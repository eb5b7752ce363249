//! From values to anything that can be deserialised.

use std::borrow::Cow;
use std::fmt;

use serde::de::{
    DeserializeOwned, DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::{Map, Value};
use crate::error::DecodeError;
use crate::lenient::Scalar;

/// Turns a value into any type that can be deserialised.
///
/// This is as lenient as decoding a packet: a string of digits is a number where a number is
/// wanted and the other way round, 1, 0 and the empty string are truth values, missing fields are
/// `None`.
///
/// ```
/// use aemp_codec::{Value, from_value};
///
/// assert_eq!(from_value::<u8>(Value::from("42")).unwrap(), 42);
/// assert_eq!(from_value::<String>(Value::from(42)).unwrap(), "42");
/// ```
///
/// # Errors
///
/// When the value is not one of that type.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, DecodeError> {
    T::deserialize(ValueDeserializer::Owned(value))
}

/// Reads a value that is its own or somebody else's.
pub(crate) enum ValueDeserializer<'de> {
    Owned(Value),
    Borrowed(&'de Value),
}

/// A value taken apart by kind, whoever owns it.
enum Parts<'de> {
    Scalar(Scalar<'de>),
    List(List<'de>),
    Entries(Entries<'de>),
}

impl<'de> ValueDeserializer<'de> {
    fn parts(self) -> Parts<'de> {
        match self {
            Self::Owned(value) => owned(value),
            Self::Borrowed(value) => borrowed(value),
        }
    }

    /// The text that Perl would make of it; arrays and maps have none.
    pub(crate) fn into_text(self) -> Result<Cow<'de, str>, DecodeError> {
        match self.parts() {
            Parts::Scalar(scalar) => Ok(scalar.into_text()),
            Parts::List(_) => Err(DecodeError::invalid_type(Unexpected::Seq, &"text")),
            Parts::Entries(_) => Err(DecodeError::invalid_type(Unexpected::Map, &"text")),
        }
    }
}

fn owned<'de>(value: Value) -> Parts<'de> {
    Parts::Scalar(match value {
        Value::Null => Scalar::Null,
        Value::Bool(b) => Scalar::Bool(b),
        Value::Int(n) => Scalar::Int(n),
        Value::UInt(n) => Scalar::UInt(n),
        Value::Float(x) => Scalar::Float(x),
        Value::Str(s) => Scalar::Str(Cow::Owned(s)),
        Value::Bytes(b) => Scalar::Bytes(Cow::Owned(b)),
        Value::Array(list) => return Parts::List(List::Owned(list.into_iter())),
        Value::Map(map) => return Parts::Entries(Entries::owned(map)),
    })
}

fn borrowed(value: &Value) -> Parts<'_> {
    Parts::Scalar(match value {
        Value::Null => Scalar::Null,
        Value::Bool(b) => Scalar::Bool(*b),
        Value::Int(n) => Scalar::Int(*n),
        Value::UInt(n) => Scalar::UInt(*n),
        Value::Float(x) => Scalar::Float(*x),
        Value::Str(s) => Scalar::Str(Cow::Borrowed(s)),
        Value::Bytes(b) => Scalar::Bytes(Cow::Borrowed(b)),
        Value::Array(list) => return Parts::List(List::Borrowed(list.iter())),
        Value::Map(map) => return Parts::Entries(Entries::borrowed(map)),
    })
}

macro_rules! scalars {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.parts() {
                Parts::Scalar(scalar) => scalar.$method(visitor),
                parts => parts.visit(visitor),
            }
        }
    )*};
}

macro_rules! floats {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.parts() {
                Parts::Scalar(Scalar::Float(x)) => visitor.visit_f64(x),
                Parts::Scalar(scalar) => scalar.$method(visitor),
                parts => parts.visit(visitor),
            }
        }
    )*};
}

impl<'de> Parts<'de> {
    fn visit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            // As straight from the packets that can have them: infinity and not-a-number are floats.
            Self::Scalar(Scalar::Float(x)) => visitor.visit_f64(x),
            Self::Scalar(scalar) => scalar.deserialize_any(visitor),
            Self::List(mut list) => {
                let value = visitor.visit_seq(&mut list)?;
                match list.remaining() {
                    0 => Ok(value),
                    n => Err(DecodeError::mismatch(format!(
                        "{n} elements too many in an array"
                    ))),
                }
            }
            Self::Entries(mut entries) => visitor.visit_map(&mut entries),
        }
    }
}

impl<'de> Deserializer<'de> for ValueDeserializer<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.parts().visit(visitor)
    }

    scalars! {
        deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_i128 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_u128 deserialize_char deserialize_str deserialize_string deserialize_bytes
        deserialize_byte_buf deserialize_identifier
    }

    floats! { deserialize_f32 deserialize_f64 }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Owned(Value::Null) | Self::Borrowed(Value::Null) => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match self.parts() {
            Parts::Scalar(scalar) => scalar.deserialize_enum(name, variants, visitor),
            Parts::Entries(mut entries) => match (entries.next(), entries.next()) {
                (Some((name, value)), None) => visitor.visit_enum(Variant { name, value }),
                _ => Err(DecodeError::invalid_value(
                    Unexpected::Map,
                    &"a map with one entry",
                )),
            },
            Parts::List(_) => Err(DecodeError::invalid_type(Unexpected::Seq, &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { unit unit_struct seq tuple tuple_struct map struct }
}

enum List<'de> {
    Owned(std::vec::IntoIter<Value>),
    Borrowed(std::slice::Iter<'de, Value>),
}

impl List<'_> {
    fn remaining(&self) -> usize {
        match self {
            Self::Owned(list) => list.len(),
            Self::Borrowed(list) => list.len(),
        }
    }
}

impl<'de> SeqAccess<'de> for List<'de> {
    type Error = DecodeError;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let value = match self {
            Self::Owned(list) => list.next().map(ValueDeserializer::Owned),
            Self::Borrowed(list) => list.next().map(ValueDeserializer::Borrowed),
        };
        value.map(|value| seed.deserialize(value)).transpose()
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.remaining())
    }
}

enum EntryIter<'de> {
    Owned(indexmap::map::IntoIter<String, Value>),
    Borrowed(super::Entries<'de>),
}

struct Entries<'de> {
    iter: EntryIter<'de>,
    value: Option<ValueDeserializer<'de>>,
}

impl<'de> Entries<'de> {
    fn owned(map: Map) -> Self {
        Self {
            iter: EntryIter::Owned(map.into_entries()),
            value: None,
        }
    }

    fn borrowed(map: &'de Map) -> Self {
        Self {
            iter: EntryIter::Borrowed(map.iter()),
            value: None,
        }
    }

    fn next(&mut self) -> Option<(Scalar<'de>, ValueDeserializer<'de>)> {
        Some(match &mut self.iter {
            EntryIter::Owned(iter) => {
                let (key, value) = iter.next()?;
                (
                    Scalar::Str(Cow::Owned(key)),
                    ValueDeserializer::Owned(value),
                )
            }
            EntryIter::Borrowed(iter) => {
                let (key, value) = iter.next()?;
                (
                    Scalar::Str(Cow::Borrowed(key)),
                    ValueDeserializer::Borrowed(value),
                )
            }
        })
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        let Some((key, value)) = self.next() else {
            return Ok(None);
        };
        self.value = Some(value);
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        match self.value.take() {
            Some(value) => seed.deserialize(value),
            None => Err(DecodeError::mismatch("a value was read before its key")),
        }
    }
}

/// An enum variant that carries something.
struct Variant<'de> {
    name: Scalar<'de>,
    value: ValueDeserializer<'de>,
}

impl<'de> EnumAccess<'de> for Variant<'de> {
    type Error = DecodeError;
    type Variant = ValueDeserializer<'de>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, ValueDeserializer<'de>), DecodeError> {
        Ok((seed.deserialize(self.name)?, self.value))
    }
}

impl<'de> VariantAccess<'de> for ValueDeserializer<'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        <()>::deserialize(self)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        seed.deserialize(self)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.deserialize_any(visitor)
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, inner: D) -> Result<Value, D::Error> {
        Value::deserialize(inner)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(Value::from(n))
    }

    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(Value::Float(x))
    }

    fn visit_str<E>(self, s: &str) -> Result<Value, E> {
        Ok(Value::from(s))
    }

    fn visit_string<E>(self, s: String) -> Result<Value, E> {
        Ok(Value::Str(s))
    }

    fn visit_bytes<E>(self, b: &[u8]) -> Result<Value, E> {
        Ok(Value::bytes(b))
    }

    fn visit_byte_buf<E>(self, b: Vec<u8>) -> Result<Value, E> {
        Ok(Value::Bytes(b))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(value) = seq.next_element()? {
            list.push(value);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Value, A::Error> {
        collect(map).map(Value::Map)
    }
}

/// Of a key that occurs twice the last value counts, as in Perl.
fn collect<'de, A: MapAccess<'de>>(mut access: A) -> Result<Map, A::Error> {
    let mut map = Map::new();
    while let Some((key, value)) = access.next_entry::<String, Value>()? {
        map.insert(key, value);
    }
    Ok(map)
}

impl<'de> Deserialize<'de> for Map {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyMap;

        impl<'de> Visitor<'de> for AnyMap {
            type Value = Map;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Map, A::Error> {
                collect(map)
            }
        }

        deserializer.deserialize_map(AnyMap)
    }
}
