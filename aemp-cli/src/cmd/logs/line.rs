//! One line, as text or as a JSON document.

use std::hash::{DefaultHasher, Hash, Hasher};

use aemp::logs::{LogLevel, LogLine};
use time::{OffsetDateTime, UtcDateTime};

use crate::{
    failure::Failure,
    output::{self, Output, Paint, Text},
};

/// The colours of nodes.
const NODES: [Paint; 5] = [
    Paint::Green,
    Paint::Yellow,
    Paint::Blue,
    Paint::Magenta,
    Paint::Cyan,
];

pub(super) fn print(output: &Output, line: &LogLine) -> Result<(), Failure> {
    match output.is_json() {
        true => output::document(line),
        false => output::line(&text(output, line)),
    }
}

fn text(output: &Output, line: &LogLine) -> Text {
    let mut text = Text::of(format_args!("{} ", time(line.time)));
    let level = Text::of(format_args!("{:<8}", line.level));
    text.push(&match paint(line.level) {
        Some(paint) => output.paint(paint, level),
        None => level,
    });
    text.push(&Text::of(" "));
    text.push(&output.paint(of_node(line.node.as_str()), Text::of(&line.node)));
    text.push(&Text::of(format_args!(" {}: {}", line.target, line.text)));
    text
}

fn paint(level: LogLevel) -> Option<Paint> {
    match level {
        LogLevel::Fatal | LogLevel::Alert | LogLevel::Critical | LogLevel::Error => {
            Some(Paint::Red)
        }
        LogLevel::Warn => Some(Paint::Yellow),
        LogLevel::Note | LogLevel::Info => Some(Paint::Green),
        LogLevel::Debug | LogLevel::Trace => None,
    }
}

/// The colour of a node. It is the same in every run.
fn of_node(node: &str) -> Paint {
    let mut hasher = DefaultHasher::new();
    node.hash(&mut hasher);
    let most = NODES.len() as u64;
    NODES[usize::try_from(hasher.finish() % most).unwrap_or(0)]
}

/// A time in seconds since 1970, in UTC. It is what another node says, and may be any number.
fn time(seconds: f64) -> String {
    let milliseconds = (seconds * 1000.0).round();
    let at = OffsetDateTime::from_unix_timestamp_nanos(milliseconds as i128 * 1_000_000);
    let Ok(at) = at.map(UtcDateTime::from) else {
        return format!("{seconds}");
    };
    let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
    let (hour, minute, second) = at.as_hms();
    let milli = at.millisecond();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc_and_odd_ones_as_they_are() {
        assert_eq!(time(1_795_466_410.444_28), "2026-11-23T20:40:10.444Z");
        assert_eq!(time(0.0), "1970-01-01T00:00:00.000Z");
        assert_eq!(time(-0.5), "1969-12-31T23:59:59.500Z");
        assert_eq!(time(1e300), format!("{}", 1e300));
        assert_eq!(time(f64::NAN), "1970-01-01T00:00:00.000Z");
    }
}
