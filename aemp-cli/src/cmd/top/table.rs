//! Rows of any content that can be sorted and filtered.

use std::{cmp::Ordering, fmt::Display};

use aemp::Shown;

/// One column of a table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Column {
    pub(super) title: &'static str,
    pub(super) width: Width,
    /// Numbers are sorted from the largest down and stand at the right.
    pub(super) number: bool,
    /// What is left out where it is narrow: the largest first, never those with 0.
    pub(super) spare: u8,
}

impl Column {
    /// As it is, but left out where it is narrow.
    pub(super) const fn spare(self, spare: u8) -> Self {
        Self { spare, ..self }
    }

    fn least(self) -> u16 {
        match self.width {
            Width::Fixed(width) | Width::Rest(width) => width,
        }
    }
}

/// The columns that fit, by their places.
pub(super) fn fitting(columns: &[Column], width: u16) -> Vec<usize> {
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

/// How wide a column is.
#[derive(Clone, Copy, Debug)]
pub(super) enum Width {
    Fixed(u16),
    /// A share of what the others leave, and not less than that.
    Rest(u16),
}

/// A column of texts.
pub(super) const fn text(title: &'static str, width: Width) -> Column {
    Column {
        title,
        width,
        number: false,
        spare: 0,
    }
}

/// A column of numbers.
pub(super) const fn number(title: &'static str, width: u16) -> Column {
    Column {
        title,
        width: Width::Fixed(width),
        number: true,
        spare: 0,
    }
}

/// What a row tells at first sight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Mark {
    #[default]
    None,
    /// Something waits.
    Busy,
    /// Little is known of it.
    Dim,
    /// It does not answer.
    Bad,
}

#[derive(Clone, Debug)]
pub(super) struct Row {
    /// What makes the row the same one when it has moved.
    pub(super) key: String,
    pub(super) cells: Vec<Cell>,
    pub(super) mark: Mark,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Cell {
    pub(super) text: String,
    /// What a number is sorted by; those that are not known come last.
    number: Option<f64>,
}

impl Cell {
    /// A text of others, as it may be shown.
    pub(super) fn text(text: impl Display) -> Self {
        let text = Shown(text).to_string();
        Self { text, number: None }
    }

    pub(super) fn number(number: f64, text: String) -> Self {
        let number = Some(number);
        Self { text, number }
    }

    /// Nothing is known.
    pub(super) fn none() -> Self {
        Self::text("-")
    }

    pub(super) fn maybe(cell: Option<Self>) -> Self {
        cell.unwrap_or_else(Self::none)
    }
}

/// A table that is to be shown.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) columns: &'static [Column],
    pub(super) rows: Vec<Row>,
}

/// By which column, and whether the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub(super) column: usize,
    pub(super) reversed: bool,
}

impl Table {
    /// Keeps the rows that contain all words of a filter, whatever their case.
    pub(super) fn filter(&mut self, filter: &str) {
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

    /// Sorts the rows; those that are equal keep the order of their keys.
    pub(super) fn sort(&mut self, order: Order) {
        let Order { column, reversed } = order;
        let is_number = self.columns.get(column).is_some_and(|column| column.number);
        self.rows.sort_by(|a, b| {
            let (x, y) = (a.cells.get(column), b.cells.get(column));
            let compared = match (x, y) {
                (Some(x), Some(y)) if is_number => numbers(x.number, y.number, reversed),
                (Some(x), Some(y)) if reversed => y.text.cmp(&x.text),
                (Some(x), Some(y)) => x.text.cmp(&y.text),
                _ => Ordering::Equal,
            };
            compared.then_with(|| a.key.cmp(&b.key))
        });
    }
}

/// The largest first, what is not known last in any case.
fn numbers(x: Option<f64>, y: Option<f64>, reversed: bool) -> Ordering {
    match (x, y) {
        (Some(x), Some(y)) if reversed => x.total_cmp(&y),
        (Some(x), Some(y)) => y.total_cmp(&x),
        (x, y) => y.is_some().cmp(&x.is_some()),
    }
}
