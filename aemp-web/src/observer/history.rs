//! The last ten minutes: totals for curves, pictures of the topology, and a list of changes.
//!
//! It has samples only of the time in which a page was open, because nothing is collected otherwise.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
};

use serde::Serialize;

use super::picture::Picture;
use crate::{
    network::{Network, Rate},
    text::sum,
    topology::graph::Graph,
};

/// The length of the history, in seconds.
pub(crate) const LENGTH: f64 = 600.0;
/// The least time between two pictures, in seconds.
const PICTURES: f64 = 5.0;
/// The greatest number of changes in the list.
const CHANGES: usize = 500;

/// The totals of the network at one time.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Totals {
    /// The time in seconds since the observer's start.
    pub(crate) at: f64,
    pub(crate) nodes: usize,
    pub(crate) ports: u64,
    pub(crate) waiting: u64,
    pub(crate) packets: f64,
    pub(crate) bytes: f64,
}

/// An event in the network, as far as the collector has noticed it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Change {
    /// The time in seconds since the observer's start.
    pub(crate) at: f64,
    #[serde(flatten)]
    pub(crate) kind: Kind,
}

/// The kind of an event.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "change", rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A node is there for the first time, or again.
    Joined { node: String },
    /// A node does not answer.
    Lost { node: String, why: String },
    /// A node changed its role or its master.
    Role { node: String, role: String },
    /// Two nodes have a connection.
    Connected { a: String, b: String },
    /// Two living nodes have no connection any more.
    Cut { a: String, b: String },
}

impl Kind {
    /// The nodes that the event is about.
    pub(crate) fn nodes(&self) -> [Option<&str>; 2] {
        match self {
            Self::Joined { node } | Self::Lost { node, .. } | Self::Role { node, .. } => {
                [Some(node), None]
            }
            Self::Connected { a, b } | Self::Cut { a, b } => [Some(a), Some(b)],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Joined { node } => write!(f, "{node} joined"),
            Self::Lost { node, why } => write!(f, "{node} is lost: {why}"),
            Self::Role { node, role } => write!(f, "{node} is {role} now"),
            Self::Connected { a, b } => write!(f, "{a} and {b} are connected"),
            Self::Cut { a, b } => write!(f, "{a} and {b} are not connected any more"),
        }
    }
}

/// The history.
#[derive(Debug, Default)]
pub(crate) struct History {
    totals: VecDeque<Totals>,
    pictures: VecDeque<(f64, Picture)>,
    changes: VecDeque<Change>,
    /// The network of the last sample, to find changes.
    before: Option<Graph>,
}

impl History {
    /// Takes a sample of the network.
    pub(crate) fn sample(&mut self, at: f64, network: &Network) {
        let graph = Graph::of(network);
        if let Some(before) = &self.before {
            for kind in changes(before, &graph) {
                if self.changes.len() == CHANGES {
                    self.changes.pop_front();
                }
                self.changes.push_back(Change { at, kind });
            }
        }
        self.totals.push_back(totals(at, network));
        while self
            .totals
            .front()
            .is_some_and(|first| first.at < at - LENGTH)
        {
            self.totals.pop_front();
        }
        let last = self.pictures.back().map(|(at, _)| *at);
        if last.is_none_or(|last| at - last >= PICTURES) {
            self.keep(at, Picture::new(&graph, network));
        }
        self.before = Some(graph);
    }

    fn keep(&mut self, at: f64, picture: Picture) {
        self.pictures.push_back((at, picture));
        while self.pictures.len() > 1
            && self
                .pictures
                .front()
                .is_some_and(|(first, _)| *first < at - LENGTH)
        {
            self.pictures.pop_front();
        }
    }

    /// The totals, the oldest first.
    pub(crate) fn totals(&self) -> impl ExactSizeIterator<Item = &Totals> {
        self.totals.iter()
    }

    /// The changes, the newest first.
    pub(crate) fn changes(&self) -> impl ExactSizeIterator<Item = &Change> {
        self.changes.iter().rev()
    }

    /// The picture of this many seconds ago, with its age.
    pub(crate) fn picture(&self, now: f64, ago: f64) -> Option<(f64, &Picture)> {
        let at = now - ago;
        let mut newest_first = self.pictures.iter().rev();
        let found = newest_first.find(|(taken, _)| *taken <= at);
        let (taken, picture) = found.or_else(|| self.pictures.front())?;
        Some((now - taken, picture))
    }
}

