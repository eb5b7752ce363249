//! The mistakes in the text of a file.

use std::fmt;

use super::super::parse::MAX_DEPTH;

/// A mistake in the text of a file ([`ConfigError::Syntax`](super::ConfigError::Syntax)).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SyntaxError {
    /// Something else was expected.
    #[error("expected {expected}, found {}", Found(*found))]
    Unexpected {
        /// The expected part of the file.
        expected: &'static str,
        /// The character that was found; `None` for the end of the file.
        found: Option<char>,
    },
    /// An octet is no part of a character.
    #[error("expected UTF-8, found another octet")]
    NotUtf8,
    /// A word is none that JSON has.
    #[error("expected a value, found `{0}`, which is not in quotes")]
    Unquoted(String),
    /// Arrays and objects are too deep within each other.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A number has a zero too many.
    #[error("a number must not begin with 0")]
    LeadingZero,
    /// A number is too great.
    #[error("the number is out of range")]
    OutOfRange,
    /// The file ends within a text.
    #[error("a text without a closing quote")]
    Unclosed,
    /// A line ends within a text.
    #[error("a text without a closing quote in its line")]
    UnclosedLine,
    /// A text has a character that must be escaped.
    #[error("a control character in a text")]
    ControlCharacter,
    /// A backslash is followed by an unknown letter.
    #[error("an unknown escape in a text")]
    UnknownEscape,
    /// The escape of a character is too short.
    #[error("`\\u` needs four hexadecimal digits")]
    ShortEscape,
    /// A surrogate is alone.
    #[error("half of a surrogate pair")]
    LoneSurrogate,
}

struct Found(Option<char>);

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("the end of the file"),
            Some(c) if c.is_control() => f.write_str("a control character"),
            Some(c) => write!(f, "`{c}`"),
        }
    }
}
