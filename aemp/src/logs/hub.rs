//! The lines of one layer, on their way to catchers: a queue for each of them, and the history, under one lock.

use std::{
    cmp,
    collections::BTreeMap,
    sync::{
        Arc, MutexGuard,
        atomic::{AtomicU8, Ordering},
    },
};

use aemp_codec::{NodeId, PortId};
use tokio::sync::Notify;
use tracing::{Level, level_filters::LevelFilter};

use super::{LogLevel, line::now};
use crate::{
    guard,
    lock::Lock,
    passing::queue::{Bounds, Element, Next, Queue},
};

/// The bounds of the lines that wait for one catcher.
const WAITING: Bounds = Bounds {
    elements: 1024,
    bytes: 1 << 20,
};
/// The bound of the history, besides its number of lines.
const HISTORY_BYTES: usize = 1 << 20;
/// The number of ports of one node that may catch lines.
pub(super) const MOST_OF_NODE: usize = 16;
/// The number of ports of all nodes together.
pub(super) const MOST: usize = 256;

/// A line that is formatted, and has not been sent.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) time: f64,
    /// The node that has logged it; `None` for a line of the program.
    pub(super) by: Option<NodeId>,
    pub(super) level: LogLevel,
    pub(super) target: String,
    pub(super) text: String,
}

impl Element for Arc<Line> {
    fn bytes(&self) -> usize {
        self.target.len() + self.text.len()
    }
}

/// The lines of one layer.
#[derive(Debug)]
pub(super) struct Hub {
    /// The most detailed level that is wanted, for the filter, which is asked for each callsite: a number of
    /// [`number`].
    wanted: AtomicU8,
    lines: Lock<Lines>,
}

#[derive(Debug)]
struct Lines {
    catchers: Vec<Catcher>,
    last_id: u64,
    history: Option<History>,
}

#[derive(Debug)]
struct History {
    level: LogLevel,
    lines: Queue<Arc<Line>>,
}

/// A port of another node, and the lines for it.
#[derive(Debug)]
struct Catcher {
    id: u64,
    /// The node of this process that passes the lines on.
    of: NodeId,
    /// True for the first of the catchers of one port. Limits count these.
    is_first: bool,
    port: PortId,
    level: LogLevel,
    lines: Queue<Arc<Line>>,
    /// Notified when the first line comes.
    ready: Arc<Notify>,
}

/// The reason why no more ports are added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Full(pub(super) usize);

/// The answer to a request for lines.
#[derive(Debug)]
pub(super) enum Added {
    /// The lines of a port that is new.
    New(Source),
    /// The port gets lines already. It has another level now.
    Known,
}

impl Hub {
    /// A hub that keeps the last lines of a level, if `history` says so.
    pub(super) fn new(history: Option<(LogLevel, usize)>) -> Arc<Self> {
        let history = history.map(|(level, lines)| {
            let bytes = HISTORY_BYTES;
            let elements = lines;
            let lines = Queue::new(Bounds { elements, bytes });
            History { level, lines }
        });
        let lines = Lines {
            catchers: Vec::new(),
            last_id: 0,
            history,
        };
        let wanted = AtomicU8::new(number(lines.wanted()));
        let lines = Lock::new(lines);
        Arc::new(Self { wanted, lines })
    }

    fn lines(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock()
    }

