//! Drawing the tables.

use aemp::Shown;
use ratatui::{
    Frame,
    layout::{Alignment, Constraint, Layout, Rect},
    style::{Color, Modifier, Style},
    text::{Line, Span},
    widgets::{Block, Cell as TableCell, Clear, Paragraph, Row as TableRow, Table, TableState},
};

use super::{
    app::App,
    tab::Tab,
    table::{Column, Mark, Order, Row, Width, fitting},
    text::{count, short, sum},
};

const HELP: &str = " Up Down PgUp PgDn Home End   choose a row
 Enter                        a node's connections, the other end
                              of a connection, a type's ports, a family's keys
 Esc                          back, or the whole network again
 Tab, 1 2 3 4 5 6 7 8 9       nodes, connections, ports, types, handlers,
                              calls, families, supervisors, logs
 < >  (or Left Right)         sort by another column
 r                            sort the other way round
 /                            show only rows with these words
 p                            pause, or continue
 q                            quit

 Rates of connections are of the last second, those of handlers and
 calls, and P50 and P99 (half, and 99 % of them, take at most that) of
 the last five to ten. WAITING counts messages in ports' queues, QUEUED
 bytes on their way to other nodes. Of a node that is not made with this
 program's library, only the reports of its neighbours are shown. Logs
 begin ten minutes before their table is first opened.";

const KEYS: &str =
    " ?:help q:quit Tab:table Enter:into Esc:back <>:sort r:reverse /:filter p:pause";

/// Draws everything.
pub(super) fn draw(frame: &mut Frame<'_>, app: &mut App, colors: bool) {
    let [top, tabs, middle, bottom] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let paint = Paint { colors };
    frame.render_widget(Paragraph::new(summary(app, paint)), top);
    frame.render_widget(Paragraph::new(titles(app)), tabs);
    rows(frame, app, paint, middle);
    frame.render_widget(Paragraph::new(footer(app, paint)), bottom);
    if app.help {
        help(frame, middle);
    }
}

/// Styles, with colours or without.
#[derive(Clone, Copy)]
struct Paint {
    colors: bool,
}

impl Paint {
    fn color(self, color: Color) -> Style {
        if self.colors {
            Style::new().fg(color)
        } else {
            Style::new()
        }
    }

    fn mark(self, mark: Mark) -> Style {
        match mark {
            Mark::None => Style::new(),
            Mark::Busy => self.color(Color::Yellow),
            Mark::Dim => Style::new().add_modifier(Modifier::DIM),
            Mark::Bad => self.color(Color::Red),
        }
    }

    fn bold(self) -> Style {
        self.color(Color::Cyan).add_modifier(Modifier::BOLD)
    }
}

/// The line with the totals of the network.
fn summary(app: &App, paint: Paint) -> Line<'static> {
    let nodes = app.network.nodes.values();
    let silent = nodes.clone().filter(|seen| seen.failure.is_some()).count();
    let ports = nodes
        .clone()
        .filter_map(|seen| Some(seen.info.as_ref()?.ports));
    let waiting = nodes
        .clone()
        .filter_map(|seen| Some(seen.ports.as_ref()?.queued));
    let (ports, waiting) = (sum(ports), sum(waiting));
    let sent = app.network.rate();
    let queued = sum(nodes.map(|seen| seen.queued_bytes()));
    let mut text = format!(" {} nodes", count(app.network.nodes.len() as u64));
    if silent > 0 {
        text.push_str(&format!(" ({silent} silent)"));
    }
    text.push_str(&format!(
        ", {} conns, {} ports, {} waiting; {} msg/s, {}B/s, {}B queued",
        count(app.network.connections() as u64),
        count(ports),
        count(waiting),
        short(sent.packets),
        short(sent.bytes),
        short(queued as f64),
    ));
    let mut spans = vec![Span::styled(" aemp top", paint.bold())];
    about(app, paint, &mut spans);
    spans.push(Span::raw(text));
    Line::from(spans)
}

