//! The live part of each page.

mod calls;
mod port;
mod ports;

use std::collections::BTreeMap;

use aemp::{
    inspect::{DeathInfo, NodeInfo, SeedInfo},
    logs::LogLevel,
};
use maud::{Markup, html};

use super::{
    history::Change,
    html::{curves, facts, plain, table},
    page::{Page, Request},
    picture::Picture,
    watch::State,
};
use crate::{
    network::{Network, Seen},
    rows,
    tab::Tab,
    table::{Cell, Column, Mark, Row, Table, Width, number, text},
    text::{count, short, shown, since},
    topology::graph::Graph,
};

/// The number of changes that are shown.
const CHANGES: usize = 30;
/// The number of functions that are shown.
const FUNCTIONS: usize = 200;

/// The number of nodes without counts that are shown.
const UNCOUNTED: usize = 50;

/// The columns of the last deaths.
const DEATHS: &[Column] = &[
    number("AGO", 7),
    text("TYPE", Width::Rest(20)),
    text("REASON", Width::Rest(30)),
    text("PORT", Width::Rest(20)).spare(1),
];

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
        Page::Node(id) => node(request, state, id, actions),
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

fn node(request: &Request, state: &State, id: &str, actions: Actions) -> Markup {
    let network = &state.network;
    let about = |change: &&Change| change.kind.nodes().contains(&Some(id));
    let Some(seen) = network.nodes.get(id) else {
        return unknown("node", id);
    };
    html! {
        (unanswered(seen))
        @match &seen.info {
            Some(info) => (details(seen, info)),
            None => (facts([("implementation", html! { (shown(seen.provider.as_deref().unwrap_or("unknown"))) })])),
        }
        (table(request, rows::table(network, Tab::Connections, Some(id)), "Connections", connection_link))
        (plain(rows::table(network, Tab::Types, Some(id)), "Types of ports", |_, _| None))
        (plain(rows::table(network, Tab::Handlers, Some(id)), "Handlers", |_, _| None))
        (plain(rows::table(network, Tab::Calls, Some(id)), "Calls that this node makes", |_, _| None))
        (plain(rows::table(network, Tab::Ports, Some(id)), "The longest queues", ports::link))
        (uncounted(network, Some(id)))
        (deaths(state, seen))
        (functions(seen))
        @if actions == Actions::On { (forms(id, seen)) }
        (changes(state, state.history.changes().filter(about)))
    }
}

/// The last deaths, the last one first.
fn deaths(state: &State, seen: &Seen) -> Markup {
    let Some(deaths) = &seen.deaths else {
        return html! {};
    };
    let (deaths, at) = match deaths {
        Ok(deaths) => deaths,
        Err(why) => return html! { h2 { "Deaths" } p.dim { (shown(why)) } },
    };
    let row = |death: &DeathInfo| {
        let ago = state.now - at + death.ago;
        Row {
            key: death.port.clone(),
            cells: vec![
                Cell::number(-ago, since(ago)),
                Cell::text(&death.kind),
                Cell::text(&death.reason),
                Cell::text(&death.port),
            ],
            mark: Mark::None,
        }
    };
    let table = Table {
        columns: DEATHS,
        rows: deaths.deaths.iter().map(row).collect(),
    };
    html! {
        @if !table.rows.is_empty() {
            (plain(table, "The last ports that died of a reason", |row, at| {
                (at == 3).then(|| Page::Port(row.key.clone()))
            }))
        }
    }
}

fn functions(seen: &Seen) -> Markup {
    let Some(functions) = &seen.functions else {
        return html! {};
    };
    html! {
        h2 { "Functions for other nodes" }
        @match functions {
            Err(why) => p.dim { (shown(why)) },
            Ok(functions) => {
                ul.functions {
                    @for init in functions.init.iter().take(FUNCTIONS) {
                        li {
                            code { (shown(&init.name)) } " "
                            @if !init.signature.is_empty() { code.dim { (shown(&init.signature)) } }
                        }
                    }
                }
                @let callable: Vec<&str> = functions.callable.iter().take(FUNCTIONS).map(String::as_str).collect();
                @if !callable.is_empty() { p { "Can be called: " code { (shown(callable.join(" "))) } } }
            }
        }
    }
}