    /// The most detailed level that a catcher or the history wants.
    pub(super) fn wanted(&self) -> LevelFilter {
        match self.wanted.load(Ordering::Relaxed) {
            0 => LevelFilter::OFF,
            1 => LevelFilter::ERROR,
            2 => LevelFilter::WARN,
            3 => LevelFilter::INFO,
            4 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }

    /// Adds a line for each catcher that wants it. No foreign code runs under the lock.
    pub(super) fn push(&self, line: Line) {
        let line = Arc::new(line);
        let mut woken = Vec::new();
        let mut lines = self.lines();
        let takers = lines.takers(&line);
        for (catcher, takes) in lines.catchers.iter_mut().zip(takers) {
            if !takes {
                continue;
            }
            if catcher.lines.is_empty() {
                woken.push(Arc::clone(&catcher.ready));
            }
            catcher.lines.push(Arc::clone(&line));
        }
        if let Some(history) = &mut lines.history
            && line.level <= history.level
        {
            history.lines.push(line);
        }
        drop(lines);
        for ready in woken {
            guard::shielded(|| ready.notify_one());
        }
    }

    /// Adds a port that gets the lines of this node and of the program from now on, and those of the last `since` seconds that the
    /// history has. A process may have several nodes: then a catching node gets the lines of the program from one of them.
    pub(super) fn add(
        self: &Arc<Self>,
        of: &NodeId,
        port: &PortId,
        level: LogLevel,
        since: f64,
    ) -> Result<Added, Full> {
        let mut lines = self.lines();
        let mut same = lines.catchers.iter_mut().filter(|it| it.port == *port);
        if let Some(catcher) = same.find(|it| it.of == *of) {
            catcher.level = level;
            drop(lines);
            self.tell_wanted();
            return Ok(Added::Known);
        }
        let is_first = lines.catchers.iter().all(|it| it.port != *port);
        if is_first {
            lines.check(&port.node_id())?;
        }
        lines.last_id += 1;
        let (id, ready) = (lines.last_id, Arc::new(Notify::new()));
        let mut catcher = Catcher {
            id,
            of: of.clone(),
            is_first,
            port: port.clone(),
            level,
            lines: Queue::new(WAITING),
            ready: Arc::clone(&ready),
        };
        let from = now() - since;
        let history = lines
            .history
            .iter()
            .flat_map(|history| history.lines.iter());
        let is_for = |line: &Line| match &line.by {
            Some(by) => by == of,
            None => lines.first_of(port.node()).is_none_or(|first| first == of),
        };
        let history = history.filter(|line| is_for(line));
        for line in history.filter(|line| line.time >= from && line.level <= level) {
            catcher.lines.push(Arc::clone(line));
        }
        lines.catchers.push(catcher);
        drop(lines);
        self.tell_wanted();
        let hub = Arc::clone(self);
        Ok(Added::New(Source { hub, id, ready }))
    }

    /// Makes the filter of the layer up to date. The caller holds no lock, because subscribers are asked again for each
    /// callsite.
    fn tell_wanted(&self) {
        let wanted = {
            // Under the lock, so that the last change is stored last.
            let lines = self.lines();
            let wanted = number(lines.wanted());
            self.wanted.swap(wanted, Ordering::Relaxed) != wanted
        };
        if wanted {
            guard::shielded(tracing::callsite::rebuild_interest_cache);
        }
    }
}

impl Lines {
    /// True for each catcher that gets the line. A node that catches from several nodes of this process may do that at one port, or at one
    /// for each. It gets a line of a node from that node, if it catches there, and all other lines from the node that it has asked first.
    fn takers(&self, line: &Line) -> Vec<bool> {
        let is_by = |catcher: &Catcher| line.by.as_ref() == Some(&catcher.of);
        let mut from = BTreeMap::new();
        for catcher in &self.catchers {
            let best = from.entry(catcher.port.node()).or_insert(catcher);
            let rank = |catcher: &Catcher| (!is_by(catcher), catcher.id);
            if rank(catcher) < rank(best) {
                *best = catcher;
            }
        }
        let takes = |catcher: &Catcher| {
            line.level <= catcher.level && from[catcher.port.node()].of == catcher.of
        };
        self.catchers.iter().map(takes).collect()
    }

    /// The node of this process that this other node has asked first.
    fn first_of(&self, reader: &str) -> Option<&NodeId> {
        let same = self.catchers.iter().filter(|it| it.port.node() == reader);
        same.min_by_key(|it| it.id).map(|it| &it.of)
    }

    fn wanted(&self) -> LevelFilter {
        let catchers = self.catchers.iter().map(|catcher| catcher.level.filter());
        let history = self.history.iter().map(|history| history.level.filter());
        catchers.chain(history).fold(LevelFilter::OFF, cmp::max)
    }

    fn check(&self, node: &NodeId) -> Result<(), Full> {
        let ports = || self.catchers.iter().filter(|catcher| catcher.is_first);
        let of_node = |catcher: &&Catcher| catcher.port.node() == node.as_str();
        let full = if ports().count() >= MOST {
            MOST
        } else if ports().filter(of_node).count() >= MOST_OF_NODE {
            MOST_OF_NODE
        } else {
            return Ok(());
        };
        Err(Full(full))
    }
}

/// The lines for one port. Dropping it ends them.
#[derive(Debug)]
pub(super) struct Source {
    hub: Arc<Hub>,
    id: u64,
    ready: Arc<Notify>,
}

impl Source {
    /// The next line, or the number of lines that were lost before it.
    pub(super) fn next(&self) -> Next<Arc<Line>> {
        let mut lines = self.hub.lines();
        let catcher = lines.catchers.iter_mut().find(|it| it.id == self.id);
        catcher.map_or(Next::Nothing, |catcher| catcher.lines.next())
    }

