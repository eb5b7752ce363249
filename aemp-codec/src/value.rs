//! The dynamic value that untyped messages hold.

mod convert;
mod de;
mod map;
mod ser;

use std::borrow::Cow;
use std::fmt;

pub use self::de::from_value;
pub(crate) use self::de::{Held, Values};
pub use self::map::{Entries, IntoEntries, Map};
pub use self::ser::to_value;
pub(crate) use self::ser::{KeySerializer, value_of, value_of_ref};
use crate::lenient::Scalar;
use crate::text;

/// A value of any type that a message can carry. The enum is closed: the network has no other types.
///
/// ```
/// use aemp_codec::Value;
///
/// let value = Value::from(vec![Value::from(1), Value::from("two"), Value::Null]);
/// assert_eq!(value.to_string(), r#"[1,"two",null]"#);
/// assert!(Value::from(42).loose_eq(&Value::from("42")));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value {
    /// Null; Perl's `undef`.
    #[default]
    Null,
    /// A truth value.
    Bool(bool),
    /// An integer that fits into an `i64`.
    Int(i64),
    /// An integer above `i64::MAX`.
    UInt(u64),
    /// A floating-point number.
    Float(f64),
    /// Text.
    Str(String),
    /// Octets. In JSON they travel as the characters U+0000 to U+00FF, and arrive as text. In CBOR they stay octets,
    /// unless all of them are ASCII, which Perl does not distinguish from text. In postcard they stay octets.
    Bytes(Vec<u8>),
    /// A list.
    Array(Vec<Self>),
    /// A map with string keys.
    Map(Map),
}

impl Value {
    /// A value that holds octets.
    pub fn bytes(octets: impl Into<Vec<u8>>) -> Self {
        Self::Bytes(octets.into())
    }

    /// True if it is null.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    /// The number, if it is an integer that fits; strings do not count.
    #[must_use]
    pub fn as_i64(&self) -> Option<i64> {
        match *self {
            Self::Int(n) => Some(n),
            Self::Float(x) => text::exact_i64(x),
            _ => None,
        }
    }

    /// The number, if it is an integer that fits; strings do not count.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::UInt(n) => Some(n),
            _ => self.as_i64()?.try_into().ok(),
        }
    }

    /// The number, rounded if it is an integer beyond 2^53; strings do not count.
    #[must_use]
    pub fn as_f64(&self) -> Option<f64> {
        match *self {
            Self::Int(n) => Some(n as f64),
            Self::UInt(n) => Some(n as f64),
            Self::Float(x) => Some(x),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    #[must_use]
    pub fn as_bool(&self) -> Option<bool> {
        if let Self::Bool(b) = *self {
            Some(b)
        } else {
            None
        }
    }

    /// The integer, as leniently as Perl reads one: `3000`, `"3000"` and `3000.0` are the same, and null is zero.
    ///
    /// ```
    /// use aemp_codec::Value;
    ///
    /// assert_eq!(Value::from("3000").integer(), Some(3000));
    /// assert_eq!(Value::Null.integer(), Some(0));
    /// assert_eq!(Value::from("3000.5").integer(), None);
    /// ```
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        Scalar::of_value(self)?.integer()?.try_into().ok()
    }

    /// The number, as leniently as Perl reads one: `1.5` and `"1.5"` are the same, and null is zero.
    ///
    /// ```
    /// use aemp_codec::Value;
    ///
    /// assert_eq!(Value::from("1.5").number(), Some(1.5));
    /// assert_eq!(Value::from("one").number(), None);
    /// ```
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        Scalar::of_value(self)?.float()
    }

    /// The text, if it is text. Numbers do not count, see [`text`](Self::text).
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        if let Self::Str(s) = self {
            Some(s)
        } else {
            None
        }
    }

    /// The elements, if it is an array.
    #[must_use]
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(a) = self {
            Some(a)
        } else {
            None
        }
    }

    /// The map, if it is one.
    #[must_use]
    pub fn as_map(&self) -> Option<&Map> {
        if let Self::Map(m) = self {
            Some(m)
        } else {
            None
        }
    }

    /// The octets: bytes, or text whose characters are at most U+00FF.
    ///
    /// ```
    /// use aemp_codec::Value;
    ///
    /// assert_eq!(Value::from("a\u{ff}").as_bytes().unwrap(), b"a\xff".as_slice());
    /// assert_eq!(Value::from("\u{20ac}").as_bytes(), None);
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> Option<Cow<'_, [u8]>> {
        match self {
            Self::Bytes(b) => Some(Cow::Borrowed(b)),
            Self::Str(s) => text::octets(s),
            _ => None,
        }
    }

    /// The text that Perl would see: the digits of a number, `1` for true, the empty text for false and null.
    ///
    /// Arrays and maps have no text.
    ///
    /// ```
    /// use aemp_codec::Value;
    ///
    /// assert_eq!(Value::from(42).text().unwrap(), "42");
    /// assert_eq!(Value::from(true).text().unwrap(), "1");
    /// assert_eq!(Value::Null.text().unwrap(), "");
    /// assert_eq!(Value::Array(vec![]).text(), None);
    /// ```
    #[must_use]
    pub fn text(&self) -> Option<Cow<'_, str>> {
        Some(match self {
            Self::Null | Self::Bool(false) => Cow::Borrowed(""),
            Self::Bool(true) => Cow::Borrowed("1"),
            Self::Int(n) => Cow::Owned(n.to_string()),
            Self::UInt(n) => Cow::Owned(n.to_string()),
            Self::Float(x) => Cow::Owned(text::float(*x)),
            Self::Str(s) => Cow::Borrowed(s),
            Self::Bytes(b) => Cow::Owned(text::characters(b)),
            Self::Array(_) | Self::Map(_) => return None,
        })
    }

    /// True if Perl would hardly see a difference. Scalars are compared by their text, arrays and maps by their
    /// parts.
    #[must_use]
    pub fn loose_eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Array(a), Self::Array(b)) => {
                a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.loose_eq(b))
            }
            (Self::Map(a), Self::Map(b)) => {
                let same = |(key, a): (&str, &Self)| b.get(key).is_some_and(|b| a.loose_eq(b));
                a.len() == b.len() && a.iter().all(same)
            }
            _ => matches!((self.text(), other.text()), (Some(a), Some(b)) if a == b),
        }
    }
}

/// The value as JSON. Octets are characters, and floats that JSON does not know have their names.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(b) => fmt::Display::fmt(b, f),
            Self::Int(n) => fmt::Display::fmt(n, f),
            Self::UInt(n) => fmt::Display::fmt(n, f),
            Self::Float(x) => f.write_str(&text::float(*x)),
            Self::Str(s) => f.write_str(&text::quoted(s)),
            Self::Bytes(b) => f.write_str(&text::quoted(&text::characters(b))),
            Self::Array(a) => {
                f.write_str("[")?;
                for (i, value) in a.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { "," })?;
                }
                f.write_str("]")
            }
            Self::Map(m) => fmt::Display::fmt(m, f),
        }
    }
}
