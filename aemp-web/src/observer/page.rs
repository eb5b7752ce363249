//! The pages, their addresses, and the parameters of their requests.

use std::fmt::Write;

use aemp::logs::LogLevel;
use serde::Deserialize;

use super::demand::Thing;
use crate::{tab::Tab, table::Order};

/// The number of rows on a page.
pub(crate) const ROWS: usize = 100;
/// The level from which lines of the log are shown by default.
pub(crate) const LEVEL: LogLevel = LogLevel::Info;

/// A page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    /// The topology, curves, changes, and a table of nodes.
    Network,
    /// One node.
    Node(String),
    Connections,
    /// Types of ports, handlers, ports with the longest queues, and waits.
    Ports,
    /// Calls by type and handler.
    Calls,
    /// One sampled trace, by the ID of the trace.
    Trace(String),
    /// One port.
    Port(String),
    Supervision,
    Database,
    /// One family of the database.
    Family(String),
    Logs,
}

impl Page {
    /// The pages that the head of every page leads to.
    pub(crate) const HEAD: [Self; 7] = [
        Self::Network,
        Self::Connections,
        Self::Ports,
        Self::Calls,
        Self::Supervision,
        Self::Database,
        Self::Logs,
    ];

    /// The page with this name, about this node, port, family or trace.
    pub(crate) fn named(name: &str, id: Option<String>) -> Option<Self> {
        Some(match (name, id) {
            ("network", None) => Self::Network,
            ("connections", None) => Self::Connections,
            ("ports", None) => Self::Ports,
            ("calls", None) => Self::Calls,
            ("supervision", None) => Self::Supervision,
            ("database", None) => Self::Database,
            ("logs", None) => Self::Logs,
            ("node", Some(id)) => Self::Node(id),
            ("port", Some(id)) => Self::Port(id),
            ("family", Some(id)) => Self::Family(id),
            ("trace", Some(id)) => Self::Trace(id),
            _ => return None,
        })
    }

    /// The name in the address.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Node(_) => "node",
            Self::Connections => "connections",
            Self::Ports => "ports",
            Self::Port(_) => "port",
            Self::Calls => "calls",
            Self::Trace(_) => "trace",
            Self::Supervision => "supervision",
            Self::Database => "database",
            Self::Family(_) => "family",
            Self::Logs => "logs",
        }
    }

    /// The node, port, family or trace that it is about.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Node(id) | Self::Port(id) | Self::Family(id) | Self::Trace(id) => Some(id),
            _ => None,
        }
    }

    /// The page of the head to which it belongs.
    pub(crate) fn section(&self) -> Self {
        match self {
            Self::Node(_) => Self::Network,
            Self::Port(_) => Self::Ports,
            Self::Trace(_) => Self::Calls,
            Self::Family(_) => Self::Database,
            page => page.clone(),
        }
    }

    pub(crate) fn title(&self) -> String {
        match self {
            Self::Network => "Network".into(),
            Self::Connections => "Connections".into(),
            Self::Ports => "Ports".into(),
            Self::Calls => "Calls".into(),
            Self::Supervision => "Supervision".into(),
            Self::Database => "Database".into(),
            Self::Logs => "Logs".into(),
            Self::Node(id) => format!("Node {id}"),
            Self::Port(id) => format!("Port {id}"),
            Self::Family(id) => format!("Family {id}"),
            Self::Trace(id) => format!("Trace {id}"),
        }
    }

    /// The table that can be sorted, filtered, and shown page by page.
    pub(crate) fn tab(&self) -> Tab {
        match self {
            Self::Network => Tab::Nodes,
            Self::Node(_) | Self::Connections => Tab::Connections,
            Self::Ports | Self::Port(_) => Tab::Ports,
            Self::Calls | Self::Trace(_) => Tab::Calls,
            Self::Supervision => Tab::Tree,
            Self::Database => Tab::Families,
            Self::Family(_) => Tab::Keys,
            Self::Logs => Tab::Logs,
        }
    }

    /// The address.
    pub(crate) fn href(&self) -> String {
        match self.id() {
            Some(id) => format!("/{}?id={}", self.name(), escaped(id)),
            None if *self == Self::Network => "/".into(),
            None => format!("/{}", self.name()),
        }
    }
}

/// The parameters in the query of an address. Values of the wrong kind are errors, unknown names are ignored.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Query {
    id: Option<String>,
    /// The index of the column to sort by.
    sort: Option<usize>,
    /// Not empty for the opposite order.
    back: String,
    /// The words that a row must contain.
    q: String,
    /// The index of the first shown row.
    from: usize,
    /// The age of the picture of the topology, in seconds.
    ago: u32,
    /// The level from which lines of the log are shown.
    level: String,
    /// Not empty to show the messages of a port.
    tap: String,
}

impl Query {
    /// The query of the page about a node, port or family.
    pub(crate) fn about(id: &str) -> Self {
        Self {
            id: Some(id.into()),
            ..Self::default()
        }
    }
}

/// A request for a page.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) page: Page,
    pub(crate) order: Order,
    pub(crate) filter: String,
    pub(crate) from: usize,
    pub(crate) ago: u32,
    pub(crate) level: LogLevel,
    /// True if the messages of the port are to be shown.
    pub(crate) taps: bool,
}

