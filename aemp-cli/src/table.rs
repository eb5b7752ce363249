//! Tables of text.

use crate::{
    failure::Failure,
    output::{self, Output, Paint, Text},
};

/// Rows of text under a heading, in columns of the necessary width.
#[derive(Debug)]
pub(crate) struct Table {
    heading: Vec<Text>,
    rows: Vec<Vec<Text>>,
}

impl Table {
    pub(crate) fn new(heading: &[&'static str]) -> Self {
        Self {
            heading: heading.iter().map(Text::of).collect(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, row: Vec<String>) {
        self.rows.push(row.into_iter().map(Text::of).collect());
    }

    /// Prints the whole table at once.
    pub(crate) fn print(&self, output: &Output) -> Result<(), Failure> {
        output::line(&self.text(|heading| output.paint(Paint::Bold, heading)))
    }

    /// The lines of the table. `shown` styles the heading. Each cell is measured once.
    fn text(&self, shown: impl FnOnce(Text) -> Text) -> Text {
        let widths = self.widths();
        let mut text = Text::default();
        push_padded(&mut text, &self.heading, &widths);
        text = shown(text);
        for row in &self.rows {
            text.feed();
            push_padded(&mut text, row, &widths);
        }
        text
    }

    /// The width of each column.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<_> = self.heading.iter().map(Text::width).collect();
        for row in &self.rows {
            widths.resize(widths.len().max(row.len()), 0);
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.width().max(*width);
            }
        }
        widths
    }
}

/// Appends the cells of a row, without spaces at its end.
fn push_padded(text: &mut Text, row: &[Text], widths: &[usize]) {
    let mut line = Text::default();
    for (cell, &width) in row.iter().zip(widths) {
        line.push(cell);
        line.pad(width.saturating_sub(cell.width()) + 2);
    }
    line.trim_end();
    text.push(&line);
}

/// A number with its noun.
pub(crate) fn count(n: u64, thing: &str) -> String {
    let plural = if n == 1 { "" } else { "s" };
    format!("{n} {thing}{plural}")
}

/// A number of bytes, for display.
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

/// A duration, in at most two units.
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
        let text = table.text(|text| text).to_string();
        assert_eq!(text, "ID      N\na       10\ngrößer");
    }

    #[test]
    fn rows_may_be_shorter_or_longer_than_the_heading() {
        let mut table = Table::new(&["A", "B"]);
        table.row(vec!["x".into()]);
        table.row(vec!["1".into(), "2".into(), "3".into()]);
        let text = |table: &Table| table.text(|text| text).to_string();
        assert_eq!(text(&table), "A  B\nx\n1  2  3");
        assert_eq!(text(&Table::new(&["A"])), "A");
    }

    /// Cells with line feeds do not break rows.
    #[test]
    fn cells_are_on_one_line() {
        let mut table = Table::new(&["ID", "N"]);
        table.row(vec!["a\nb  1\u{1b}[2J".into(), "2".into()]);
        let text = table.text(|text| text).to_string();
        assert_eq!(text.lines().last(), Some("a\\nb  1\\u001b[2J  2"));
    }

    /// The time for printing grows with the number of rows, and not with its square.
    #[test]
    fn widths_are_found_once() {
        let mut table = Table::new(&["PORT", "N"]);
        for n in 0..100_000 {
            table.row(vec![format!("node#{n}"), n.to_string()]);
        }
        // If each row measured all rows, this would take a quarter of an hour.
        let text = table.text(|text| text).to_string();
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
