//! Asking nodes for reports.

mod ask;
mod tap;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use aemp::{
    Node, PortId,
    inspect::{Deaths, Functions, PortFate, Traces, Waits},
    logs::{CatchLogs, LogLevel, LogLine, LogStream},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, timeout},
};

use self::tap::Taps;
use super::{
    looked::Tapped,
    network::{Network, Opened, Report, Sight, Trees},
};

/// The time limit of an answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// The pause, in seconds, before a node is asked again that did not answer, or that has no inspection.
const PAUSE: f64 = 5.0;
/// The number of ports, and of handlers, that are listed for each node, and for all nodes of a large network together.
const LISTED: usize = 200;
const ALL_LISTED: usize = 40_000;
/// The time before the beginning from which lines of the log are shown.
const PAST: Duration = Duration::from_secs(600);

/// Sends requests, and returns the answers as they arrive.
#[derive(Debug)]
pub struct Collector {
    node: Node,
    begun: Instant,
    /// The nodes that have not answered yet.
    asked: HashSet<String>,
    /// The times at which nodes with little to report are asked again.
    later: HashMap<String, f64>,
    sender: UnboundedSender<News>,
    news: UnboundedReceiver<News>,
    /// The families whose contents have been requested and have not arrived yet.
    opening: HashSet<String>,
    /// The nodes that have been asked for their supervisors and have not answered yet.
    trees: HashSet<String>,
    /// The nodes that have been asked for their waiting handlers and have not answered yet.
    waits: HashSet<String>,
    /// The nodes that have been asked for their spans and have not answered yet.
    traces: HashSet<String>,
    /// The number of the next span of each node.
    spans: HashMap<String, u64>,
    /// The nodes that have been asked for their functions and have not answered yet.
    functions: HashSet<String>,
    /// The nodes that have been asked for their last deaths and have not answered yet.
    deaths: HashSet<String>,
    /// The ports whose nodes have been asked for them and have not answered yet.
    ports: HashSet<String>,
    taps: Taps,
    /// The log of the network from a level on, while a viewer shows it.
    logs: Option<(LogLevel, LogStream)>,
}

/// An answer.
#[derive(Debug)]
pub enum News {
    /// One node has answered, or has failed to.
    Node(Report),
    /// The contents of a family have come.
    Family(Opened),
    /// The supervisors of one node have come.
    Trees(Trees),
    /// One node has told its waiting handlers; `None` if it has not answered, or knows no such question.
    Waits {
        /// The node's ID.
        node: String,
        /// The handlers.
        waits: Option<Waits>,
    },
    /// One node has told spans of sampled traces, or the reason why not.
    Traces {
        /// The node's ID.
        node: String,
        /// The time of the answer, in seconds.
        at: f64,
        /// The spans.
        traces: Result<Traces, String>,
    },
    /// One node has told its functions, or the reason why not.
    Functions {
        /// The node's ID.
        node: String,
        /// The functions.
        functions: Result<Functions, String>,
    },
    /// One node has told its last deaths, or the reason why not.
    Deaths {
        /// The node's ID.
        node: String,
        /// The time of the answer, in seconds.
        at: f64,
        /// The deaths.
        deaths: Result<Deaths, String>,
    },
    /// A node has told of one port, or the reason why not.
    Port {
        /// The port's ID.
        port: String,
        /// The time of the answer, in seconds.
        at: f64,
        /// The port, alive or dead.
        fate: Result<PortFate, String>,
    },
    /// Messages of a port have come, or the state of its tap has changed.
    Messages {
        /// The port's ID.
        port: String,
        /// The messages since the last news.
        tapped: Tapped,
    },
    /// A line of the log of the network.
    Log(LogLine),
}

impl Collector {
    /// A collector that asks from this node. It asks nothing by itself.
    pub fn new(node: &Node) -> Self {
        let (sender, news) = unbounded_channel();
        Self {
            node: node.clone(),
            begun: Instant::now(),
            asked: HashSet::new(),
            later: HashMap::new(),
            sender,
            news,
            opening: HashSet::new(),
            trees: HashSet::new(),
            waits: HashSet::new(),
            traces: HashSet::new(),
            spans: HashMap::new(),
            functions: HashSet::new(),
            deaths: HashSet::new(),
            ports: HashSet::new(),
            taps: Taps::default(),
            logs: None,
        }
    }

