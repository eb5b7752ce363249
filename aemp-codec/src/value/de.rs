//! From values to any type that can be deserialised.

use std::borrow::Cow;
use std::fmt;
use std::mem;

use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::{Entries, Map, Value};
use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::limits::Limits;
use crate::reader::Reader;
use crate::source::{Depth, Item, List, Source};

/// Turns a value into any type that can be deserialised.
///
/// This is as lenient as decoding a packet. Numbers and strings of digits are the same; 1, 0 and the empty string are
/// truth values; missing fields are `None`.
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
/// If the value does not fit the type.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, DecodeError> {
    T::deserialize(&mut Held::Owned(value).reader())
}

/// A value that is read, owned or borrowed.
#[derive(Debug)]
pub(crate) enum Held<'de> {
    Owned(Value),
    Borrowed(&'de Value),
}

impl<'de> Held<'de> {
    /// Reads it into the type that serde requests.
    pub(crate) fn reader(self) -> Reader<'de, ValueSource<'de>> {
        // It has been in memory before, so its depth and number of values are possible.
        let mut limits = Limits::default().with_max_depth(usize::MAX);
        limits.max_values = usize::MAX;
        let source = ValueSource {
            key: Cow::Borrowed(""),
            value: self,
        };
        Reader::new(source, limits)
    }

    /// The text that Perl would make of it. Arrays and maps have none.
    pub(crate) fn into_text(self) -> Result<Cow<'de, str>, DecodeError> {
        match self.into_item() {
            Item::Scalar(scalar) => Ok(scalar.into_text()),
            other => Err(DecodeError::invalid_type(other.unexpected(), &"text")),
        }
    }

    fn into_item(self) -> Item<'de, Children<'de>> {
        match self {
            Self::Owned(value) => owned(value),
            Self::Borrowed(value) => borrowed(value),
        }
    }

    pub(crate) fn into_value(self) -> Value {
        match self {
            Self::Owned(value) => value,
            Self::Borrowed(value) => value.clone(),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Owned(Value::Null) | Self::Borrowed(Value::Null))
    }
}

fn owned<'de>(value: Value) -> Item<'de, Children<'de>> {
    Item::Scalar(match value {
        Value::Null => Scalar::Null,
        Value::Bool(b) => Scalar::Bool(b),
        Value::Int(n) => Scalar::Int(n),
        Value::UInt(n) => Scalar::UInt(n),
        Value::Float(x) => Scalar::Float(x),
        Value::Str(s) => Scalar::Str(Cow::Owned(s)),
        Value::Bytes(b) => Scalar::Bytes(Cow::Owned(b)),
        Value::Array(list) => return Item::Array(Children::List(Values::Owned(list.into_iter()))),
        Value::Map(map) => return Item::Map(Children::OwnedMap(map.into_entries())),
    })
}

fn borrowed(value: &Value) -> Item<'_, Children<'_>> {
    Item::Scalar(match value {
        Value::Null => Scalar::Null,
        Value::Bool(b) => Scalar::Bool(*b),
        Value::Int(n) => Scalar::Int(*n),
        Value::UInt(n) => Scalar::UInt(*n),
        Value::Float(x) => Scalar::Float(*x),
        Value::Str(s) => Scalar::Str(Cow::Borrowed(s)),
        Value::Bytes(b) => Scalar::Bytes(Cow::Borrowed(b)),
        Value::Array(list) => return Item::Array(Children::List(Values::Borrowed(list.iter()))),
        Value::Map(map) => return Item::Map(Children::BorrowedMap(map.iter())),
    })
}

/// Values in order.
#[derive(Debug)]
pub(crate) enum Values<'de> {
    Owned(std::vec::IntoIter<Value>),
    Borrowed(std::slice::Iter<'de, Value>),
}

impl<'de> Iterator for Values<'de> {
    type Item = Held<'de>;

    fn next(&mut self) -> Option<Held<'de>> {
        match self {
            Self::Owned(values) => values.next().map(Held::Owned),
            Self::Borrowed(values) => values.next().map(Held::Borrowed),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        match self {
            Self::Owned(values) => values.size_hint(),
            Self::Borrowed(values) => values.size_hint(),
        }
    }
}

impl ExactSizeIterator for Values<'_> {}

/// The contents of an array or a map.
#[derive(Debug)]
pub(crate) enum Children<'de> {
    List(Values<'de>),
    OwnedMap(indexmap::map::IntoIter<String, Value>),
    BorrowedMap(Entries<'de>),
}

impl List for Children<'_> {
    fn start(&self) -> usize {
        0
    }

    fn left(&self) -> Option<usize> {
        Some(match self {
            Self::List(values) => values.len(),
            Self::OwnedMap(entries) => entries.len(),
            Self::BorrowedMap(entries) => entries.len(),
        })
    }
}

/// The next value, and the key before it if it is in a map.
#[derive(Debug)]
pub(crate) struct ValueSource<'de> {
    key: Cow<'de, str>,
    value: Held<'de>,
}

impl<'de> Source<'de> for ValueSource<'de> {
    type List = Children<'de>;

    /// Values have no offsets.
    fn at(&self) -> usize {
        0
    }

    fn go_to(&mut self, _: usize) {}

    fn item(&mut self) -> Result<Item<'de, Children<'de>>, DecodeError> {
        let read = Held::Owned(Value::Null);
        Ok(mem::replace(&mut self.value, read).into_item())
    }

    fn more(&mut self, children: &mut Children<'de>) -> Result<bool, DecodeError> {
        let next = match children {
            Children::List(values) => values.next(),
            Children::OwnedMap(entries) => entries.next().map(|(key, value)| {
                self.key = Cow::Owned(key);
                Held::Owned(value)
            }),
            Children::BorrowedMap(entries) => entries.next().map(|(key, value)| {
                self.key = Cow::Borrowed(key);
                Held::Borrowed(value)
            }),
        };
        let more = next.is_some();
        if let Some(next) = next {
            self.value = next;
        }
        Ok(more)
    }

    fn key(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        Ok(mem::take(&mut self.key))
    }

    fn end(&mut self) -> Result<(), DecodeError> {
        Ok(())
    }

    fn skip(&mut self, _: &mut Depth) -> Result<(), DecodeError> {
        Ok(())
    }

    fn nothing(&mut self) -> Result<bool, DecodeError> {
        Ok(self.value.is_null())
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

/// If a key occurs twice, the last value counts, as in Perl.
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
