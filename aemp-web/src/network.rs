//! The known state of the network: pure data, fed with reports and read by the tables.

mod answer;
mod family;
mod ports;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::OnceLock,
};

use aemp::{
    NodeId,
    inspect::{
        ConnectionInfo, Deaths, FamilyInfo, Functions, NodeInfo, Ports, Role, Traffic, Waits,
    },
    logs::LogLine,
};

pub use self::{
    answer::{Report, Sight, Supervised, Tree, Trees},
    family::{Entry, Family, Opened, Turn},
    ports::node_of,
};
use crate::{
    activity::Activity,
    looked::Looked,
    reference::Part,
    text::sum,
    traces::Traces,
    waits::{Wait, Waiting, circles},
};

/// The time in seconds for which a node is shown after no other node knows it any more.
const REMEMBERED: f64 = 10.0;

/// The number of nodes that are known at most. A node that lies about its connections invents others.
const NODES: usize = 20_000;

/// The number of lines of the log that are kept.
const LINES: usize = 1000;

/// The known state of one node.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The node's details, if it reports any.
    pub info: Option<NodeInfo>,
    /// Its implementation, by its own word or that of a neighbour.
    pub provider: Option<String>,
    /// Its role, if it does not report one.
    pub part: Part,
    /// Its connections.
    pub connections: Vec<Link>,
    /// Its ports.
    pub ports: Option<Ports>,
    /// The families of the database that it knows.
    pub families: Vec<FamilyInfo>,
    /// Its supervisors, after they have been requested.
    pub supervisors: Vec<Supervised>,
    /// Its rates and times.
    pub activity: Activity,
    /// Its handlers that wait for calls, after they have been requested.
    pub waiting: Option<Waiting>,
    /// The functions that it runs for others, after they have been requested, or the reason why they are unknown.
    pub functions: Option<Result<Functions, String>>,
    /// Its last deaths, and the time at which it told them, after they have been requested; or the reason why they are unknown.
    pub deaths: Option<Result<(Deaths, f64), String>>,
    /// The reason why it does not answer.
    pub failure: Option<String>,
    /// The time of its last answer.
    answered: Option<f64>,
    /// The time at which it was last known to exist.
    known: f64,
}

/// One end of a connection, with its traffic.
#[derive(Clone, Debug, Default)]
pub struct Link {
    /// The report of this end.
    pub info: ConnectionInfo,
    /// True if details are known, and not only the existence.
    pub full: bool,
    /// The received traffic.
    pub received: Rate,
    /// The sent traffic.
    pub sent: Rate,
}

/// The traffic per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Packets per second.
    pub packets: f64,
    /// Bytes per second.
    pub bytes: f64,
}

impl Rate {
    fn between(before: Traffic, after: Traffic, seconds: f64) -> Self {
        let per_second = |before: u64, after: u64| after.saturating_sub(before) as f64 / seconds;
        Self {
            packets: per_second(before.packets, after.packets),
            bytes: per_second(before.bytes, after.bytes),
        }
    }
}

impl std::iter::Sum for Rate {
    fn sum<I: Iterator<Item = Self>>(rates: I) -> Self {
        rates.fold(Self::default(), |sum, rate| Self {
            packets: sum.packets + rate.packets,
            bytes: sum.bytes + rate.bytes,
        })
    }
}

impl Seen {
    /// The traffic that the node receives.
    pub fn received(&self) -> Rate {
        self.connections.iter().map(|link| link.received).sum()
    }

    /// The traffic that the node sends.
    pub fn sent(&self) -> Rate {
        self.connections.iter().map(|link| link.sent).sum()
    }

    /// The bytes that wait for a connection.
    pub fn queued_bytes(&self) -> u64 {
        sum(self.connections.iter().map(|link| link.info.queued))
    }

    fn link(&self, node: &str) -> Option<&Link> {
        self.connections.iter().find(|link| link.info.node == node)
    }

    /// The connections of a new answer, with their traffic since the last answer.
    fn links(&self, at: f64, connections: Vec<ConnectionInfo>) -> Vec<Link> {
        let seconds = self.answered.map(|before| at - before);
        let link = |info: ConnectionInfo| {
            let before = self.link(&info.node).map(|link| &link.info);
            // A connection that is younger than before is a new one.
            let before = before.filter(|before| before.up <= info.up);
            let (received, sent) = match (before, seconds.filter(|seconds| *seconds > 0.0)) {
                (Some(before), Some(seconds)) => (
                    Rate::between(before.received, info.received, seconds),
                    Rate::between(before.sent, info.sent, seconds),
                ),
                _ => Default::default(),
            };
            Link {
                info,
                full: true,
                received,
                sent,
            }
        };
        connections.into_iter().map(link).collect()
    }
}

