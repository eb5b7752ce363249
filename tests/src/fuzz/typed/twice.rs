//! Maps that have a key twice.

use std::fmt;

use aemp_codec::Value;
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// True if there is a map in it that has a key twice. Of such a map a value keeps the last entry, and a type that is
/// read straight sees all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Twice(pub(super) bool);

impl<'de> Deserialize<'de> for Twice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Search)
    }
}

struct Search;

macro_rules! nothing {
    ($($visit:ident: $type:ty),*) => {
        $(fn $visit<E>(self, _: $type) -> Result<Twice, E> {
            Ok(Twice(false))
        })*
    };
}

impl<'de> Visitor<'de> for Search {
    type Value = Twice;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    nothing!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128,
        visit_f64: f64, visit_str: &str, visit_bytes: &[u8]);

    fn visit_unit<E>(self) -> Result<Twice, E> {
        Ok(Twice(false))
    }

    fn visit_none<E>(self) -> Result<Twice, E> {
        Ok(Twice(false))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Twice, D::Error> {
        Twice::deserialize(deserializer)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(
        self,
        deserializer: D,
    ) -> Result<Twice, D::Error> {
        Twice::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Twice, A::Error> {
        let mut twice = false;
        while let Some(Twice(found)) = seq.next_element()? {
            twice |= found;
        }
        Ok(Twice(twice))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Twice, A::Error> {
        let (mut keys, mut twice) = (Vec::new(), false);
        while let Some(key) = map.next_key::<Value>()? {
            let Twice(found) = map.next_value()?;
            twice |= found || keys.contains(&key);
            keys.push(key);
        }
        Ok(Twice(twice))
    }

    fn visit_enum<A: serde::de::EnumAccess<'de>>(self, data: A) -> Result<Twice, A::Error> {
        let _: (IgnoredAny, _) = data.variant()?;
        Ok(Twice(false))
    }
}
