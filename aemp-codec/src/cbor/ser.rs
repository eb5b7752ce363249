//! From Rust's types straight to CBOR.

use serde::ser::{self, Serialize, Serializer};

use super::head::{push_float, push_head, push_int, push_string, push_unsigned, put_head};
use super::major;
use crate::error::EncodeError;
use crate::format::Limits;
use crate::value::KeySerializer;

const NULL: u8 = 0xf6;

/// Writes one packet behind what is in the buffer.
#[derive(Debug)]
pub(crate) struct CborWriter<'a> {
    out: &'a mut Vec<u8>,
    start: usize,
    count: usize,
    limits: Limits,
}

impl<'a> CborWriter<'a> {
    #[inline]
    pub(crate) fn new(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        let start = out.len();
        out.push(major::ARRAY << 5);
        Self {
            out,
            start,
            count: 0,
            limits,
        }
    }

    #[inline]
    pub(crate) fn str(&mut self, text: &str) {
        self.count += 1;
        push_string(self.out, major::TEXT, text.as_bytes());
    }

    #[inline]
    pub(crate) fn arg<T: Serialize + ?Sized>(&mut self, argument: &T) -> Result<(), EncodeError> {
        self.count += 1;
        argument.serialize(Cbor {
            out: self.out,
            level: 1,
            limit: self.limits.max_depth,
        })
    }

    #[inline]
    pub(crate) fn finish(&mut self) -> Result<(), EncodeError> {
        put_head(self.out, self.start, 1, major::ARRAY, self.count);
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
struct Cbor<'a> {
    out: &'a mut Vec<u8>,
    /// How many arrays and maps the value is in.
    level: usize,
    limit: usize,
}

impl<'a> Cbor<'a> {
    #[inline]
    fn push(self, byte: u8) -> Result<(), EncodeError> {
        self.out.push(byte);
        Ok(())
    }

    #[inline]
    fn open(self, kind: u8, promised: usize) -> Result<List<'a>, EncodeError> {
        let start = self.out.len();
        let inner = self.deeper()?;
        push_head(inner.out, kind, promised as u64);
        Ok(List {
            kind,
            start,
            head: (inner.out.len() - start) as u8,
            promised,
            count: 0,
            inner,
        })
    }

    #[inline]
    fn deeper(self) -> Result<Self, EncodeError> {
        if self.level >= self.limit {
            return Err(EncodeError::TooDeep { limit: self.limit });
        }
        Ok(Self {
            level: self.level + 1,
            ..self
        })
    }

    /// A map whose only entry is the enum variant, up to its value.
    fn variant(self, variant: &str) -> Result<Self, EncodeError> {
        let inner = self.deeper()?;
        push_head(inner.out, major::MAP, 1);
        push_string(inner.out, major::TEXT, variant.as_bytes());
        Ok(inner)
    }

    /// Integers that 64 bits cannot hold: the reference makes objects of CBOR's large integers.
    fn digits(self, n: impl itoa::Integer) -> Result<(), EncodeError> {
        self.serialize_str(itoa::Buffer::new().format(n))
    }
}

macro_rules! integers {
    ($($method:ident $type:ty, $push:expr;)*) => {$(
        #[inline]
        fn $method(self, n: $type) -> Result<(), EncodeError> {
            $push(self.out, n.into());
            Ok(())
        }
    )*};
}

impl<'a> Serializer for Cbor<'a> {
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
        serialize_i8 i8, push_int;
        serialize_i16 i16, push_int;
        serialize_i32 i32, push_int;
        serialize_i64 i64, push_int;
        serialize_u8 u8, push_unsigned;
        serialize_u16 u16, push_unsigned;
        serialize_u32 u32, push_unsigned;
        serialize_u64 u64, push_unsigned;
    }

    fn serialize_i128(self, n: i128) -> Result<(), EncodeError> {
        match (i64::try_from(n), u64::try_from(n)) {
            (Ok(n), _) => self.serialize_i64(n),
            (_, Ok(n)) => self.serialize_u64(n),
            _ => self.digits(n),
        }
    }

    fn serialize_u128(self, n: u128) -> Result<(), EncodeError> {
        match u64::try_from(n) {
            Ok(n) => self.serialize_u64(n),
            Err(_) => self.digits(n),
        }
    }

    fn serialize_bool(self, v: bool) -> Result<(), EncodeError> {
        self.push(if v { 0xf5 } else { 0xf4 })
    }

    fn serialize_f32(self, v: f32) -> Result<(), EncodeError> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), EncodeError> {
        // CBOR could, but whether a message can be sent must not depend on the connection.
        if !v.is_finite() {
            return Err(EncodeError::NotFinite);
        }
        push_float(self.out, v);
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), EncodeError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), EncodeError> {
        push_string(self.out, major::TEXT, v.as_bytes());
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Result<(), EncodeError> {
        push_string(self.out, major::BYTES, v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.push(NULL)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<(), EncodeError> {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.push(NULL)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.push(NULL)
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
        v.serialize(self.variant(variant)?)
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<List<'a>, EncodeError> {
        self.open(major::ARRAY, len.unwrap_or(0))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<List<'a>, EncodeError> {
        self.open(major::ARRAY, len)
    }

    fn serialize_tuple_struct(self, _: &'static str, len: usize) -> Result<List<'a>, EncodeError> {
        self.open(major::ARRAY, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a>, EncodeError> {
        self.variant(variant)?.open(major::ARRAY, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<List<'a>, EncodeError> {
        self.open(major::MAP, len.unwrap_or(0))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<List<'a>, EncodeError> {
        self.open(major::MAP, len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a>, EncodeError> {
        self.variant(variant)?.open(major::MAP, len)
    }
}

/// An array or a map that is being written.
struct List<'a> {
    inner: Cbor<'a>,
    kind: u8,
    /// Where its head is, how long that is, and what it says.
    start: usize,
    head: u8,
    promised: usize,
    count: usize,
}

impl List<'_> {
    #[inline]
    fn key(&mut self, key: &str) {
        self.count += 1;
        push_string(self.inner.out, major::TEXT, key.as_bytes());
    }

    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        let Cbor { out, level, limit } = &mut self.inner;
        v.serialize(Cbor {
            out,
            level: *level,
            limit: *limit,
        })
    }

    /// Sees to it that the head says how many items there are, whatever had been promised.
    #[inline]
    fn close(self) -> Result<(), EncodeError> {
        if self.count != self.promised {
            let head = self.head.into();
            put_head(self.inner.out, self.start, head, self.kind, self.count);
        }
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
                self.count += 1;
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
