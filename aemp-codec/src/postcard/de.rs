//! From postcard straight to Rust's types.

use serde::de::{
    DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::reader::{Item, PostcardReader};
use crate::counted::BELIEVED;
use crate::error::DecodeError;
use crate::lenient::Scalar;

impl<'de> PostcardReader<'de> {
    fn visit_list<V: Visitor<'de>>(
        &mut self,
        start: usize,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut list = self.list(start, count)?;
        let value = visitor.visit_seq(&mut list)?;
        if list.advance() {
            return Err(DecodeError::mismatch("too many elements in an array"));
        }
        self.leave();
        Ok(value)
    }

    fn visit_entries<V: Visitor<'de>>(
        &mut self,
        start: usize,
        count: usize,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut map = self.list(start, count)?;
        let value = visitor.visit_map(&mut map)?;
        while map.advance() {
            map.reader.skip_key()?;
            map.reader.skip_value()?;
        }
        self.leave();
        Ok(value)
    }

    /// Goes into the array or map whose first byte is at `start`.
    #[inline]
    fn list(&mut self, start: usize, left: usize) -> Result<List<'_, 'de>, DecodeError> {
        self.count_value()?;
        self.enter(start)?;
        Ok(List { reader: self, left })
    }

    /// The scalar that is next; an array or a map is an error.
    fn scalar_for<V: Visitor<'de>>(&mut self, visitor: &V) -> Result<Scalar<'de>, DecodeError> {
        match self.item()? {
            Item::Scalar(scalar) => Ok(scalar),
            other => Err(DecodeError::invalid_type(other.unexpected(), visitor)),
        }
    }
}

macro_rules! scalars {
    (integers: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
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
            match self.short_text() {
                Some(text) => visitor.visit_borrowed_str(text),
                None => self.scalar_for(&visitor)?.$method(visitor),
            }
        }
    )*};
    (others: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.scalar_for(&visitor)?.$method(visitor)
        }
    )*};
}

macro_rules! floats {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.scalar_for(&visitor)? {
                Scalar::Float(x) => visitor.visit_f64(x),
                other => other.$method(visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for &mut PostcardReader<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let start = self.at();
        match self.item()? {
            // Infinity and not-a-number can be in a packet, unlike in JSON.
            Item::Scalar(Scalar::Float(x)) => {
                self.count_value()?;
                visitor.visit_f64(x)
            }
            Item::Scalar(scalar) => {
                self.count_value()?;
                scalar.deserialize_any(visitor)
            }
            Item::Array(count) => self.visit_list(start, count, visitor),
            Item::Map(count) => self.visit_entries(start, count, visitor),
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
        others: deserialize_bool deserialize_i128 deserialize_u128
    }

    floats! { deserialize_f32 deserialize_f64 }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if let Some(octets) = self.byte_string()? {
            self.count_value()?;
            return visitor.visit_borrowed_bytes(octets);
        }
        let start = self.at();
        match self.item()? {
            Item::Scalar(scalar) => {
                self.count_value()?;
                scalar.deserialize_bytes(visitor)
            }
            // Octets may also come as a list of numbers.
            Item::Array(count) => self.visit_list(start, count, visitor),
            Item::Map(count) => self.visit_entries(start, count, visitor),
        }
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_nothing() {
            self.count_value()?;
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
        let start = self.at();
        match self.item()? {
            Item::Scalar(scalar) => return scalar.deserialize_enum(name, variants, visitor),
            Item::Map(1) => self.enter(start)?,
            Item::Map(_) => {
                let expected = &"a map with one entry";
                return Err(DecodeError::invalid_value(Unexpected::Map, expected));
            }
            other => return Err(DecodeError::invalid_type(other.unexpected(), &visitor)),
        }
        let value = visitor.visit_enum(Variant(self))?;
        self.leave();
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
    reader: &'r mut PostcardReader<'de>,
    left: usize,
}

impl List<'_, '_> {
    #[inline]
    fn advance(&mut self) -> bool {
        let more = self.left > 0;
        self.left -= usize::from(more);
        more
    }
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if self.advance() {
            seed.deserialize(&mut *self.reader).map(Some)
        } else {
            Ok(None)
        }
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(BELIEVED))
    }
}

impl<'de> MapAccess<'de> for List<'_, 'de> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if !self.advance() {
            return Ok(None);
        }
        self.reader.count_value()?;
        let key = Scalar::Str(self.reader.str()?.into());
        seed.deserialize(key).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.left.min(BELIEVED))
    }
}

/// An enum variant that carries something: the only entry of a map.
struct Variant<'r, 'de>(&'r mut PostcardReader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let name = Scalar::Str(self.0.str()?.into());
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
