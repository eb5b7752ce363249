//! Collecting reports of all nodes, once a second.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use aemp::{
    Map, Node, NodeId, Value,
    inspect::{FamilyInfo, Inspect, InspectError},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, timeout},
};

use super::model::{Opened, Report, Sight};
use crate::reference;

/// The request that nodes of any kind answer (`aemp_proto::protocol::behaviour`, "The `aemp` command as a client").
const UP_NODES: &str = "AnyEvent::MP::Kernel::up_nodes";
/// The time limit of an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause, in seconds, before a node is asked again that did not answer, or that has no inspection.
const PAUSE: f64 = 5.0;
/// The number of ports that are listed for each node.
const PORTS: usize = 200;
/// The number of keys that are listed for a family, and the shown length of each value.
const KEYS: usize = 10_000;
const LONGEST_VALUE: usize = 200;

/// Sends requests, and returns the answers as they arrive.
pub(super) struct Collector {
    node: Node,
    begun: Instant,
    /// The nodes that have not answered yet.
    asked: HashSet<String>,
    /// The times at which nodes with little to report are asked again.
    later: HashMap<String, f64>,
    sender: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    /// True if the contents of a family have been requested and have not arrived yet.
    opening: bool,
}

/// An answer.
pub(super) enum News {
    Node(Report),
    Family(Opened),
}

impl Collector {
    pub(super) fn new(node: &Node) -> Self {
        let (sender, news) = unbounded_channel();
        Self {
            node: node.clone(),
            begun: Instant::now(),
            asked: HashSet::new(),
            later: HashMap::new(),
            sender,
            news,
            opening: false,
        }
    }

    /// The time in seconds.
    pub(super) fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Asks the nodes that have no request outstanding.
    pub(super) fn ask<'a>(&mut self, nodes: impl IntoIterator<Item = &'a str>) {
        let now = self.now();
        for node in nodes {
            let early = self.later.get(node).is_some_and(|later| now < *later);
            if early || !self.asked.insert(node.into()) {
                continue;
            }
            let (from, node, sender) = (self.node.clone(), node.to_owned(), self.sender.clone());
            let begun = self.begun;
            tokio::spawn(async move {
                let result = ask_node(&from, &node).await;
                let at = begun.elapsed().as_secs_f64();
                // The receiver may be gone.
                let _ = sender.send(News::Node(Report { node, at, result }));
            });
        }
    }

    /// Requests the contents of a family.
    pub(super) fn open(&mut self, family: &str) {
        if std::mem::replace(&mut self.opening, true) {
            return;
        }
        let query = self.node.db_family(family).timeout(PATIENCE);
        let (family, sender) = (family.to_owned(), self.sender.clone());
        tokio::spawn(async move {
            let entries = match query.await {
                Ok(entries) => Ok(shown(&entries)),
                Err(error) => Err(error.to_string()),
            };
            let _ = sender.send(News::Family(Opened { family, entries }));
        });
    }

    /// The next answer.
    ///
    /// # Cancel safety
    ///
    /// No answer is lost.
    pub(super) async fn next(&mut self) -> News {
        loop {
            // The collector keeps a sender, so the channel is never closed.
            let Some(news) = self.news.recv().await else {
                continue;
            };
            if let News::Node(report) = &news {
                self.asked.remove(&report.node);
                if matches!(report.result, Ok(Sight::Full { .. })) {
                    self.later.remove(&report.node);
                } else {
                    self.later.insert(report.node.clone(), report.at + PAUSE);
                }
            } else {
                self.opening = false;
            }
            return news;
        }
    }
}

/// Asks one node.
async fn ask_node(from: &Node, node: &str) -> Result<Sight, String> {
    let of = from.inspect(node).at_most(PORTS);
    let asked = async { tokio::try_join!(of.node(), of.connections(), of.ports(), families(&of)) };
    let Ok(answer) = timeout(PATIENCE, asked).await else {
        return Err("no answer".into());
    };
    match answer {
        Ok((info, connections, ports, families)) => Ok(Sight::Full {
            info: Box::new(info),
            connections: connections.connections,
            ports,
            families,
        }),
        Err(InspectError::Unknown { provider, .. }) => {
            // A node in secure mode does not report its connections either.
            let answer = from.eval_on(node, UP_NODES, PATIENCE);
            let (answer, part) = tokio::join!(answer, reference::part(from, node, PATIENCE));
            Ok(Sight::Foreign {
                provider,
                neighbours: neighbours(&answer.unwrap_or_default()),
                part,
            })
        }
        Err(InspectError::Call { error, .. }) => Err(match error.reason() {
            Some(reason) => lost(reason),
            None => error.to_string(),
        }),
        Err(error) => Err(error.to_string()),
    }
}

async fn families(of: &Inspect) -> Result<Vec<FamilyInfo>, InspectError> {
    match of.families().await {
        Ok(families) => Ok(families.families),
        // A node of another version still reports the rest.
        Err(InspectError::Refused { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The keys and values of a family, shortened for the screen.
fn shown(entries: &Map) -> Vec<(String, String)> {
    let value = |value: &Value| {
        let text = value.to_string();
        text.chars().take(LONGEST_VALUE).collect::<String>()
    };
    let entries = entries.iter().take(KEYS);
    entries
        .map(|(key, entry)| (key.into(), value(entry)))
        .collect()
}

/// The nodes in an answer, after an empty error text.
fn neighbours(answer: &[Value]) -> Vec<String> {
    let Some((error, nodes)) = answer.split_first() else {
        return Vec::new();
    };
    if !error.text().is_some_and(|text| text.is_empty()) {
        return Vec::new();
    }
    let id = |node: &Value| Some(NodeId::new(node.text()?).ok()?.as_str().to_owned());
    nodes.iter().filter_map(id).collect()
}

/// The reason why a node is unreachable, without its name.
fn lost(reason: &aemp::Reason) -> String {
    match (reason.kind(), &reason[..]) {
        ("transport_error", [_, _, text]) => text.text().unwrap_or_default().into_owned(),
        _ => reason.to_string(),
    }
}
