//! The known nodes and connections of the network.

use std::collections::{BTreeMap, BTreeSet};

use aemp::inspect::Role;
use serde_json::json;

use crate::network::Network;

/// Nodes and connections, ordered by ID.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// The nodes by ID.
    pub nodes: BTreeMap<String, Vertex>,
    /// Pairs of IDs, the lower one first.
    pub connections: BTreeSet<(String, String)>,
}

/// The known details of a node.
#[derive(Clone, Debug, Default)]
pub struct Vertex {
    /// True if the node is global; `None` if that is unknown.
    pub global: Option<bool>,
    /// Its master, if it is a slave.
    pub master: Option<String>,
    /// The reason why its connections are unknown.
    pub failure: Option<String>,
}

/// The meaning of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tie {
    /// One of the two nodes is the other's master: the first one, or the second one.
    Master(End),
    /// Both nodes are global.
    Mesh,
    /// Neither.
    Other,
}

/// One of two nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The first.
    First,
    /// The second.
    Second,
}

impl Vertex {
    /// The node's role and master, as text, if anything is known about them.
    pub fn role(&self) -> Option<String> {
        match (&self.master, self.global) {
            (_, Some(true)) => Some("global".into()),
            (Some(master), _) => Some(format!("slave of {master}")),
            (None, Some(false)) => Some("not global".into()),
            (None, None) => None,
        }
    }
}

impl Graph {
    /// The nodes and connections of a network, as far as they are known.
    pub fn of(network: &Network) -> Self {
        let mut graph = Self::default();
        for (id, seen) in &network.nodes {
            let role = seen.info.as_ref().and_then(|info| info.role);
            let master = seen.info.as_ref().and_then(|info| info.master.clone());
            *graph.node(id) = Vertex {
                global: role.map(|role| role == Role::Global).or(seen.part.global),
                master: master.or_else(|| seen.part.master.clone()),
                failure: seen.failure.clone(),
            };
            for link in &seen.connections {
                graph.connect(id, &link.info.node);
            }
        }
        // A connection to a node that was not asked, such as that to the node that asks, has no other end.
        let Self { nodes, connections } = &mut graph;
        connections.retain(|(a, b)| nodes.contains_key(a) && nodes.contains_key(b));
        graph
    }

    /// The node with this ID, which is added if necessary.
    pub fn node(&mut self, id: &str) -> &mut Vertex {
        self.nodes.entry(id.into()).or_default()
    }

    /// Adds a connection.
    pub fn connect(&mut self, a: &str, b: &str) {
        let (low, high) = if a <= b { (a, b) } else { (b, a) };
        self.connections.insert((low.into(), high.into()));
    }

    /// The nodes at the other ends of a node's connections.
    pub fn neighbours<'a>(&'a self, id: &'a str) -> impl Iterator<Item = &'a str> {
        self.connections.iter().filter_map(move |(low, high)| {
            if low == id {
                Some(high.as_str())
            } else {
                (high == id).then_some(low.as_str())
            }
        })
    }

    /// True if the node is known to be global.
    pub fn is_global(&self, id: &str) -> bool {
        self.nodes.get(id).and_then(|node| node.global) == Some(true)
    }

    /// The meaning of a connection between two nodes.
    pub fn tie(&self, a: &str, b: &str) -> Tie {
        let is_master = |slave: &str, master: &str| {
            let node = self.nodes.get(slave);
            node.and_then(|node| node.master.as_deref()) == Some(master)
        };
        if is_master(a, b) {
            Tie::Master(End::Second)
        } else if is_master(b, a) {
            Tie::Master(End::First)
        } else if self.is_global(a) && self.is_global(b) {
            Tie::Mesh
        } else {
            Tie::Other
        }
    }

    /// The node next to which this one is drawn: its master, or a global node that it is connected to.
    pub fn anchor<'a>(&'a self, id: &'a str) -> Option<&'a str> {
        let master = self.nodes.get(id)?.master.as_deref();
        master.filter(|master| self.is_global(master)).or_else(|| {
            self.neighbours(id)
                .find(|neighbour| self.is_global(neighbour))
        })
    }

    /// The graph as a JSON document.
    pub fn document(&self) -> serde_json::Value {
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