/// The known state of the network.
#[derive(Clone, Debug, Default)]
pub struct Network {
    /// Our own node, which is not shown.
    own: String,
    /// The activity of all nodes, if it has been asked for since the last answer.
    all: OnceLock<Activity>,
    /// The nodes by ID.
    pub nodes: BTreeMap<String, Seen>,
    /// The families that are open.
    pub opened: BTreeMap<String, Family>,
    /// The log of the network.
    pub logs: Logs,
    /// The sampled traces.
    pub traces: Traces,
    /// The ports that are looked at, by ID.
    pub looked: BTreeMap<String, Looked>,
}

/// The lines of the log, the last of them.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    /// The lines with their numbers.
    pub lines: VecDeque<(u64, LogLine)>,
    next: u64,
}

impl Logs {
    /// Forgets all lines.
    pub fn clear(&mut self) {
        self.lines.clear();
    }

    /// Adds a line. The oldest one goes if there are too many.
    pub fn add(&mut self, line: LogLine) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((self.next, line));
        self.next += 1;
    }
}

impl Network {
    /// A network of which nothing is known. `own` is the node that asks, which is not part of it.
    pub fn new(own: &str) -> Self {
        Self {
            own: own.into(),
            all: OnceLock::new(),
            nodes: BTreeMap::new(),
            opened: BTreeMap::new(),
            logs: Logs::default(),
            traces: Traces::default(),
            looked: BTreeMap::new(),
        }
    }

    /// All nodes to ask.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// Records that a node exists.
    pub fn know(&mut self, node: &str, at: f64) {
        let is_room = self.nodes.len() < NODES || self.nodes.contains_key(node);
        if node == self.own || NodeId::new(node).is_err() || !is_room {
            return;
        }
        let seen = self.nodes.entry(node.into()).or_default();
        seen.known = seen.known.max(at);
    }

    /// Takes the contents of a family.
    pub fn open(&mut self, opened: Opened) {
        let family = self.opened.entry(opened.family.clone()).or_default();
        family.take(opened);
    }

    /// The global nodes that can be asked for the owners of keys.
    pub fn globals(&self) -> impl Iterator<Item = &str> {
        let tells = |seen: &Seen| {
            let role = seen.info.as_ref().and_then(|info| info.role);
            role == Some(Role::Global)
        };
        let globals = self.nodes.iter().filter(move |(_, seen)| tells(seen));
        globals.map(|(id, _)| id.as_str())
    }

    /// Takes the waiting handlers of a node.
    pub fn add_waits(&mut self, node: &str, waits: Option<Waits>) {
        if let Some(seen) = self.nodes.get_mut(node) {
            let before = seen.waiting.take().unwrap_or_default();
            seen.waiting = waits.map(|waits| before.next(node, waits));
        }
    }

    /// The waiting handlers of all nodes.
    pub fn waits(&self) -> impl Iterator<Item = &Wait> {
        let waiting = self.nodes.values().filter_map(|seen| seen.waiting.as_ref());
        waiting.flat_map(|waiting| &waiting.waits)
    }

    /// The ports that wait for each other, with the numbers of their circles.
    pub fn circles(&self) -> BTreeMap<&str, usize> {
        circles(self.waits())
    }

    /// The activity of all nodes, or of one. That of all is added up once for each state, because several tables show it.
    pub fn activity(&self, scope: Option<&str>) -> &Activity {
        let sum = || {
            let mut all = Activity::default();
            let nodes = self.nodes.values();
            nodes.for_each(|seen| all.merge(&seen.activity));
            all
        };
        let one = |scope: &str| self.nodes.get(scope).map(|seen| &seen.activity);
        match scope {
            None => self.all.get_or_init(sum),
            Some(scope) => one(scope).unwrap_or(const { &Activity::NOTHING }),
        }
    }

    /// Takes the supervisors of a node. A supervisor that has not answered in time stays as it was.
    pub fn add_trees(&mut self, trees: Trees) {
        let seen = self.nodes.get_mut(&trees.node);
        let (Some(seen), Some(supervisors)) = (seen, trees.supervisors) else {
            return;
        };
        let mut before = std::mem::take(&mut seen.supervisors);
        let now = supervisors.into_iter().filter_map(|tree| match tree {
            Tree::Known(supervised) => Some(supervised),
            Tree::Late(id) => {
                let at = before.iter().position(|old| old.id == id)?;
                Some(before.swap_remove(at))
            }
        });
        seen.supervisors = now.collect();
    }

    /// Takes the spans of a node, or the reason why it tells none.
    pub fn add_traces(
        &mut self,
        node: &str,
        at: f64,
        answer: Result<aemp::inspect::Traces, String>,
    ) {
        if self.nodes.contains_key(node) {
            self.traces.add(node, at, answer);
        }
    }

    /// Takes the functions of a node.
    pub fn add_functions(&mut self, node: &str, functions: Result<Functions, String>) {
        if let Some(seen) = self.nodes.get_mut(node) {
            seen.functions = Some(functions);
        }
    }

