//! Octets as an argument.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::DecodeError;
use crate::value::{Value, from_value};

/// Octets as an argument or a field, which travel as a byte string instead of a list of numbers.
///
/// serde does not distinguish a `Vec<u8>` from other lists, so formats write it number by number, which is larger and
/// much slower. This type, which otherwise is a `Vec<u8>`, is copied once into the packet and once out of it. The
/// types and functions of the crate `serde_bytes` have the same effect.
///
/// In a format without byte strings (JSON), the octets travel as the characters U+0000 to U+00FF, and become octets
/// again at the other end. Lists of numbers and texts are read as well.
///
/// ```
/// use aemp_codec::{Octets, Value, from_value, to_value};
///
/// let octets = Octets::from(vec![0, 255]);
/// assert_eq!(octets.len(), 2);
/// assert_eq!(to_value(&octets).unwrap(), Value::bytes([0, 255]));
/// assert_eq!(from_value::<Octets>(Value::from("\0\u{ff}")).unwrap(), octets);
/// ```
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Octets(Vec<u8>);

impl Octets {
    /// The vector inside.
    #[must_use]
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl Deref for Octets {
    type Target = Vec<u8>;

    fn deref(&self) -> &Vec<u8> {
        &self.0
    }
}

impl DerefMut for Octets {
    fn deref_mut(&mut self) -> &mut Vec<u8> {
        &mut self.0
    }
}

impl AsRef<[u8]> for Octets {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl From<Vec<u8>> for Octets {
    fn from(octets: Vec<u8>) -> Self {
        Self(octets)
    }
}

impl From<&[u8]> for Octets {
    fn from(octets: &[u8]) -> Self {
        Self(octets.into())
    }
}

impl<const N: usize> From<&[u8; N]> for Octets {
    fn from(octets: &[u8; N]) -> Self {
        Self(octets.into())
    }
}

impl From<Octets> for Vec<u8> {
    fn from(octets: Octets) -> Self {
        octets.0
    }
}

impl From<Octets> for Value {
    fn from(octets: Octets) -> Self {
        Self::Bytes(octets.0)
    }
}

impl TryFrom<Value> for Octets {
    type Error = DecodeError;

    fn try_from(value: Value) -> Result<Self, DecodeError> {
        from_value(value)
    }
}

/// Printed as a byte string literal: `b"a\xff"`.
impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "b\"{}\"", self.0.escape_ascii())
    }
}

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyOctets;

        impl<'de> Visitor<'de> for AnyOctets {
            type Value = Vec<u8>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("octets")
            }

            fn visit_bytes<E: Error>(self, octets: &[u8]) -> Result<Vec<u8>, E> {
                Ok(octets.into())
            }

            fn visit_byte_buf<E: Error>(self, octets: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(octets)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Vec<u8>, E> {
                Ok(text.into())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vec<u8>, A::Error> {
                let mut octets = Vec::with_capacity(list.size_hint().unwrap_or(0).min(1024));
                while let Some(octet) = list.next_element()? {
                    octets.push(octet);
                }
                Ok(octets)
            }
        }

        deserializer.deserialize_byte_buf(AnyOctets).map(Self)
    }
}
