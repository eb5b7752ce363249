//! Writing Rust types in any [`Encoding`]: the elements of a packet, and their contents.

use serde::ser::{self, Serialize, Serializer};

use crate::encoding::{Encoding, ListKind, Opened};
use crate::error::EncodeError;
use crate::limits::Limits;
use crate::value::KeySerializer;

/// Writes one packet behind the contents of the buffer.
#[derive(Debug)]
pub(crate) struct Writer<'a, E> {
    encoding: E,
    out: &'a mut Vec<u8>,
    start: usize,
    count: usize,
    max_packet: usize,
    max_depth: usize,
}

impl<'a, E: Encoding + Copy> Writer<'a, E> {
    #[inline]
    pub(crate) fn new(encoding: E, out: &'a mut Vec<u8>, limits: Limits) -> Self {
        let start = out.len();
        encoding.begin(out);
        Self {
            encoding,
            out,
            start,
            max_packet: limits.max_packet,
            count: 0,
            max_depth: limits.max_depth,
        }
    }

    /// The number of bytes that have been written.
    pub(crate) fn size(&self) -> usize {
        self.out.len() - self.start
    }

    #[inline]
    fn separate(&mut self) {
        if self.count > 0 {
            self.encoding.separate(self.out);
        }
        self.count += 1;
    }

    #[inline]
    pub(crate) fn str(&mut self, text: &str) {
        self.separate();
        self.encoding.text(self.out, text);
    }

    /// A function of its own: it needs registers, which the built-in formats would have to free for it.
    #[cfg(feature = "json")]
    #[inline(never)]
    pub(crate) fn str_apart(&mut self, text: &str) {
        self.str(text);
    }

    #[inline]
    pub(crate) fn arg<T: Serialize + ?Sized>(&mut self, argument: &T) -> Result<(), EncodeError> {
        self.separate();
        argument.serialize(Item {
            encoding: self.encoding,
            out: self.out,
            level: 1,
            limit: self.max_depth,
        })
    }

    #[cfg(any(feature = "cbor", feature = "json", feature = "postcard"))]
    #[inline]
    pub(crate) fn finish(mut self) -> Result<(), EncodeError> {
        let result = self.end();
        if result.is_err() {
            self.take_back();
        }
        result
    }

    #[inline]
    pub(crate) fn end(&mut self) -> Result<(), EncodeError> {
        self.encoding.end(self.out, self.start, self.count)?;
        let limit = self.max_packet;
        // An encoding of another crate may have removed more than its own bytes.
        if self.out.len().wrapping_sub(self.start) > limit {
            return Err(EncodeError::TooLarge { limit });
        }
        if self.max_depth == 0 {
            return Err(EncodeError::TooDeep { limit: 0 });
        }
        Ok(())
    }

    pub(crate) fn take_back(&mut self) {
        self.out.truncate(self.start);
    }
}

/// Writes one item.
struct Item<'a, E> {
    encoding: E,
    out: &'a mut Vec<u8>,
    /// The number of lists and maps around the item.
    level: usize,
    limit: usize,
}

impl<'a, E: Encoding + Copy> Item<'a, E> {
    #[inline]
    fn open(self, kind: ListKind, promised: usize) -> Result<List<'a, E>, EncodeError> {
        let start = self.out.len();
        let inner = self.deeper()?;
        inner.encoding.open(inner.out, kind, promised);
        Ok(List {
            opened: Opened {
                kind,
                start,
                head: inner.out.len().wrapping_sub(start) as u8,
                promised,
                count: 0,
            },
            in_variant: false,
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

    /// Begins a map whose only entry is the enum variant, up to its value. [`Opened::VARIANT`] closes it.
    fn variant(self, variant: &str) -> Result<Self, EncodeError> {
        let map = self.deeper()?;
        map.encoding.open(map.out, ListKind::Map, 1);
        map.encoding.key(map.out, variant);
        Ok(map)
    }

    /// Begins a list or map within such a map.
    #[inline]
    fn open_in_variant(
        self,
        variant: &str,
        kind: ListKind,
        len: usize,
    ) -> Result<List<'a, E>, EncodeError> {
        let list = self.variant(variant)?.open(kind, len)?;
        Ok(List {
            in_variant: true,
            ..list
        })
    }

    /// Integers that 64 bits cannot hold.
    fn digits(self, n: impl itoa::Integer) -> Result<(), EncodeError> {
        let mut digits = itoa::Buffer::new();
        self.encoding.large(self.out, digits.format(n));
        Ok(())
    }
}

macro_rules! integers {
    ($($method:ident $type:ty, $push:ident;)*) => {$(
        #[inline]
        fn $method(self, n: $type) -> Result<(), EncodeError> {
            self.encoding.$push(self.out, n.into());
            Ok(())
        }
    )*};
}

impl<'a, E: Encoding + Copy> Serializer for Item<'a, E> {
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
        self.encoding.bool(self.out, v);
        Ok(())
    }

