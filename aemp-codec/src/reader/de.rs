//! The one deserializer: it serves the requests of serde with items of a [`Source`].

use std::borrow::Cow;

use serde::de::value::SeqDeserializer;
use serde::de::{
    DeserializeSeed, EnumAccess, Error, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::{Deserialize, Deserializer, forward_to_deserialize_any};

use super::Reader;
use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::source::{Item, List, Source, size_hint};
use crate::text;

impl<'de, S: Source<'de>> Reader<'de, S> {
    fn visit_list<V: Visitor<'de>>(
        &mut self,
        list: S::List,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut inside = self.enter(list)?;
        let value = visitor.visit_seq(&mut inside)?;
        if inside.more()? {
            return Err(DecodeError::mismatch("too many elements in an array"));
        }
        inside.leave();
        Ok(value)
    }

    fn visit_entries<V: Visitor<'de>>(
        &mut self,
        list: S::List,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        let mut inside = self.enter(list)?;
        let value = visitor.visit_map(&mut inside)?;
        while inside.more()? {
            inside.reader.skip_key()?;
            inside.reader.skip()?;
        }
        inside.leave();
        Ok(value)
    }

    /// Enters a list or map, which counts as one value.
    #[inline]
    fn enter(&mut self, list: S::List) -> Result<Inside<'_, 'de, S>, DecodeError> {
        self.count()?;
        self.inside(list)
    }

    #[inline]
    fn inside(&mut self, list: S::List) -> Result<Inside<'_, 'de, S>, DecodeError> {
        self.meter.depth.enter(list.start())?;
        Ok(Inside { reader: self, list })
    }

    /// The next scalar. A list or a map is an error.
    fn scalar_for<V: Visitor<'de>>(&mut self, visitor: &V) -> Result<Scalar<'de>, DecodeError> {
        scalar(self.source.item()?, visitor)
    }

    /// The same for requests that are rare.
    #[inline(never)]
    fn rare_scalar_for<V: Visitor<'de>>(
        &mut self,
        visitor: &V,
    ) -> Result<Scalar<'de>, DecodeError> {
        self.scalar_for(visitor)
    }

    /// The same for requests of text.
    fn text_for<V: Visitor<'de>>(&mut self, visitor: &V) -> Result<Scalar<'de>, DecodeError> {
        scalar(self.source.item_as_text()?, visitor)
    }

    /// A scalar where any type is accepted.
    fn any_scalar<V: Visitor<'de>>(
        &mut self,
        scalar: Scalar<'de>,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        self.count()?;
        match scalar {
            Scalar::Float(x) if self.source.has_infinity() => visitor.visit_f64(x),
            Scalar::Bytes(octets) if self.source.has_text_as_octets() && octets.is_ascii() => {
                Scalar::Str(text::from_octets(octets)).deserialize_any(visitor)
            }
            other => other.deserialize_any(visitor),
        }
    }
}

fn scalar<'de, L, V: Visitor<'de>>(
    item: Item<'de, L>,
    visitor: &V,
) -> Result<Scalar<'de>, DecodeError> {
    match item {
        Item::Scalar(scalar) => Ok(scalar),
        other => Err(DecodeError::invalid_type(other.unexpected(), visitor)),
    }
}

