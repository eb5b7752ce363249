//! The contents of each table.

mod activity;

use std::collections::BTreeMap;

use aemp::{
    inspect::{ConnectionInfo, Direction, PortInfo, Role},
    logs::{LogLevel, LogLine},
};

use self::activity::{CALLS, HANDLERS, TYPES, WAITS};
pub(crate) use self::activity::{Kind, without};
use super::{
    network::{Link, Network, Rate, Seen},
    tab::Tab,
    table::{Cell, Column, Mark, Row, Table, Width, number, text},
    text::{count, short, since},
    tree::{self, TREE},
};
use crate::stamp::time;

const NODES: &[Column] = &[
    text("NODE", Width::Rest(12)),
    text("ROLE", Width::Rest(14)).spare(1),
    text("PROVIDER", Width::Fixed(14)).spare(7),
    number("UP", 7).spare(6),
    number("MEM", 6).spare(5),
    number("PORTS", 9),
    number("WAITING", 8),
    number("DIED", 6).spare(8),
    number("RESTARTS", 8).spare(9),
    number("CONNS", 6).spare(4),
    number("MSG/s IN", 9),
    number("OUT", 6),
    number("B/s IN", 7).spare(3),
    number("OUT", 6).spare(2),
    number("QUEUED", 7),
];

const CONNECTIONS: &[Column] = &[
    text("NODE", Width::Rest(9)),
    text("OTHER END", Width::Rest(9)),
    text("DIAL", Width::Fixed(4)).spare(7),
    text("ADDRESS", Width::Fixed(21)).spare(8),
    text("SENDS>RECEIVES", Width::Fixed(15)).spare(3),
    text("TLS", Width::Fixed(3)).spare(4),
    number("UP", 7).spare(5),
    number("MSG/s IN", 9),
    number("OUT", 6),
    number("B/s IN", 7).spare(2),
    number("OUT", 6).spare(1),
    number("QUEUED", 7),
    number("MONS", 6).spare(6),
];

const PORTS: &[Column] = &[
    text("PORT", Width::Rest(20)),
    text("TYPE", Width::Rest(20)),
    number("WAITING", 9),
    number("MONS", 6),
];

const FAMILIES: &[Column] = &[
    text("FAMILY", Width::Rest(20)),
    number("KEYS", 11),
    number("NODES", 7),
];

const LOGS: &[Column] = &[
    number("TIME (UTC)", 12),
    text("LEVEL", Width::Fixed(8)),
    text("NODE", Width::Rest(10)),
    text("TARGET", Width::Fixed(16)).spare(1),
    text("TEXT", Width::Rest(45)),
];

const KEYS: &[Column] = &[
    text("KEY", Width::Rest(20)),
    text("OWNER", Width::Rest(12)),
    text("VALUE", Width::Rest(30)),
];

/// The columns of a table.
pub fn columns(tab: Tab) -> &'static [Column] {
    match tab {
        Tab::Nodes => NODES,
        Tab::Connections => CONNECTIONS,
        Tab::Ports => PORTS,
        Tab::Types => TYPES,
        Tab::Handlers => HANDLERS,
        Tab::Calls => CALLS,
        Tab::Waits => WAITS,
        Tab::Families => FAMILIES,
        Tab::Tree => TREE,
        Tab::Logs => LOGS,
        Tab::Keys => KEYS,
    }
}

/// The rows of a table, for one node or for all.
pub fn table(network: &Network, tab: Tab, scope: Option<&str>) -> Table {
    let nodes = node_rows(network, scope);
    let rows = match tab {
        Tab::Nodes => nodes.map(|(id, seen)| node(id, seen)).collect(),
        Tab::Connections => nodes
            .flat_map(|(id, seen)| {
                seen.connections
                    .iter()
                    .map(move |link| connection(id, link, network.other_end(id, link)))
            })
            .collect(),
        Tab::Ports => nodes
            .flat_map(|(_, seen)| seen.ports.iter().flat_map(|ports| &ports.ports))
            .map(port)
            .collect(),
        Tab::Types => activity::types(network, scope),
        Tab::Handlers => activity::handlers(network, scope),
        Tab::Calls => activity::calls(network, scope),
        Tab::Waits => activity::waits(network),
        Tab::Families => families(nodes),
        Tab::Tree => tree::rows(nodes),
        Tab::Logs => logs(network, scope),
        Tab::Keys => keys(network, scope),
    };
    Table {
        columns: columns(tab),
        rows,
    }
}

