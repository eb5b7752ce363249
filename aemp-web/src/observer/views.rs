//! The live part of each page.

use aemp::{
    inspect::{NodeInfo, SeedInfo},
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
    table::Row,
    text::{count, short, shown, since},
    topology::graph::Graph,
};

/// The number of changes that are shown.
const CHANGES: usize = 30;
/// The number of functions that are shown.
const FUNCTIONS: usize = 200;

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
        Page::Ports => ports(request, network),
        Page::Port(id) => port(network, id, actions),
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
        Page::Family(family) => table(
            request,
            rows::table(network, Tab::Keys, Some(family)),
            "Keys and values",
            |_, _| None,
        ),
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
        h2 { "What changed" }
        @if changes.is_empty() { p.dim { "Nothing, since somebody looks." } }
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

/// A page about something that is not known.
fn unknown(what: &str, id: &str) -> Markup {
    html! {
        p.notice role="status" {
            "There is no " (what) " " code { (shown(id)) } " in the network now, or it has not answered yet."
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
        @if let Some(failure) = &seen.failure {
            p.notice.bad role="status" { "The node gives no answer: " (shown(failure)) }
        }
        @match &seen.info {
            Some(info) => (details(seen, info)),
            None => (facts([("implementation", html! { (shown(seen.provider.as_deref().unwrap_or("unknown"))) })])),
        }
        (table(request, rows::table(network, Tab::Connections, Some(id)), "Connections", connection_link))
        (plain(rows::table(network, Tab::Types, Some(id)), "Types of ports", |_, _| None))
        (plain(rows::table(network, Tab::Ports, Some(id)), "The longest queues", port_link))
        (functions(seen))
        @if actions == Actions::On { (forms(id, seen)) }
        (changes(state, state.history.changes().filter(about)))
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
    let (received, sent) = (seen.received(), seen.sent());
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

fn ports(request: &Request, network: &Network) -> Markup {
    html! {
        (plain(rows::table(network, Tab::Types, None), "Types", |_, _| None))
        (table(request, rows::table(network, Tab::Ports, None), "The longest queues of each node", port_link))
    }
}

fn port_link(row: &Row, at: usize) -> Option<Page> {
    (at == 0).then(|| Page::Port(row.key.clone()))
}

fn port(network: &Network, id: &str, actions: Actions) -> Markup {
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
