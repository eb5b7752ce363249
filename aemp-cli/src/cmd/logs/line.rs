//! One line, as text or as a JSON document.

use std::hash::{DefaultHasher, Hash, Hasher};

use aemp::logs::{LogLevel, LogLine};

use crate::{
    failure::Failure,
    output::{self, Output, Paint, Text},
};
use aemp_web::stamp::time;

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
