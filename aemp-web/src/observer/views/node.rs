//! The page of one node.

use std::collections::BTreeMap;

use aemp::inspect::{Counts, DeathInfo, NodeInfo, SeedInfo};
use maud::{Markup, html};

use super::{Actions, changes, connection_link, ports, unanswered, uncounted, unknown};
use crate::{
    network::{Rate, Seen},
    observer::{
        history::Change,
        html::{facts, plain, table},
        page::{Page, Request},
        watch::State,
    },
    rows,
    tab::Tab,
    table::{Cell, Column, Mark, Row, Table, Width, number, text},
    text::{count, short, shown, since},
};

/// The number of functions that are shown.
const FUNCTIONS: usize = 200;

/// The columns of the last deaths.
const DEATHS: &[Column] = &[
    number("AGO", 7),
    text("TYPE", Width::Rest(20)),
    text("REASON", Width::Rest(30)),
    text("PORT", Width::Rest(20)).spare(1),
];

/// The page of one node.
pub(super) fn one(request: &Request, state: &State, id: &str, actions: Actions) -> Markup {
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
        (ports::running(network, Some(id)))
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
    let rate = |rate: Rate| {
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
            ("executor", html! { (counts.map_or_else(unknown, executor)) }),
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

/// The present work of the executor.
fn executor(counts: &Counts) -> String {
    let Some(executor) = &counts.executor else {
        return "unknown".into();
    };
    let [workers, busy, blocking, ready] = [
        executor.workers,
        executor.busy,
        executor.blocking,
        executor.ready,
    ]
    .map(count);
    let more = match executor.blocking {
        0 => String::new(),
        _ => format!(", {blocking} threads of blocking ports"),
    };
    format!("{busy} of {workers} workers busy, {ready} ports ready{more}")
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