impl Request {
    /// `None` if there is no such page.
    pub(crate) fn new(name: &str, query: Query) -> Option<Self> {
        let page = Page::named(name, query.id)?;
        let usual = page.tab().order();
        let columns = crate::rows::columns(page.tab()).len();
        let order = match query.sort.filter(|sort| *sort < columns) {
            Some(column) => Order {
                column,
                reversed: !query.back.is_empty(),
            },
            None => usual,
        };
        Some(Self {
            page,
            order,
            filter: query.q,
            from: query.from,
            ago: query.ago,
            level: query.level.parse().unwrap_or(LEVEL),
            taps: !query.tap.is_empty(),
        })
    }

    /// The things that must be collected for it.
    pub(crate) fn things(&self) -> Vec<Thing> {
        let mut things = vec![Thing::Nodes];
        match &self.page {
            Page::Supervision => things.push(Thing::Trees),
            Page::Port(id) => {
                things.extend([Thing::Trees, Thing::Port(id.clone())]);
                if self.taps {
                    things.push(Thing::Messages(id.clone()));
                }
            }
            Page::Ports => things.push(Thing::Waits),
            Page::Calls | Page::Trace(_) => things.push(Thing::Traces),
            Page::Logs => things.push(Thing::Logs(self.level)),
            Page::Node(id) => {
                things.extend([Thing::Functions(id.clone()), Thing::Deaths(id.clone())]);
            }
            Page::Family(id) => things.push(Thing::Family(id.clone())),
            _ => {}
        }
        things
    }

    /// The same request with the rows sorted by a column, in the other order if they are already sorted by it.
    pub(crate) fn sorted(&self, column: usize) -> Self {
        let reversed = self.order.column == column && !self.order.reversed;
        Self {
            order: Order { column, reversed },
            from: 0,
            ..self.clone()
        }
    }

    /// The same request from this row on.
    pub(crate) fn from(&self, row: usize) -> Self {
        Self {
            from: row,
            ..self.clone()
        }
    }

    /// The same request, with the messages of its port or without.
    pub(crate) fn tapping(&self, taps: bool) -> Self {
        Self {
            taps,
            ..self.clone()
        }
    }

    /// The address of the page.
    pub(crate) fn href(&self) -> String {
        self.address(&self.page.href())
    }

    /// The address of the page's events.
    pub(crate) fn live(&self) -> String {
        let path = format!("/live/{}", self.page.name());
        self.address(&match self.page.id() {
            Some(id) => format!("{path}?id={}", escaped(id)),
            None => path,
        })
    }

    fn address(&self, page: &str) -> String {
        let mut address = page.to_owned();
        let mut put = |name: &str, value: &str| {
            let sign = if address.contains('?') { '&' } else { '?' };
            let _ = write!(address, "{sign}{name}={}", escaped(value));
        };
        if self.order != self.page.tab().order() {
            put("sort", &self.order.column.to_string());
            if self.order.reversed {
                put("back", "1");
            }
        }
        if !self.filter.is_empty() {
            put("q", &self.filter);
        }
        if self.from > 0 {
            put("from", &self.from.to_string());
        }
        if self.ago > 0 {
            put("ago", &self.ago.to_string());
        }
        if self.level != LEVEL {
            put("level", &self.level.to_string());
        }
        if self.taps {
            put("tap", "1");
        }
        address
    }
}

/// A text as a value in the query of an address.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                safe.push(byte.into());
            }
            byte => {
                let _ = write!(safe, "%{byte:02X}");
            }
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &str, id: Option<&str>) -> Request {
        let query = id.map_or_else(Query::default, Query::about);
        Request::new(name, query).expect("a page")
    }

    #[test]
    fn every_page_has_an_address_of_its_own() {
        for page in Page::HEAD {
            let again = Page::named(page.name(), None);
            assert_eq!(again, Some(page));
        }
        let node = request("node", Some("a b/1#<&>"));
        assert_eq!(node.href(), "/node?id=a%20b/1%23%3C%26%3E");
        assert_eq!(node.live(), "/live/node?id=a%20b/1%23%3C%26%3E");
        assert_eq!(request("network", None).href(), "/");
        assert_eq!(Page::named("node", None), None);
        assert_eq!(Page::named("ports", Some("x".into())), None);
        assert_eq!(Page::named("passwd", None), None);
    }

    #[test]
    fn a_request_keeps_its_settings() {
        let ports = request("ports", None);
        assert_eq!(ports.href(), "/ports");
        assert_eq!(ports.sorted(2).href(), "/ports?sort=2&back=1");
        assert_eq!(ports.sorted(0).href(), "/ports?sort=0");
        assert_eq!(ports.sorted(0).sorted(0).href(), "/ports?sort=0&back=1");
        let filtered = Request {
            filter: "a&b".into(),
            ..ports
        };
        assert_eq!(filtered.from(100).href(), "/ports?q=a%26b&from=100");
        // Sorting begins at the first row again.
        assert_eq!(
            filtered.from(100).sorted(1).live(),
            "/live/ports?sort=1&q=a%26b"
        );
    }

    #[test]
    fn messages_are_followed_by_request_alone() {
        let port = request("port", Some("a#1"));
        let messages = Thing::Messages("a#1".into());
        assert!(!port.things().contains(&messages));
        let tapping = port.tapping(true);
        assert_eq!(tapping.live(), "/live/port?id=a%231&tap=1");
        assert!(tapping.things().contains(&messages));
        assert_eq!(tapping.tapping(false).href(), "/port?id=a%231");
        assert!(
            !request("ports", None)
                .tapping(true)
                .things()
                .contains(&messages)
        );
    }

    #[test]
    fn a_column_that_is_not_there_is_no_order() {
        let query = Query {
            sort: Some(99),
            ..Query::default()
        };
        let request = Request::new("ports", query).unwrap();
        assert_eq!(request.order, Tab::Ports.order());
    }
}