/// The actions of a node.
fn forms(id: &str, seen: &Seen) -> Markup {
    let functions = seen
        .functions
        .as_ref()
        .and_then(|known| known.as_ref().ok());
    html! {
        h2 { "Actions" }
        form.tools method="post" action="/spawn" {
            input type="hidden" name="node" value=(id);
            label for="function" { "Function" }
            input #function name="function" list="functions" required;
            datalist #functions {
                @for init in functions.iter().flat_map(|known| &known.init).take(FUNCTIONS) { option value=(init.name) {} }
            }
            label for="arguments" { "Arguments" }
            input #arguments name="arguments" placeholder="[1, \"text\"]";
            button { "Spawn a port" }
        }
        form.tools method="post" action="/stop" {
            input type="hidden" name="node" value=(id);
            button.danger { "Stop this node" }
            span.dim { "Its ports handle their queues first, ten seconds at most." }
        }
    }
}

fn details(seen: &Seen, info: &NodeInfo) -> Markup {
    let memory = match info.memory {
        Some(bytes) => format!("{}B", short(bytes as f64)),
        None => "unknown".into(),
    };
    let role = match (&info.role, &info.master) {
        (Some(role), Some(master)) => html! {
            (format!("{role:?}").to_lowercase()) " of "
            a href=(Page::Node(master.clone()).href()) { (shown(master)) }
        },
        (Some(role), None) => html! { (format!("{role:?}").to_lowercase()) },
        (None, _) => html! { "unknown" },
    };
    let (received, sent, counts) = (seen.received(), seen.sent(), seen.activity.last());
    let unknown = || "unknown".to_owned();
    let rate = |rate: crate::network::Rate| {
        html! { (short(rate.packets)) " messages/s, " (short(rate.bytes)) "B/s" }
    };
    html! {
        (facts([
            ("role", role),
            ("implementation", html! { (shown(&info.provider)) }),
            ("version", html! { (shown(&info.version)) }),
            ("up", html! { (since(info.uptime)) }),
            ("memory", html! { (memory) }),
            ("process", html! { (info.process) ", " (shown(&info.os)) }),
            ("ports", html! { (count(info.ports)) }),
            ("deaths", html! { (counts.map_or_else(unknown, |_| count(seen.activity.died()))) }),
            ("restarts", html! { (counts.map_or_else(unknown, |counts| count(counts.restarts))) }),
            ("limits reached", html! { (counts.map_or_else(unknown, |counts| limits(&counts.limits))) }),
            ("slow handlers", html! { (counts.map_or_else(unknown, |counts| count(counts.slow))) }),
            ("receives", rate(received)),
            ("sends", rate(sent)),
            ("queued for connections", html! { (short(seen.queued_bytes() as f64)) "B" }),
            ("listens on", html! { (shown(info.listeners.join(" "))) }),
            ("secure mode", html! { (if info.secure { "yes" } else { "no" }) }),
        ]))
        @if !info.seeds.is_empty() {
            h2 { "Seeds" }
            ul { @for seed in &info.seeds { (self::seed(seed)) } }
        }
    }
}

/// The limits that were reached, with how often.
fn limits(limits: &BTreeMap<String, u64>) -> String {
    if limits.is_empty() {
        return "none".into();
    }
    let limits = limits
        .iter()
        .map(|(limit, times)| format!("{limit}: {}", count(*times)));
    shown(limits.collect::<Vec<_>>().join(", "))
}

fn seed(seed: &SeedInfo) -> Markup {
    html! {
        li class=[(!seed.connected).then_some("bad")] {
            code { (shown(&seed.address)) } " "
            @if let Some(node) = &seed.node { a href=(Page::Node(node.clone()).href()) { (shown(node)) } " " }
            @match (&seed.failure, seed.connected) {
                (_, true) => "connected",
                (Some(failure), false) => { "not connected: " (shown(&failure.text)) }
                (None, false) => "not connected",
            }
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