/// The nodes that a table is about.
fn node_rows<'a>(
    network: &'a Network,
    scope: Option<&'a str>,
) -> impl Iterator<Item = (&'a String, &'a Seen)> {
    let nodes = network.nodes.iter();
    nodes.filter(move |(node, _)| scope.is_none_or(|scope| scope == *node))
}

/// The ports by type.
pub(crate) fn kinds<'a>(network: &'a Network, scope: Option<&'a str>) -> BTreeMap<&'a str, Kind> {
    activity::kinds(node_rows(network, scope))
}

fn counted(n: u64) -> Cell {
    Cell::number(n as f64, count(n))
}

fn amount(n: f64) -> Cell {
    Cell::number(n, short(n))
}

fn lasting(seconds: f64) -> Cell {
    Cell::number(seconds, since(seconds))
}

fn rates(known: bool, received: Rate, sent: Rate) -> [Cell; 4] {
    let rates = [received.packets, sent.packets, received.bytes, sent.bytes];
    rates.map(|rate| if known { amount(rate) } else { Cell::none() })
}

fn node(id: &str, seen: &Seen) -> Row {
    let info = seen.info.as_ref();
    let known = info.is_some();
    let counts = seen.activity.last();
    let mut cells = vec![
        Cell::text(id),
        Cell::text(role(seen)),
        Cell::text(seen.provider.as_deref().unwrap_or("-")),
        Cell::maybe(info.map(|info| lasting(info.uptime))),
        Cell::maybe(
            info.and_then(|info| info.memory)
                .map(|bytes| amount(bytes as f64)),
        ),
        Cell::maybe(info.map(|info| counted(info.ports))),
        Cell::maybe(seen.ports.as_ref().map(|ports| counted(ports.queued))),
        Cell::maybe(counts.map(|_| counted(seen.activity.died()))),
        Cell::maybe(counts.map(|counts| counted(counts.restarts))),
        counted(seen.connections.len() as u64),
    ];
    cells.extend(rates(known, seen.received(), seen.sent()));
    cells.push(if known {
        amount(seen.queued_bytes() as f64)
    } else {
        Cell::none()
    });
    let waiting = seen.ports.as_ref().is_some_and(|ports| ports.queued > 0);
    let mark = match seen {
        _ if seen.failure.is_some() => Mark::Bad,
        _ if !known => Mark::Dim,
        _ if waiting || seen.queued_bytes() > 0 => Mark::Busy,
        _ => Mark::None,
    };
    Row {
        key: id.into(),
        cells,
        mark,
    }
}

/// A node's role, or the reason why it is unknown.
fn role(seen: &Seen) -> String {
    if let Some(failure) = &seen.failure {
        return failure.clone();
    }
    let Some(info) = &seen.info else {
        return match (&seen.part.master, seen.part.global) {
            (Some(master), _) => format!("slave of {master}"),
            (None, Some(true)) => "global".into(),
            (None, Some(false)) => "not global".into(),
            (None, None) => "-".into(),
        };
    };
    match (info.role, &info.master) {
        (Some(Role::Slave), Some(master)) => format!("slave of {master}"),
        (Some(Role::Slave), None) => "slave".into(),
        (Some(Role::Global), _) => "global".into(),
        (Some(Role::Searching), _) => "searching".into(),
        (Some(Role::Alone), _) => "alone".into(),
        _ => "-".into(),
    }
}