    /// The time in seconds.
    pub fn now(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    /// Asks the nodes that have no request outstanding.
    pub fn ask<'a>(&mut self, nodes: impl IntoIterator<Item = &'a str>) {
        let now = self.now();
        let nodes: Vec<&str> = nodes.into_iter().collect();
        let listed = (ALL_LISTED / nodes.len().max(1)).clamp(1, LISTED);
        for node in nodes {
            let early = self.later.get(node).is_some_and(|later| now < *later);
            if early || !self.asked.insert(node.into()) {
                continue;
            }
            let (from, node, sender) = (self.node.clone(), node.to_owned(), self.sender.clone());
            let begun = self.begun;
            tokio::spawn(async move {
                let result = ask::node(&from, &node, listed).await;
                let at = begun.elapsed().as_secs_f64();
                // The receiver may be gone.
                let _ = sender.send(News::Node(Report { node, at, result }));
            });
        }
    }

    /// True if no node has a request outstanding.
    pub fn is_settled(&self) -> bool {
        self.asked.is_empty()
    }

    /// Requests the contents of a family, and the owners of its keys.
    pub fn open(&mut self, family: &str, network: &Network) {
        if !self.opening.insert(family.into()) {
            return;
        }
        let globals = network.globals().map(str::to_owned).take(ask::GLOBALS);
        let (from, globals) = (self.node.clone(), globals.collect());
        let (family, sender) = (family.to_owned(), self.sender.clone());
        let begun = self.begun;
        tokio::spawn(async move {
            let entries = ask::family(&from, &family, globals).await;
            let at = begun.elapsed().as_secs_f64();
            let opened = Opened {
                family,
                at,
                entries,
            };
            let _ = sender.send(News::Family(opened));
        });
    }

    /// Asks nodes for their waiting handlers.
    pub fn ask_for_waits<'a>(&mut self, nodes: impl IntoIterator<Item = &'a str>) {
        for node in nodes {
            let lacks_them = self.later.contains_key(node);
            if lacks_them || !self.waits.insert(node.into()) {
                continue;
            }
            let (from, node, sender) = (self.node.clone(), node.to_owned(), self.sender.clone());
            tokio::spawn(async move {
                let waits = ask::waits(&from, &node).await;
                let _ = sender.send(News::Waits { node, waits });
            });
        }
    }

    /// Asks nodes for their new spans of sampled traces, and so for further samples.
    pub fn ask_for_traces<'a>(&mut self, nodes: impl IntoIterator<Item = &'a str>) {
        for node in nodes {
            let lacks_them = self.later.contains_key(node);
            if lacks_them || !self.traces.insert(node.into()) {
                continue;
            }
            let (from, node, sender) = (self.node.clone(), node.to_owned(), self.sender.clone());
            let since = self.spans.get(&node).copied().unwrap_or(0);
            let begun = self.begun;
            tokio::spawn(async move {
                let traces = ask::traces(&from, &node, since).await;
                let at = begun.elapsed().as_secs_f64();
                let _ = sender.send(News::Traces { node, at, traces });
            });
        }
    }

    /// Asks nodes for their supervisors.
    pub fn ask_for_trees<'a>(&mut self, nodes: impl IntoIterator<Item = &'a str>) {
        for node in nodes {
            let lacks_them = self.later.contains_key(node);
            if lacks_them || !self.trees.insert(node.into()) {
                continue;
            }
            let (from, node, sender) = (self.node.clone(), node.to_owned(), self.sender.clone());
            tokio::spawn(async move {
                let supervisors = ask::supervisors(&from, &node).await;
                let _ = sender.send(News::Trees(Trees { node, supervisors }));
            });
        }
    }

    /// Asks a node for the functions that it runs for others.
    pub fn ask_for_functions(&mut self, node: &str) {
        if !self.functions.insert(node.into()) {
            return;
        }
        let (of, sender) = (self.node.inspect(node), self.sender.clone());
        let node = node.to_owned();
        tokio::spawn(async move {
            let functions = match timeout(PATIENCE, of.functions()).await {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err("no answer".into()),
            };
            let _ = sender.send(News::Functions { node, functions });
        });
    }

    /// Asks a node for its last deaths.
    pub fn ask_for_deaths(&mut self, node: &str) {
        if self.later.contains_key(node) || !self.deaths.insert(node.into()) {
            return;
        }
        let (from, node, sender) = (self.node.clone(), node.to_owned(), self.sender.clone());
        let begun = self.begun;
        tokio::spawn(async move {
            let deaths = ask::deaths(&from, &node).await;
            let at = begun.elapsed().as_secs_f64();
            let _ = sender.send(News::Deaths { node, at, deaths });
        });
    }

    /// Asks the node of a port for it. An ID that is none is ignored.
    pub fn ask_for_port(&mut self, port: &str) {
        let Ok(id) = PortId::parse(port) else {
            return;
        };
        if self.later.contains_key(id.node()) || !self.ports.insert(port.into()) {
            return;
        }
        let (from, port, sender) = (self.node.clone(), port.to_owned(), self.sender.clone());
        let begun = self.begun;
        tokio::spawn(async move {
            let fate = ask::port(&from, &id).await;
            let at = begun.elapsed().as_secs_f64();
            let _ = sender.send(News::Port { port, at, fate });
        });
    }

    /// Follows the messages of these ports, sixteen at most, and of no others.
    pub fn follow_messages<'a>(&mut self, ports: impl IntoIterator<Item = &'a str>) {
        self.taps.follow(ports, &self.node, &self.sender);
    }

    /// Follows the log of the network from this level on. True if it begins now, and with the lines of the last minutes.
    pub fn follow_logs(&mut self, level: LogLevel) -> bool {
        let is_new = self.logs.as_ref().is_none_or(|(of, _)| *of != level);
        if is_new {
            let wanted = CatchLogs::from(level).since(PAST);
            self.logs = Some((level, self.node.catch_logs(wanted)));
        }
        is_new
    }

    /// Ends to follow the log of the network.
    pub fn leave_logs(&mut self) {
        self.logs = None;
    }

    /// The next answer, or the next line of the log.
    ///
    /// # Cancel safety
    ///
    /// No answer is lost.
    pub async fn next(&mut self) -> News {
        let logs = &mut self.logs;
        let line = async {
            match logs {
                Some((_, logs)) => logs.next().await,
                None => None,
            }
        };
        let news = tokio::select! {
            Some(news) = self.news.recv() => news,
            Some(line) = line => return News::Log(line),
            // The collector keeps a sender, so the channel is never closed.
            else => return std::future::pending().await,
        };
        match &news {
            News::Node(report) => {
                self.asked.remove(&report.node);
                if matches!(report.result, Ok(Sight::Full { .. })) {
                    self.later.remove(&report.node);
                } else {
                    self.later.insert(report.node.clone(), report.at + PAUSE);
                }
            }
            News::Family(opened) => drop(self.opening.remove(&opened.family)),
            News::Trees(trees) => drop(self.trees.remove(&trees.node)),
            News::Waits { node, .. } => drop(self.waits.remove(node)),
            News::Traces { node, traces, .. } => {
                self.traces.remove(node);
                match traces {
                    Ok(traces) => self.spans.insert(node.clone(), traces.next),
                    Err(_) => self.spans.remove(node),
                };
            }
            News::Functions { node, .. } => drop(self.functions.remove(node)),
            News::Deaths { node, .. } => drop(self.deaths.remove(node)),
            News::Port { port, .. } => drop(self.ports.remove(port)),
            News::Messages { .. } | News::Log(_) => {}
        }
        news
    }
}