    /// Ready when there may be a line.
    pub(super) async fn ready(&self) {
        self.ready.notified().await;
    }

    /// The level that the port has asked for.
    pub(super) fn level(&self) -> LogLevel {
        let lines = self.hub.lines();
        let catcher = lines.catchers.iter().find(|it| it.id == self.id);
        catcher.map_or(LogLevel::Fatal, |catcher| catcher.level)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let mut lines = self.hub.lines();
        let place = lines.catchers.iter().position(|it| it.id == self.id);
        let catcher = place.map(|place| lines.catchers.swap_remove(place));
        if let Some(gone) = catcher.as_ref().filter(|catcher| catcher.is_first) {
            let mut others = lines.catchers.iter_mut();
            if let Some(next) = others.find(|it| it.port == gone.port) {
                next.is_first = true;
            }
        }
        drop(lines);
        self.hub.tell_wanted();
    }
}

/// A level as a number, for an atomic.
fn number(filter: LevelFilter) -> u8 {
    match filter.into_level() {
        None => 0,
        Some(Level::ERROR) => 1,
        Some(Level::WARN) => 2,
        Some(Level::INFO) => 3,
        Some(Level::DEBUG) => 4,
        Some(Level::TRACE) => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(id: &str) -> PortId {
        PortId::parse(id).unwrap()
    }

    fn node(id: &str) -> NodeId {
        NodeId::new(id).unwrap()
    }

    fn line(level: LogLevel, text: &str, age: f64) -> Line {
        Line {
            time: now() - age,
            by: None,
            level,
            target: "t".into(),
            text: text.into(),
        }
    }

    fn added(hub: &Arc<Hub>, id: &str, level: LogLevel, since: f64) -> Source {
        match hub.add(&node("here"), &port(id), level, since) {
            Ok(Added::New(source)) => source,
            other => panic!("{other:?}"),
        }
    }

    fn texts(source: &Source) -> Vec<String> {
        let next = || match source.next() {
            Next::One(line) => Some(line.text.clone()),
            Next::Lost(lost) => Some(lost.to_string()),
            Next::Nothing => None,
        };
        std::iter::from_fn(next).collect()
    }

    #[test]
    fn each_catcher_gets_the_lines_that_it_wants() {
        let hub = Hub::new(None);
        assert_eq!(hub.wanted(), LevelFilter::OFF);
        let (errors, all) = (
            added(&hub, "a#1", LogLevel::Error, 0.0),
            added(&hub, "a#2", LogLevel::Trace, 0.0),
        );
        assert_eq!(hub.wanted(), LevelFilter::TRACE);
        for (level, text) in [(LogLevel::Error, "e"), (LogLevel::Debug, "d")] {
            hub.push(line(level, text, 0.0));
        }
        assert_eq!(
            (texts(&errors), texts(&all)),
            (vec!["e".into()], vec!["e".into(), "d".into()])
        );
        drop(all);
        assert_eq!(hub.wanted(), LevelFilter::ERROR);
        assert!(matches!(
            hub.add(&node("here"), &port("a#1"), LogLevel::Info, 0.0),
            Ok(Added::Known)
        ));
        assert_eq!(
            (hub.wanted(), errors.level()),
            (LevelFilter::INFO, LogLevel::Info)
        );
        drop(errors);
        assert_eq!(hub.wanted(), LevelFilter::OFF);
    }

    #[test]
    fn a_slow_catcher_loses_the_oldest() {
        let hub = Hub::new(None);
        let source = added(&hub, "a#1", LogLevel::Info, 0.0);
        for n in 0..WAITING.elements + 7 {
            hub.push(line(LogLevel::Info, &format!("line {n}"), 0.0));
        }
        let texts = texts(&source);
        assert_eq!(texts[..2], ["7", "line 7"]);
        assert_eq!(texts.len(), WAITING.elements + 1);
    }

    #[test]
    fn the_history_is_for_catchers_that_ask() {
        let hub = Hub::new(Some((LogLevel::Info, 3)));
        assert_eq!(hub.wanted(), LevelFilter::INFO);
        for (level, text, age) in [
            (LogLevel::Info, "lost", 50.0),
            (LogLevel::Warn, "old", 40.0),
            (LogLevel::Debug, "too detailed", 30.0),
            (LogLevel::Info, "info", 20.0),
            (LogLevel::Warn, "warning", 10.0),
        ] {
            hub.push(line(level, text, age));
        }
        let of = |id, level, since| texts(&added(&hub, id, level, since));
        assert_eq!(of("a#1", LogLevel::Trace, 0.0), Vec::<String>::new());
        assert_eq!(of("a#2", LogLevel::Trace, 25.0), ["info", "warning"]);
        assert_eq!(of("a#3", LogLevel::Warn, f64::INFINITY), ["old", "warning"]);
        assert_eq!(of("a#4", LogLevel::Warn, f64::NAN), Vec::<String>::new());
    }

    /// The nodes of one process have one hub.
    #[test]
    fn each_node_passes_its_own_lines_on() {
        let hub = Hub::new(Some((LogLevel::Info, 100)));
        let say = |by: Option<&str>, text: &str| {
            let by = by.map(node);
            let line = line(LogLevel::Info, text, 0.0);
            hub.push(Line { by, ..line });
        };
        say(Some("here"), "early");
        say(Some("there"), "early");
        say(None, "early program");
        let add = |of: &str, since| {
            let added = hub.add(&node(of), &port("a#1"), LogLevel::Info, since);
            let Ok(Added::New(source)) = added else {
                panic!("it is new")
            };
            source
        };
        let (here, there) = (add("here", 9.0), add("there", 9.0));
        assert_eq!(
            (texts(&here), texts(&there)),
            (
                vec!["early".into(), "early program".into()],
                vec!["early".into()]
            )
        );
        for by in [Some("here"), Some("there"), Some("other"), None] {
            say(by, by.unwrap_or("program"));
        }
        assert_eq!(texts(&here), ["here", "other", "program"]);
        assert_eq!(texts(&there), ["there"]);
        let again = hub.add(&node("there"), &port("a#1"), LogLevel::Info, 0.0);
        assert!(matches!(again, Ok(Added::Known)));
        // The program is heard as long as one of them passes lines on.
        drop(here);
        say(None, "program");
        assert_eq!(texts(&there), ["program"]);
    }

    /// A node of this project catches at a port for each node.
    #[test]
    fn a_catching_node_gets_each_line_once() {
        let hub = Hub::new(Some((LogLevel::Info, 100)));
        let say = |by: Option<&str>, text: &str| {
            let line = line(LogLevel::Info, text, 0.0);
            let by = by.map(node);
            hub.push(Line { by, ..line });
        };
        say(None, "early program");
        let add = |of: &str, to: &str| {
            let added = hub.add(&node(of), &port(to), LogLevel::Info, 9.0);
            let Ok(Added::New(source)) = added else {
                panic!("it is new")
            };
            source
        };
        let (here, there) = (add("here", "a#1"), add("there", "a#2"));
        let (again, other) = (add("here", "a#3"), add("there", "b#1"));
        for by in [Some("here"), Some("there"), Some("unasked"), None] {
            say(by, by.unwrap_or("program"));
        }
        let all = ["early program", "here", "unasked", "program"];
        // Another stream of the same node.
        assert_eq!(
            (texts(&here), texts(&again)),
            (
                all.map(str::to_owned).to_vec(),
                all.map(str::to_owned).to_vec()
            )
        );
        assert_eq!(texts(&there), ["there"]);
        assert_eq!(
            texts(&other),
            ["early program", "here", "there", "unasked", "program"]
        );
    }

    #[test]
    fn there_are_not_too_many_catchers() {
        let hub = Hub::new(None);
        let mut sources = Vec::new();
        for n in 0..MOST_OF_NODE {
            sources.push(added(&hub, &format!("a#{n}"), LogLevel::Info, 0.0));
        }
        let more = hub.add(&node("here"), &port("a#more"), LogLevel::Info, 0.0);
        assert_eq!(more.unwrap_err(), Full(MOST_OF_NODE));
        for n in MOST_OF_NODE..MOST {
            sources.push(added(&hub, &format!("n{n}#port"), LogLevel::Info, 0.0));
        }
        let more = hub.add(&node("here"), &port("b#more"), LogLevel::Info, 0.0);
        assert_eq!(more.unwrap_err(), Full(MOST));
        sources.pop();
        assert!(
            hub.add(&node("here"), &port("b#more"), LogLevel::Info, 0.0)
                .is_ok()
        );
    }
}
