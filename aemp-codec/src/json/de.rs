//! From JSON straight to Rust's types.

use std::borrow::Cow;

use serde::de::{
    DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::reader::{JsonReader, Place};
use crate::error::DecodeError;
use crate::lenient::Scalar;

impl<'de> JsonReader<'de> {
    fn visit_list<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        self.count_value()?;
        self.enter()?;
        let mut list = List {
            json: self,
            place: Place::First,
        };
        let value = visitor.visit_seq(&mut list)?;
        if list.place != Place::End && list.advance(b']')? {
            return Err(DecodeError::mismatch("too many elements in an array"));
        }
        Ok(value)
    }

    fn visit_entries<V: Visitor<'de>>(&mut self, visitor: V) -> Result<V::Value, DecodeError> {
        self.count_value()?;
        self.enter()?;
        let mut map = List {
            json: self,
            place: Place::First,
        };
        let value = visitor.visit_map(&mut map)?;
        while map.place != Place::End && map.advance(b'}')? {
            map.json.skip_key()?;
            map.json.skip_value()?;
        }
        Ok(value)
    }

    /// An array, a map or a scalar where a scalar is wanted.
    fn scalar_for<V: Visitor<'de>>(&mut self, visitor: &V) -> Result<Scalar<'de>, DecodeError> {
        match self.peek()? {
            b'[' => Err(DecodeError::invalid_type(Unexpected::Seq, visitor)),
            b'{' => Err(DecodeError::invalid_type(Unexpected::Map, visitor)),
            _ => self.scalar(),
        }
    }

    /// The same where text is wanted: numbers are their digits.
    fn text_for<V: Visitor<'de>>(&mut self, visitor: &V) -> Result<Scalar<'de>, DecodeError> {
        match self.peek()? {
            b'"' => self.string().map(Scalar::Str),
            b'-' | b'0'..=b'9' => Ok(Scalar::Str(Cow::Borrowed(self.literal()?))),
            _ => self.scalar_for(visitor),
        }
    }
}

/// The usual case goes straight to the visitor, the rest by way of a scalar.
macro_rules! scalars {
    (integers: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.peek()?;
            match self.short_integer() {
                Some(n) => visitor.visit_i64(n),
                None => self.scalar_for(&visitor)?.$method(visitor),
            }
        }
    )*};
    (texts: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.count_value()?;
            if self.peek()? != b'"' {
                return self.text_for(&visitor)?.$method(visitor);
            }
            match self.string()? {
                Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
                Cow::Owned(text) => visitor.visit_string(text),
            }
        }
    )*};
    (others: $($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.scalar_for(&visitor)?.$method(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut JsonReader<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            b'[' => self.visit_list(visitor),
            b'{' => self.visit_entries(visitor),
            _ => {
                self.count_value()?;
                self.scalar()?.deserialize_any(visitor)
            }
        }
    }

    scalars! {
        integers: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
            deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    scalars! {
        texts: deserialize_char deserialize_str deserialize_string deserialize_identifier
    }

    scalars! {
        others: deserialize_bool deserialize_f32 deserialize_f64 deserialize_i128 deserialize_u128
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.peek()? {
            // Octets may also come as a list of numbers.
            b'[' => self.visit_list(visitor),
            _ => {
                self.count_value()?;
                self.text_for(&visitor)?.deserialize_bytes(visitor)
            }
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.peek()? == b'n' {
            self.count_value()?;
            self.scalar()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    #[inline]
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
        self.count_value()?;
        if self.peek()? != b'{' {
            return self
                .text_for(&visitor)?
                .deserialize_enum(name, variants, visitor);
        }
        self.enter()?;
        let mut map = List {
            json: self,
            place: Place::First,
        };
        let one_entry = || DecodeError::invalid_value(Unexpected::Map, &"a map with one entry");
        if !map.advance(b'}')? {
            return Err(one_entry());
        }
        let value = visitor.visit_enum(Variant(map.json))?;
        if map.advance(b'}')? {
            return Err(one_entry());
        }
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.skip_value()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { unit unit_struct seq tuple tuple_struct map struct }
}

/// An array or a map that is being read.
struct List<'r, 'de> {
    json: &'r mut JsonReader<'de>,
    place: Place,
}

impl List<'_, '_> {
    #[inline]
    fn advance(&mut self, close: u8) -> Result<bool, DecodeError> {
        if self.place == Place::End {
            return Ok(false);
        }
        let more = self.json.next(self.place, close)?;
        self.place = if more { Place::Later } else { Place::End };
        if !more {
            self.json.leave();
        }
        Ok(more)
    }
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if self.advance(b']')? {
            seed.deserialize(&mut *self.json).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<'de> MapAccess<'de> for List<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if !self.advance(b'}')? {
            return Ok(None);
        }
        self.json.count_value()?;
        seed.deserialize(Scalar::Str(self.json.key()?)).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        seed.deserialize(&mut *self.json)
    }
}

/// An enum variant that carries something: the only entry of a map.
struct Variant<'r, 'de>(&'r mut JsonReader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let name = Scalar::Str(self.0.key()?);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        <()>::deserialize(self.0)
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        seed.deserialize(self.0)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, DecodeError> {
        self.0.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.0.deserialize_any(visitor)
    }
}
