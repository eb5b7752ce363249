//! The picture of a trace: a row for each span, in the order of calls, and in it a bar along the time.
//!
//! It is a table with a drawing in each row, and not one drawing. So a screen reader reads it row by row, a link is a
//! link, and texts keep their size on a narrow screen, where the bars alone get narrower. The light part of a bar is the time
//! in the queue, the dark part that of the handler. A row behind a one-way message links to the row of the sender.

use maud::{Markup, html};

use super::page::Page;
use crate::{
    text::{count, lapse, shown},
    traces::{Bar, Story, Tie},
};

/// The drawn width of a whole trace, and the least width of a bar.
const WIDTH: f64 = 1000.0;
const LEAST: f64 = 3.0;
/// The greatest indent. Deeper spans are indented so far.
const DEEPEST: usize = 8;
/// The correction of a clock from which on it is shown, in seconds.
const NOTABLE: f64 = 0.001;

/// The rows of a story.
pub(crate) fn waterfall(story: &Story<'_>) -> Markup {
    let caption = format!("Spans of the trace, over {}", lapse(story.total));
    let shifted = story.bars.iter().filter(|bar| bar.shift.abs() >= NOTABLE);
    let shifted = shifted.map(|bar| bar.shift.abs()).fold(0.0, f64::max);
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table.waterfall {
                caption { (caption) }
                thead {
                    tr {
                        th scope="col" { "HANDLER" }
                        th scope="col" { "NODE" }
                        th.number scope="col" { "QUEUE" }
                        th.number scope="col" { "TIME" }
                        th.bars scope="col" { span { "0" } span { (lapse(story.total)) } }
                    }
                }
                tbody { @for bar in &story.bars { (row(story, bar)) } }
            }
        }
        ul.legend aria-label="Meaning of the bars" {
            (sample("queued", "in the queue"))
            (sample("handled", "handler"))
            (sample("handled failed", "failed"))
            (sample("handled linked", "behind a one-way message"))
        }
        @if story.more > 0 { p.dim { (count(story.more as u64)) " more spans are not shown." } }
        @if shifted > 0.0 {
            p.dim { "Clocks of nodes differ: spans were moved by up to " (lapse(shifted)) " into the times of their callers." }
        }
    }
}

fn row(story: &Story<'_>, bar: &Bar<'_>) -> Markup {
    let span = bar.span;
    let name = format!("{}.{}", short(&span.kind), span.handler);
    html! {
        tr id=(place(&span.span)) class=[span.failed.then_some("bad")] {
            th scope="row" class=(format!("d{}", bar.depth.min(DEEPEST))) {
                a href=(Page::Port(span.port.clone()).href()) title=(shown(&span.kind)) { (shown(name)) }
                @match bar.tie {
                    Tie::Linked(sender) => { " " a.tie href=(format!("#{}", place(sender))) { "sent by" } }
                    Tie::Lost => { " " span.dim { "(sender unknown)" } }
                    Tie::Root | Tie::Called => {}
                }
                @if span.failed || span.end == "dropped" {
                    " " span.end { (shown(&span.end)) @if let Some(reason) = &span.reason { ": " (shown(reason)) } }
                }
                @for event in &span.events {
                    " " span.dim { (shown(&event.name)) " " (shown(&event.text)) }
                }
            }
            td { a href=(Page::Node(bar.node.into()).href()) { (shown(bar.node)) } }
            td.number { (lapse(span.waited)) }
            td.number { (lapse(span.took)) }
            td.bars { (drawn(story, bar)) }
        }
    }
}

/// The bar. The numbers beside it say the same.
fn drawn(story: &Story<'_>, bar: &Bar<'_>) -> Markup {
    let scale = if story.total > 0.0 {
        WIDTH / story.total
    } else {
        0.0
    };
    let at = |time: f64| (time * scale).clamp(0.0, WIDTH - LEAST);
    let (begin, handled) = (at(bar.begin), at(bar.handled()));
    let width = ((bar.end() * scale).clamp(0.0, WIDTH) - handled).max(LEAST);
    let mut class = String::from("handled");
    if bar.span.failed {
        class.push_str(" failed");
    }
    if matches!(bar.tie, Tie::Linked(_)) {
        class.push_str(" linked");
    }
    html! {
        svg viewBox="0 0 1000 18" height="18" preserveAspectRatio="none" aria-hidden="true" {
            rect.queued x=(number(begin)) y="6" width=(number(handled - begin)) height="6" {}
            rect class=(class) x=(number(handled)) y="2" width=(number(width)) height="14" {}
            @for event in &bar.span.events {
                @let x = at(bar.handled() + event.after);
                path.event d=(format!("M{x:.1} 0V18")) {}
            }
        }
    }
}

fn sample(class: &str, text: &str) -> Markup {
    html! {
        li {
            svg width="28" height="12" aria-hidden="true" { rect class=(class) x="1" y="2" width="26" height="8" {} }
            (text)
        }
    }
}

fn number(number: f64) -> String {
    format!("{number:.1}")
}

/// The ID of the row of a span. IDs of spans are digits.
fn place(span: &str) -> String {
    format!("span-{span}")
}

/// The last part of a type's name.
fn short(kind: &str) -> &str {
    kind.rsplit("::").next().unwrap_or(kind)
}
