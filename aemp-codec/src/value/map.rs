//! The map of a value.

use std::fmt;

use indexmap::IndexMap;

use super::Value;
use crate::text;

/// A map from strings to values that keeps the order in which keys were added.
///
/// Two maps are equal if they have the same entries, in any order.
///
/// ```
/// use aemp_codec::{Map, Value};
///
/// let mut map = Map::new();
/// map.insert("b", 1);
/// map.insert("a", "x");
/// assert_eq!(map.to_string(), r#"{"b":1,"a":"x"}"#);
/// assert_eq!(map.get("b"), Some(&Value::Int(1)));
/// ```
// Boxed, because a value would otherwise be three times as large for its rarest kind.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map(Box<IndexMap<String, Value>>);

impl Map {
    /// An empty map.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of entries.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value of this key.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The value of this key, for changes.
    pub fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.0.get_mut(key)
    }

    /// True if the key exists.
    #[must_use]
    pub fn contains_key(&self, key: &str) -> bool {
        self.0.contains_key(key)
    }

    /// Sets a key. Returns its old value.
    ///
    /// An existing key keeps its place in the order.
    pub fn insert(&mut self, key: impl Into<String>, value: impl Into<Value>) -> Option<Value> {
        self.0.insert(key.into(), value.into())
    }

    /// Removes a key. Returns its value. Other keys keep their order.
    pub fn remove(&mut self, key: &str) -> Option<Value> {
        self.0.shift_remove(key)
    }

    /// The entries in order.
    #[must_use]
    pub fn iter(&self) -> Entries<'_> {
        Entries(self.0.iter())
    }

    /// The keys in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.iter().map(|(key, _)| key)
    }

    /// The values in order.
    pub fn values(&self) -> impl Iterator<Item = &Value> {
        self.iter().map(|(_, value)| value)
    }

    pub(crate) fn into_entries(self) -> indexmap::map::IntoIter<String, Value> {
        self.0.into_iter()
    }
}

/// The entries of a [`Map`], by value.
#[derive(Debug)]
pub struct IntoEntries(indexmap::map::IntoIter<String, Value>);

impl Iterator for IntoEntries {
    type Item = (String, Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for IntoEntries {}

impl IntoIterator for Map {
    type Item = (String, Value);
    type IntoIter = IntoEntries;

    fn into_iter(self) -> IntoEntries {
        IntoEntries(self.into_entries())
    }
}

/// The entries of a [`Map`].
#[derive(Clone, Debug)]
pub struct Entries<'a>(indexmap::map::Iter<'a, String, Value>);

impl<'a> Iterator for Entries<'a> {
    type Item = (&'a str, &'a Value);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(key, value)| (key.as_str(), value))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl ExactSizeIterator for Entries<'_> {}

impl<'a> IntoIterator for &'a Map {
    type Item = (&'a str, &'a Value);
    type IntoIter = Entries<'a>;

    fn into_iter(self) -> Entries<'a> {
        self.iter()
    }
}

impl<K: Into<String>, V: Into<Value>> FromIterator<(K, V)> for Map {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(entries: I) -> Self {
        let mut map = Self::new();
        map.extend(entries);
        map
    }
}

impl<K: Into<String>, V: Into<Value>> Extend<(K, V)> for Map {
    fn extend<I: IntoIterator<Item = (K, V)>>(&mut self, entries: I) {
        for (key, value) in entries {
            self.insert(key, value);
        }
    }
}

impl fmt::Display for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("{")?;
        for (i, (key, value)) in self.iter().enumerate() {
            write!(
                f,
                "{}{}:{value}",
                if i == 0 { "" } else { "," },
                text::quoted(key)
            )?;
        }
        f.write_str("}")
    }
}
