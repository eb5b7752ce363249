//! From Rust's types straight to JSON.

use serde::ser::{self, Serialize, Serializer};

use crate::error::EncodeError;
use crate::format::Limits;
use crate::text;
use crate::value::KeySerializer;

/// Writes one packet behind what is in the buffer.
#[derive(Debug)]
pub(crate) struct JsonWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    limits: Limits,
}

impl<'a> JsonWriter<'a> {
    #[inline]
    pub(crate) fn new(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        let start = out.len();
        out.push(b'[');
        Self { out, start, limits }
    }

    #[inline]
    fn separate(&mut self) {
        if self.out.len() > self.start + 1 {
            self.out.push(b',');
        }
    }

    // A call from where other formats are written, too, which would have to make room for what this needs.
    #[inline(never)]
    pub(crate) fn str(&mut self, text: &str) {
        self.separate();
        text::push_quoted(self.out, text);
    }

    #[inline]
    pub(crate) fn arg<T: Serialize + ?Sized>(&mut self, argument: &T) -> Result<(), EncodeError> {
        self.separate();
        argument.serialize(Json {
            out: self.out,
            level: 1,
            limit: self.limits.max_depth,
        })
    }

    #[inline]
    pub(crate) fn finish(mut self) -> Result<(), EncodeError> {
        self.out.push(b']');
        let result = self.check();
        if result.is_err() {
            self.take_back();
        }
        result
    }

    #[inline]
    fn check(&self) -> Result<(), EncodeError> {
        let limit = self.limits.max_packet;
        if self.out.len() - self.start > limit {
            return Err(EncodeError::TooLarge { limit });
        }
        if self.limits.max_depth == 0 {
            return Err(EncodeError::TooDeep { limit: 0 });
        }
        Ok(())
    }

    pub(crate) fn take_back(&mut self) {
        self.out.truncate(self.start);
    }
}

/// Writes one value.
struct Json<'a> {
    out: &'a mut Vec<u8>,
    /// How many arrays and maps the value is in.
    level: usize,
    limit: usize,
}

impl<'a> Json<'a> {
    #[inline]
    fn push(self, bytes: &[u8]) -> Result<(), EncodeError> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    #[inline]
    fn open(self, open: u8, close: u8) -> Result<List<'a>, EncodeError> {
        if self.level >= self.limit {
            return Err(EncodeError::TooDeep { limit: self.limit });
        }
        self.out.push(open);
        let inner = Json {
            level: self.level + 1,
            ..self
        };
        Ok(List {
            inner,
            first: true,
            close,
            behind: b"",
        })
    }

    /// A map whose only entry is the enum variant, up to its value.
    fn variant(self, variant: &str) -> Result<Self, EncodeError> {
        let mut list = self.open(b'{', b'}')?;
        list.key(variant);
        Ok(list.inner)
    }

    fn open_variant(self, variant: &str, open: u8, close: u8) -> Result<List<'a>, EncodeError> {
        let list = self.variant(variant)?.open(open, close)?;
        Ok(List {
            behind: b"}",
            ..list
        })
    }
}

macro_rules! integers {
    ($($method:ident $type:ty)*) => {$(
        #[inline]
        fn $method(self, n: $type) -> Result<(), EncodeError> {
            text::push_int(self.out, n);
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Json<'a> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = List<'a>;
    type SerializeTuple = List<'a>;
    type SerializeTupleStruct = List<'a>;
    type SerializeTupleVariant = List<'a>;
    type SerializeMap = List<'a>;
    type SerializeStruct = List<'a>;
    type SerializeStructVariant = List<'a>;

    integers! {
        serialize_i8 i8 serialize_i16 i16 serialize_i32 i32 serialize_i64 i64 serialize_i128 i128
        serialize_u8 u8 serialize_u16 u16 serialize_u32 u32 serialize_u64 u64 serialize_u128 u128
    }

    fn serialize_bool(self, v: bool) -> Result<(), EncodeError> {
        self.push(if v { b"true" } else { b"false" })
    }

    fn serialize_f32(self, v: f32) -> Result<(), EncodeError> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), EncodeError> {
        if !v.is_finite() {
            return Err(EncodeError::NotFinite);
        }
        text::push_float(self.out, v);
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), EncodeError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), EncodeError> {
        text::push_quoted(self.out, v);
        Ok(())
    }

    fn serialize_bytes(self, v: &[u8]) -> Result<(), EncodeError> {
        self.serialize_str(&text::characters(v))
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.push(b"null")
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<(), EncodeError> {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.push(b"null")
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.push(b"null")
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), EncodeError> {
        self.serialize_str(variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        v: &T,
    ) -> Result<(), EncodeError> {
        v.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        v: &T,
    ) -> Result<(), EncodeError> {
        let Json { out, level, limit } = self.variant(variant)?;
        v.serialize(Json {
            out: &mut *out,
            level,
            limit,
        })?;
        out.push(b'}');
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, _: Option<usize>) -> Result<List<'a>, EncodeError> {
        self.open(b'[', b']')
    }

    #[inline]
    fn serialize_tuple(self, _: usize) -> Result<List<'a>, EncodeError> {
        self.open(b'[', b']')
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<List<'a>, EncodeError> {
        self.open(b'[', b']')
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, EncodeError> {
        self.open_variant(variant, b'[', b']')
    }

    fn serialize_map(self, _: Option<usize>) -> Result<List<'a>, EncodeError> {
        self.open(b'{', b'}')
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, _: usize) -> Result<List<'a>, EncodeError> {
        self.open(b'{', b'}')
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<List<'a>, EncodeError> {
        self.open_variant(variant, b'{', b'}')
    }
}

/// An array or a map that is being written.
struct List<'a> {
    inner: Json<'a>,
    first: bool,
    close: u8,
    /// What comes behind the closing bracket: that of the enum variant around it, if any.
    behind: &'static [u8],
}

impl List<'_> {
    #[inline]
    fn separate(&mut self) {
        if !self.first {
            self.inner.out.push(b',');
        }
        self.first = false;
    }

    #[inline]
    fn key(&mut self, key: &str) {
        self.separate();
        text::push_quoted(self.inner.out, key);
        self.inner.out.push(b':');
    }

    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        let Json { out, level, limit } = &mut self.inner;
        v.serialize(Json {
            out,
            level: *level,
            limit: *limit,
        })
    }

    #[inline]
    fn close(self) -> Result<(), EncodeError> {
        self.inner.out.push(self.close);
        self.inner.out.extend_from_slice(self.behind);
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident)*) => {$(
        impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
                self.separate();
                self.value(v)
            }

            #[inline]
            fn end(self) -> Result<(), EncodeError> {
                self.close()
            }
        }
    )*};
}

elements! {
    SerializeSeq serialize_element
    SerializeTuple serialize_element
    SerializeTupleStruct serialize_field
    SerializeTupleVariant serialize_field
}

impl ser::SerializeMap for List<'_> {
    type Ok = ();
    type Error = EncodeError;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), EncodeError> {
        let key = key.serialize(KeySerializer)?;
        self.key(&key);
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        self.value(v)
    }

    fn end(self) -> Result<(), EncodeError> {
        self.close()
    }
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for List<'_> {
            type Ok = ();
            type Error = EncodeError;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                key: &'static str,
                v: &T,
            ) -> Result<(), EncodeError> {
                self.key(key);
                self.value(v)
            }

            #[inline]
            fn end(self) -> Result<(), EncodeError> {
                self.close()
            }
        }
    )*};
}

fields!(SerializeStruct SerializeStructVariant);