fn totals(at: f64, network: &Network) -> Totals {
    let Rate { packets, bytes } = network.rate();
    let ports = || {
        network
            .nodes
            .values()
            .filter_map(|seen| seen.ports.as_ref())
    };
    Totals {
        at,
        nodes: network.nodes.len(),
        ports: sum(ports().map(|ports| ports.total)),
        waiting: sum(ports().map(|ports| ports.queued)),
        packets,
        bytes,
    }
}

/// The differences of two networks.
fn changes(before: &Graph, now: &Graph) -> Vec<Kind> {
    let is_up = |graph: &Graph, node: &str| {
        let vertex = graph.nodes.get(node);
        vertex.is_some_and(|vertex| vertex.failure.is_none())
    };
    let mut changes = Vec::new();
    for (node, vertex) in &now.nodes {
        let node = node.clone();
        match (before.nodes.get(&node), &vertex.failure) {
            (None, None) => changes.push(Kind::Joined { node }),
            (Some(old), None) if old.failure.is_some() => changes.push(Kind::Joined { node }),
            (Some(old), Some(why)) if old.failure.is_none() => changes.push(Kind::Lost {
                node,
                why: why.clone(),
            }),
            (Some(old), None) if old.role() != vertex.role() => {
                // Before its first answer, nothing was known.
                if let Some(role) = vertex.role().filter(|_| old.role().is_some()) {
                    changes.push(Kind::Role { node, role });
                }
            }
            _ => {}
        }
    }
    for (node, old) in &before.nodes {
        if !now.nodes.contains_key(node) && old.failure.is_none() {
            changes.push(Kind::Lost {
                node: node.clone(),
                why: "no node is connected to it".into(),
            });
        }
    }
    let both_up = |(a, b): &&(String, String)| {
        [before, now]
            .iter()
            .all(|graph| is_up(graph, a) && is_up(graph, b))
    };
    let pairs = |from: &BTreeSet<(String, String)>, without: &BTreeSet<(String, String)>| {
        let new = from.difference(without).filter(both_up);
        new.cloned().collect::<Vec<_>>()
    };
    let made = pairs(&now.connections, &before.connections).into_iter();
    changes.extend(made.map(|(a, b)| Kind::Connected { a, b }));
    let cut = pairs(&before.connections, &now.connections).into_iter();
    changes.extend(cut.map(|(a, b)| Kind::Cut { a, b }));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(nodes: &[(&str, bool)], connections: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (node, is_up) in nodes {
            graph.node(node).failure = (!is_up).then(|| "no answer".into());
        }
        for (a, b) in connections {
            graph.connect(a, b);
        }
        graph
    }

    fn between(before: &Graph, now: &Graph) -> Vec<String> {
        let changes = changes(before, now);
        changes.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn changes_are_found() {
        let none = graph(&[], &[]);
        let two = graph(&[("a", true), ("b", true)], &[("a", "b")]);
        let half = graph(&[("a", true), ("b", false)], &[]);
        let cut = graph(&[("a", true), ("b", true)], &[]);
        assert_eq!(between(&two, &two), [""; 0]);
        assert_eq!(between(&none, &two), ["a joined", "b joined"]);
        assert_eq!(between(&two, &half), ["b is lost: no answer"]);
        assert_eq!(between(&half, &cut), ["b joined"]);
        assert_eq!(between(&cut, &two), ["a and b are connected"]);
        assert_eq!(between(&two, &cut), ["a and b are not connected any more"]);
        let gone = [
            "a is lost: no node is connected to it",
            "b is lost: no node is connected to it",
        ];
        assert_eq!(between(&two, &none), gone);
        // It has been told before.
        assert_eq!(between(&half, &graph(&[("a", true)], &[])), [""; 0]);
    }

    #[test]
    fn a_change_of_role_is_one_after_the_first_answer() {
        let mut network = graph(&[("a", true)], &[]);
        let unknown = network.clone();
        network.node("a").global = Some(true);
        assert_eq!(between(&unknown, &network), [""; 0]);
        let global = network.clone();
        network.node("a").global = Some(false);
        network.node("a").master = Some("b".into());
        assert_eq!(between(&global, &network), ["a is slave of b now"]);
    }

    #[test]
    fn the_history_has_an_end() {
        let mut history = History::default();
        let network = Network::new("me");
        for second in 0..2000 {
            history.sample(f64::from(second), &network);
        }
        assert_eq!(history.totals().len(), 601);
        let (ago, _) = history.picture(1999.0, 300.0).unwrap();
        assert!((300.0..306.0).contains(&ago), "{ago}");
        let (oldest, _) = history.picture(1999.0, 1e9).unwrap();
        assert!(oldest <= LENGTH + PICTURES, "{oldest}");
    }
}
