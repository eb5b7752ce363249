//! The database as a Rust node knows it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aemp::{
    Node,
    db::{DbChange, DbMonitor},
};
use serde_json::Value as Json;

use crate::common::PATIENCE;

/// The content of a family, as the node's master knows it.
pub(crate) async fn family(node: &Node, family: &str) -> Json {
    let query = node.db_family(family).timeout(PATIENCE);
    serde_json::to_value(query.await.unwrap()).unwrap()
}

/// Asks until a family holds just that.
pub(crate) async fn until_family(node: &Node, name: &str, expected: &Json) {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = family(node, name).await;
        if found == *expected {
            return;
        }
        let late = tokio::time::Instant::now() > deadline;
        assert!(!late, "{name} holds {found}, not {expected}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A watch that keeps each state of its family.
pub(crate) struct Told {
    states: Arc<Mutex<Vec<Json>>>,
    _monitor: DbMonitor,
}

impl Told {
    pub(crate) fn new(node: &Node, family: &str) -> Self {
        let states: Arc<Mutex<Vec<Json>>> = Arc::default();
        let keep = Arc::clone(&states);
        let told = move |change: &DbChange<'_>| {
            let entries = change.contents.iter();
            let entries = entries.map(|(key, value)| (key.to_owned(), value));
            let state = entries
                .map(|(key, value)| (key, serde_json::to_value(value).unwrap()))
                .collect();
            keep.lock().unwrap().push(state);
        };
        Self {
            _monitor: node.db_mon(family, told).unwrap(),
            states,
        }
    }

    /// Everything that it has been told so far.
    pub(crate) fn states(&self) -> Vec<Json> {
        self.states.lock().unwrap().clone()
    }

    /// Waits until it has been told that its family holds just that.
    pub(crate) async fn until(&self, expected: &Json) {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while self.states.lock().unwrap().last() != Some(expected) {
            let late = tokio::time::Instant::now() > deadline;
            assert!(!late, "{:?}, not {expected}", self.states());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}
