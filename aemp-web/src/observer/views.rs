//! The live part of each page.

mod calls;
mod node;
mod port;
mod ports;

use aemp::logs::LogLevel;
use maud::{Markup, html};

use super::{
    history::Change,
    html::{curves, table},
    page::{Page, Request},
    picture::Picture,
    watch::State,
};
use crate::{
    network::{Network, Seen},
    rows,
    tab::Tab,
    table::Row,
    text::{shown, since},
    topology::graph::Graph,
};

/// The number of changes that are shown.
const CHANGES: usize = 30;

/// The number of nodes without counts that are shown.
const UNCOUNTED: usize = 50;

/// The permission to act on nodes from a page, by buttons and forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Actions {
    Off,
    On,
}

/// The live part of a page.
pub(crate) fn view(request: &Request, state: &State, actions: Actions) -> Markup {
    let network = &state.network;
    match &request.page {
        Page::Network => overview(request, state),
        Page::Node(id) => node::one(request, state, id, actions),
        Page::Connections => table(
            request,
            rows::table(network, Tab::Connections, None),
            "Connections, by their ends",
            connection_link,
        ),
        Page::Ports => ports::view(request, network),
        Page::Calls => calls::view(request, state),
        Page::Trace(id) => calls::one(state, id),
        Page::Port(id) => port::one(request, state, id, actions),
        Page::Supervision => table(
            request,
            rows::table(network, Tab::Tree, None),
            "Supervisors and their children",
            |row, at| {
                let port = row
                    .cells
                    .get(5)
                    .filter(|port| [0, 5].contains(&at) && port.text != "-");
                port.map(|port| Page::Port(port.text.clone()))
            },
        ),
        Page::Database => table(
            request,
            rows::table(network, Tab::Families, None),
            "Families of the database",
            |row, at| (at == 0).then(|| Page::Family(row.key.clone())),
        ),
        Page::Family(name) => family(request, state, name),
        Page::Logs => logs(request, network),
    }
}

fn overview(request: &Request, state: &State) -> Markup {
    let State {
        network, history, ..
    } = state;
    let graph = Graph::of(network);
    let past = (request.ago > 0).then(|| history.picture(state.now, request.ago.into()));
    let past = past.flatten();
    html! {
        (curves(history, state.now))
        @match past {
            Some((ago, picture)) => {
                p.notice { "The topology of " (since(ago)) " ago. " a href="/" { "Now" } }
                (picture.render())
            }
            None => (Picture::new(&graph, network).render()),
        }
        (table(request, rows::table(network, Tab::Nodes, None), "Nodes", |row, at| {
            (at == 0).then(|| Page::Node(row.key.clone()))
        }))
        (changes(state, history.changes()))
    }
}

fn logs(request: &Request, network: &Network) -> Markup {
    let mut lines = rows::table(network, Tab::Logs, None);
    lines.rows.retain(|row| {
        let level = row.cells.get(1).and_then(|cell| cell.text.parse().ok());
        level.is_none_or(|level: LogLevel| level <= request.level)
    });
    let caption = format!("The log of the network, from level {} on", request.level);
    table(request, lines, &caption, |row, at| {
        let (_, node) = row.key.split_once(' ').filter(|_| at == 2)?;
        Some(Page::Node(node.into()))
    })
}

fn changes<'a>(state: &State, changes: impl Iterator<Item = &'a Change>) -> Markup {
    let changes: Vec<_> = changes.take(CHANGES).collect();
    html! {
        h2 { "Changes" }
        @if changes.is_empty() { p.dim { "Nothing since the observer began." } }
        ul.changes {
            @for change in changes {
                li { span.dim { (since(state.now - change.at)) " ago" } " " (shown(&change.kind)) }
            }
        }
    }
}

fn connection_link(row: &Row, at: usize) -> Option<Page> {
    let (here, there) = row.key.split_once(' ')?;
    match at {
        0 => Some(Page::Node(here.into())),
        1 => Some(Page::Node(there.into())),
        _ => None,
    }
}

/// The reason why a node does not answer.
fn unanswered(seen: &Seen) -> Markup {
    html! {
        @if let Some(failure) = &seen.failure {
            p.notice.bad role="status" { "The node gives no answer: " (shown(failure)) }
        }
    }
}

/// A page about something that is not known.
fn unknown(kind: &str, id: &str) -> Markup {
    html! {
        p.notice role="status" {
            "There is no " (kind) " " code { (shown(id)) } " in the network now, or it has not answered yet."
        }
    }
}

/// The nodes that have no counts, as a list.
fn uncounted(network: &Network, scope: Option<&str>) -> Markup {
    let without: Vec<_> = rows::without(network, scope).take(UNCOUNTED).collect();
    html! {
        @if !without.is_empty() {
            h2 { "Without counts" }
            ul {
                @for (node, why) in without {
                    li { a href=(Page::Node(node.into()).href()) { (shown(node)) } " " span.dim { (shown(why)) } }
                }
            }
        }
    }
}

fn family(request: &Request, state: &State, name: &str) -> Markup {
    let network = &state.network;
    let opened = network.opened.get(name);
    let by = |owner: &Option<String>| owner.as_ref().map(|owner| format!(" by {owner}"));
    html! {
        (table(request, rows::table(network, Tab::Keys, Some(name)), "Keys and values", |row, at| {
            let owner = row.cells.get(1).filter(|owner| at == 1 && owner.text != "-");
            owner.map(|owner| Page::Node(owner.text.clone()))
        }))
        h2 { "Changes" }
        @match opened.filter(|family| !family.changes.is_empty()) {
            None => p.dim { "Nothing since the observer began." },
            Some(family) => ul.changes {
                @for turn in &family.changes {
                    li {
                        span.dim { (since(state.now - turn.at)) " ago" } " " code { (shown(&turn.key)) }
                        @match (&turn.before, &turn.now) {
                            (Some(before), None) => { " was deleted" @if let Some(by) = by(&before.owner) { ", set" (shown(by)) } },
                            (None, Some(now)) => { " was set to " code { (shown(&now.value)) } (shown(by(&now.owner).unwrap_or_default())) },
                            (_, now) => {
                                @let now = now.as_ref();
                                " changed to " code { (shown(now.map_or("", |now| &now.value))) }
                                (shown(now.and_then(|now| by(&now.owner)).unwrap_or_default()))
                            },
                        }
                    }
                }
            },
        }
    }
}