/// One end of a connection. If this end has no inspection, the report of the other end is used.
fn connection(id: &str, link: &Link, other_end: Option<&ConnectionInfo>) -> Row {
    let Link { info, full, .. } = link;
    let (formats, told) = match other_end {
        Some(told) if !full => (formats(&told.format_in, &told.format_out), Some(told)),
        _ => (
            formats(&info.format_out, &info.format_in),
            full.then_some(info),
        ),
    };
    let tls = |told: &ConnectionInfo| if told.tls.is_some() { "yes" } else { "no" };
    let mut cells = vec![
        Cell::text(id),
        Cell::text(&info.node),
        Cell::text(match info.direction {
            Some(Direction::In) => "in",
            Some(Direction::Out) => "out",
            _ => "-",
        }),
        Cell::text(info.address.as_deref().unwrap_or("-")),
        Cell::text(formats),
        Cell::maybe(told.map(|told| Cell::text(tls(told)))),
        Cell::maybe(told.map(|told| lasting(told.up))),
    ];
    cells.extend(rates(*full, link.received, link.sent));
    cells.push(Cell::maybe(full.then(|| amount(info.queued as f64))));
    cells.push(Cell::maybe(full.then(|| counted(info.monitors))));
    let mark = match () {
        () if !full => Mark::Dim,
        () if info.queued > 0 => Mark::Busy,
        () => Mark::None,
    };
    Row {
        key: format!("{id} {}", info.node),
        cells,
        mark,
    }
}

/// The format in which this end sends, followed by the format in which it receives if that differs.
fn formats(sends: &Option<String>, receives: &Option<String>) -> String {
    let [sends, receives] = [sends, receives].map(|format| format.as_deref().unwrap_or("-"));
    match sends == receives {
        true => sends.into(),
        false => format!("{sends}>{receives}"),
    }
}

fn port(port: &PortInfo) -> Row {
    Row {
        key: port.id.clone(),
        cells: vec![
            Cell::text(&port.id),
            Cell::text(&port.kind),
            counted(port.queued),
            counted(port.monitors),
        ],
        mark: busy(port.queued),
    }
}

fn busy(queued: u64) -> Mark {
    if queued > 0 { Mark::Busy } else { Mark::None }
}

/// The families, with the largest number that any node reports: a global node knows all keys, others only their own.
fn families<'a>(nodes: impl Iterator<Item = (&'a String, &'a Seen)>) -> Vec<Row> {
    let mut families = BTreeMap::<&str, (u64, u64)>::new();
    for info in nodes.flat_map(|(_, seen)| &seen.families) {
        let (keys, nodes) = families.entry(&info.name).or_default();
        *keys = info.keys.max(*keys);
        *nodes += 1;
    }
    let row = |(name, (keys, nodes)): (&str, (u64, u64))| Row {
        key: name.into(),
        cells: vec![Cell::text(name), counted(keys), counted(nodes)],
        mark: Mark::None,
    };
    families.into_iter().map(row).collect()
}

/// The lines of the log, the last ones first.
fn logs(network: &Network, scope: Option<&str>) -> Vec<Row> {
    let lines = network.logs.lines.iter().rev();
    let lines = lines.filter(|(_, line)| scope.is_none_or(|node| line.node.as_str() == node));
    let row = |(number, line): &(u64, LogLine)| {
        let stamp = time(line.time);
        let stamp = stamp.get(11..23).unwrap_or(&stamp).to_owned();
        Row {
            key: format!("{:020} {}", u64::MAX - number, line.node),
            cells: vec![
                Cell::number(line.time, stamp),
                Cell::text(line.level),
                Cell::text(&line.node),
                Cell::text(&line.target),
                Cell::text(&line.text),
            ],
            mark: match line.level {
                LogLevel::Warn => Mark::Busy,
                LogLevel::Note | LogLevel::Info => Mark::None,
                LogLevel::Debug | LogLevel::Trace => Mark::Dim,
                _ => Mark::Bad,
            },
        }
    };
    lines.map(row).collect()
}

fn keys(network: &Network, family: Option<&str>) -> Vec<Row> {
    let opened = family.and_then(|family| network.opened.get(family));
    let row = |key: &str, owner: &str, value: &str, mark| Row {
        key: key.into(),
        cells: vec![Cell::text(key), Cell::text(owner), Cell::text(value)],
        mark,
    };
    match opened.map(|family| &family.entries) {
        None => Vec::new(),
        Some(Ok(entries)) => {
            let rows = entries.iter().map(|(key, entry)| {
                let owner = entry.owner.as_deref().unwrap_or("-");
                row(key, owner, &entry.value, Mark::None)
            });
            rows.collect()
        }
        Some(Err(failure)) => vec![row("-", "-", failure, Mark::Bad)],
    }
}
