//! The network's distributed database: families of keys and values that every node can set, ask and watch.
//!
//! `family -> key -> value`. Every entry belongs to the node that has set it, and disappears with that node. All
//! nodes see the union of all entries. If several nodes set the same key, one of the values is visible; when its
//! owner deletes it, another one becomes visible. A node that is alone is its own database, so everything here works
//! without a network, and before the first connection.
//!
//! | you want | use |
//! | --- | --- |
//! | to set or delete an entry | [`Node::db_set`], [`DbEntry::guard`], [`Node::db_del`] |
//! | to set an entry on behalf of another node | [`Node::db_set_for`] |
//! | to register a port until it dies | [`Node::db_reg`] |
//! | to query | [`Node::db_family`], [`Node::db_keys`], [`Node::db_values`] |
//! | to watch changes | [`Node::db_mon`] |
//! | the same with your own types, and streams | [`Node::family`], [`Family::watch`] |
//! | one of the ports of a family | [`Node::pool`], [`Pick`], [`Offer`] |
//!
//! # Without a master
//!
//! A node that has lost its master and finds no other within `connect_interval` is alone ([`Node::role`]), until a
//! seed is there again. In the meantime watches and pools keep their contents, without the lost master's own entries,
//! and follow the entries of this node. Changes of other nodes are reported when there is a master again. Queries are
//! answered from the contents of the family's watches, or, without a watch on the family, from this node's own
//! entries. So a program that needs answers in that time should keep a watch.
//!
//! A master that has just been started knows few entries until the other nodes have connected to it again. Watches
//! wait for these nodes before they report deletions. Queries do not wait: they get the entries that the master
//! knows.
//!
//! [protocol](aemp_proto::protocol::global#the-database) A family's name is `[A-Za-z][A-Za-z0-9_:]*` of at most 255 bytes. A key is any text that
//! is not empty. A value is anything that can be serialised.
//!
//! A group of ports is a family with the IDs of the ports as keys. The process groups of AEMP 1 (`grp_reg`, `grp_get`,
//! `grp_mon`), which AEMP 2 deprecates, are not there.

mod callback;
mod entry;
mod error;
mod family;
mod gathered;
pub(crate) mod machine;
mod pool;
mod query;
mod watch;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use aemp_codec::{EncodeError, Map, PortId, Value, to_value};
use serde::{Serialize, de::DeserializeOwned};

use self::callback::CallbackSink;
pub use self::{
    callback::{Contents, DbChange, DbMonitor},
    entry::{DbEntry, DbGuard},
    error::DbError,
    family::Family,
    pool::{Lease, Offer, Pick, Pool, PoolCall, PoolCallError, PoolError, PoolMember, PoolWait},
    query::DbQuery,
    watch::{FamilyChanges, FamilyContents, FamilyEvent, Watch},
};
use crate::{Node, Origin, PortRef};
pub use aemp_proto::global::{LendError, Role};
use aemp_proto::{
    global::{Answer, Query, check_family, check_key, check_readable, values_in_entry},
    kept, weight,
};

impl Node {
    /// Sets a key of a family. Setting an equal value again does nothing. `()` stands for no value. A port that is
    /// [registered](Self::db_reg) under this key stays registered.
    ///
    /// Other nodes see the change soon; several changes may reach them together.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] for a name that is not allowed. [`DbError::Value`] for a value that cannot be encoded, is
    /// larger than half a packet, or has more than a quarter of the values that a packet may have.
    pub fn db_set(
        &self,
        family: &str,
        key: &str,
        value: impl Serialize,
    ) -> Result<DbEntry, DbError> {
        check_family(family)?;
        check_key(family, key)?;
        let value = self.encode(family, key, &value)?;
        self.stage(|machine| machine.set(family, key, value));
        Ok(DbEntry::new(self, family, key))
    }

