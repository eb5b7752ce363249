//! The known state of the network: pure data, fed with reports and read by the tables.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use aemp::{
    inspect::{ConnectionInfo, FamilyInfo, NodeInfo, Ports, Traffic},
    logs::LogLine,
    supervisor::ChildInfo,
};

use crate::reference::Part;

/// The time in seconds for which a node is shown after no other node knows it any more.
const REMEMBERED: f64 = 10.0;

/// The number of lines of the log that are kept.
const LINES: usize = 1000;

/// The answer of one node, or its failure.
#[derive(Clone, Debug)]
pub(super) struct Report {
    pub(super) node: String,
    /// The time of the answer, in seconds.
    pub(super) at: f64,
    pub(super) result: Result<Sight, String>,
}

/// The data about a node.
#[derive(Clone, Debug)]
pub(super) enum Sight {
    /// Everything.
    Full {
        info: Box<NodeInfo>,
        connections: Vec<ConnectionInfo>,
        ports: Ports,
        families: Vec<FamilyInfo>,
    },
    /// A node without inspection.
    Foreign {
        provider: Option<String>,
        /// The nodes that it is connected to, as far as it reports them.
        neighbours: Vec<String>,
        part: Part,
    },
}

/// The supervisors of a node.
#[derive(Clone, Debug)]
pub(super) struct Trees {
    pub(super) node: String,
    pub(super) supervisors: Vec<Supervised>,
}

/// A supervisor, with the first of its children.
#[derive(Clone, Debug)]
pub(super) struct Supervised {
    pub(super) id: String,
    /// The number of all its children.
    pub(super) total: u64,
    pub(super) children: Vec<ChildInfo>,
}

/// The known state of one node.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) info: Option<NodeInfo>,
    pub(super) provider: Option<String>,
    /// Its role, if it does not report one.
    pub(super) part: Part,
    pub(super) connections: Vec<Link>,
    pub(super) ports: Option<Ports>,
    pub(super) families: Vec<FamilyInfo>,
    pub(super) supervisors: Vec<Supervised>,
    /// The reason why it does not answer.
    pub(super) failure: Option<String>,
    /// The time of its last answer.
    answered: Option<f64>,
    /// The time at which it was last known to exist.
    known: f64,
}

/// One end of a connection, with its traffic.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    pub(super) info: ConnectionInfo,
    /// True if details are known, and not only the existence.
    pub(super) full: bool,
    pub(super) received: Rate,
    pub(super) sent: Rate,
}

/// The traffic per second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) packets: f64,
    pub(super) bytes: f64,
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
    pub(super) fn received(&self) -> Rate {
        self.connections.iter().map(|link| link.received).sum()
    }

    pub(super) fn sent(&self) -> Rate {
        self.connections.iter().map(|link| link.sent).sum()
    }

    pub(super) fn queued_bytes(&self) -> u64 {
        self.connections.iter().map(|link| link.info.queued).sum()
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
pub(super) struct Network {
    /// Our own node, which is not shown.
    own: String,
    pub(super) nodes: BTreeMap<String, Seen>,
    /// The contents of the open family.
    pub(super) opened: Option<Opened>,
    pub(super) logs: Logs,
}

/// The lines of the log, the last of them.
#[derive(Clone, Debug, Default)]
pub(super) struct Logs {
    /// The lines with their numbers.
    pub(super) lines: VecDeque<(u64, LogLine)>,
    next: u64,
}

impl Logs {
    pub(super) fn add(&mut self, line: LogLine) {
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back((self.next, line));
        self.next += 1;
    }
}

/// An open family.
#[derive(Clone, Debug)]
pub(super) struct Opened {
    pub(super) family: String,
    /// The keys and values, or an error text.
    pub(super) entries: Result<Vec<(String, String)>, String>,
}

impl Network {
    pub(super) fn new(own: &str) -> Self {
        Self {
            own: own.into(),
            nodes: BTreeMap::new(),
            opened: None,
            logs: Logs::default(),
        }
    }

    /// All nodes to ask.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.keys().map(String::as_str)
    }

    /// Records that a node exists.
    pub(super) fn know(&mut self, node: &str, at: f64) {
        if node == self.own || node.is_empty() {
            return;
        }
        let seen = self.nodes.entry(node.into()).or_default();
        seen.known = seen.known.max(at);
    }

    /// Takes the supervisors of a node.
    pub(super) fn add_trees(&mut self, trees: Trees) {
        if let Some(seen) = self.nodes.get_mut(&trees.node) {
            seen.supervisors = trees.supervisors;
        }
    }

    /// Takes an answer.
    pub(super) fn add_report(&mut self, report: Report) {
        let Report { node, at, result } = report;
        if node == self.own {
            return;
        }
        let seen = self.nodes.entry(node.clone()).or_default();
        let neighbours: Vec<(String, Option<String>)> = match result {
            Ok(Sight::Full {
                info,
                mut connections,
                ports,
                families,
            }) => {
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
    pub(super) fn forget(&mut self, now: f64) {
        let gone = |seen: &Seen| seen.failure.is_some() && seen.known + REMEMBERED < now;
        let gone: BTreeSet<String> = self
            .nodes
            .iter()
            .filter(|(_, seen)| gone(seen))
            .map(|(node, _)| node.clone())
            .collect();
        self.nodes.retain(|node, _| !gone.contains(node));
    }

    /// The traffic per second that all nodes send. It is counted at the sending end, or at the receiving end if the
    /// sending end reports none.
    pub(super) fn rate(&self) -> Rate {
        let tells = |node: &str| self.nodes.get(node).is_some_and(|seen| seen.info.is_some());
        let links = self.nodes.values().flat_map(|seen| &seen.connections);
        let rates = links.flat_map(|link| {
            let received = (!tells(&link.info.node)).then_some(link.received);
            received.into_iter().chain([link.sent])
        });
        rates.sum()
    }

    /// The report of a connection's other end.
    pub(super) fn other_end(&self, node: &str, link: &Link) -> Option<&ConnectionInfo> {
        let there = self.nodes.get(&link.info.node)?.link(node)?;
        there.full.then_some(&there.info)
    }

    /// The number of connections, each counted once.
    pub(super) fn connections(&self) -> usize {
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
