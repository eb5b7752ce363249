//! The parts that pages share: the frame, tables, and curves.

use aemp::{Shown, logs::LogLevel};
use maud::{DOCTYPE, Markup, html};

use super::{
    history::{History, LENGTH, Totals},
    page::{Page, ROWS, Request},
};
use crate::{
    table::{Cell, Column, Mark, Order, Row, Table, Width},
    text::{count, short, since},
};

/// The time between two samples from which on a curve has a gap, in seconds.
const GAP: f64 = 20.0;
/// htmx's settings: no inline styles or scripts, and no other origin.
const SETTINGS: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// A whole document around the live part of a page.
pub(crate) fn document(request: &Request, notice: Option<&str>, live: &Markup) -> Markup {
    let title = Shown(request.page.title()).to_string();
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="htmx-config" content=(SETTINGS);
                title { (title) " - aemp" }
                link rel="icon" href="/assets/icon.svg" type="image/svg+xml";
                link rel="stylesheet" href="/assets/style.css";
                script defer src="/assets/htmx.min.js" {}
                script defer src="/assets/idiomorph-ext.min.js" {}
                script defer src="/assets/sse.min.js" {}
                script defer src="/assets/observer.js" {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header {
                    nav aria-label="Pages" {
                        span.mark aria-hidden="true" { "aemp" }
                        @for page in Page::HEAD {
                            @let is_here = page == request.page.section();
                            a href=(page.href()) aria-current=[is_here.then_some("page")] { (page.title()) }
                        }
                    }
                    p #connection role="status" {}
                }
                main #main {
                    h1 { (title) }
                    @if let Some(notice) = notice { p.notice role="status" { (notice) } }
                    (tools(request))
                    // Pictures of the past do not change.
                    @if request.ago > 0 {
                        div #live { (live) }
                    } @else {
                        div #live hx-ext="sse,morph" sse-connect=(request.live()) sse-swap="view" hx-swap="morph:innerHTML" {
                            (live)
                        }
                    }
                }
            }
        }
    }
}

/// The form for the filter, and on the page of the network for the time.
fn tools(request: &Request) -> Markup {
    let has_table = !matches!(request.page, Page::Port(_) | Page::Trace(_));
    let is_sorted = request.order != request.page.tab().order();
    html! {
        @if has_table {
            form.tools method="get" action=(request.page.href().split('?').next().unwrap_or("/")) {
                @if let Some(id) = request.page.id() { input type="hidden" name="id" value=(id); }
                @if is_sorted {
                    input type="hidden" name="sort" value=(request.order.column);
                    @if request.order.reversed { input type="hidden" name="back" value="1"; }
                }
                label for="filter" { "Filter" }
                input #filter type="search" name="q" value=(request.filter) placeholder="words";
                @if request.page == Page::Network { (past(request.ago)) }
                @if request.page == Page::Logs { (levels(request.level)) }
                button { "Show" }
            }
        }
    }
}

/// The slider over the last ten minutes. The present is at its right end.
fn past(ago: u32) -> Markup {
    let ago = ago.min(LENGTH as u32);
    html! {
        label for="ago" { "Topology" }
        input #ago type="range" name="ago" min="0" max=(LENGTH) step="5" value=(ago) aria-describedby="age";
        output #age for="ago" { @if ago == 0 { "now" } @else { (since(ago.into())) " ago" } }
    }
}

fn levels(chosen: LogLevel) -> Markup {
    use LogLevel::{Debug, Error, Info, Trace, Warn};
    html! {
        label for="level" { "From level" }
        select #level name="level" {
            @for level in [Error, Warn, Info, Debug, Trace] {
                option value=(level) selected[level == chosen] { (level) }
            }
        }
    }
}

/// A table, sorted, filtered, and cut to one page. `link` is the target of a cell.
pub(crate) fn table(
    request: &Request,
    mut table: Table,
    caption: &str,
    link: impl Fn(&Row, usize) -> Option<Page>,
) -> Markup {
    table.filter(&request.filter);
    let all = table.rows.len();
    let first = request.from.min(all.saturating_sub(1)) / ROWS * ROWS;
    // The order of a tree shows the levels.
    if request.page != Page::Supervision || request.order.column > 0 {
        table.sort_first(request.order, first + ROWS);
    }
    let headings = html! {
        @for (at, column) in table.columns.iter().enumerate() { (heading(request, at, *column)) }
    };
    html! {
        (body(&table, caption, &headings, first, link))
        @if all == 0 {
            p.dim { @if request.filter.is_empty() { "There is nothing." } @else { "No row contains that." } }
        }
        @if all > ROWS { (pages(request, first, all)) }
    }
}

