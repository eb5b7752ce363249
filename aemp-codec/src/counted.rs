//! Formats in which lists begin with the number of their elements: from Rust's types straight to them.

use std::fmt;
use std::marker::PhantomData;

use serde::ser::{self, Serialize, Serializer};

use crate::error::EncodeError;
use crate::format::Limits;
use crate::value::KeySerializer;

/// So many elements at most are told to those who allocate for them in advance: a number of elements is a claim, and in
/// nested lists each could claim all that follows.
pub(crate) const BELIEVED: usize = 1024;

/// How a format writes what everything is made of.
pub(crate) trait Encoding: fmt::Debug {
    /// What [`head`](Self::head) is told of an array.
    const ARRAY: u8;
    /// What [`head`](Self::head) is told of a map.
    const MAP: u8;

    /// What a packet begins with, as long as it is not known how many elements it has.
    fn begin(out: &mut Vec<u8>);
    /// Says in what [`begin`](Self::begin) has written at `start` how many elements and bytes there are.
    fn end(out: &mut Vec<u8>, start: usize, count: usize) -> Result<(), EncodeError>;

    fn null(out: &mut Vec<u8>);
    fn bool(out: &mut Vec<u8>, v: bool);
    fn int(out: &mut Vec<u8>, n: i64);
    fn unsigned(out: &mut Vec<u8>, n: u64);
    /// A float that is finite.
    fn float(out: &mut Vec<u8>, x: f64);
    fn text(out: &mut Vec<u8>, text: &str);
    fn bytes(out: &mut Vec<u8>, octets: &[u8]);
    fn key(out: &mut Vec<u8>, key: &str);

    /// Begins an array or a map of so many elements or entries.
    fn head(out: &mut Vec<u8>, kind: u8, count: usize);
    /// Writes another head over the one of `size` bytes that is there.
    fn put_head(out: &mut Vec<u8>, at: usize, size: usize, kind: u8, count: usize);
}

/// Writes one packet behind what is in the buffer.
#[derive(Debug)]
pub(crate) struct CountedWriter<'a, E> {
    out: &'a mut Vec<u8>,
    start: usize,
    count: usize,
    limits: Limits,
    encoding: PhantomData<E>,
}

impl<'a, E: Encoding> CountedWriter<'a, E> {
    #[inline]
    pub(crate) fn new(out: &'a mut Vec<u8>, limits: Limits) -> Self {
        let start = out.len();
        E::begin(out);
        Self {
            out,
            start,
            count: 0,
            limits,
            encoding: PhantomData,
        }
    }

    #[inline]
    pub(crate) fn str(&mut self, text: &str) {
        self.count += 1;
        E::text(self.out, text);
    }

    #[inline]
    pub(crate) fn arg<T: Serialize + ?Sized>(&mut self, argument: &T) -> Result<(), EncodeError> {
        self.count += 1;
        argument.serialize(Counted::<E> {
            out: self.out,
            level: 1,
            limit: self.limits.max_depth,
            encoding: PhantomData,
        })
    }

    #[inline]
    pub(crate) fn finish(mut self) -> Result<(), EncodeError> {
        let result = self.end();
        if result.is_err() {
            self.take_back();
        }
        result
    }

    #[inline]
    fn end(&mut self) -> Result<(), EncodeError> {
        E::end(self.out, self.start, self.count)?;
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
struct Counted<'a, E> {
    out: &'a mut Vec<u8>,
    /// How many arrays and maps the value is in.
    level: usize,
    limit: usize,
    encoding: PhantomData<E>,
}

impl<'a, E: Encoding> Counted<'a, E> {
    #[inline]
    fn open(self, kind: u8, promised: usize) -> Result<List<'a, E>, EncodeError> {
        let start = self.out.len();
        let inner = self.deeper()?;
        E::head(inner.out, kind, promised);
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
        E::head(inner.out, E::MAP, 1);
        E::key(inner.out, variant);
        Ok(inner)
    }

    /// Integers that 64 bits cannot hold are their digits: the reference makes objects of CBOR's large integers.
    fn digits(self, n: impl itoa::Integer) -> Result<(), EncodeError> {
        self.serialize_str(itoa::Buffer::new().format(n))
    }
}

macro_rules! integers {
    ($($method:ident $type:ty, $push:ident;)*) => {$(
        #[inline]
        fn $method(self, n: $type) -> Result<(), EncodeError> {
            E::$push(self.out, n.into());
            Ok(())
        }
    )*};
}

impl<'a, E: Encoding> Serializer for Counted<'a, E> {
    type Ok = ();
    type Error = EncodeError;
    type SerializeSeq = List<'a, E>;
    type SerializeTuple = List<'a, E>;
    type SerializeTupleStruct = List<'a, E>;
    type SerializeTupleVariant = List<'a, E>;
    type SerializeMap = List<'a, E>;
    type SerializeStruct = List<'a, E>;
    type SerializeStructVariant = List<'a, E>;

    integers! {
        serialize_i8 i8, int;
        serialize_i16 i16, int;
        serialize_i32 i32, int;
        serialize_i64 i64, int;
        serialize_u8 u8, unsigned;
        serialize_u16 u16, unsigned;
        serialize_u32 u32, unsigned;
        serialize_u64 u64, unsigned;
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
        E::bool(self.out, v);
        Ok(())
    }

    fn serialize_f32(self, v: f32) -> Result<(), EncodeError> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), EncodeError> {
        // These formats could, but whether a message can be sent must not depend on the connection.
        if !v.is_finite() {
            return Err(EncodeError::NotFinite);
        }
        E::float(self.out, v);
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), EncodeError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), EncodeError> {
        E::text(self.out, v);
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Result<(), EncodeError> {
        E::bytes(self.out, v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        E::null(self.out);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<(), EncodeError> {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        E::null(self.out);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        E::null(self.out);
        Ok(())
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
    fn serialize_seq(self, len: Option<usize>) -> Result<List<'a, E>, EncodeError> {
        self.open(E::ARRAY, len.unwrap_or(0))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<List<'a, E>, EncodeError> {
        self.open(E::ARRAY, len)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<List<'a, E>, EncodeError> {
        self.open(E::ARRAY, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a, E>, EncodeError> {
        self.variant(variant)?.open(E::ARRAY, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<List<'a, E>, EncodeError> {
        self.open(E::MAP, len.unwrap_or(0))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<List<'a, E>, EncodeError> {
        self.open(E::MAP, len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a, E>, EncodeError> {
        self.variant(variant)?.open(E::MAP, len)
    }
}

/// An array or a map that is being written.
struct List<'a, E> {
    inner: Counted<'a, E>,
    kind: u8,
    /// Where its head is, how long that is, and what it says.
    start: usize,
    head: u8,
    promised: usize,
    count: usize,
}

impl<E: Encoding> List<'_, E> {
    #[inline]
    fn key(&mut self, key: &str) {
        self.count += 1;
        E::key(self.inner.out, key);
    }

    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        v.serialize(Counted::<E> {
            out: self.inner.out,
            level: self.inner.level,
            limit: self.inner.limit,
            encoding: PhantomData,
        })
    }

    /// Sees to it that the head says how many items there are, whatever had been promised.
    #[inline]
    fn close(self) -> Result<(), EncodeError> {
        if self.count != self.promised {
            let head = self.head.into();
            E::put_head(self.inner.out, self.start, head, self.kind, self.count);
        }
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident)*) => {$(
        impl<E: Encoding> ser::$trait for List<'_, E> {
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

impl<E: Encoding> ser::SerializeMap for List<'_, E> {
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
        impl<E: Encoding> ser::$trait for List<'_, E> {
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
