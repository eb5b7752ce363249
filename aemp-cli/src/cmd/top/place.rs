//! The user's place: the table and its node, sorting, filter, and the selected row.

use super::{
    network::Network,
    rows,
    tab::Tab,
    table::{Order, Table},
};

/// A place of the user, to which the user can come back.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) tab: Tab,
    /// The node that the table is about; `None` for all nodes.
    pub(super) scope: Option<String>,
    pub(super) filter: String,
    pub(super) order: Order,
    /// The key of the selected row, and its last position.
    selected: Option<String>,
    pub(super) at: usize,
}

impl Place {
    pub(super) fn new(tab: Tab, scope: Option<String>) -> Self {
        Self {
            tab,
            scope,
            filter: String::new(),
            order: tab.order(),
            selected: None,
            at: 0,
        }
    }

    /// The table with the sorting and the filter of this place.
    pub(super) fn table(&self, network: &Network) -> Table {
        let mut table = rows::table(network, self.tab, self.scope.as_deref());
        table.filter(&self.filter);
        // The order of a tree shows the parent of each row.
        if self.tab != Tab::Tree || self.order.column > 0 {
            table.sort(self.order);
        }
        table
    }

    /// Finds the selected row in a table that may have changed.
    pub(super) fn find(&mut self, table: &Table) {
        let found = self.selected.as_ref().and_then(|key| {
            let mut rows = table.rows.iter();
            rows.position(|row| row.key == *key)
        });
        self.at = found
            .unwrap_or(self.at)
            .min(table.rows.len().saturating_sub(1));
    }

    /// Moves the selection down, or up if `rows` is negative.
    pub(super) fn go(&mut self, table: &Table, rows: isize) {
        self.find(table);
        self.at = self.at.saturating_add_signed(rows);
        self.at = self.at.min(table.rows.len().saturating_sub(1));
        self.selected = table.rows.get(self.at).map(|row| row.key.clone());
    }

    /// The key of the selected row.
    pub(super) fn meant(&mut self, table: &Table) -> Option<String> {
        self.find(table);
        table.rows.get(self.at).map(|row| row.key.clone())
    }

    /// Sorts by the next or the previous column.
    pub(super) fn sort_by_next(&mut self, forward: bool) {
        let columns = rows::columns(self.tab).len();
        let step = if forward { 1 } else { columns - 1 };
        self.order.column = (self.order.column + step) % columns;
        self.order.reversed = false;
    }
}
