//! Rows of any content that can be sorted and filtered.

use std::{cmp::Ordering, fmt::Display};

use crate::text::shown;

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// The heading.
    pub title: &'static str,
    /// The width in a terminal.
    pub width: Width,
    /// True if the column contains numbers. They are aligned to the right, and sorted in descending order.
    pub number: bool,
    /// The order in which columns are left out on a narrow screen, the greatest first. A column with 0 is always shown.
    pub spare: u8,
}

impl Column {
    /// The same column with this value of `spare`.
    pub const fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
    }

    fn least(self) -> u16 {
        match self.width {
            Width::Fixed(width) | Width::Rest(width) => width,
        }
    }
}

/// The indices of the columns that fit.
pub fn fitting(columns: &[Column], width: u16) -> Vec<usize> {
    let mut shown: Vec<usize> = (0..columns.len()).collect();
    loop {
        let needed: u16 = shown.iter().map(|at| columns[*at].least() + 1).sum();
        let spare = shown.iter().copied().max_by_key(|at| columns[*at].spare);
        match spare {
            Some(spare) if needed > width + 1 && columns[spare].spare > 0 => {
                shown.retain(|at| *at != spare);
            }
            _ => return shown,
        }
    }
}

/// The width of a column.
#[derive(Clone, Copy, Debug)]
pub enum Width {
    /// This number of characters.
    Fixed(u16),
    /// A share of the remaining width, at least this.
    Rest(u16),
}

/// A column of texts.
pub const fn text(title: &'static str, width: Width) -> Column {
    Column {
        title,
        width,
        number: false,
        spare: 0,
    }
}

/// A column of numbers.
pub const fn number(title: &'static str, width: u16) -> Column {
    Column {
        title,
        width: Width::Fixed(width),
        number: true,
        spare: 0,
    }
}

/// The state of a row, which the colour shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    #[default]
    /// Nothing is special.
    None,
    /// Messages or bytes are waiting.
    Busy,
    /// Little is known.
    Dim,
    /// There is no answer.
    Bad,
}

#[derive(Clone, Debug)]
/// One row.
pub struct Row {
    /// The identity of the row, which stays the same when the row moves.
    pub key: String,
    /// The cells, one for each column. A row may be shorter.
    pub cells: Vec<Cell>,
    /// The state of the row.
    pub mark: Mark,
}

#[derive(Clone, Debug, Default)]
/// One cell.
pub struct Cell {
    /// The text.
    pub text: String,
    /// The value to sort by. Unknown values come last.
    number: Option<f64>,
}

impl Cell {
    /// A foreign text in a form that can be shown.
    pub fn text(text: impl Display) -> Self {
        Self {
            text: shown(text),
            number: None,
        }
    }

    /// A number, and its text.
    pub fn number(number: f64, text: String) -> Self {
        let number = Some(number);
        Self { text, number }
    }

    /// An unknown value.
    pub fn none() -> Self {
        Self::text("-")
    }

    /// A cell, or an unknown value.
    pub fn maybe(cell: Option<Self>) -> Self {
        cell.unwrap_or_else(Self::none)
    }
}

/// A table to show.
#[derive(Clone, Debug)]
pub struct Table {
    /// The columns.
    pub columns: &'static [Column],
    /// The rows.
    pub rows: Vec<Row>,
}

/// The column to sort by, and a flag for the reverse order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// The index of the column.
    pub column: usize,
    /// True for the opposite of the column's own order.
    pub reversed: bool,
}

impl Table {
    /// Keeps the rows that contain all words of the filter. Case does not matter.
    pub fn filter(&mut self, filter: &str) {
        let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
        if words.is_empty() {
            return;
        }
        self.rows.retain(|row| {
            let texts = row.cells.iter().map(|cell| cell.text.to_lowercase());
            let texts: Vec<_> = texts.collect();
            let contains = |word: &String| texts.iter().any(|text| text.contains(word.as_str()));
            words.iter().all(contains)
        });
    }

    /// Sorts the rows. Equal rows are ordered by their keys.
    pub fn sort(&mut self, order: Order) {
        let compare = compare(self.columns, order);
        self.rows.sort_by(compare);
    }

    /// Sorts the first `most` rows. The others are behind them, in any order.
    pub fn sort_first(&mut self, order: Order, most: usize) {
        let compare = compare(self.columns, order);
        if self.rows.len() <= most {
            return self.rows.sort_by(compare);
        }
        self.rows.select_nth_unstable_by(most, &compare);
        self.rows[..most].sort_by(compare);
    }
}

fn compare(columns: &[Column], order: Order) -> impl Fn(&Row, &Row) -> Ordering + use<> {
    let Order { column, reversed } = order;
    let is_number = columns.get(column).is_some_and(|column| column.number);
    move |a: &Row, b: &Row| {
        let (x, y) = (a.cells.get(column), b.cells.get(column));
        let compared = match (x, y) {
            (Some(x), Some(y)) if is_number => numbers(x.number, y.number, reversed),
            (Some(x), Some(y)) if reversed => y.text.cmp(&x.text),
            (Some(x), Some(y)) => x.text.cmp(&y.text),
            _ => Ordering::Equal,
        };
        compared.then_with(|| a.key.cmp(&b.key))
    }
}

/// Descending, with unknown values last in both orders.
fn numbers(x: Option<f64>, y: Option<f64>, reversed: bool) -> Ordering {
    match (x, y) {
        (Some(x), Some(y)) if reversed => x.total_cmp(&y),
        (Some(x), Some(y)) => y.total_cmp(&x),
        (x, y) => y.is_some().cmp(&x.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rows_are_those_of_a_sorted_table() {
        const COLUMNS: &[Column] = &[number("N", 3), text("T", Width::Rest(3))];
        let row = |n: u64| Row {
            key: n.to_string(),
            cells: vec![
                if n.is_multiple_of(7) {
                    Cell::none()
                } else {
                    Cell::number((n * 37 % 11) as f64, String::new())
                },
                Cell::text(n * 31 % 13),
            ],
            mark: Mark::None,
        };
        let table = Table {
            columns: COLUMNS,
            rows: (0..50).map(row).collect(),
        };
        let keys = |table: &Table| {
            table
                .rows
                .iter()
                .map(|row| row.key.clone())
                .collect::<Vec<_>>()
        };
        for (column, reversed) in [(0, false), (0, true), (1, false), (1, true)] {
            let order = Order { column, reversed };
            let mut whole = table.clone();
            whole.sort(order);
            for most in [0, 1, 10, 49, 50, 100] {
                let mut first = table.clone();
                first.sort_first(order, most);
                let most = most.min(50);
                assert_eq!(keys(&first)[..most], keys(&whole)[..most]);
                assert_eq!(first.rows.len(), 50);
            }
        }
    }
}
