//! The page of all ports: types with their activity, queues, and waits.

use aemp::inspect::RunningInfo;
use maud::{Markup, html};

use super::uncounted;
use crate::{
    network::Network,
    observer::{
        html::{plain, table},
        page::{Page, Request},
    },
    rows,
    tab::Tab,
    table::{Cell, Column, Mark, Row, Table, Width, number, text},
    text::{count, lapse},
};

/// The time from which on a handler on a worker is marked as stuck, in seconds.
const STUCK: f64 = 1.0;

/// The columns of running handlers.
const RUNNING: &[Column] = &[
    number("FOR", 7),
    text("PORT", Width::Rest(20)),
    text("TYPE", Width::Rest(20)),
    text("HANDLER", Width::Rest(12)),
    text("THREAD", Width::Fixed(8)).spare(1),
];

/// The page of all ports.
pub(super) fn view(request: &Request, network: &Network) -> Markup {
    let waits = rows::table(network, Tab::Waits, None);
    let circles = waits
        .rows
        .iter()
        .filter_map(|row| row.cells.first()?.text.parse::<u64>().ok());
    let circles = circles.max().unwrap_or(0);
    html! {
        @if circles > 0 {
            p.notice.bad role="status" {
                (count(circles)) @if circles == 1 { " circle" } @else { " circles" }
                " of handlers that wait for each other. " a href="#waits" { "See below." }
            }
        }
        (plain(rows::table(network, Tab::Types, None), "Types", |_, _| None))
        (plain(rows::table(network, Tab::Handlers, None), "Handlers", |_, _| None))
        (table(request, rows::table(network, Tab::Ports, None), "The longest queues of each node", link))
        (running(network, None))
        div #waits {
            (plain(waits, "Waiting ports", |row, at| {
                let port = row.cells.get(at).filter(|_| [1, 4].contains(&at))?;
                // Several ports are no link.
                (!port.text.contains(' ')).then(|| Page::Port(port.text.clone()))
            }))
            p.dim { "Async handlers that wait for calls. In a circle, each waits for the next: it ends only if a call has a time limit." }
        }
        (uncounted(network, None))
    }
}

/// The handlers that keep a thread, if there are any.
pub(super) fn running(network: &Network, node: Option<&str>) -> Markup {
    let running = network.running();
    let running = running.filter(|(on, _)| node.is_none_or(|node| node == *on));
    let row = |(on, of): (&str, &RunningInfo)| Row {
        key: of.port.clone(),
        cells: vec![
            Cell::number(of.time, lapse(of.time)),
            Cell::text(if of.port.is_empty() { on } else { &of.port }),
            Cell::text(&of.kind),
            Cell::text(&of.handler),
            Cell::text(if of.blocking { "its own" } else { "a worker" }),
        ],
        mark: match of.time {
            STUCK.. if !of.blocking => Mark::Bad,
            _ => Mark::Busy,
        },
    };
    let table = Table {
        columns: RUNNING,
        rows: running.map(row).collect(),
    };
    html! {
        @if !table.rows.is_empty() {
            (plain(table, "Busy and stuck ports: handlers that keep a thread", |row, at| {
                (at == 1 && !row.key.is_empty()).then(|| Page::Port(row.key.clone()))
            }))
        }
    }
}

/// The page behind a cell of a table of ports.
pub(super) fn link(row: &Row, at: usize) -> Option<Page> {
    (at == 0).then(|| Page::Port(row.key.clone()))
}
