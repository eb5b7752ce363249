//! One line of a node's log, here and on the wire.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use aemp_codec::{NodeId, Value};
use serde::Serialize;

use super::{LogLevel, OWN};
use crate::{Shown, bounded::cut, log, passing::queue::Element};

/// The longest text of a line, in bytes.
pub(super) const MOST_TEXT: usize = 8 << 10;
/// The longest target of a line, in bytes.
pub(super) const MOST_TARGET: usize = 255;

/// One line of the log of a node of the network.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct LogLine {
    /// The node that has logged the line.
    pub node: NodeId,
    /// The time at which it was logged, in seconds since 1970, by the clock of that node.
    pub time: f64,
    /// The severity.
    pub level: LogLevel,
    /// The part of the program that has logged it: a module path in Rust, the title of a logging context in Perl.
    pub target: String,
    /// The text, with the fields of the event behind it. It may contain any characters: see [`Shown`].
    pub text: String,
}

impl LogLine {
    /// A line that is logged now, for tests of programs that handle lines.
    pub fn new(
        node: NodeId,
        level: LogLevel,
        target: impl Into<String>,
        text: impl Into<String>,
    ) -> Self {
        Self {
            node,
            time: now(),
            level,
            target: target.into(),
            text: text.into(),
        }
    }

    /// A line about the lines themselves.
    pub(super) fn own(node: &NodeId, level: LogLevel, text: String) -> Self {
        Self::new(node.clone(), level, OWN, text)
    }

    /// Reads `[TIME, TARGET, LEVEL, TEXT]`. `None` if the message is nothing like that.
    pub(super) fn read(node: &NodeId, message: &[Value]) -> Option<Self> {
        let [time, target, level, text, ..] = message else {
            return None;
        };
        let time = match time.as_f64() {
            Some(time) => time,
            None => time.text()?.parse().ok()?,
        };
        Some(Self {
            node: node.clone(),
            time,
            level: LogLevel::of_value(level)?,
            target: cut(&target.text()?, MOST_TARGET),
            text: cut(&text.text()?, MOST_TEXT),
        })
    }

    /// Logs the line here, as an event of `tracing` with the target [`CAUGHT`](super::CAUGHT), the fields `node` and
    /// `from` (the target there), and the level that corresponds to its own. Such lines are never passed on to other
    /// nodes.
    pub fn log(&self) {
        log::caught(
            self.level.as_tracing(),
            &self.node,
            &self.target,
            &self.text,
        );
    }
}

/// The line on one line, with text of peers as [`Shown`].
impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            node,
            level,
            target,
            text,
            ..
        } = self;
        write!(
            f,
            "{} {level} {}: {}",
            Shown(node),
            Shown(target),
            Shown(text)
        )
    }
}

impl Element for LogLine {
    fn bytes(&self) -> usize {
        self.target.len() + self.text.len()
    }
}

/// The message for a catcher.
pub(super) fn message(time: f64, target: &str, level: LogLevel, text: &str) -> Vec<Value> {
    crate::args![time, target, u64::from(level.number()), text]
}

/// The time, in seconds since 1970.
pub(crate) fn now() -> f64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0.0, |since| since.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args;

    fn node() -> NodeId {
        NodeId::new("green/1").unwrap()
    }

    #[test]
    fn lines_of_perl_nodes_are_read_leniently() {
        let message = args![
            "1795466410.44428",
            Value::bytes(*b"main"),
            "5",
            "watch out",
            1
        ];
        let line = LogLine::read(&node(), &message).unwrap();
        assert_eq!(
            (line.time, line.level),
            (1_795_466_410.444_28, LogLevel::Warn)
        );
        assert_eq!((&*line.target, &*line.text), ("main", "watch out"));
        for odd in [
            args![],
            args![1, "main", 5],
            args!["now", "main", 5, "x"],
            args![1, args!["main"], 5, "x"],
            args![1, "main", (), "x"],
        ] {
            assert_eq!(LogLine::read(&node(), &odd), None, "{odd:?}");
        }
    }

    #[test]
    fn long_texts_are_cut() {
        let long = "\u{e4}".repeat(MOST_TEXT);
        let line = LogLine::read(&node(), &args![1, &*long, 1, &*long]).unwrap();
        assert!(line.target.len() <= MOST_TARGET && line.text.len() <= MOST_TEXT);
        assert!(line.text.len() > MOST_TEXT - 5 && line.text.ends_with("\u{e4}..."));
    }

    #[test]
    fn a_line_is_shown_on_one_line() {
        let message = args![1, "a\u{1b}b", 4, "two\nlines"];
        let line = LogLine::read(&node(), &message).unwrap();
        assert_eq!(line.to_string(), r"green/1 error a\u001bb: two\nlines");
    }
}
