//! The tree of supervision: the supervisors of all nodes, and their children below them.

use std::collections::{BTreeMap, BTreeSet};

use aemp::supervisor::{ChildInfo, ChildState, Restart};

use super::{
    network::{Seen, Supervised},
    table::{Cell, Column, Mark, Row, Width, number, text},
    text::count,
};

pub(crate) const TREE: &[Column] = &[
    text("CHILD", Width::Rest(20)),
    text("STATE", Width::Fixed(8)),
    text("RESTART", Width::Fixed(9)).spare(2),
    number("RESTARTS", 8),
    text("LAST END", Width::Rest(16)),
    text("PORT", Width::Rest(16)).spare(1),
];

/// The depth below which children are not shown. The reports of other nodes may contain circles.
const DEEPEST: usize = 32;

/// The rows, in the order of the tree.
pub(crate) fn rows<'a>(nodes: impl Iterator<Item = (&'a String, &'a Seen)>) -> Vec<Row> {
    let all: BTreeMap<&str, &Supervised> = nodes
        .flat_map(|(_, seen)| &seen.supervisors)
        .map(|supervisor| (&*supervisor.id, supervisor))
        .collect();
    let children = all.values().flat_map(|supervisor| &supervisor.children);
    let below: BTreeSet<&str> = children
        .filter_map(|child| Some(child.port.as_ref()?.as_str()))
        .collect();
    let mut tree = Tree {
        all: &all,
        shown: BTreeSet::new(),
        rows: Vec::new(),
    };
    let is_top = |id: &&&str| !below.contains(**id);
    all.keys().filter(is_top).for_each(|id| tree.top(id));
    // A circle has no top.
    all.keys().for_each(|id| tree.top(id));
    tree.rows
}

struct Tree<'a> {
    all: &'a BTreeMap<&'a str, &'a Supervised>,
    shown: BTreeSet<&'a str>,
    rows: Vec<Row>,
}

impl<'a> Tree<'a> {
    /// Adds a supervisor that is the child of none, if it has not been shown.
    fn top(&mut self, id: &'a str) {
        if self.shown.contains(id) {
            return;
        }
        let mut cells = vec![Cell::text(id)];
        cells.resize_with(5, Cell::none);
        cells.push(Cell::text(id));
        self.rows.push(Row {
            key: id.into(),
            cells,
            mark: Mark::None,
        });
        self.children_of(id, 1);
    }

    /// Adds the children of a port, if it is a supervisor.
    fn children_of(&mut self, id: &str, depth: usize) {
        let Some((id, supervisor)) = self.all.get_key_value(id) else {
            return;
        };
        if depth > DEEPEST || !self.shown.insert(id) {
            return;
        }
        for (at, child) in supervisor.children.iter().enumerate() {
            self.rows.push(row(format!("{id} {at}"), child, depth));
            if let Some(port) = &child.port {
                self.children_of(port.as_str(), depth + 1);
            }
        }
        let left = supervisor
            .total
            .saturating_sub(supervisor.children.len() as u64);
        if left > 0 {
            let text = format!("and {} more", count(left));
            self.rows.push(Row {
                key: format!("{id} more"),
                cells: vec![Cell::text(indented(&text, depth))],
                mark: Mark::Dim,
            });
        }
    }
}

fn indented(text: &str, depth: usize) -> String {
    format!("{}{text}", "  ".repeat(depth))
}

fn row(key: String, child: &ChildInfo, depth: usize) -> Row {
    let name = if child.name.is_empty() {
        "-"
    } else {
        &child.name
    };
    let reason = child.reason.as_ref().map(Cell::text);
    let restarts = Cell::number(child.restarts as f64, count(child.restarts));
    Row {
        key,
        cells: vec![
            Cell::text(indented(name, depth)),
            Cell::text(state(child.state)),
            Cell::text(restart(child.restart)),
            restarts,
            Cell::maybe(reason),
            Cell::maybe(child.port.as_ref().map(Cell::text)),
        ],
        mark: mark(child.state),
    }
}

fn state(state: ChildState) -> &'static str {
    match state {
        ChildState::Idle => "idle",
        ChildState::Waiting => "waiting",
        ChildState::Absent => "absent",
        ChildState::Starting => "starting",
        ChildState::Running => "running",
        ChildState::Stopping => "stopping",
        _ => "-",
    }
}

fn restart(restart: Restart) -> &'static str {
    match restart {
        Restart::Permanent => "permanent",
        Restart::Transient => "transient",
        Restart::Temporary => "temporary",
        _ => "-",
    }
}

fn mark(state: ChildState) -> Mark {
    match state {
        ChildState::Running => Mark::None,
        ChildState::Idle => Mark::Dim,
        ChildState::Absent => Mark::Bad,
        _ => Mark::Busy,
    }
}
