//! The tables of the work of ports: by type, by handler, by call, and the waits.

use std::collections::BTreeMap;

use super::{counted, node_rows};
use crate::{
    activity::{Activity, Histogram, OfHandler, bare},
    network::{Network, Seen},
    table::{Cell, Column, Mark, Row, Width, number, text},
    text::{count, lapse, short},
};

pub(super) const TYPES: &[Column] = &[
    text("TYPE", Width::Rest(20)),
    number("PORTS", 9),
    number("WAITING", 8),
    number("NODES", 6).spare(2),
    number("MSG/s", 6),
    number("P50", 6).spare(1),
    number("P99", 6),
    number("DIED", 7),
    text("REASONS", Width::Rest(14)).spare(3),
];

pub(super) const HANDLERS: &[Column] = &[
    text("TYPE", Width::Rest(14)),
    text("HANDLER", Width::Rest(10)),
    number("MSG/s", 6),
    number("P50", 6),
    number("P99", 6),
    number("HANDLED", 11).spare(1),
];

pub(super) const CALLS: &[Column] = &[
    text("TYPE", Width::Rest(14)),
    text("HANDLER", Width::Rest(10)),
    number("CALLS/s", 7),
    number("P50", 6).spare(1),
    number("P99", 6),
    number("FAIL/s", 6),
    number("FAILED", 7),
    text("OUTCOMES", Width::Rest(14)).spare(2),
];

pub(super) const WAITS: &[Column] = &[
    number("CIRCLE", 6),
    text("PORT", Width::Rest(16)),
    text("TYPE", Width::Rest(14)).spare(1),
    text("HANDLER", Width::Rest(10)),
    text("WAITS FOR", Width::Rest(16)),
];

/// The ports of one type.
#[derive(Default)]
pub(crate) struct Kind {
    pub(crate) ports: u64,
    pub(crate) queued: u64,
    pub(crate) nodes: u64,
}

/// The ports by type. Generic types are one, because their activity is.
pub(crate) fn kinds<'a>(
    nodes: impl Iterator<Item = (&'a String, &'a Seen)>,
) -> BTreeMap<&'a str, Kind> {
    let mut types = BTreeMap::<&str, Kind>::new();
    for (_, seen) in nodes {
        let mut here = BTreeMap::<&str, [u64; 2]>::new();
        for info in seen.ports.iter().flat_map(|ports| &ports.types) {
            let [ports, queued] = here.entry(bare(&info.kind)).or_default();
            *ports = ports.saturating_add(info.count);
            *queued = queued.saturating_add(info.queued);
        }
        for (name, [ports, queued]) in here {
            let kind = types.entry(name).or_default();
            kind.ports = kind.ports.saturating_add(ports);
            kind.queued = kind.queued.saturating_add(queued);
            kind.nodes += 1;
        }
    }
    types
}

pub(super) fn types(network: &Network, scope: Option<&str>) -> Vec<Row> {
    let activity = network.activity(scope);
    let mut kinds = kinds(node_rows(network, scope));
    // The ports of a type may all have died.
    for name in activity.types.keys() {
        kinds.entry(name).or_default();
    }
    let row = |(name, kind): (&str, Kind)| {
        let of = activity.types.get(name);
        let messages = of.map(|of| of.messages());
        let times = messages.as_ref().map(|(_, times)| times);
        Row {
            key: name.into(),
            cells: vec![
                Cell::text(name),
                counted(kind.ports),
                counted(kind.queued),
                counted(kind.nodes),
                Cell::maybe(messages.as_ref().map(|(rate, _)| rated(*rate))),
                quantile(times, 0.5),
                quantile(times, 0.99),
                Cell::maybe(of.map(|of| counted(of.failed()))),
                Cell::text(of.map_or_else(|| "-".into(), |of| listed(&of.died))),
            ],
            mark: if kind.queued > 0 {
                Mark::Busy
            } else {
                Mark::None
            },
        }
    };
    kinds.into_iter().map(row).collect()
}

/// A row for each handler for which there is one.
fn by_handler(
    activity: &Activity,
    row: impl Fn(&OfHandler) -> Option<(Vec<Cell>, Mark)>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for (kind, of_type) in &activity.types {
        for (name, handler) in &of_type.handlers {
            let Some((more, mark)) = row(handler) else {
                continue;
            };
            let mut cells = vec![Cell::text(kind), Cell::text(name)];
            cells.extend(more);
            rows.push(Row {
                key: format!("{kind} {name}"),
                cells,
                mark,
            });
        }
    }
    rows
}

pub(super) fn handlers(network: &Network, scope: Option<&str>) -> Vec<Row> {
    by_handler(network.activity(scope), |of| {
        let times = Some(&of.times);
        let cells = vec![
            rated(of.rate),
            quantile(times, 0.5),
            quantile(times, 0.99),
            counted(of.handled),
        ];
        (of.handled > 0).then_some((cells, Mark::None))
    })
}

pub(super) fn calls(network: &Network, scope: Option<&str>) -> Vec<Row> {
    by_handler(network.activity(scope), |of| {
        let (calls, times) = (&of.calls, Some(&of.calls.times));
        let cells = vec![
            rated(calls.rate),
            quantile(times, 0.5),
            quantile(times, 0.99),
            rated(calls.failing),
            counted(calls.failed()),
            Cell::text(listed(&calls.ended)),
        ];
        let mark = match (calls.failing > 0.0, calls.failed() > 0) {
            (true, _) => Mark::Bad,
            (false, true) => Mark::Busy,
            (false, false) => Mark::None,
        };
        (!calls.ended.is_empty()).then_some((cells, mark))
    })
}

pub(super) fn waits(network: &Network) -> Vec<Row> {
    let circles = network.circles();
    let row = |wait: &crate::waits::Wait| {
        let info = &wait.info;
        let circle = circles.get(&*info.port);
        Row {
            key: info.port.clone(),
            cells: vec![
                Cell::maybe(circle.map(|circle| {
                    // The first circle is above the others, and all are above the rest.
                    Cell::number(-(*circle as f64), circle.to_string())
                })),
                Cell::text(&info.port),
                Cell::text(&info.kind),
                Cell::text(&info.handler),
                Cell::text(info.calls.join(" ")),
            ],
            mark: if circle.is_some() {
                Mark::Bad
            } else {
                Mark::None
            },
        }
    };
    network.waits().map(row).collect()
}

fn rated(rate: f64) -> Cell {
    Cell::number(rate, short(rate))
}

fn quantile(times: Option<&Histogram>, part: f64) -> Cell {
    let quantile = times.and_then(|times| times.quantile(part));
    Cell::maybe(quantile.map(|seconds| Cell::number(seconds, lapse(seconds))))
}

/// Counts by kind, the greatest first.
fn listed(counts: &BTreeMap<String, u64>) -> String {
    let mut counts: Vec<(&String, &u64)> = counts.iter().collect();
    counts.sort_by(|(a, of_a), (b, of_b)| (of_b, a).cmp(&(of_a, b)));
    let texts = counts
        .iter()
        .map(|(kind, n)| format!("{} {kind}", count(**n)));
    texts.collect::<Vec<_>>().join(", ")
}

/// The nodes whose activity is unknown, with the reasons.
pub(crate) fn without<'a>(
    network: &'a Network,
    scope: Option<&'a str>,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let nodes = node_rows(network, scope);
    nodes.filter_map(|(id, seen)| Some((&**id, seen.activity.failure.as_deref()?)))
}
