//! From any type that can be serialised to values.

use serde::ser::{self, Impossible, Serialize, Serializer};

use super::{Map, Value};
use crate::error::EncodeError;
use crate::limits::Limits;
use crate::text;

/// Turns anything that can be serialised into a value.
///
/// Structs become maps, enums are tagged from outside (`"Variant"` or `{"Variant": ...}`).
///
/// ```
/// use aemp_codec::{Value, to_value};
///
/// assert_eq!(to_value(&(1, "two")).unwrap().to_string(), r#"[1,"two"]"#);
/// ```
///
/// # Errors
///
/// If it contains infinities or NaN, map keys that are not text, or is nested too deep.
pub fn to_value<T: Serialize + ?Sized>(value: &T) -> Result<Value, EncodeError> {
    value_of(value, 0, Limits::default().max_depth)
}

/// Like [`to_value`], at this level of a packet that may have `limit` levels.
pub(crate) fn value_of<T: Serialize + ?Sized>(
    value: &T,
    level: usize,
    limit: usize,
) -> Result<Value, EncodeError> {
    value.serialize(ValueSerializer { level, limit })
}

/// Like [`value_of`], for a value.
pub(crate) fn value_of_ref(
    value: &Value,
    level: usize,
    limit: usize,
) -> Result<Value, EncodeError> {
    check(value, level, limit)?;
    Ok(value.clone())
}

fn check(value: &Value, level: usize, limit: usize) -> Result<(), EncodeError> {
    let level = level + 1;
    let deep = || {
        if level > limit {
            Err(EncodeError::TooDeep { limit })
        } else {
            Ok(())
        }
    };
    match value {
        Value::Float(x) if !x.is_finite() => Err(EncodeError::NotFinite),
        Value::Array(list) => {
            deep()?;
            list.iter().try_for_each(|value| check(value, level, limit))
        }
        Value::Map(map) => {
            deep()?;
            map.values()
                .try_for_each(|value| check(value, level, limit))
        }
        _ => Ok(()),
    }
}

#[derive(Clone, Copy)]
struct ValueSerializer {
    level: usize,
    limit: usize,
}

impl ValueSerializer {
    fn deeper(self) -> Result<Self, EncodeError> {
        if self.level >= self.limit {
            return Err(EncodeError::TooDeep { limit: self.limit });
        }
        Ok(Self {
            level: self.level + 1,
            ..self
        })
    }

    fn list(self, variant: Option<&'static str>, len: usize) -> Result<List, EncodeError> {
        let outer = if variant.is_some() {
            self.deeper()?
        } else {
            self
        };
        // A length is a promise that nothing checks, so it must not reserve much memory.
        Ok(List {
            variant,
            list: Vec::with_capacity(len.min(64)),
            inner: outer.deeper()?,
        })
    }

    fn entries(self, variant: Option<&'static str>) -> Result<Entries, EncodeError> {
        let outer = if variant.is_some() {
            self.deeper()?
        } else {
            self
        };
        Ok(Entries {
            variant,
            map: Map::new(),
            key: None,
            inner: outer.deeper()?,
        })
    }
}

macro_rules! scalars {
    ($($method:ident $type:ty)*) => {$(
        fn $method(self, v: $type) -> Result<Value, EncodeError> {
            Ok(Value::from(v))
        }
    )*};
}

/// An integer of any size. Integers outside of the range of 64 bits become their digits.
fn wide<T: Copy + ToString + TryInto<i64> + TryInto<u64>>(n: T) -> Value {
    if let Ok(n) = n.try_into() {
        return Value::Int(n);
    }
    n.try_into()
        .map_or_else(|_| Value::Str(n.to_string()), Value::UInt)
}

impl Serializer for ValueSerializer {
    type Ok = Value;
    type Error = EncodeError;
    type SerializeSeq = List;
    type SerializeTuple = List;
    type SerializeTupleStruct = List;
    type SerializeTupleVariant = List;
    type SerializeMap = Entries;
    type SerializeStruct = Entries;
    type SerializeStructVariant = Entries;

    scalars! {
        serialize_bool bool
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64
        serialize_char char serialize_str &str
    }

    fn serialize_i128(self, v: i128) -> Result<Value, EncodeError> {
        Ok(wide(v))
    }

    fn serialize_u128(self, v: u128) -> Result<Value, EncodeError> {
        Ok(wide(v))
    }