    fn serialize_f32(self, v: f32) -> Result<(), EncodeError> {
        self.serialize_f64(v.into())
    }

    fn serialize_f64(self, v: f64) -> Result<(), EncodeError> {
        // CBOR and postcard could, but the negotiated format must not decide whether a message can be sent.
        if !v.is_finite() {
            return Err(EncodeError::NotFinite);
        }
        self.encoding.float(self.out, v);
        Ok(())
    }

    fn serialize_char(self, v: char) -> Result<(), EncodeError> {
        self.serialize_str(v.encode_utf8(&mut [0; 4]))
    }

    #[inline]
    fn serialize_str(self, v: &str) -> Result<(), EncodeError> {
        self.encoding.text(self.out, v);
        Ok(())
    }

    #[inline]
    fn serialize_bytes(self, v: &[u8]) -> Result<(), EncodeError> {
        self.encoding.bytes(self.out, v);
        Ok(())
    }

    fn serialize_none(self) -> Result<(), EncodeError> {
        self.encoding.null(self.out);
        Ok(())
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, v: &T) -> Result<(), EncodeError> {
        v.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), EncodeError> {
        self.encoding.null(self.out);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), EncodeError> {
        self.encoding.null(self.out);
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
        let Item {
            encoding,
            out,
            level,
            limit,
        } = self.variant(variant)?;
        v.serialize(Item {
            encoding,
            out: &mut *out,
            level,
            limit,
        })?;
        encoding.close(out, &Opened::VARIANT);
        Ok(())
    }

    #[inline]
    fn serialize_seq(self, len: Option<usize>) -> Result<List<'a, E>, EncodeError> {
        self.open(ListKind::Array, len.unwrap_or(0))
    }

    #[inline]
    fn serialize_tuple(self, len: usize) -> Result<List<'a, E>, EncodeError> {
        self.open(ListKind::Array, len)
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        len: usize,
    ) -> Result<List<'a, E>, EncodeError> {
        self.open(ListKind::Array, len)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a, E>, EncodeError> {
        self.open_in_variant(variant, ListKind::Array, len)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<List<'a, E>, EncodeError> {
        self.open(ListKind::Map, len.unwrap_or(0))
    }

    #[inline]
    fn serialize_struct(self, _: &'static str, len: usize) -> Result<List<'a, E>, EncodeError> {
        self.open(ListKind::Map, len)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        len: usize,
    ) -> Result<List<'a, E>, EncodeError> {
        self.open_in_variant(variant, ListKind::Map, len)
    }
}

/// A list or a map that is being written.
struct List<'a, E> {
    inner: Item<'a, E>,
    opened: Opened,
    /// True if it is the only value of a map around it, which stands for an enum variant.
    in_variant: bool,
}

impl<E: Encoding + Copy> List<'_, E> {
    #[inline]
    fn separate(&mut self) {
        let first = self.opened.count == 0;
        self.opened.count += 1;
        if !first {
            self.inner.encoding.separate(self.inner.out);
        }
    }

    #[inline]
    fn key(&mut self, key: &str) {
        self.separate();
        self.inner.encoding.key(self.inner.out, key);
    }

    #[inline]
    fn value<T: Serialize + ?Sized>(&mut self, v: &T) -> Result<(), EncodeError> {
        v.serialize(Item {
            encoding: self.inner.encoding,
            out: self.inner.out,
            level: self.inner.level,
            limit: self.inner.limit,
        })
    }

    #[inline]
    fn close(self) -> Result<(), EncodeError> {
        let Item { encoding, out, .. } = self.inner;
        encoding.close(out, &self.opened);
        if self.in_variant {
            encoding.close(out, &Opened::VARIANT);
        }
        Ok(())
    }
}

macro_rules! elements {
    ($($trait:ident $method:ident)*) => {$(
        impl<E: Encoding + Copy> ser::$trait for List<'_, E> {
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

impl<E: Encoding + Copy> ser::SerializeMap for List<'_, E> {
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
        impl<E: Encoding + Copy> ser::$trait for List<'_, E> {
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
