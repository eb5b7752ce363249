//! From CBOR straight to Rust's types.

use serde::de::{
    DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::item::{Contents, Item, Left};
use super::major;
use super::reader::CborReader;
use crate::counted::BELIEVED;
use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::text;

impl<'de> CborReader<'de> {
    fn visit_list<V: Visitor<'de>>(
        &mut self,
        contents: Contents,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut list = self.list(contents)?;
        let value = visitor.visit_seq(&mut list)?;
        if list.advance()? {
            return Err(DecodeError::mismatch("too many elements in an array"));
        }
        list.end(contents);
        Ok(value)
    }

    fn visit_entries<V: Visitor<'de>>(
        &mut self,
        contents: Contents,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut map = self.list(contents)?;
        let value = visitor.visit_map(&mut map)?;
        while map.advance()? {
            map.cbor.skip_value()?;
            map.cbor.skip_value()?;
        }
        map.end(contents);
        Ok(value)
    }

    #[inline]
    fn list(&mut self, contents: Contents) -> Result<List<'_, 'de>, DecodeError> {
        self.count_value()?;
        self.enter(contents.start)?;
        Ok(List {
            cbor: self,
            left: contents.left,
        })
    }

    fn visit<V: Visitor<'de>>(
        &mut self,
        item: Item<'de>,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        match item {
            Item::Scalar(scalar) => {
                self.count_value()?;
                any(scalar, visitor)
            }
            Item::Array(contents) => self.visit_list(contents, visitor),
            Item::Map(contents) => self.visit_entries(contents, visitor),
        }
    }

    /// The scalar that is next; an array or a map is an error.
    fn scalar_for<V: Visitor<'de>>(&mut self, visitor: &V) -> Result<Scalar<'de>, DecodeError> {
        match self.item()? {
            Item::Scalar(scalar) => Ok(scalar),
            other => Err(DecodeError::invalid_type(other.unexpected(), visitor)),
        }
    }

    /// A key, as Perl's text: those who take keys of any kind must not see what kind of number it was.
    fn key(&mut self) -> Result<Scalar<'de>, DecodeError> {
        if let Some(text) = self.short_text() {
            return Ok(Scalar::Str(text.into()));
        }
        match self.item()? {
            Item::Scalar(key) => Ok(Scalar::Str(key.into_text())),
            other => Err(DecodeError::invalid_type(other.unexpected(), &"a key")),
        }
    }

    /// Passes over the next value if it is nothing.
    #[inline]
    fn is_nothing(&mut self) -> Result<bool, DecodeError> {
        let first = self.peek()?;
        if first >> 5 == major::TAG {
            return self.is_tagged_nothing();
        }
        let nothing = matches!(first, 0xf6 | 0xf7);
        self.at += usize::from(nothing);
        Ok(nothing)
    }
}

/// A scalar for those who take anything: what Perl calls a string is text unless it is not ASCII.
fn any<'de, V: Visitor<'de>>(scalar: Scalar<'de>, visitor: V) -> Result<V::Value, DecodeError> {
    match scalar {
        Scalar::Float(x) => visitor.visit_f64(x),
        Scalar::Bytes(octets) if octets.is_ascii() => {
            Scalar::Str(text::from_octets(octets)).deserialize_any(visitor)
        }
        other => other.deserialize_any(visitor),
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

/// Infinity and not-a-number can be in a packet, unlike in JSON.
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

impl<'de> Deserializer<'de> for &mut CborReader<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let item = self.item()?;
        self.visit(item, visitor)
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

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.item()? {
            Item::Scalar(scalar) => {
                self.count_value()?;
                scalar.deserialize_bytes(visitor)
            }
            // Octets may also come as a list of numbers.
            item => self.visit(item, visitor),
        }
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.is_nothing()? {
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
        let contents = match self.item()? {
            Item::Scalar(scalar) => {
                self.count_value()?;
                return scalar.deserialize_enum(name, variants, visitor);
            }
            Item::Map(contents) => contents,
            other => return Err(DecodeError::invalid_type(other.unexpected(), &visitor)),
        };
        let mut map = self.list(contents)?;
        let one_entry = || DecodeError::invalid_value(Unexpected::Map, &"a map with one entry");
        if !map.advance()? {
            return Err(one_entry());
        }
        let value = visitor.visit_enum(Variant(map.cbor))?;
        if map.advance()? {
            return Err(one_entry());
        }
        map.end(contents);
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
    cbor: &'r mut CborReader<'de>,
    left: Left,
}

impl List<'_, '_> {
    #[inline]
    fn advance(&mut self) -> Result<bool, DecodeError> {
        self.cbor.more(&mut self.left)
    }

    /// Leaves it, and goes back if a reference has led here.
    #[inline]
    fn end(self, contents: Contents) {
        self.cbor.leave();
        if let Some(back) = contents.back {
            self.cbor.at = back;
        }
    }
}

impl<'de> SeqAccess<'de> for List<'_, 'de> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if self.advance()? {
            seed.deserialize(&mut *self.cbor).map(Some)
        } else {
            Ok(None)
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.left.known().map(|count| count.min(BELIEVED))
    }
}

impl<'de> MapAccess<'de> for List<'_, 'de> {
    type Error = DecodeError;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        self.cbor.count_value()?;
        seed.deserialize(self.cbor.key()?).map(Some)
    }

    #[inline]
    fn next_value_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<S::Value, DecodeError> {
        seed.deserialize(&mut *self.cbor)
    }

    fn size_hint(&self) -> Option<usize> {
        self.left.known().map(|count| count.min(BELIEVED))
    }
}

/// An enum variant that carries something: the only entry of a map.
struct Variant<'r, 'de>(&'r mut CborReader<'de>);

impl<'de> EnumAccess<'de> for Variant<'_, 'de> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, Self), DecodeError> {
        let name = Scalar::Str(self.0.key()?.into_text());
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