    /// Takes an answer.
    pub fn add_report(&mut self, report: Report) {
        let Report { node, at, result } = report;
        if node == self.own {
            return;
        }
        self.all.take();
        let seen = self.nodes.entry(node.clone()).or_default();
        let neighbours: Vec<(String, Option<String>)> = match result {
            Ok(Sight::Full {
                info,
                mut connections,
                ports,
                families,
                counts,
            }) => {
                seen.activity.add(at, counts.map(|counts| *counts));
                connections.retain(|connection| connection.node != self.own);
                let told = |info: &ConnectionInfo| (info.node.clone(), info.provider.clone());
                let neighbours = connections.iter().map(told).collect();
                seen.connections = seen.links(at, connections);
                seen.provider = Some(info.provider.clone());
                (seen.info, seen.ports) = (Some(*info), Some(ports));
                seen.families = families;
                neighbours
            }
            Ok(Sight::Foreign {
                provider,
                neighbours,
                part,
            }) => {
                seen.part = part;
                seen.activity
                    .add(at, Err("counts nothing that others may ask for".into()));
                seen.provider = provider.or_else(|| seen.provider.take());
                let neighbours: Vec<_> =
                    neighbours.into_iter().filter(|n| *n != self.own).collect();
                seen.connections = neighbours.iter().map(|node| bare(node)).collect();
                neighbours.into_iter().map(|node| (node, None)).collect()
            }
            Err(failure) => {
                // The previous data is out of date.
                *seen = Seen {
                    failure: Some(failure),
                    provider: seen.provider.take(),
                    known: seen.known,
                    ..Seen::default()
                };
                return;
            }
        };
        (seen.failure, seen.answered) = (None, Some(at));
        seen.known = seen.known.max(at);
        for (node, provider) in neighbours {
            self.know(&node, at);
            if let Some(seen) = self
                .nodes
                .get_mut(&node)
                .filter(|seen| seen.provider.is_none())
            {
                seen.provider = provider;
            }
        }
    }

    /// Forgets nodes that do not answer and to which no node has been connected for a while.
    pub fn forget(&mut self, now: f64) {
        let gone = |seen: &Seen| seen.failure.is_some() && seen.known + REMEMBERED < now;
        let gone: BTreeSet<String> = self
            .nodes
            .iter()
            .filter(|(_, seen)| gone(seen))
            .map(|(node, _)| node.clone())
            .collect();
        if gone.is_empty() {
            return;
        }
        self.all.take();
        self.nodes.retain(|node, _| !gone.contains(node));
        self.traces.retain(|node| self.nodes.contains_key(node));
    }

    /// The traffic per second that all nodes send. It is counted at the sending end, or at the receiving end if the
    /// sending end reports none.
    pub fn rate(&self) -> Rate {
        let tells = |node: &str| self.nodes.get(node).is_some_and(|seen| seen.info.is_some());
        let links = self.nodes.values().flat_map(|seen| &seen.connections);
        let rates = links.flat_map(|link| {
            let received = (!tells(&link.info.node)).then_some(link.received);
            received.into_iter().chain([link.sent])
        });
        rates.sum()
    }

    /// The report of a connection's other end.
    pub fn other_end(&self, node: &str, link: &Link) -> Option<&ConnectionInfo> {
        let there = self.nodes.get(&link.info.node)?.link(node)?;
        there.full.then_some(&there.info)
    }

    /// The number of connections, each counted once.
    pub fn connections(&self) -> usize {
        let pairs = self.nodes.iter().flat_map(|(node, seen)| {
            seen.connections.iter().map(move |link| {
                let (a, b) = (node.as_str(), link.info.node.as_str());
                (a.min(b), a.max(b))
            })
        });
        pairs.collect::<BTreeSet<_>>().len()
    }
}

/// A connection of which only the other end is known.
fn bare(node: &str) -> Link {
    let mut link = Link::default();
    link.info.node = node.into();
    link
}

#[cfg(test)]
mod tests {
    use super::*;

    fn supervised(id: &str, total: u64) -> Supervised {
        Supervised {
            id: id.into(),
            total,
            children: Vec::new(),
        }
    }

    #[test]
    fn a_late_supervisor_stays_as_it_was() {
        let mut network = Network::new("me");
        network.know("a", 0.0);
        let mut add = |supervisors| {
            network.add_trees(Trees {
                node: "a".into(),
                supervisors,
            });
            let seen = &network.nodes["a"].supervisors;
            let of = seen.iter().map(|of| (of.id.clone(), of.total));
            of.collect::<Vec<_>>()
        };
        let mut expected: Vec<(String, u64)> = vec![("a#1".into(), 1), ("a#2".into(), 2)];
        let known = |id, total| Tree::Known(supervised(id, total));
        assert_eq!(add(Some(vec![known("a#1", 1), known("a#2", 2)])), expected);
        expected[1].1 = 3;
        // One has never answered.
        let late = |id: &str| Tree::Late(id.into());
        assert_eq!(
            add(Some(vec![late("a#1"), known("a#2", 3), late("a#3")])),
            expected
        );
        assert_eq!(add(None), expected);
        expected.remove(1);
        assert_eq!(add(Some(vec![late("a#1")])), expected);
    }
}