    /// Sets a key of a family on behalf of another node. A function or a handler that sets entries at the request of
    /// another node must use this method. The entry counts against that node's limits of the database (`max_db_keys`,
    /// `max_db_bytes`), and is deleted when that node is lost. Otherwise as [`db_set`](Self::db_set).
    ///
    /// ```
    /// use aemp::{Cx, DbError, port};
    ///
    /// struct Names;
    ///
    /// #[port]
    /// impl Names {
    ///     #[rcv(try, send)]
    ///     fn announce(&mut self, cx: &mut Cx<'_>, name: String) -> Result<(), DbError> {
    ///         cx.node().db_set_for(cx.origin(), "names", &name, ())?;
    ///         Ok(())
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`db_set`](Self::db_set). [`DbError::Lend`] if the other node is not connected or has reached its limit, or
    /// if this node has set the key for itself. [`DbError::Unknown`] if the origin of the request is unknown.
    pub fn db_set_for(
        &self,
        origin: Option<Origin>,
        family: &str,
        key: &str,
        value: impl Serialize,
    ) -> Result<DbEntry, DbError> {
        let by = match origin {
            Some(Origin::Local) => return self.db_set(family, key, value),
            Some(Origin::Node(by)) => by,
            None => return Err(DbError::Unknown(family.into())),
        };
        check_family(family)?;
        check_key(family, key)?;
        let value = self.encode(family, key, &value)?;
        let set = self.ask_database(|machine, now| machine.set_for(now, &by, family, key, value));
        match set {
            Ok(()) => Ok(DbEntry::new(self, family, key)),
            Err(error) => Err(DbError::Lend {
                family: family.into(),
                key: key.into(),
                error,
            }),
        }
    }

    fn encode(&self, family: &str, key: &str, value: &impl Serialize) -> Result<Value, DbError> {
        let limits = self.limits();
        let limit = limits.max_packet / 2;
        let most_values = values_in_entry(limits.max_values);
        let encoded = to_value(value).and_then(|value| {
            if weight(&value) + key.len() > limit {
                return Err(EncodeError::TooLarge { limit });
            }
            if kept(&value).values > most_values {
                return Err(EncodeError::TooMany { limit: most_values });
            }
            Ok(value)
        });
        encoded.map_err(|error| DbError::Value {
            family: family.into(),
            key: key.into(),
            error,
        })
    }

    /// Deletes keys of a family that this node has set. Other keys are ignored.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] for a family's name that is not allowed.
    pub fn db_del<K: Into<String>>(
        &self,
        family: &str,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<(), DbError> {
        check_family(family)?;
        let keys: Vec<String> = keys.into_iter().map(Into::into).collect();
        self.delete(family, &keys);
        Ok(())
    }

    fn delete(&self, family: &str, keys: &[String]) {
        for key in keys {
            self.keep_registered(family, key, None);
        }
        self.stage(|machine| machine.del(family, keys));
    }

    /// Registers a port in a family. The entry has the port's ID as key, and is deleted when the port dies.
    ///
    /// # Errors
    ///
    /// As [`db_set`](Self::db_set).
    #[doc(alias = "registry")]
    #[doc(alias = "register")]
    #[doc(alias = "group")]
    pub fn db_reg(
        &self,
        family: &str,
        port: &PortId,
        value: impl Serialize,
    ) -> Result<DbEntry, DbError> {
        let entry = self.db_set(family, port.as_str(), value)?;
        let (node, name, key) = (self.clone(), family.to_owned(), port.to_string());
        let dead = Arc::new(AtomicBool::new(false));
        let died = Arc::clone(&dead);
        // Set after the entry: if the port is dead already, the monitor fires at once and finds the entry.
        let monitor = self.mon(port, move |_| {
            died.store(true, Ordering::Release);
            node.delete(&name, &[key]);
        });
        self.keep_registered(family, port.as_str(), Some(monitor));
        if dead.load(Ordering::Acquire) {
            // The monitor fired before it was kept, so it is removed here.
            self.keep_registered(family, port.as_str(), None);
        }
        Ok(entry)
    }

    /// Queries the keys and values of a family.
    pub fn db_family(&self, family: &str) -> DbQuery<Map> {
        DbQuery::new(self, Query::Family, family, |_, _, answer| {
            Ok(match answer {
                Answer::Family(pairs) => {
                    let pairs = pairs.into_iter();
                    pairs
                        .map(|(key, value)| (String::from(&*key), value))
                        .collect()
                }
                Answer::Keys(_) | Answer::Values(_) => Map::new(),
            })
        })
    }

    /// Queries the keys of a family, in order.
    pub fn db_keys(&self, family: &str) -> DbQuery<Vec<String>> {
        DbQuery::new(self, Query::Keys, family, |_, _, answer| {
            let Answer::Keys(keys) = answer else {
                return Ok(Vec::new());
            };
            let mut keys: Vec<_> = keys.iter().map(|key| String::from(&**key)).collect();
            keys.sort();
            Ok(keys)
        })
    }

    /// Queries the values of a family, in no particular order.
    pub fn db_values(&self, family: &str) -> DbQuery<Vec<Value>> {
        DbQuery::new(self, Query::Values, family, |_, _, answer| {
            Ok(match answer {
                Answer::Values(values) => values,
                Answer::Family(_) | Answer::Keys(_) => Vec::new(),
            })
        })
    }

    /// Watches a family. `callback` is called first with the contents, even if the family is empty, and then with
    /// each change. It must not block. Changes that happen while it runs are reported together in the next call.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::local()?;
    /// let (sender, mut receiver) = tokio::sync::mpsc::unbounded_channel();
    /// node.db_set("lights", "kitchen", "on")?;
    /// let _monitor = node.db_mon("lights", move |change| {
    ///     let _ = sender.send((change.contents.len(), change.added.to_vec()));
    /// })?;
    /// assert_eq!(receiver.recv().await, Some((1, vec!["kitchen".into()])));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] for a family's name that is not allowed.
    pub fn db_mon(
        &self,
        family: &str,
        callback: impl FnMut(&DbChange<'_>) + Send + 'static,
    ) -> Result<DbMonitor, DbError> {
        check_readable(family)?;
        let sink = Arc::new(CallbackSink::new(callback));
        Ok(DbMonitor {
            _watching: self.start_watch(family, &sink),
        })
    }

    /// A typed view of a family whose values are `V`s.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] for a family's name that is not allowed.
    pub fn family<V: Serialize + DeserializeOwned>(
        &self,
        name: &str,
    ) -> Result<Family<V>, DbError> {
        check_family(name)?;
        Ok(Family::new(self, name))
    }

    /// The ports that are registered in a family, as a pool of workers.
    ///
    /// # Errors
    ///
    /// [`DbError::Name`] for a family's name that is not allowed.
    #[doc(alias = "router")]
    #[doc(alias = "group")]
    pub fn pool<R: PortRef>(&self, family: &str) -> Result<Pool<R>, DbError> {
        check_family(family)?;
        Ok(Pool::new(self, family))
    }

    /// The node's role in its network: global, slave of a global node, or alone.
    #[must_use]
    pub fn role(&self) -> Role {
        self.ask_database(|machine, _| machine.role())
    }

    /// Makes this node a global node, a part of the network's backbone. This cannot be undone.
    pub fn become_global(&self) {
        self.ask_database(|machine, now| machine.become_global(now));
    }
}
