//! The pages of ports: all types with their activity, and one port.

use maud::{Markup, html};

use super::{Actions, uncounted, unknown};
use crate::{
    network::Network,
    observer::{
        html::{facts, plain, table},
        page::{Page, Request},
    },
    rows,
    tab::Tab,
    table::Row,
    text::{count, shown},
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

/// The page of one port.
pub(super) fn one(network: &Network, id: &str, actions: Actions) -> Markup {
    let node = id.split('#').next().unwrap_or(id);
    let Some(seen) = network.nodes.get(node) else {
        return unknown("node", node);
    };
    let mut listed = seen.ports.iter().flat_map(|ports| &ports.ports);
    let port = listed.find(|port| port.id == id);
    let supervisors = network.nodes.values().flat_map(|seen| &seen.supervisors);
    let mut children = supervisors.flat_map(|supervisor| {
        let children = supervisor.children.iter();
        children.map(move |child| (supervisor, child))
    });
    let child =
        children.find(|(_, child)| child.port.as_ref().is_some_and(|port| port.as_str() == id));
    let on = html! { a href=(Page::Node(node.into()).href()) { (shown(node)) } };
    html! {
        @match port {
            Some(port) => (facts([
                ("node", on),
                ("type", html! { (shown(&port.kind)) }),
                ("waiting messages", html! { (count(port.queued)) }),
                ("monitors", html! { (count(port.monitors)) }),
            ])),
            None => {
                (facts([("node", on)]))
                p.notice { "The port is not among those with the longest queues of its node, or it has ended." }
            }
        }
        @if let Some((supervisor, child)) = child {
            h2 { "Supervision" }
            (facts([
                ("supervisor", html! { a href=(Page::Port(supervisor.id.clone()).href()) { (shown(&supervisor.id)) } }),
                ("name", html! { (shown(&child.name)) }),
                ("restarts", html! { (count(child.restarts)) }),
                ("last end", html! { (shown(child.reason.as_ref().map_or_else(|| "none".into(), ToString::to_string))) }),
            ]))
        }
        p { "Its messages: " code { "aemp tap " (shown(id)) } }
        @if actions == Actions::On {
            form method="post" action="/kill" {
                input type="hidden" name="port" value=(id);
                button.danger { "Kill this port" }
            }
        }
    }
}
