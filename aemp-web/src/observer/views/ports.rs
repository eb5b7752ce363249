//! The page of all ports: types with their activity, queues, and waits.

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
    table::Row,
    text::count,
};

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

/// The page behind a cell of a table of ports.
pub(super) fn link(row: &Row, at: usize) -> Option<Page> {
    (at == 0).then(|| Page::Port(row.key.clone()))
}
