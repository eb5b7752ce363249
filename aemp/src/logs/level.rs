//! The levels of AnyEvent::Log, and their map to those of `tracing`.

use std::{fmt, str::FromStr};

use aemp_codec::Value;
use serde::{Serialize, Serializer};
use tracing::{Level, level_filters::LevelFilter};

/// A level of AnyEvent::Log, which the log catcher uses on the wire. A smaller one is more urgent.
///
/// ```
/// use aemp::logs::LogLevel;
///
/// let level: LogLevel = "warn".parse()?;
/// assert_eq!(level, "5".parse()?);
/// assert!(LogLevel::Error < level);
/// # Ok::<_, aemp::logs::UnknownLevel>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum LogLevel {
    /// The program cannot continue.
    Fatal = 1,
    /// Someone must act at once.
    Alert,
    /// A critical condition.
    Critical,
    /// An error; `ERROR` of `tracing`.
    Error,
    /// A warning; `WARN` of `tracing`.
    Warn,
    /// A normal event of significance.
    Note,
    /// Information; `INFO` of `tracing`.
    Info,
    /// For debugging; `DEBUG` of `tracing`.
    Debug,
    /// The most detailed level; `TRACE` of `tracing`.
    Trace,
}

/// The levels with their names: first the one that is shown, then those that are understood as well.
const NAMES: [(LogLevel, &[&str]); 9] = [
    (LogLevel::Fatal, &["fatal", "emerg", "emergency", "exit"]),
    (LogLevel::Alert, &["alert"]),
    (LogLevel::Critical, &["critical", "crit"]),
    (LogLevel::Error, &["error", "err"]),
    (LogLevel::Warn, &["warn", "warning"]),
    (LogLevel::Note, &["note", "notice"]),
    (LogLevel::Info, &["info"]),
    (LogLevel::Debug, &["debug"]),
    (LogLevel::Trace, &["trace"]),
];

impl LogLevel {
    /// The level's number on the wire, from 1 to 9.
    #[must_use]
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The level's name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES[usize::from(self.number()) - 1].1[0]
    }

    /// The level with this number. Numbers out of range stand for the nearest level.
    #[must_use]
    pub fn of_number(number: i64) -> Self {
        let index = usize::try_from(number.clamp(1, 9) - 1).unwrap_or(0);
        NAMES[index].0
    }

    /// The level of a value of another node: a number, or a text with a number or a name.
    pub(super) fn of_value(value: &Value) -> Option<Self> {
        if let Some(number) = value.as_f64() {
            return Some(Self::of_number(number as i64));
        }
        let text = value.text()?;
        match text.parse::<i64>() {
            Ok(number) => Some(Self::of_number(number)),
            Err(_) => text.parse().ok(),
        }
    }

    /// The level of `tracing` at which lines of this level are logged here.
    pub(super) fn as_tracing(self) -> Level {
        match self {
            Self::Fatal | Self::Alert | Self::Critical | Self::Error => Level::ERROR,
            Self::Warn => Level::WARN,
            Self::Note | Self::Info => Level::INFO,
            Self::Debug => Level::DEBUG,
            Self::Trace => Level::TRACE,
        }
    }

    /// The lines of `tracing` that are of this level or more urgent.
    #[cfg(feature = "logs")]
    pub(super) fn filter(self) -> LevelFilter {
        match self {
            Self::Fatal | Self::Alert | Self::Critical => LevelFilter::OFF,
            Self::Error => LevelFilter::ERROR,
            Self::Warn | Self::Note => LevelFilter::WARN,
            Self::Info => LevelFilter::INFO,
            Self::Debug => LevelFilter::DEBUG,
            Self::Trace => LevelFilter::TRACE,
        }
    }
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match LevelFilter::from_level(level) {
            LevelFilter::ERROR => Self::Error,
            LevelFilter::WARN => Self::Warn,
            LevelFilter::INFO => Self::Info,
            LevelFilter::DEBUG => Self::Debug,
            _ => Self::Trace,
        }
    }
}

/// The error of a text that is neither a level's name nor its number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no level: expected fatal, alert, critical, error, warn, note, info, debug, trace, or 1 to 9"
)]
pub struct UnknownLevel(String);

impl FromStr for LogLevel {
    type Err = UnknownLevel;

    fn from_str(text: &str) -> Result<Self, UnknownLevel> {
        if let Ok(number @ 1..=9) = text.parse() {
            return Ok(Self::of_number(number));
        }
        let named = NAMES.iter().find(|(_, names)| names.contains(&text));
        let (level, _) = named.ok_or_else(|| UnknownLevel(text.into()))?;
        Ok(*level)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The name.
impl Serialize for LogLevel {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (number, (level, names)) in (1..).zip(NAMES) {
            assert_eq!(level.number(), number);
            assert_eq!(level.to_string(), names[0]);
            for text in names
                .iter()
                .map(|name| (*name).into())
                .chain([number.to_string()])
            {
                assert_eq!(text.parse(), Ok(level));
                assert_eq!(LogLevel::of_value(&text.into()), Some(level));
            }
        }
        for text in ["", "0", "10", "Warn", "-1"] {
            assert!(text.parse::<LogLevel>().is_err(), "{text}");
        }
        assert_eq!(LogLevel::of_value(&Value::from(0)), Some(LogLevel::Fatal));
        assert_eq!(
            LogLevel::of_value(&Value::from(1e30)),
            Some(LogLevel::Trace)
        );
        assert_eq!(
            LogLevel::of_value(&Value::from("12")),
            Some(LogLevel::Trace)
        );
        for odd in [Value::Null, Value::from("x"), Value::Array(vec![])] {
            assert_eq!(LogLevel::of_value(&odd), None);
        }
    }

    /// A line that is logged here at the level of another node's line is passed on for no less than that level.
    #[test]
    fn the_map_to_tracing_and_back() {
        for level in [
            Level::ERROR,
            Level::WARN,
            Level::INFO,
            Level::DEBUG,
            Level::TRACE,
        ] {
            let there = LogLevel::from(level);
            assert_eq!(there.as_tracing(), level);
            #[cfg(feature = "logs")]
            assert_eq!(there.filter(), LevelFilter::from_level(level));
        }
        #[cfg(feature = "logs")]
        assert_eq!(LogLevel::Critical.filter(), LevelFilter::OFF);
        #[cfg(feature = "logs")]
        assert_eq!(LogLevel::Note.filter(), LevelFilter::WARN);
    }
}
