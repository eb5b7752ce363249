//! The table of the streams that are expected, and the counts of those that other nodes have opened: data only.
//!
//! Nodes choose the IDs of the streams that they announce. So an entry belongs to the node that may connect for it, and
//! a node cannot occupy the IDs of others. Only streams in messages are for any node, and their IDs are secret.
//!
//! An entry that is removed is returned, so that its content is dropped when the table's lock is free.

use std::collections::{HashMap, hash_map::Entry};

use aemp_codec::NodeId;
use tokio::sync::watch;

use crate::stream::MOST_STREAMS;

/// The length of the longest ID of a stream, in bytes.
const LONGEST_ID: usize = 512;

/// True if a stream can have this ID. It is part of a line of a greeting.
pub(crate) fn is_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= LONGEST_ID && !id.contains(char::is_control)
}

/// A stream that is expected.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    /// The node that may connect; `None` if any node of the network may.
    pub(crate) from: Option<NodeId>,
    pub(crate) id: String,
}

/// The expected streams, with their uses.
pub(super) struct Table<T> {
    expected: HashMap<Key, Expected<T>>,
    /// The number of streams of each other node to functions of this one.
    calls: HashMap<NodeId, usize>,
    /// True if the node has ended. Nothing is expected any more.
    closed: bool,
}

/// An entry.
pub(super) struct Expected<T> {
    pub(super) then: T,
    /// True if the other node has asked for a connection in the other direction.
    is_dialed: bool,
    alive: watch::Sender<()>,
}

/// The end of an entry.
pub(super) struct Removal(watch::Receiver<()>);

impl Removal {
    /// Waits until the entry is removed.
    pub(super) async fn wait(mut self) {
        while self.0.changed().await.is_ok() {}
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self {
            expected: HashMap::new(),
            calls: HashMap::new(),
            closed: false,
        }
    }
}

impl<T> Table<T> {
    /// Adds an entry. Returns the reason and the use if that is not possible.
    pub(super) fn add(&mut self, key: Key, then: T) -> Result<Removal, (&'static str, T)> {
        if self.closed {
            return Err(("this node has ended", then));
        }
        let Entry::Vacant(place) = self.expected.entry(key) else {
            return Err(("its ID is in use", then));
        };
        let (alive, removed) = watch::channel(());
        place.insert(Expected {
            then,
            is_dialed: false,
            alive,
        });
        Ok(Removal(removed))
    }

    /// The use of a stream that is for this node alone.
    pub(super) fn get(&self, from: &NodeId, id: &str) -> Option<&T> {
        let from = Some(from.clone());
        let entry = self.expected.get(&Key {
            from,
            id: id.into(),
        })?;
        Some(&entry.then)
    }

    pub(super) fn remove(&mut self, key: &Key) -> Option<Expected<T>> {
        self.expected.remove(key)
    }

    /// Removes the entry for which a node has connected.
    pub(super) fn take(&mut self, from: &NodeId, id: &str) -> Option<Expected<T>> {
        let key = self.find(from, id)?;
        self.remove(&key)
    }

    /// The end of the entry for which a node may connect.
    pub(super) fn removal(&self, from: &NodeId, id: &str) -> Option<Removal> {
        let key = self.find(from, id)?;
        let entry = self.expected.get(&key)?;
        Some(Removal(entry.alive.subscribe()))
    }

    /// Takes note that this node dials for an entry. Returns its key and its end the first time.
    pub(super) fn begin_to_dial(&mut self, from: &NodeId, id: &str) -> Option<(Key, Removal)> {
        let key = self.find(from, id)?;
        let entry = self.expected.get_mut(&key)?;
        let removed = Removal(entry.alive.subscribe());
        (!std::mem::replace(&mut entry.is_dialed, true)).then_some((key, removed))
    }

    /// Removes all entries, for good.
    pub(super) fn close(&mut self) -> Vec<Expected<T>> {
        self.closed = true;
        self.expected.drain().map(|(_, entry)| entry).collect()
    }

    /// Counts a stream of another node to a function of this one. False if the node has as many as it may have.
    pub(super) fn count(&mut self, from: &NodeId) -> bool {
        let count = self.calls.entry(from.clone()).or_default();
        let has_room = *count < MOST_STREAMS;
        *count += usize::from(has_room);
        has_room
    }

    /// Takes back the number that [`count`](Self::count) has added.
    pub(super) fn uncount(&mut self, from: &NodeId) {
        if let Entry::Occupied(mut count) = self.calls.entry(from.clone()) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// The number of entries, and the number of streams that are counted.
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.expected.len(), self.calls.values().sum())
    }

    fn find(&self, from: &NodeId, id: &str) -> Option<Key> {
        [Some(from.clone()), None].into_iter().find_map(|from| {
            let id = id.into();
            let key = Key { from, id };
            self.expected.contains_key(&key).then_some(key)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    fn key(from: Option<&str>, id: &str) -> Key {
        let (from, id) = (from.map(node), id.into());
        Key { from, id }
    }

    #[tokio::test]
    async fn nodes_have_ids_of_their_own() {
        let mut table = Table::default();
        let Ok(removed) = table.add(key(Some("a"), "x"), 1) else {
            panic!("it is the first");
        };
        assert!(table.add(key(Some("b"), "x"), 2).is_ok());
        assert!(table.add(key(Some("a"), "x"), 3).is_err());
        assert!(table.take(&node("c"), "x").is_none());
        assert_eq!(table.get(&node("b"), "x"), Some(&2));
        assert_eq!(table.take(&node("a"), "x").map(|entry| entry.then), Some(1));
        removed.wait().await;
        assert_eq!(table.sizes(), (1, 0));
    }

    #[test]
    fn a_stream_in_a_message_is_for_any_node() {
        let mut table = Table::default();
        assert!(table.add(key(None, "secret"), 1).is_ok());
        assert!(table.get(&node("a"), "secret").is_none());
        assert!(table.removal(&node("a"), "secret").is_some());
        assert!(table.begin_to_dial(&node("a"), "secret").is_some());
        assert!(table.begin_to_dial(&node("b"), "secret").is_none());
        assert!(table.take(&node("b"), "secret").is_some());
        assert_eq!(table.sizes(), (0, 0));
    }

    #[test]
    fn nothing_is_expected_after_the_end() {
        let mut table = Table::default();
        assert!(table.add(key(None, "x"), 1).is_ok());
        assert_eq!(table.close().len(), 1);
        assert!(table.add(key(None, "x"), 2).is_err());
    }

    #[test]
    fn counts_return_to_zero() {
        let mut table = Table::<()>::default();
        let a = node("a");
        assert!((0..MOST_STREAMS).all(|_| table.count(&a)));
        assert!(!table.count(&a) && table.count(&node("b")));
        table.uncount(&a);
        assert!(table.count(&a));
        (0..MOST_STREAMS).for_each(|_| table.uncount(&a));
        table.uncount(&node("b"));
        assert_eq!(table.sizes(), (0, 0));
        assert!(table.calls.is_empty());
    }

    #[test]
    fn an_id_fits_into_a_greeting() {
        for id in ["", "a\nb", "\u{7f}", &"x".repeat(LONGEST_ID + 1)] {
            assert!(!is_id(id), "{id:?}");
        }
        assert!(is_id("1@perl; %") && is_id(&"x".repeat(LONGEST_ID)));
    }
}