    fn serialize_f32(self, v: f32) -> Result<Value, EncodeError> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<Value, EncodeError> {
        if v.is_finite() {
            Ok(Value::Float(v))
        } else {
            Err(EncodeError::NotFinite)
        }
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<Value, EncodeError> {
        Ok(Value::bytes(v))
    }

    fn serialize_none(self) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<Value, EncodeError> {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<Value, EncodeError> {
        Ok(Value::Null)
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<Value, EncodeError> {
        Ok(variant.into())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<Value, EncodeError> {
        v.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<Value, EncodeError> {
        Ok(tagged(Some(variant), v.serialize(self.deeper()?)?))
    }

    fn serialize_seq(self, len: Option<usize>) -> Result<List, EncodeError> {
        self.list(None, len.unwrap_or(0))
    }

    fn serialize_tuple(self, len: usize) -> Result<List, EncodeError> {
        self.list(None, len)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List, EncodeError> {
        self.list(None, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List, EncodeError> {
        self.list(Some(variant), len)
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Entries, EncodeError> {
        self.entries(None)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Entries, EncodeError> {
        self.entries(None)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Entries, EncodeError> {
        self.entries(Some(variant))
    }
}

fn tagged(variant: Option<&'static str>, value: Value) -> Value {
    match variant {
        Some(variant) => Value::Map([(variant, value)].into_iter().collect()),
        None => value,
    }
}

/// An array that is being collected, and its enum variant, if any.
struct List {
    variant: Option<&'static str>,
    list: Vec<Value>,
    inner: ValueSerializer,
}

macro_rules! list {
    ($($trait:ident $method:ident)*) => {$(
        impl ser::$trait for List {
            type Ok = Value;
            type Error = EncodeError;

            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
                self.list.push(v.serialize(self.inner)?);
                Ok(())
            }

            fn end(self) -> Result<Value, EncodeError> {
                Ok(tagged(self.variant, Value::Array(self.list)))
            }
        }
    )*};
}

list! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

/// A map that is being collected, and its enum variant, if any.
struct Entries {
    variant: Option<&'static str>,
    map: Map,
    key: Option<String>,
    inner: ValueSerializer,
}

impl ser::SerializeMap for Entries {
    type Ok = Value;
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        self.key = Some(key.serialize(KeySerializer)?);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        let key = self
            .key
            .take()
            .ok_or_else(|| EncodeError::Custom("a value without key".into()))?;
        self.map.insert(key, v.serialize(self.inner)?);
        Ok(())
    }

    fn end(self) -> Result<Value, EncodeError> {
        Ok(tagged(self.variant, Value::Map(self.map)))
    }
}

macro_rules! entries {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Entries {
            type Ok = Value;
            type Error = EncodeError;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                v: &T,
            ) -> Result<(), EncodeError> {
                self.map.insert(key, v.serialize(self.inner)?);
                Ok(())
            }

            fn end(self) -> Result<Value, EncodeError> {
                ser::SerializeMap::end(self)
            }
        }
    )*};
}

entries!(SerializeStruct SerializeStructVariant);

/// Turns map keys into text. Keys that are neither text nor integers are refused.
pub(crate) struct KeySerializer;

macro_rules! key {
    ($($method:ident($($arg:ident: $type:ty),*) $text:expr;)*) => {$(
        fn $method(self, $($arg: $type),*) -> Result<String, EncodeError> {
            $text
        }
    )*};
}

macro_rules! no_key {
    ($($method:ident($($type:ty),*) $ok:ty;)*) => {$(
        fn $method(self, $(_: $type),*) -> Result<$ok, EncodeError> {
            Err(EncodeError::KeyNotString)
        }
    )*};
}

type NoKey = Impossible<String, EncodeError>;

impl Serializer for KeySerializer {
    type Ok = String;
    type Error = EncodeError;
    type SerializeSeq = NoKey;
    type SerializeTuple = NoKey;
    type SerializeTupleStruct = NoKey;
    type SerializeTupleVariant = NoKey;
    type SerializeMap = NoKey;
    type SerializeStruct = NoKey;
    type SerializeStructVariant = NoKey;

    key! {
        serialize_str(v: &str) Ok(v.into());
        serialize_char(v: char) Ok(v.into());
        serialize_i8(v: i8) Ok(v.to_string());
        serialize_i16(v: i16) Ok(v.to_string());
        serialize_i32(v: i32) Ok(v.to_string());
        serialize_i64(v: i64) Ok(v.to_string());
        serialize_i128(v: i128) Ok(v.to_string());
        serialize_u8(v: u8) Ok(v.to_string());
        serialize_u16(v: u16) Ok(v.to_string());
        serialize_u32(v: u32) Ok(v.to_string());
        serialize_u64(v: u64) Ok(v.to_string());
        serialize_u128(v: u128) Ok(v.to_string());
        serialize_bytes(v: &[u8]) Ok(text::characters(v));
        serialize_unit_variant(_name: &'static str, _index: u32, variant: &'static str) Ok(variant.into());
    }

    no_key! {
        serialize_bool(bool) String;
        serialize_f32(f32) String;
        serialize_f64(f64) String;
        serialize_none() String;
        serialize_unit() String;
        serialize_unit_struct(&'static str) String;
        serialize_seq(Option<usize>) NoKey;
        serialize_tuple(usize) NoKey;
        serialize_tuple_struct(&'static str, usize) NoKey;
        serialize_tuple_variant(&'static str, u32, &'static str, usize) NoKey;
        serialize_map(Option<usize>) NoKey;
        serialize_struct(&'static str, usize) NoKey;
        serialize_struct_variant(&'static str, u32, &'static str, usize) NoKey;
    }

    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<String, EncodeError> {
        v.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<String, EncodeError> {
        v.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<String, EncodeError> {
        Err(EncodeError::KeyNotString)
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(b) => serializer.serialize_bool(*b),
            Self::Int(n) => serializer.serialize_i64(*n),
            Self::UInt(n) => serializer.serialize_u64(*n),
            Self::Float(x) => serializer.serialize_f64(*x),
            Self::Str(s) => serializer.serialize_str(s),
            Self::Bytes(b) => serializer.serialize_bytes(b),
            Self::Array(list) => serializer.collect_seq(list),
            Self::Map(map) => map.serialize(serializer),
        }
    }
}

impl Serialize for Map {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}
