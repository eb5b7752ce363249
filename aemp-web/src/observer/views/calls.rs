//! The pages of calls: calls by what they call, and sampled traces.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::uncounted;
use crate::{
    network::Network,
    observer::{
        html::{facts, table},
        page::{Page, Request},
        watch::State,
        waterfall::waterfall,
    },
    rows,
    tab::Tab,
    text::{count, lapse, shown, since},
    traces::Story,
};

/// The number of traces that are listed.
const LISTED: usize = 30;
/// The number of nodes without samples that are shown.
const WITHOUT: usize = 50;

/// The page of all calls.
pub(super) fn view(request: &Request, state: &State) -> Markup {
    let network = &state.network;
    let stories = network.traces.stories();
    let caption = "Calls by what they call, of all nodes";
    let slowest = slowest(&stories);
    html! {
        p.dim {
            "Rates and times are of the last five to ten seconds, numbers since the nodes count: those with the feature metrics from their \
             start on, others since the observer began. A handler with a link is in a sampled trace."
        }
        (table(request, rows::table(network, Tab::Calls, None), caption, |row, at| {
            let (kind, handler) = (row.cells.first()?, row.cells.get(1)?);
            let trace = slowest.get(&(&*kind.text, &*handler.text)).filter(|_| at == 1)?;
            Some(Page::Trace((*trace).into()))
        }))
        @if let Some(story) = stories.first() {
            h2 { "The slowest sampled trace of the last ten minutes" }
            (summary(story, state.now))
            (waterfall(story))
        }
        (list(&stories, state.now))
        (without(network))
        (uncounted(network, None))
    }
}

/// The page of one trace.
pub(super) fn one(state: &State, id: &str) -> Markup {
    match state.network.traces.story(id) {
        None => html! {
            p.notice role="status" {
                "There is no sampled trace " code { (shown(id)) } " now. Traces are kept for ten minutes, and fast ones for less. "
                a href=(Page::Calls.href()) { "The others" }
            }
        },
        Some(story) => html! {
            (summary(&story, state.now))
            (waterfall(&story))
            p { a href=(Page::Calls.href()) { "All calls and traces" } }
        },
    }
}

/// The slowest trace with a handler, by the type and the name of the handler.
fn slowest<'a>(stories: &'a [Story<'a>]) -> BTreeMap<(&'a str, &'a str), &'a str> {
    let mut slowest = BTreeMap::new();
    for story in stories {
        for bar in &story.bars {
            let of = (bar.span.kind.as_str(), bar.span.handler.as_str());
            slowest.entry(of).or_insert(story.trace);
        }
    }
    slowest
}

fn summary(story: &Story<'_>, now: f64) -> Markup {
    let nodes = story.nodes().into_iter().map(shown).collect::<Vec<_>>();
    html! {
        (facts([
            ("begins with", html! { (root(story)) }),
            ("takes", html! { (lapse(story.total)) }),
            ("spans", html! { (count((story.bars.len() + story.more) as u64)) }),
            ("nodes", html! { (nodes.join(", ")) }),
            ("sampled", html! { (since(now - story.known)) " ago" }),
            ("trace", html! { a href=(Page::Trace(story.trace.into()).href()) { code { (story.trace) } } }),
        ]))
        @if story.failed() { p.notice.bad { "A handler in this trace has failed." } }
    }
}

/// The handler that a story begins with.
fn root(story: &Story<'_>) -> String {
    let root = story.bars.first();
    root.map_or_else(String::new, |bar| {
        format!("{} {}", shown(&bar.span.kind), shown(&bar.span.handler))
    })
}

fn list(stories: &[Story<'_>], now: f64) -> Markup {
    let caption = "Sampled traces, the slowest first";
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) " " span.dim { (stories.len()) } }
                thead {
                    tr {
                        th scope="col" { "BEGINS WITH" }
                        th.number scope="col" { "TIME" }
                        th.number scope="col" { "SPANS" }
                        th scope="col" { "NODES" }
                        th class="number spare" scope="col" { "AGO" }
                    }
                }
                tbody {
                    @for story in stories.iter().take(LISTED) {
                        tr class=[story.failed().then_some("bad")] {
                            td.wide { a href=(Page::Trace(story.trace.into()).href()) { (root(story)) } }
                            td.number { (lapse(story.total)) }
                            td.number { (story.bars.len() + story.more) }
                            td.wide { (story.nodes().into_iter().map(shown).collect::<Vec<_>>().join(", ")) }
                            td class="number spare" { (since(now - story.known)) }
                        }
                    }
                }
            }
        }
        @if stories.len() > LISTED {
            p.dim { "The first " (LISTED) ". The document " code { "/api/traces" } " has all." }
        }
        @if stories.is_empty() {
            p.dim {
                "There is none yet. Each node that is built with the feature trace takes one sample in a second, when its ports get messages, \
                 while this page is open."
            }
        }
    }
}

/// The nodes that tell no spans, as a list.
fn without(network: &Network) -> Markup {
    let without: Vec<_> = network.traces.without().take(WITHOUT).collect();
    html! {
        @if !without.is_empty() {
            h2 { "Without traces" }
            ul {
                @for (node, why) in without {
                    li { a href=(Page::Node(node.into()).href()) { (shown(node)) } " " span.dim { (shown(why)) } }
                }
            }
        }
    }
}
