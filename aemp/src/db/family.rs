//! A family with values of one type.

use std::{collections::BTreeMap, fmt, marker::PhantomData};

use aemp_codec::{Value, from_value};
use serde::{Serialize, de::DeserializeOwned};

use super::{DbEntry, DbError, DbQuery, FamilyContents, Watch, watch::contents};
use crate::Node;
use aemp_proto::global::{Answer, Query};

/// A family of the database whose values are `V`s. [`Node::family`] makes it. Cheap to clone.
///
/// ```
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Light { room: String, watts: u32 }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let node = aemp::Node::local()?;
/// let lights = node.family::<Light>("lights")?;
/// lights.set("1", &Light { room: "kitchen".into(), watts: 60 })?;
/// assert_eq!(lights.entries().await?["1"].room, "kitchen");
/// lights.del(["1"]);
/// assert!(lights.keys().await?.is_empty());
/// # Ok(()) }
/// ```
pub struct Family<V> {
    node: Node,
    name: String,
    _value: PhantomData<fn(V) -> V>,
}

impl<V> Family<V> {
    pub(super) fn new(node: &Node, name: &str) -> Self {
        Self {
            node: node.clone(),
            name: name.into(),
            _value: PhantomData,
        }
    }

    /// The family's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Deletes keys that this node has set. Entries of other nodes stay.
    pub fn del<K: Into<String>>(&self, keys: impl IntoIterator<Item = K>) {
        let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        self.node.delete(&self.name, &keys);
    }

    /// Queries the keys, in order.
    pub fn keys(&self) -> DbQuery<Vec<String>> {
        self.node.db_keys(&self.name)
    }
}

impl<V: Serialize> Family<V> {
    /// Sets a key.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] if the key is empty, [`DbError::Value`] if the value cannot be encoded.
    pub fn set(&self, key: &str, value: &V) -> Result<DbEntry, DbError> {
        self.node.db_set(&self.name, key, value)
    }
}

impl<V: DeserializeOwned> Family<V> {
    /// Queries keys and values. Entries that are not `V`s are returned apart, because any node may set any value.
    ///
    /// # Errors
    ///
    /// As for every [`DbQuery`].
    pub fn contents(&self) -> DbQuery<FamilyContents<V>> {
        DbQuery::new(&self.node, Query::Family, &self.name, |node, _, answer| {
            let _scope = node.decoding();
            Ok(match answer {
                Answer::Family(pairs) => contents(pairs),
                Answer::Keys(_) | Answer::Values(_) => FamilyContents::default(),
            })
        })
    }

    /// Queries the value of one key, if there is such a key. The cost is that of a query for the whole family.
    ///
    /// # Errors
    ///
    /// As for every [`DbQuery`]; [`DbError::Entry`] if the value is not a `V`.
    pub fn get(&self, key: impl Into<String>) -> DbQuery<Option<V>> {
        let key: String = key.into();
        DbQuery::new(
            &self.node,
            Query::Family,
            &self.name,
            move |node, family, answer| {
                let _scope = node.decoding();
                let Answer::Family(mut pairs) = answer else {
                    return Ok(None);
                };
                let found = pairs.iter().position(|(other, _)| **other == *key);
                let value = found.map(|at| pairs.swap_remove(at).1);
                value.map(|value| decode(family, &key, value)).transpose()
            },
        )
    }

    /// Queries keys and values. All values must be `V`s.
    ///
    /// # Errors
    ///
    /// As for every [`DbQuery`]; [`DbError::Entry`] if a value is not a `V`.
    pub fn entries(&self) -> DbQuery<BTreeMap<String, V>> {
        DbQuery::new(
            &self.node,
            Query::Family,
            &self.name,
            |node, family, answer| {
                let _scope = node.decoding();
                let Answer::Family(pairs) = answer else {
                    return Ok(BTreeMap::new());
                };
                let entry = |(key, value): (std::sync::Arc<str>, Value)| {
                    let value = decode(family, &key, value)?;
                    Ok((String::from(&*key), value))
                };
                pairs.into_iter().map(entry).collect()
            },
        )
    }

    /// Queries the values, in no particular order.
    ///
    /// # Errors
    ///
    /// As for every [`DbQuery`]; [`DbError::Entry`] if a value is not a `V`. The error has no key, because the answer
    /// has none.
    pub fn values(&self) -> DbQuery<Vec<V>> {
        DbQuery::new(
            &self.node,
            Query::Values,
            &self.name,
            |node, family, answer| {
                let _scope = node.decoding();
                let Answer::Values(values) = answer else {
                    return Ok(Vec::new());
                };
                values
                    .into_iter()
                    .map(|value| decode(family, "", value))
                    .collect()
            },
        )
    }

    /// Watches the family as a stream: first its contents, then its changes.
    #[must_use]
    pub fn watch(&self) -> Watch<V> {
        Watch::new(&self.node, &self.name)
    }
}

fn decode<V: DeserializeOwned>(family: &str, key: &str, value: Value) -> Result<V, DbError> {
    from_value(value).map_err(|error| DbError::Entry {
        family: family.into(),
        key: key.into(),
        error,
    })
}

impl<V> Clone for Family<V> {
    fn clone(&self) -> Self {
        Self::new(&self.node, &self.name)
    }
}

impl<V> fmt::Debug for Family<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Family({})", self.name)
    }
}
