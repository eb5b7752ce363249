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

    pub(crate) fn print(&self, output: &Output) -> Result<(), Failure> {
        let heading: Vec<String> = self.heading.iter().map(ToString::to_string).collect();
        output::line(&output.paint(Paint::Bold, &self.padded(&heading)))?;
        for row in &self.rows {
            output::line(&self.padded(row))?;
        }
        Ok(())
    }

    fn width(&self, column: usize) -> usize {
        let rows = self.rows.iter().filter_map(|row| row.get(column));
        let widths = rows.map(|cell| cell.chars().count());
        let heading = self.heading.get(column).map_or(0, |cell| cell.len());
        widths.max().unwrap_or(0).max(heading)
    }

    fn padded(&self, row: &[String]) -> String {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = self.width(column);
            line.push_str(&format!("{cell:<width$}  "));
        }
        line.truncate(line.trim_end().len());
        line
    }
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
        assert_eq!(table.padded(&table.rows[0]), "a       10");
        assert_eq!(table.padded(&table.rows[1]), "größer");
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
