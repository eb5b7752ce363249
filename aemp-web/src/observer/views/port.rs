//! The page of one port.

use aemp::inspect::PortInfo;
use maud::{Markup, html};

use super::{Actions, unanswered, unknown};
use crate::{
    document::supervisor,
    looked::{Looked, Tapped, Tapping},
    network::{Network, node_of},
    observer::{
        html::facts,
        page::{Page, Request},
        watch::State,
    },
    stamp::time,
    text::{count, shown, since},
};

/// The page of one port.
pub(super) fn one(request: &Request, state: &State, id: &str, actions: Actions) -> Markup {
    let network = &state.network;
    let node = node_of(id);
    let Some(seen) = network.nodes.get(node) else {
        return unknown("node", node);
    };
    let nothing = Looked::default();
    let looked = network.looked.get(id).unwrap_or(&nothing);
    let mut listed = seen.ports.iter().flat_map(|ports| &ports.ports);
    // A node of an older version tells of some ports alone.
    let alive = match looked.failure {
        Some(_) => listed.find(|port| port.id == id),
        None => looked.alive.as_ref(),
    };
    html! {
        (unanswered(seen))
        @if network.answers(node) { (fate(looked, alive, state.now)) }
        (details(node, looked, alive))
        (supervision(network, id))
        @if alive.is_some() || looked.tapped.is_some() { (messages(request, looked.tapped.as_ref())) }
        @if actions == Actions::On && looked.died.is_none() && looked.ended.is_none() {
            form method="post" action="/kill" {
                input type="hidden" name="port" value=(id);
                button.danger { "Kill this port" }
            }
        }
    }
}

/// The end of the port, or the reason why nothing is known of it.
fn fate(looked: &Looked, alive: Option<&PortInfo>, now: f64) -> Markup {
    html! {
        @if alive.is_some() {
        } @else if let Some((ago, death)) = looked.death(now) {
            p.notice.bad role="status" {
                "The port died " (since(ago)) " ago: " strong { (shown(&death.reason)) }
            }
        } @else if let Some(ended) = looked.ended {
            p.notice role="status" { "The port ended normally, " (since(now - ended)) " ago." }
        } @else if let Some(failure) = &looked.failure {
            p.notice role="status" { "The port is unknown: its node " (shown(failure)) "." }
        } @else if looked.told {
            p.notice role="status" {
                "There is no such port now. It has ended normally, or is none of the last 256 deaths that its node remembers, or has never been there."
            }
        } @else {
            p.notice role="status" { "The node has not told of this port yet." }
        }
    }
}

fn details(node: &str, looked: &Looked, alive: Option<&PortInfo>) -> Markup {
    let on = html! { a href=(Page::Node(node.into()).href()) { (shown(node)) } };
    let died = looked.died.as_ref();
    match (alive, died) {
        (Some(port), _) => facts([
            ("node", on),
            ("type", html! { (shown(&port.kind)) }),
            ("waiting messages", html! { (count(port.queued)) }),
            ("monitors", html! { (count(port.monitors)) }),
        ]),
        (None, Some((death, _))) => facts([("node", on), ("type", html! { (shown(&death.kind)) })]),
        (None, None) => facts([("node", on)]),
    }
}

fn supervision(network: &Network, id: &str) -> Markup {
    let Some((supervisor, child)) = supervisor(network, id) else {
        return html! {};
    };
    let reason = child.reason.as_ref();
    html! {
        h2 { "Supervision" }
        (facts([
            ("supervisor", html! { a href=(Page::Port(supervisor.id.clone()).href()) { (shown(&supervisor.id)) } }),
            ("name", html! { (shown(&child.name)) }),
            ("restarts", html! { (count(child.restarts)) }),
            ("last end", html! { (shown(reason.map_or_else(|| "none".into(), ToString::to_string))) }),
        ]))
    }
}

/// The messages of the port, or the link that asks for them.
fn messages(request: &Request, tapped: Option<&Tapped>) -> Markup {
    let change = request.tapping(!request.taps).href();
    html! {
        h2 { "Messages from other nodes" }
        @match tapped.filter(|_| request.taps) {
            None if request.taps => p.dim { "The node is asked for them." },
            None => p {
                a href=(change) { "Show the last messages" } " "
                span.dim { "While the page is open, the node then sends a copy of each message that arrives for the port from another node, if it permits that." }
            },
            Some(tapped) => {
                p role="status" {
                    (tapping(tapped)) " " a href=(change) { "Stop" }
                }
                @if tapped.state == Tapping::Open || !tapped.messages.is_empty() { (list(tapped)) }
            },
        }
        p.dim { "In a terminal: " code { "aemp tap " (shown(request.page.id().unwrap_or_default())) } }
    }
}

fn tapping(tapped: &Tapped) -> Markup {
    html! {
        @match &tapped.state {
            Tapping::Asked => "The node is asked for them. One that does not permit the function Aemp::tap gives no answer.",
            Tapping::Refused(why) => { "The node refuses: " (shown(why)) "." },
            Tapping::Ended(why) => { "It has ended: " (shown(why)) "." },
            Tapping::Open => {
                (count(tapped.seen)) @if tapped.seen == 1 { " message" } @else { " messages" } " since you asked."
                @if tapped.lost > 0 { " " (count(tapped.lost)) " more came too fast." }
            },
        }
    }
}

fn list(tapped: &Tapped) -> Markup {
    html! {
        @if tapped.messages.is_empty() {
            p.dim { "None has come yet. Messages between ports of one node are not seen." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="The last messages" {
                table {
                    caption { "The last messages, the newest first" }
                    thead { tr { th scope="col" { "TIME (UTC)" } th scope="col" { "FROM" } th scope="col" class="rest" { "MESSAGE" } } }
                    tbody {
                        @for message in &tapped.messages {
                            @let stamp = time(message.time);
                            tr {
                                td { (stamp.get(11..23).unwrap_or(&stamp)) }
                                td { a href=(Page::Node(message.from.clone()).href()) { (shown(&message.from)) } }
                                td class="rest" { code { (shown(&message.message)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
