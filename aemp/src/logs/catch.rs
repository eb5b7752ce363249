//! The catching side: a task that has a port for each node, asks the node to send its lines there, and asks again when
//! the node was lost and is back.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::pending,
    sync::Arc,
    time::Duration,
};

use aemp_codec::{NodeId, PortId, Value};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    time::{Instant, sleep_until},
};

use super::{CONNECT, LogLevel, LogStream, stream::Shared};
use crate::{
    Args, Cx, Monitor, Node, args,
    config::Permit,
    db::{FamilyEvent, Watch},
};
use aemp_proto::global::LISTENERS;

/// The pause before a node that was lost is tried again. It doubles with each attempt.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The lines to catch: their level, and the nodes.
///
/// ```
/// use std::time::Duration;
/// use aemp::logs::{CatchLogs, LogLevel};
///
/// let warnings = CatchLogs::from(LogLevel::Warn);
/// let of_workers = CatchLogs::from(LogLevel::Debug).nodes("worker/*").since(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug, PartialEq)]
#[must_use]
pub struct CatchLogs {
    level: LogLevel,
    nodes: Vec<Permit>,
    since: Duration,
}

impl From<LogLevel> for CatchLogs {
    /// The lines of this level and of more urgent ones, of all nodes.
    fn from(level: LogLevel) -> Self {
        Self {
            level,
            nodes: Vec::new(),
            since: Duration::ZERO,
        }
    }
}

impl CatchLogs {
    /// Adds nodes by a pattern, in which `*` stands for any text and `?` for any character. Without a pattern, the lines
    /// of all nodes are caught.
    pub fn nodes(mut self, pattern: impl Into<String>) -> Self {
        self.nodes.push(Permit::new(pattern, "*"));
        self
    }

    /// Also asks for the lines of the time before. Nodes whose layer has a history ([`layer_with_history`]) send them
    /// first. Perl nodes have none.
    ///
    /// [`layer_with_history`]: https://docs.rs/aemp/latest/aemp/logs/fn.layer_with_history.html
    pub fn since(mut self, since: Duration) -> Self {
        self.since = since;
        self
    }

    fn includes(&self, node: &NodeId) -> bool {
        let matches = |pattern: &Permit| pattern.permits(node.as_str(), "");
        self.nodes.is_empty() || self.nodes.iter().any(matches)
    }
}

impl Node {
    /// Catches the lines of the logs of all other nodes of the network, Rust or Perl, present and future, from a level
    /// on. The argument is a [`LogLevel`], or a [`CatchLogs`] that also names nodes.
    ///
    /// A node of this project passes its lines on if its program has added the layer (`aemp::logs::layer`), and if it
    /// permits this node to call `AnyEvent::MP::LogCatcher::connect` ([`NodeBuilder::allow`]). A node without the layer
    /// sends one line that says so. When a node was lost and is back, it is asked again.
    ///
    /// The lines of one node arrive in order. Lines of the time without a connection are lost, unless the other node has
    /// a history. See [the handbook](crate::handbook::logs).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use aemp::{Node, logs::LogLevel};
    ///
    /// let node = Node::local()?;
    /// let mut lines = node.catch_logs(LogLevel::Info);
    /// node.stop().await;
    /// assert_eq!(lines.next().await, None);
    /// # Ok(()) }
    /// ```
    ///
    /// [`NodeBuilder::allow`]: crate::NodeBuilder::allow
    pub fn catch_logs(&self, wanted: impl Into<CatchLogs>) -> LogStream {
        let shared = Shared::new();
        let stream = LogStream::new(self.id(), &shared);
        let (tell, events) = unbounded_channel();
        let catching = Catching {
            node: self.clone(),
            shared,
            wanted: wanted.into(),
            nodes: BTreeMap::new(),
            retries: BTreeSet::new(),
            last_number: 0,
            tell,
        };
        let watch = Watch::new(self, LISTENERS);
        self.scheduler().spawn(catching.run(watch, events));
        stream
    }
}

/// Ready at that time; never, if there is none. A runtime without a clock is not asked for one.
async fn until(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => pending().await,
    }
}

/// News about another node.
enum News {
    Up(NodeId),
    /// The connection to it was lost or could not be made, as the monitor of this number reports.
    Lost(NodeId, u64),
}

/// The state of the task.
struct Catching {
    node: Node,
    shared: Arc<Shared>,
    wanted: CatchLogs,
    nodes: BTreeMap<NodeId, Caught>,
    /// The nodes that wait, by the time of their next attempt.
    retries: BTreeSet<(Instant, NodeId)>,
    last_number: u64,
    tell: UnboundedSender<News>,
}

/// A node whose lines are wanted.
enum Caught {
    /// It has been asked to send its lines to the port.
    Asked {
        number: u64,
        port: PortId,
        /// Reports the loss of the node.
        _monitor: Monitor,
        /// The pause before the next attempt, if this one fails.
        pause: Duration,
    },
    /// It is lost. It is asked again at the time, or when it is up.
    Lost {
        again: Instant,
        since: Instant,
        pause: Duration,
    },
    /// It has no address, and is asked when it is up.
    Unreachable,
}

impl Drop for Catching {
    /// However the task ends.
    fn drop(&mut self) {
        for node in std::mem::take(&mut self.nodes).into_values() {
            self.release(&node);
        }
        self.shared.close();
    }
}

