//! A Perl node's part in the database, and its knowledge of the whole.

use std::time::Duration;

use serde_json::{Value as Json, json};

use crate::{common::PATIENCE, perl::Perl};

/// The end of the time in which a question is repeated.
struct Limit(tokio::time::Instant);

impl Limit {
    fn new() -> Self {
        Self(tokio::time::Instant::now() + PATIENCE)
    }

    async fn wait(&self, what: &str) {
        assert!(tokio::time::Instant::now() < self.0, "{what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

impl Perl {
    pub(crate) fn set(&mut self, family: &str, key: &str, value: &Json) {
        self.order(&json!(["db_set", family, key, value]));
    }

    pub(crate) fn del(&mut self, family: &str, key: &str) {
        self.order(&json!(["db_del", family, key]));
    }

    /// The content of a family, as the node's master knows it, or the node itself if it is global.
    pub(crate) async fn family(&mut self, family: &str) -> Json {
        self.order(&json!(["family", family]));
        loop {
            let mut reply = self.expect("reply").await;
            if reply[0] == family {
                return reply.remove(1);
            }
        }
    }

    /// Asks until a family holds just that.
    pub(crate) async fn until_family(&mut self, family: &str, expected: &Json) {
        let limit = Limit::new();
        loop {
            let found = self.family(family).await;
            if found == *expected {
                return;
            }
            limit
                .wait(&format!("{family} holds {found}, not {expected}"))
                .await;
        }
    }

    pub(crate) fn watch(&mut self, label: &str, family: &str) {
        self.order(&json!(["db_mon", label, family]));
    }

    /// Waits until a watch reports that its family has exactly this content. Returns all reports until then. On a
    /// global node the reference reports only changes, so this is for other nodes.
    pub(crate) async fn until_told(&mut self, label: &str, expected: &Json) -> Vec<Json> {
        let mut states = Vec::new();
        while states.last() != Some(expected) {
            let mut told = self.expect("family").await;
            if told[0] == label {
                states.push(told.remove(1));
            }
        }
        states
    }

    /// True if it is global, and its master.
    pub(crate) async fn role(&mut self) -> (bool, Option<String>) {
        let role = self.ask(json!(["role"]), "role").await;
        (role[0] == 1, role[1].as_str().map(Into::into))
    }

    /// Waits until that node is its master.
    pub(crate) async fn until_master(&mut self, node: &str) {
        let limit = Limit::new();
        loop {
            let (_, master) = self.role().await;
            if master.as_deref() == Some(node) {
                return;
            }
            limit
                .wait(&format!("its master is {master:?}, not {node}"))
                .await;
        }
    }

    /// Waits until the last report of a watch is exactly this one.
    pub(crate) async fn until_last_told(&mut self, label: &str, expected: &Json) {
        let limit = Limit::new();
        loop {
            let told = self.ask(json!(["told", label]), "told").await;
            if told[0] == *expected {
                return;
            }
            limit
                .wait(&format!("{label} was told {}, not {expected}", told[0]))
                .await;
        }
    }

    /// Asks its own name server for the address of a node, as an attempt to connect does.
    pub(crate) async fn address_of(&mut self, node: &str) -> Json {
        self.family("'l").await[node].take()
    }
}
