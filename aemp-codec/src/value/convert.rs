//! Conversions between values and Rust types.

use super::{Map, Value};
use crate::error::DecodeError;
use crate::id::{NodeId, PortId};
use crate::value::from_value;

macro_rules! from_small_integers {
    ($($int:ty)*) => {$(
        impl From<$int> for Value {
            fn from(n: $int) -> Self {
                Self::Int(n.into())
            }
        }
    )*};
}

from_small_integers!(i8 i16 i32 i64 u8 u16 u32);

impl From<u64> for Value {
    fn from(n: u64) -> Self {
        i64::try_from(n).map_or(Self::UInt(n), Self::Int)
    }
}

impl From<usize> for Value {
    fn from(n: usize) -> Self {
        Self::from(n as u64)
    }
}

impl From<isize> for Value {
    fn from(n: isize) -> Self {
        Self::Int(n as i64)
    }
}

impl From<f32> for Value {
    fn from(x: f32) -> Self {
        Self::Float(x.into())
    }
}

impl From<f64> for Value {
    fn from(x: f64) -> Self {
        Self::Float(x)
    }
}

impl From<bool> for Value {
    fn from(b: bool) -> Self {
        Self::Bool(b)
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Self::Null
    }
}

impl From<char> for Value {
    fn from(c: char) -> Self {
        Self::Str(c.into())
    }
}

impl From<&str> for Value {
    fn from(s: &str) -> Self {
        Self::Str(s.into())
    }
}

impl From<&String> for Value {
    fn from(s: &String) -> Self {
        Self::Str(s.clone())
    }
}

impl From<String> for Value {
    fn from(s: String) -> Self {
        Self::Str(s)
    }
}

impl From<std::borrow::Cow<'_, str>> for Value {
    fn from(s: std::borrow::Cow<'_, str>) -> Self {
        Self::Str(s.into_owned())
    }
}

impl From<Map> for Value {
    fn from(map: Map) -> Self {
        Self::Map(map)
    }
}

impl From<&Self> for Value {
    fn from(value: &Self) -> Self {
        value.clone()
    }
}

impl<T: Into<Self>> From<Option<T>> for Value {
    fn from(option: Option<T>) -> Self {
        option.map_or(Self::Null, Into::into)
    }
}

impl<T: Into<Self>> From<Vec<T>> for Value {
    fn from(list: Vec<T>) -> Self {
        list.into_iter().collect()
    }
}

impl<T: Into<Self>, const N: usize> From<[T; N]> for Value {
    fn from(list: [T; N]) -> Self {
        list.into_iter().collect()
    }
}

impl<T: Into<Self>> FromIterator<T> for Value {
    fn from_iter<I: IntoIterator<Item = T>>(list: I) -> Self {
        Self::Array(list.into_iter().map(Into::into).collect())
    }
}

macro_rules! from_ids {
    ($($id:ty)*) => {$(
        impl From<$id> for Value {
            fn from(id: $id) -> Self {
                Self::from(id.as_str())
            }
        }

        impl From<&$id> for Value {
            fn from(id: &$id) -> Self {
                Self::from(id.as_str())
            }
        }
    )*};
}

from_ids!(NodeId PortId);

/// The opposite direction is as lenient as decoding a packet: see [`from_value`].
macro_rules! try_from_value {
    ($($to:ty)*) => {$(
        impl TryFrom<Value> for $to {
            type Error = DecodeError;

            fn try_from(value: Value) -> Result<Self, DecodeError> {
                from_value(value)
            }
        }
    )*};
}

try_from_value!(i8 i16 i32 i64 isize u8 u16 u32 u64 usize f32 f64 bool char String);
try_from_value!(NodeId PortId Map Vec<Value>);