/// The node that the table is about, the filter, and the pause. They come before the parts that may be cut.
fn about(app: &App, paint: Paint, spans: &mut Vec<Span<'static>>) {
    if let Some(node) = &app.place.scope {
        spans.push(Span::raw(" of "));
        spans.push(Span::styled(Shown(node).to_string(), paint.bold()));
    }
    if !app.place.filter.is_empty() {
        spans.push(Span::raw(format!(" with {:?}", app.place.filter)));
    }
    if app.paused {
        let style = paint.color(Color::Yellow).add_modifier(Modifier::BOLD);
        spans.push(Span::styled(" paused", style));
    }
    if spans.len() > 1 {
        spans.push(Span::raw(":"));
    }
}

/// The names of the tables.
fn titles(app: &App) -> Line<'static> {
    let mut spans = Vec::new();
    for (at, tab) in Tab::ALL.iter().enumerate() {
        let style = if *tab == app.place.tab {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        };
        spans.push(Span::styled(format!("{} {} ", at + 1, tab.title()), style));
    }
    Line::from(spans)
}

fn footer(app: &App, paint: Paint) -> Line<'static> {
    if app.typing {
        return Line::from(vec![
            Span::styled(" filter: ", paint.bold()),
            Span::raw(format!("{}_", app.place.filter)),
        ]);
    }
    Line::styled(KEYS, Style::new().add_modifier(Modifier::DIM))
}

fn rows(frame: &mut Frame<'_>, app: &mut App, paint: Paint, area: Rect) {
    let shown = app.table();
    app.place.find(&shown);
    app.height = usize::from(area.height.saturating_sub(1));
    if shown.rows.is_empty() {
        let text = if app.place.filter.is_empty() {
            "\n  nothing is known"
        } else {
            "\n  no row contains that"
        };
        frame.render_widget(Paragraph::new(text), area);
        return;
    }
    let columns = fitting(shown.columns, area.width);
    let columns: Vec<_> = columns
        .into_iter()
        .map(|at| (at, shown.columns[at]))
        .collect();
    let order = app.place.order;
    let header = columns.iter().map(|(at, column)| {
        let title = format!("{}{}", column.title, arrow(*at, *column, order));
        TableCell::from(Line::from(title).alignment(alignment(column.number)))
    });
    let header = TableRow::new(header).style(paint.bold());
    let row = |row: &Row| {
        let cells = columns.iter().map(|(at, column)| {
            let text = row.cells.get(*at).map(|cell| cell.text.clone());
            Line::from(text.unwrap_or_default()).alignment(alignment(column.number))
        });
        TableRow::new(cells).style(paint.mark(row.mark))
    };
    let widths = columns.iter().map(|(_, column)| match column.width {
        Width::Fixed(width) => Constraint::Length(width),
        Width::Rest(least) => Constraint::Min(least),
    });
    // Only the visible rows are drawn.
    let (first, at) = window(app.place.at, app.height, shown.rows.len());
    let visible = shown.rows.iter().skip(first).take(app.height.max(1));
    let table = Table::new(visible.map(row), widths)
        .header(header)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::new().with_selected(Some(at));
    frame.render_stateful_widget(table, area, &mut state);
}

/// The mark for the direction in which a table is sorted by this column.
fn arrow(at: usize, column: Column, order: Order) -> &'static str {
    match (at == order.column, order.reversed == column.number) {
        (false, _) => "",
        (true, true) => "^",
        (true, false) => "v",
    }
}

/// The first visible row, and the position of the selected one among the visible rows: in the middle, if possible.
fn window(at: usize, height: usize, rows: usize) -> (usize, usize) {
    let first = at.saturating_sub(height / 2);
    let first = first.min(rows.saturating_sub(height));
    (first, at - first)
}

fn alignment(number: bool) -> Alignment {
    if number {
        Alignment::Right
    } else {
        Alignment::Left
    }
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let lines = HELP.lines().count() as u16;
    let widest = HELP.lines().map(str::len).max().unwrap_or_default() as u16;
    let (width, height) = ((widest + 3).min(area.width), (lines + 2).min(area.height));
    let window = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    frame.render_widget(Clear, window);
    let block = Block::bordered().title(" keys ");
    frame.render_widget(Paragraph::new(HELP).block(block), window);
}
