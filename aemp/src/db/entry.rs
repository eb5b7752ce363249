//! Entries that this node has set.

use std::fmt;

use crate::Node;

/// A database entry of this node. It stays until it is deleted or the node stops; [`guard`](Self::guard) binds it to
/// a scope.
#[derive(Clone)]
pub struct DbEntry {
    node: Node,
    family: String,
    key: String,
}

impl DbEntry {
    pub(super) fn new(node: &Node, family: &str, key: &str) -> Self {
        Self {
            node: node.clone(),
            family: family.into(),
            key: key.into(),
        }
    }

    /// The entry's key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Deletes the entry.
    pub fn del(self) {
        self.remove();
    }

    /// A guard that deletes the entry when it is dropped, even if the key has another value by then.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let node = aemp::Node::local()?;
    /// let guard = node.db_set("lights", "kitchen", "on")?.guard();
    /// assert_eq!(node.db_keys("lights").await?, ["kitchen"]);
    /// drop(guard);
    /// assert!(node.db_keys("lights").await?.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn guard(self) -> DbGuard {
        DbGuard(Some(self))
    }

    fn remove(&self) {
        self.node
            .delete(&self.family, std::slice::from_ref(&self.key));
    }
}

impl fmt::Debug for DbEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DbEntry({}: {:?})", self.family, self.key)
    }
}

/// Deletes an entry of this node when it is dropped.
#[must_use = "dropping it deletes the entry"]
#[derive(Debug)]
pub struct DbGuard(Option<DbEntry>);

impl DbGuard {
    /// Keeps the entry without a guard.
    pub fn detach(mut self) {
        self.0 = None;
    }
}

impl Drop for DbGuard {
    fn drop(&mut self) {
        if let Some(entry) = self.0.take() {
            entry.remove();
        }
    }
}
