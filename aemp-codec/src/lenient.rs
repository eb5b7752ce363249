//! Lenient decoding of single values, as Perl peers need it: `42` and `"42"` are the same.

use std::borrow::Cow;

use serde::Deserializer;
use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{Error, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::DecodeError;
use crate::text;
use crate::value::Value;

/// A value that is neither a list nor a map, before the requested type is known.
///
/// A [`Decoding`](crate::Decoding) reads it. It becomes the requested type, as leniently as Perl peers need it.
///
/// ```
/// use aemp_codec::Scalar;
/// use serde::Deserialize;
///
/// let text = Scalar::Str("42".into());
/// assert_eq!(u8::deserialize(text.clone()), Ok(42));
/// assert_eq!(f64::deserialize(text), Ok(42.0));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Scalar<'de> {
    /// Null; Perl's `undef`.
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits into an `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A floating-point number.
    Float(f64),
    /// The digits of an integer that 64 bits cannot hold.
    Big(&'de str),
    /// Text.
    Str(Cow<'de, str>),
    /// Octets.
    Bytes(Cow<'de, [u8]>),
}

impl<'de> Scalar<'de> {
    /// The number that the text is by JSON's grammar; `None` if it is not a number.
    pub(crate) fn number(text: &'de str) -> Option<Self> {
        if !is_number(text.as_bytes()) {
            return None;
        }
        Some(Self::of_number(text))
    }

    /// The number in a text that follows the grammar of numbers.
    pub(crate) fn of_number(text: &'de str) -> Self {
        if text.bytes().any(|b| matches!(b, b'.' | b'e' | b'E')) || text == "-0" {
            // The grammar is a subset of the one of `parse`. Too large numbers become infinite.
            return Self::Float(text.parse().unwrap_or(f64::NAN));
        }
        if let Ok(n) = text.parse() {
            return Self::Int(n);
        }
        text.parse().map_or(Self::Big(text), Self::UInt)
    }

    /// The text that Perl would make of it.
    pub(crate) fn into_text(self) -> Cow<'de, str> {
        match self {
            Self::Null | Self::Bool(false) => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("1"),
            Self::Int(n) => Cow::Owned(n.to_string()),
            Self::UInt(n) => Cow::Owned(n.to_string()),
            Self::Float(x) => Cow::Owned(text::float(x)),
            Self::Big(digits) => Cow::Borrowed(digits),
            Self::Str(s) => s,
            Self::Bytes(b) => text::from_octets(b),
        }
    }

    pub(crate) fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Null => Unexpected::Unit,
            Self::Bool(b) => Unexpected::Bool(*b),
            Self::Int(n) => Unexpected::Signed(*n),
            Self::UInt(n) => Unexpected::Unsigned(*n),
            Self::Float(x) => Unexpected::Float(*x),
            Self::Big(_) => Unexpected::Other("integer beyond 64 bits"),
            Self::Str(s) => Unexpected::Str(s),
            Self::Bytes(b) => Unexpected::Bytes(b),
        }
    }

    /// The number in a string; zero for null. Other numbers stay as they are.
    fn read_number<R>(&self, then: impl FnOnce(Option<Scalar<'_>>) -> R) -> R {
        match self {
            Self::Str(s) => then(Scalar::number(s)),
            Self::Bytes(b) => then(std::str::from_utf8(b).ok().and_then(Scalar::number)),
            Self::Null => then(Some(Scalar::Int(0))),
            Self::Bool(_) => then(None),
            other => then(Some(other.clone())),
        }
    }

    /// The scalar of a value that is neither a list nor a map.
    pub(crate) fn of_value(value: &'de Value) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(*b),
            Value::Int(n) => Self::Int(*n),
            Value::UInt(n) => Self::UInt(*n),
            Value::Float(x) => Self::Float(*x),
            Value::Str(s) => Self::Str(Cow::Borrowed(s)),
            Value::Bytes(b) => Self::Bytes(Cow::Borrowed(b)),
            Value::Array(_) | Value::Map(_) => return None,
        })
    }

    /// The integer that it is equal to.
    pub(crate) fn integer(&self) -> Option<i128> {
        self.read_number(|number| match number? {
            Scalar::Int(n) => Some(n.into()),
            Scalar::UInt(n) => Some(n.into()),
            Scalar::Float(x) => exact_integer(x),
            Scalar::Big(digits) => digits.parse().ok(),
            _ => None,
        })
    }

    pub(crate) fn float(&self) -> Option<f64> {
        let float = self.read_number(|number| match number? {
            Scalar::Int(n) => Some(n as f64),
            Scalar::UInt(n) => Some(n as f64),
            Scalar::Float(x) => Some(x),
            Scalar::Big(digits) => digits.parse().ok(),
            _ => None,
        });
        float.filter(|x| x.is_finite() || matches!(self, Self::Float(_)))
    }

    fn boolean(&self) -> Option<bool> {
        match self {
            Self::Null | Self::Int(0) => Some(false),
            Self::Bool(b) => Some(*b),
            Self::Int(1) => Some(true),
            Self::Float(x) if *x == 0.0 => Some(false),
            Self::Float(x) if *x == 1.0 => Some(true),
            Self::Str(s) => truth(s.as_bytes()),
            Self::Bytes(b) => truth(b),
            _ => None,
        }
    }

    fn mismatch<'v, V: Visitor<'v>>(&self, visitor: &V) -> DecodeError {
        DecodeError::invalid_type(self.unexpected(), visitor)
    }
}

fn truth(text: &[u8]) -> Option<bool> {
    match text {
        b"1" => Some(true),
        b"0" | b"" => Some(false),
        _ => None,
    }
}

/// The integer that a float is equal to, if it is below 2^64.
fn exact_integer(x: f64) -> Option<i128> {
    (x.fract() == 0.0 && x.abs() < 18_446_744_073_709_551_616.0).then_some(x as i128)
}

/// True if the text is a number by JSON's grammar.
fn is_number(text: &[u8]) -> bool {
    let rest = text.strip_prefix(b"-").unwrap_or(text);
    let rest = match rest {
        [b'0', rest @ ..] => Some(rest),
        [b'1'..=b'9', ..] => digits(rest),
        _ => None,
    };
    let rest = match rest {
        Some([b'.', rest @ ..]) => digits(rest),
        rest => rest,
    };
    let rest = match rest {
        Some([b'e' | b'E', b'+' | b'-', rest @ ..] | [b'e' | b'E', rest @ ..]) => digits(rest),
        rest => rest,
    };
    rest.is_some_and(<[u8]>::is_empty)
}

/// The rest of the text behind one or more digits.
fn digits(text: &[u8]) -> Option<&[u8]> {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    (count > 0).then(|| &text[count..])
}

macro_rules! integers {
    ($($method:ident)*) => {$(
        #[inline]
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            match self {
                Self::Int(n) => visitor.visit_i64(n),
                Self::UInt(n) => visitor.visit_u64(n),
                other => match other.integer() {
                    Some(n) => visit_integer(n, visitor),
                    None => Err(other.mismatch(&visitor)),
                },
            }
        }
    )*};
}

macro_rules! wide_integers {
    ($($method:ident $type:ty, $visit:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
            let wide = self.read_number(|number| match number? {
                Scalar::Big(digits) => digits.parse::<$type>().ok(),
                other => other.integer().and_then(|n| n.try_into().ok()),
            });
            match wide {
                Some(n) => visitor.$visit(n),
                None => Err(self.mismatch(&visitor)),
            }
        }
    )*};
}

fn visit_integer<'de, V: Visitor<'de>>(n: i128, visitor: V) -> Result<V::Value, DecodeError> {
    if let Ok(n) = i64::try_from(n) {
        return visitor.visit_i64(n);
    }
    match u64::try_from(n) {
        Ok(n) => visitor.visit_u64(n),
        Err(_) => visitor.visit_i128(n),
    }
}

fn visit_text<'de, V: Visitor<'de>>(s: Cow<'de, str>, visitor: V) -> Result<V::Value, DecodeError> {
    match s {
        Cow::Borrowed(s) => visitor.visit_borrowed_str(s),
        Cow::Owned(s) => visitor.visit_string(s),
    }
}

fn visit_octets<'de, V: Visitor<'de>>(
    octets: Cow<'de, [u8]>,
    visitor: V,
) -> Result<V::Value, DecodeError> {
    match octets {
        Cow::Borrowed(octets) => visitor.visit_borrowed_bytes(octets),
        Cow::Owned(octets) => visitor.visit_byte_buf(octets),
    }
}

impl<'de> Deserializer<'de> for Scalar<'de> {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Null => visitor.visit_unit(),
            Self::Bool(b) => visitor.visit_bool(b),
            Self::Int(n) => visitor.visit_i64(n),
            Self::UInt(n) => visitor.visit_u64(n),
            Self::Float(x) if x.is_finite() => visitor.visit_f64(x),
            Self::Float(_) => Err(DecodeError::mismatch("number out of range")),
            Self::Big(digits) => visitor.visit_borrowed_str(digits),
            Self::Str(s) => visit_text(s, visitor),
            Self::Bytes(b) => visit_octets(b, visitor),
        }
    }

    integers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    wide_integers! {
        deserialize_i128 i128, visit_i128;
        deserialize_u128 u128, visit_u128;
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.float() {
            Some(x) if x.is_finite() => visitor.visit_f64(x),
            Some(_) => Err(DecodeError::mismatch("number out of range")),
            None => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self.boolean() {
            Some(b) => visitor.visit_bool(b),
            None => Err(self.mismatch(&visitor)),
        }
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Bool(_) => Err(self.mismatch(&visitor)),
            Self::Int(n) => visitor.visit_str(itoa::Buffer::new().format(n)),
            Self::UInt(n) => visitor.visit_str(itoa::Buffer::new().format(n)),
            other => visit_text(other.into_text(), visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_char<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_identifier<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_str(visitor)
    }

    fn deserialize_bytes<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        let text = match self {
            Self::Bytes(b) => return visit_octets(b, visitor),
            Self::Bool(_) => return Err(self.mismatch(&visitor)),
            other => other.into_text(),
        };
        let octets = match &text {
            Cow::Borrowed(s) => text::octets(s),
            Cow::Owned(s) => text::octets(s).map(|octets| Cow::Owned(octets.into_owned())),
        };
        let Some(octets) = octets else {
            let found = Unexpected::Other("text with characters beyond U+00FF");
            return Err(DecodeError::invalid_value(found, &visitor));
        };
        visit_octets(octets, visitor)
    }

    fn deserialize_byte_buf<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        self.deserialize_bytes(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        match self {
            Self::Null => visitor.visit_none(),
            other => visitor.visit_some(other),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DecodeError> {
        if matches!(self, Self::Null | Self::Bool(_)) {
            return Err(self.mismatch(&visitor));
        }
        match self.into_text() {
            Cow::Borrowed(name) => visitor.visit_enum(BorrowedStrDeserializer::new(name)),
            Cow::Owned(name) => {
                let name: StrDeserializer<'_, DecodeError> = name.as_str().into_deserializer();
                visitor.visit_enum(name)
            }
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        unit unit_struct seq tuple tuple_struct map struct
    }
}

/// Stands for a missing argument: null for an `Option`, an error for other types.
pub(crate) struct Missing {
    pub(crate) argument: usize,
}

impl<'de> Deserializer<'de> for Missing {
    type Error = DecodeError;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, DecodeError> {
        Err(DecodeError::missing(self.argument))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DecodeError> {
        visitor.visit_none()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