impl Catching {
    async fn run(mut self, mut watch: Watch<Value>, mut news: UnboundedReceiver<News>) {
        let tell = self.tell.clone();
        let _observer = self.node.mon_nodes(move |node, up, _| {
            if up {
                let _ = tell.send(News::Up(node.clone()));
            }
        });
        loop {
            let next = self.retries.first().map(|(at, _)| *at);
            let shared = Arc::clone(&self.shared);
            tokio::select! {
                biased;
                () = shared.left() => return,
                Some(news) = news.recv() => self.receive(news),
                event = watch.next() => match event {
                    Some(event) => self.change(event),
                    None => return,
                },
                () = until(next) => self.retry(),
            }
        }
    }

    fn change(&mut self, event: FamilyEvent<Value>) {
        let changes = match event {
            FamilyEvent::All(contents) => {
                let gone = self.nodes.keys().map(|node| node.as_str().to_owned());
                let gone: Vec<_> = gone
                    .filter(|node| !contents.entries.contains_key(node))
                    .collect();
                self.forget(gone);
                contents.entries.into_iter().collect::<Vec<_>>()
            }
            FamilyEvent::Changes(changes) => {
                self.forget(changes.deleted);
                changes.added.into_iter().chain(changes.changed).collect()
            }
        };
        for (node, addresses) in changes {
            self.learn(&node, &addresses);
        }
    }

    fn forget(&mut self, nodes: impl IntoIterator<Item = String>) {
        for node in nodes {
            let Ok(node) = NodeId::new(&*node) else {
                continue;
            };
            if let Some(caught) = self.nodes.remove(&node) {
                if let Caught::Lost { again, .. } = caught {
                    self.retries.remove(&(again, node));
                }
                self.release(&caught);
            }
        }
    }

    /// Kills the port of a node, so that the node sends no more lines.
    fn release(&self, caught: &Caught) {
        if let Caught::Asked { port, .. } = caught {
            self.node.kil(port, ());
        }
    }

    /// A node is part of the network, at these addresses.
    fn learn(&mut self, node: &str, addresses: &Value) {
        let Ok(node) = NodeId::new(node) else { return };
        if node == *self.node.id() || !self.wanted.includes(&node) {
            return;
        }
        match self.nodes.get(&node) {
            Some(Caught::Asked { .. } | Caught::Lost { .. }) => return,
            Some(Caught::Unreachable) | None => {}
        }
        let is_up = self.node.node_is_up(node.as_str()) == Some(true);
        if is_up || addresses.as_array().is_some_and(|all| !all.is_empty()) {
            self.ask(node, self.wanted.since, PAUSE);
        } else {
            self.nodes.insert(node, Caught::Unreachable);
        }
    }

    fn receive(&mut self, news: News) {
        match news {
            News::Up(node) => match self.nodes.get(&node) {
                Some(Caught::Lost { .. }) => self.again(node, PAUSE),
                Some(Caught::Unreachable) => self.ask(node, self.wanted.since, PAUSE),
                Some(Caught::Asked { .. }) | None => {}
            },
            News::Lost(node, lost) => {
                let Some(Caught::Asked { number, pause, .. }) = self.nodes.get(&node) else {
                    return;
                };
                // A report about a port before this one is of no interest.
                if *number != lost {
                    return;
                }
                let (pause, since) = (*pause, Instant::now());
                let again = since + pause;
                self.retries.insert((again, node.clone()));
                let lost = Caught::Lost {
                    again,
                    since,
                    pause,
                };
                if let Some(asked) = self.nodes.insert(node, lost) {
                    self.release(&asked);
                }
            }
        }
    }

    /// Asks the nodes again whose time has come.
    fn retry(&mut self) {
        let now = Instant::now();
        while let Some((at, node)) = self.retries.first().cloned() {
            if at > now {
                return;
            }
            let pause = match self.nodes.get(&node) {
                Some(Caught::Lost { pause, .. }) => (*pause * 2).min(LONGEST_PAUSE),
                _ => PAUSE,
            };
            self.again(node, pause);
        }
    }

    /// Asks a lost node again, for its lines since the loss.
    fn again(&mut self, node: NodeId, pause: Duration) {
        if let Some(Caught::Lost { again, since, .. }) = self.nodes.get(&node) {
            self.retries.remove(&(*again, node.clone()));
            self.ask(node, since.elapsed(), pause);
        }
    }

    fn ask(&mut self, node: NodeId, since: Duration, pause: Duration) {
        self.last_number += 1;
        let number = self.last_number;
        let (shared, of) = (Arc::clone(&self.shared), node.clone());
        let port = self.node.untyped(move |cx: &mut Cx<'_>, message: Args| {
            if !shared.take(&of, &message) {
                let text = format_args!("{of} sends lines of a log that are none");
                cx.node().complain(&of, text);
            }
        });
        let port = port.id();
        let mut args = args![0, port.as_str(), u64::from(self.wanted.level.number())];
        if !since.is_zero() {
            // Only nodes of this project know this argument.
            args.push(since.as_secs_f64().into());
        }
        self.node.snd_to_func(node.as_str(), CONNECT, args);
        let (tell, lost) = (self.tell.clone(), node.clone());
        let monitor = self.node.mon(&PortId::from(node.clone()), move |_| {
            let _ = tell.send(News::Lost(lost, number));
        });
        let asked = Caught::Asked {
            number,
            port,
            _monitor: monitor,
            pause,
        };
        self.nodes.insert(node, asked);
    }
}
