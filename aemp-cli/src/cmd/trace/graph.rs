//! The known nodes and connections of the network.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

/// Nodes and connections, ordered by ID.
#[derive(Debug, Default)]
pub(super) struct Graph {
    pub(super) nodes: BTreeMap<String, Vertex>,
    /// Pairs of IDs, the lower one first.
    pub(super) connections: BTreeSet<(String, String)>,
}

/// The known details of a node.
#[derive(Debug, Default)]
pub(super) struct Vertex {
    pub(super) global: Option<bool>,
    /// Its master, if it is a slave.
    pub(super) master: Option<String>,
    /// The reason why its connections are unknown.
    pub(super) failure: Option<String>,
}

impl Graph {
    /// The node with this ID, which is added if necessary.
    pub(super) fn node(&mut self, id: &str) -> &mut Vertex {
        self.nodes.entry(id.into()).or_default()
    }

    pub(super) fn connect(&mut self, a: &str, b: &str) {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        self.connections.insert((low.into(), high.into()));
    }

    pub(super) fn neighbours<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        self.connections.iter().filter_map(move |(low, high)| {
            if low == id {
                Some(high.as_str())
            } else {
                (high == id).then_some(low.as_str())
            }
        })
    }

    pub(super) fn is_global(&self, id: &str) -> bool {
        self.nodes.get(id).and_then(|node| node.global) == Some(true)
    }

    /// The node next to which this one is drawn: its master, or a global node that it is connected to.
    pub(super) fn anchor<'a>(&'a self, id: &'a str) -> Option<&'a str> {
        let master = self.nodes.get(id)?.master.as_deref();
        master.filter(|master| self.is_global(master)).or_else(|| {
            self.neighbours(id)
                .find(|neighbour| self.is_global(neighbour))
        })
    }

    pub(super) fn document(&self) -> serde_json::Value {
        let nodes = self.nodes.iter().map(|(id, node)| {
            json!({
                "node": id,
                "global": node.global,
                "master": node.master,
                "failure": node.failure,
            })
        });
        let nodes: Vec<_> = nodes.collect();
        json!({ "nodes": nodes, "connections": self.connections })
    }
}
