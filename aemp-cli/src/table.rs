//! Tables for people.

use crate::{
    failure::Failure,
    output::{self, Output, Paint},
};

/// Rows of texts under a heading, in columns that are as wide as they must be.
#[derive(Debug)]
pub(crate) struct Table {
    heading: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(heading: &[&'static str]) -> Self {
        Self {
            heading: heading.to_vec(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    /// Prints all of it at once.
    pub(crate) fn print(&self, output: &Output) -> Result<(), Failure> {
        output::line(&self.text(|heading| output.paint(Paint::Bold, heading)))
    }

    /// Its lines, the heading as it is to be shown. Each cell is measured once, however many rows there are.
    fn text(&self, shown: impl FnOnce(&str) -> String) -> String {
        let widths = self.widths();
        let mut text = String::new();
        push_padded(&mut text, &self.heading, &widths);
        text = shown(&text);
        for row in &self.rows {
            text.push('\n');
            push_padded(&mut text, row, &widths);
        }
        text
    }

    /// How wide each column is.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<_> = self.heading.iter().map(|cell| cell.len()).collect();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        widths
    }
}

/// Appends the cells of a row, without spaces at its end.
fn push_padded(text: &mut String, row: &[impl AsRef<str>], widths: &[usize]) {
    let start = text.len();
    for (cell, &width) in row.iter().zip(widths) {
        let cell = cell.as_ref();
        text.push_str(cell);
        let room = width.saturating_sub(cell.chars().count()) + 2;
        text.extend(std::iter::repeat_n(' ', room));
    }
    text.truncate(start + text[start..].trim_end().len());
}

/// A number of things.
pub(crate) fn count(n: u64, thing: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {thing}{plural}")
}

/// A number of bytes for people.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut amount = bytes as f64;
    let mut unit = 0;
    while amount >= 1024.0 && unit + 1 < UNITS.len() {
        amount /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes} B"),
        _ => format!("{amount:.1} {}", UNITS[unit]),
    }
}

/// A duration for people, in two units at most.
pub(crate) fn duration(seconds: f64) -> String {
    let all = seconds.max(0.0) as u64;
    let (days, hours, minutes) = (all / 86_400, all / 3600 % 24, all / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{}s", all % 60),
        (0, 0, _) => format!("{minutes}m{}s", all % 60),
        (0, _, _) => format!("{hours}h{minutes}m"),
        _ => format!("{days}d{hours}h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_they_must_be() {
        let mut table = Table::new(&["ID", "N"]);
        table.row(vec!["a".into(), "10".into()]);
        table.row(vec!["größer".into(), String::new()]);
        let text = table.text(str::to_lowercase);
        assert_eq!(text, "id      n\na       10\ngrößer");
    }

    #[test]
    fn rows_may_be_shorter_or_longer_than_the_heading() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec!["x".into()]);
        table.row(vec!["1".into(), "2".into(), "3".into()]);
        assert_eq!(table.text(str::to_owned), "A  B\nx\n1  2  3");
        assert_eq!(Table::new(&["A"]).text(str::to_owned), "A");
    }

    /// A table of 10,000 ports is printed at once, and not in the square of that.
    #[test]
    fn widths_are_found_once() {
        let mut table = Table::new(&["PORT", "N"]);
        for n in 0..100_000 {
            table.row(vec![format!("node#{n}"), n.to_string()]);
        }
        // With a look at all rows for each, this would take a quarter of an hour.
        let text = table.text(str::to_owned);
        assert_eq!(text.lines().count(), 100_001);
        assert_eq!(text.lines().last(), Some("node#99999  99999"));
    }

    #[test]
    fn amounts_are_short() {
        assert_eq!(bytes(1023), "1023 B");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(u64::MAX), "16777216.0 TiB");
        assert_eq!(duration(59.9), "59s");
        assert_eq!(duration(61.0), "1m1s");
        assert_eq!(duration(7260.0), "2h1m");
        assert_eq!(duration(90_000.0), "1d1h");
        assert_eq!(duration(f64::NAN), "0s");
    }
}