/// The frequent case goes straight to the visitor. The rest goes by way of a scalar.
macro_rules! scalars {
    (integers: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.source.integer() {
                Some(n) => visitor.visit_i64(n),
                None => self.rare_scalar_for(&visitor)?.$method(visitor),
            }
        }
    )*};
    (texts: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            self.count()?;
            match self.source.text()? {
                Some(Cow::Borrowed(text)) => visitor.visit_borrowed_str(text),
                Some(Cow::Owned(text)) => visitor.visit_string(text),
                None => self.text_for(&visitor)?.$method(visitor),
            }
        }
    )*};
    (floats: $($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self.scalar_for(&visitor)? {
                Scalar::Float(x) if self.source.has_infinity() => visitor.visit_f64(x),
                other => other.$method(visitor),
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

impl<'de, S: Source<'de>> Deserializer<'de> for &mut Reader<'de, S> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let scalar = match self.source.item()? {
            Item::Scalar(scalar) => scalar,
            Item::Array(list) => return self.visit_list(list, visitor),
            Item::Map(list) => return self.visit_entries(list, visitor),
        };
        self.any_scalar(scalar, visitor)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.source.item()? {
            Item::Array(list) => self.visit_list(list, visitor),
            Item::Map(list) => self.visit_entries(list, visitor),
            Item::Scalar(Scalar::Null) => {
                self.count()?;
                visitor.visit_seq(SeqDeserializer::<_, DecodeError>::new(
                    std::iter::empty::<()>(),
                ))
            }
            Item::Scalar(scalar) => self.any_scalar(scalar, visitor),
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
        floats: deserialize_f32 deserialize_f64
    }

    scalars! {
        others: deserialize_bool deserialize_i128 deserialize_u128
    }

    #[inline]
    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if let Some(octets) = self.source.octets()? {
            self.count()?;
            return visitor.visit_borrowed_bytes(octets);
        }
        match self.source.item_as_text()? {
            Item::Scalar(scalar) => {
                self.count()?;
                scalar.deserialize_bytes(visitor)
            }
            // Octets may also come as a list of numbers.
            Item::Array(list) => self.visit_list(list, visitor),
            Item::Map(list) => self.visit_entries(list, visitor),
        }
    }

    #[inline]
    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    #[inline]
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        if self.source.nothing()? {
            self.count()?;
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
        self.count()?;
        let list = match self.source.item_as_text()? {
            Item::Scalar(scalar) => return scalar.deserialize_enum(name, variants, visitor),
            Item::Map(list) => list,
            other => return Err(DecodeError::invalid_type(other.unexpected(), &visitor)),
        };
        let one_entry = || DecodeError::invalid_value(Unexpected::Map, &"a map with one entry");
        let mut map = self.inside(list)?;
        if !map.more()? {
            return Err(one_entry());
        }
        let value = visitor.visit_enum(Variant(map.reader))?;
        if map.more()? {
            return Err(one_entry());
        }
        map.leave();
        Ok(value)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.skip()?;
        visitor.visit_unit()
    }

    forward_to_deserialize_any! { unit unit_struct tuple tuple_struct map struct }
}

/// A list or a map that is being read.
struct Inside<'r, 'de, S: Source<'de>> {
    reader: &'r mut Reader<'de, S>,
    list: S::List,
}

impl<'de, S: Source<'de>> Inside<'_, 'de, S> {
    #[inline]
    fn more(&mut self) -> Result<bool, DecodeError> {
        self.reader.source.more(&mut self.list)
    }

    #[inline]
    fn leave(self) {
        self.reader.meter.depth.leave();
        self.reader.source.leave(self.list);
    }
}

impl<'de, S: Source<'de>> SeqAccess<'de> for Inside<'_, 'de, S> {
    type Error = DecodeError;

    #[inline]
    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if self.more()? {
            seed.deserialize(&mut *self.reader).map(Some)
        } else {
            Ok(None)
        }
    }

    fn size_hint(&self) -> Option<usize> {
        size_hint(&self.list)
    }
}

impl<'de, S: Source<'de>> MapAccess<'de> for Inside<'_, 'de, S> {
    type Error = DecodeError;

    #[inline]
    fn next_key_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if !self.more()? {
            return Ok(None);
        }
        self.reader.count()?;
        seed.deserialize(Scalar::Str(self.reader.source.key()?))
            .map(Some)
    }

    #[inline]
    fn next_value_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
        seed.deserialize(&mut *self.reader)
    }

    fn size_hint(&self) -> Option<usize> {
        size_hint(&self.list)
    }
}

/// An enum variant with contents: the only entry of a map.
struct Variant<'r, 'de, S: Source<'de>>(&'r mut Reader<'de, S>);

impl<'de, S: Source<'de>> EnumAccess<'de> for Variant<'_, 'de, S> {
    type Error = DecodeError;
    type Variant = Self;

    fn variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<(T::Value, Self), DecodeError> {
        let name = Scalar::Str(self.0.source.key()?);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de, S: Source<'de>> VariantAccess<'de> for Variant<'_, 'de, S> {
    type Error = DecodeError;

    fn unit_variant(self) -> Result<(), DecodeError> {
        <()>::deserialize(self.0)
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(
        self,
        seed: T,
    ) -> Result<T::Value, DecodeError> {
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