/// The rows with the greatest numbers of a table, or the first ones, without a form for more.
pub(crate) fn plain(
    mut table: Table,
    caption: &str,
    link: impl Fn(&Row, usize) -> Option<Page>,
) -> Markup {
    if let Some(column) = table.columns.iter().position(|column| column.number) {
        let reversed = false;
        table.sort_first(Order { column, reversed }, ROWS);
    }
    let headings = html! {
        @for column in table.columns { th scope="col" class=(classes(column)) { (column.title) } }
    };
    body(&table, caption, &headings, 0, link)
}

fn body(
    table: &Table,
    caption: &str,
    headings: &Markup,
    first: usize,
    link: impl Fn(&Row, usize) -> Option<Page>,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label=(caption) {
            table {
                caption { (caption) " " span.dim { (count(table.rows.len() as u64)) } }
                thead { tr { (headings) } }
                tbody { @for row in table.rows.iter().skip(first).take(ROWS) { (self::row(table.columns, row, &link)) } }
            }
        }
    }
}

fn pages(request: &Request, first: usize, all: usize) -> Markup {
    let last = (first + ROWS).min(all);
    html! {
        nav.pages aria-label="Rows" {
            @if first > 0 { a href=(request.from(first.saturating_sub(ROWS)).href()) { "previous" } }
            span { (count(first as u64 + 1)) " to " (count(last as u64)) " of " (count(all as u64)) }
            @if last < all { a href=(request.from(last).href()) { "next" } }
        }
    }
}

fn heading(request: &Request, at: usize, column: Column) -> Markup {
    let is_sorted = request.order.column == at;
    // Numbers begin with the greatest.
    let is_up = request.order.reversed == column.number;
    let direction = if is_up { "ascending" } else { "descending" };
    html! {
        th scope="col" class=(classes(&column)) aria-sort=[is_sorted.then_some(direction)] {
            a href=(request.sorted(at).href()) { (column.title) }
        }
    }
}

/// The classes of a column, by which it keeps a width, or is left out on a narrow screen.
fn classes(column: &Column) -> String {
    let width = match column.width {
        _ if column.number => "number",
        Width::Rest(30..) => "long",
        Width::Rest(12..) => "wide",
        _ => "",
    };
    format!("{width}{}", if column.spare > 0 { " spare" } else { "" })
}

fn row(columns: &[Column], row: &Row, link: impl Fn(&Row, usize) -> Option<Page>) -> Markup {
    let class = match row.mark {
        Mark::None => None,
        Mark::Busy => Some("busy"),
        Mark::Dim => Some("dim"),
        Mark::Bad => Some("bad"),
    };
    let empty = Cell::default();
    html! {
        tr class=[class] {
            @for (at, column) in columns.iter().enumerate() {
                @let text = &row.cells.get(at).unwrap_or(&empty).text;
                td class=(classes(column)) {
                    @match link(row, at) {
                        Some(page) => {
                            // The indentation of a tree is no part of the link.
                            @let name = text.trim_start();
                            (text[..text.len() - name.len()]) a href=(page.href()) { (name) }
                        }
                        None => { (text) }
                    }
                }
            }
        }
    }
}

/// A list of names and values.
pub(crate) fn facts<'a>(facts: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in facts { div { dt { (name) } dd { (value) } } }
        }
    }
}

/// The curves of the last ten minutes.
pub(crate) fn curves(history: &History, now: f64) -> Markup {
    let curve = |name: &str, value: fn(&Totals) -> f64| curve(history, now, name, value);
    html! {
        div.curves {
            (curve("messages/s", |totals| totals.packets))
            (curve("B/s", |totals| totals.bytes))
            (curve("ports", |totals| totals.ports as f64))
            (curve("waiting messages", |totals| totals.waiting as f64))
        }
    }
}

fn curve(history: &History, now: f64, name: &str, value: fn(&Totals) -> f64) -> Markup {
    let (width, height) = (240.0, 40.0);
    let most = history.totals().map(value).fold(0.0, f64::max);
    let last = history.totals().last().map_or(0.0, value);
    let scale = if most > 0.0 { height / most } else { 0.0 };
    let point = |totals: &Totals| {
        let x = width * (1.0 - (now - totals.at).clamp(0.0, LENGTH) / LENGTH);
        format!("{x:.1},{:.1}", height - scale * value(totals))
    };
    let totals: Vec<&Totals> = history.totals().collect();
    // Nothing is known of the time in which no page was open.
    let pieces = totals.chunk_by(|a, b| b.at - a.at < GAP);
    let pieces = pieces.map(|piece| piece.iter().map(|totals| point(totals)).collect::<Vec<_>>());
    let label = format!(
        "{name}: {} now, at most {} in ten minutes",
        short(last),
        short(most)
    );
    html! {
        figure {
            figcaption { strong { (short(last)) } " " (name) }
            svg viewBox="0 -2 240 44" role="img" aria-label=(label) preserveAspectRatio="none" {
                @for points in pieces { polyline points=(points.join(" ")) {} }
            }
        }
    }
}