#[cfg(test)]
mod tests {
    use aemp::{
        Cx, Value, port,
        supervisor::{Restart, Supervisor},
    };

    use super::*;
    use crate::network::{Supervised, Tree};

    struct Worker;

    #[port]
    impl Worker {
        #[rcv]
        fn fail(&self, cx: &mut Cx<'_>) {
            cx.kill(vec![Value::from("die"), "no money".into()]);
        }
    }

    async fn next(collector: &mut Collector) -> News {
        let next = timeout(Duration::from_secs(20), collector.next()).await;
        next.expect("an answer")
    }

    #[tokio::test]
    async fn supervisors_are_found_among_other_ports() {
        let green = Node::builder()
            .node_id("green")
            .secret("s")
            .bind("127.0.0.1:0");
        let green = green.start().await.unwrap();
        let _others: Vec<_> = (0..10).map(|_| green.port(Worker)).collect();
        let supervisor =
            Supervisor::builder().child("worker", Restart::Permanent, |node| node.port(Worker));
        let supervisor = supervisor.start(&green);
        supervisor.ready().await.unwrap();
        let worker = supervisor.follow::<WorkerRef>("worker").await.unwrap();
        worker.wait().await.unwrap().fail();
        let blue = Node::builder()
            .node_id("blue")
            .secret("s")
            .seed(green.listeners().remove(0));
        let blue = blue.start().await.unwrap();
        blue.until_up("green").await;
        let mut collector = Collector::new(&blue);
        loop {
            collector.ask_for_trees(["green"]);
            // A second request while the first is under way is none.
            collector.ask_for_trees(["green"]);
            let News::Trees(trees) = next(&mut collector).await else {
                panic!("nothing else was asked");
            };
            let supervisors = trees.supervisors.expect("an answer");
            assert_eq!((&*trees.node, supervisors.len()), ("green", 1));
            let Tree::Known(Supervised {
                id,
                total,
                children,
            }) = &supervisors[0]
            else {
                panic!("it is not late");
            };
            assert_eq!((&**id, *total), (supervisor.id().as_str(), 1));
            assert_eq!(children[0].name, "worker");
            if children[0].restarts == 1 {
                let reason = children[0].reason.as_ref().map(ToString::to_string);
                assert_eq!(reason.as_deref(), Some("die no money"));
                break;
            }
        }
        green.stop().await;
        blue.stop().await;
    }
}
