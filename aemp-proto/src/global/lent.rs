//! Entries that this node has set for another node: they count on that node's account, and disappear with it.

use std::{collections::BTreeMap, sync::Arc};

use aemp_codec::{NodeId, Value};
use indexmap::IndexMap;
use thiserror::Error;

use super::{
    Global,
    peer::{Keys, note},
    size::{Held, size, size_of_family},
};
use crate::Time;

/// The number of copies of an entry: one in the local database, and one in the whole database, here or at the master.
const COPIES: usize = 2;

/// The reason why an entry is not set on behalf of another node.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum LendError {
    /// The other node has reached a limit.
    #[error("{limit} ({setting}) reached")]
    Limit {
        /// The name of the limit.
        limit: &'static str,
        /// The value of its setting.
        setting: usize,
    },
    /// The other node is not connected, so the entry would never be deleted.
    #[error("{0} is not connected")]
    NotConnected(NodeId),
    /// This node has set the key for itself.
    #[error("the key is set by this node itself")]
    Taken,
}

/// The borrower of an entry, and the bytes that it is charged.
#[derive(Debug)]
struct Loan {
    by: NodeId,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Account {
    held: Held,
    keys: Keys,
}

/// All entries that this node has set on behalf of others.
#[derive(Debug, Default)]
pub(super) struct Lent {
    loans: BTreeMap<Arc<str>, IndexMap<Arc<str>, Loan>>,
    accounts: BTreeMap<NodeId, Account>,
}

impl Lent {
    /// The usage of a node.
    pub(super) fn held(&self, by: &NodeId) -> Held {
        self.accounts
            .get(by)
            .map(|account| account.held)
            .unwrap_or_default()
    }

    /// The nodes with entries.
    pub(super) fn borrowers(&self) -> impl Iterator<Item = &NodeId> {
        self.accounts.keys()
    }

    fn loan(&self, family: &str, key: &str) -> Option<&Loan> {
        self.loans.get(family)?.get(key)
    }

    pub(super) fn add(&mut self, by: &NodeId, family: &Arc<str>, key: &Arc<str>, bytes: usize) {
        let account = self.accounts.entry(by.clone()).or_default();
        note(&mut account.keys, family, key);
        account.held.keys += 1;
        account.held.bytes += bytes;
        let by = by.clone();
        let loans = self.loans.entry(Arc::clone(family)).or_default();
        loans.insert(Arc::clone(key), Loan { by, bytes });
    }

    /// Removes the loan of an entry that this node has set for itself, or deleted.
    pub(super) fn forget(&mut self, family: &str, key: &str) {
        // This is the usual case.
        let Some(loans) = self.loans.get_mut(family) else {
            return;
        };
        let Some(loan) = loans.swap_remove(key) else {
            return;
        };
        if loans.is_empty() {
            self.loans.remove(family);
        }
        let Some(account) = self.accounts.get_mut(&loan.by) else {
            return;
        };
        account.held.keys -= 1;
        account.held.bytes -= loan.bytes;
        if let Some(keys) = account.keys.get_mut(family) {
            keys.swap_remove(key);
            if keys.is_empty() {
                account.keys.remove(family);
            }
        }
        if account.keys.is_empty() {
            self.accounts.remove(&loan.by);
        }
    }

    /// All entries of a node.
    fn keys_of(&self, by: &NodeId) -> Vec<(Arc<str>, Arc<str>)> {
        let keys = self.accounts.get(by).map(|account| &account.keys);
        let keys = keys.into_iter().flatten();
        keys.flat_map(|(family, keys)| {
            keys.iter()
                .map(move |key| (Arc::clone(family), Arc::clone(key)))
        })
        .collect()
    }
}

impl Global {
    /// Sets a key on behalf of a connected node. The entry counts towards its limits, and is deleted when the node is
    /// lost.
    pub(crate) fn set_for(
        &mut self,
        now: Time,
        by: &NodeId,
        family: &str,
        key: &str,
        value: Value,
    ) -> Result<(), LendError> {
        let bytes = self
            .may_lend(by, family, key, &value)
            .inspect_err(|error| {
                if let LendError::Limit { limit, setting } = *error {
                    let so = "no more entries are set for it";
                    self.log_reached(now, by, limit, setting, so);
                }
            })?;
        self.set(family, key, value);
        self.local.lend(by, family, key, bytes);
        Ok(())
    }

    /// Returns the bytes to charge for an entry, or the reason why it must not be set.
    fn may_lend(
        &self,
        by: &NodeId,
        family: &str,
        key: &str,
        value: &Value,
    ) -> Result<usize, LendError> {
        if !self.peers.contains(by) {
            return Err(LendError::NotConnected(by.clone()));
        }
        let loan = self.local.lent().loan(family, key);
        if loan.is_none() && self.local.contains(family, key) {
            return Err(LendError::Taken);
        }
        let quota = self.quota;
        let limit = |limit, setting| Err(LendError::Limit { limit, setting });
        let size = size(key, value);
        if size.values > quota.max_values {
            return limit(
                "a quarter of max_packet_values in an entry",
                quota.max_values,
            );
        }
        // The family is charged for each of its entries, because sharing its cost would need to track the first of
        // them.
        let bytes = COPIES * (size.bytes + size_of_family(family));
        let own = loan.filter(|loan| loan.by == *by);
        let held = self.held_by(by);
        let keys = held.keys + usize::from(own.is_none());
        if keys > quota.max_keys {
            return limit("max_db_keys", quota.max_keys);
        }
        if held.bytes + bytes - own.map_or(0, |own| own.bytes) > quota.max_bytes {
            return limit("max_db_bytes", quota.max_bytes);
        }
        Ok(bytes)
    }

    /// The usage of a node in the database here: its entries, the entries set on its behalf, and its watches.
    pub(super) fn held_by(&self, node: &NodeId) -> Held {
        let set = self.merged.shards().held_by(node);
        let lent = self.local.lent().held(node);
        let watched = self.peers.get(node).map_or(0, |peer| peer.watched_bytes);
        Held {
            keys: set.keys + lent.keys,
            bytes: set.bytes + lent.bytes + watched,
        }
    }

    /// Deletes the entries of a node that is lost.
    pub(super) fn take_back(&mut self, node: &NodeId) {
        for (family, key) in self.local.lent().keys_of(node) {
            self.del(&family, &key);
        }
    }
}
