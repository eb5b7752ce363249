//! Errors between values and bytes.
//!
//! **Text that is not Unicode** costs the port that it is for, and not the connection, in every format. Perl sends half
//! of a surrogate pair in CBOR and JSON as the three octets that UTF-8 would have for it, and JSON also has `\ud800`. A
//! Rust string cannot hold that. So a framer does not check text, a reader that skips a value does not notice, and a
//! reader that needs the text returns `DecodeError::not_unicode`, of which the port dies. A kill reason with such text
//! becomes a reason that says so, because monitors have to fire. Other requests with it are logged and dropped. JSON is
//! checked for UTF-8 once for each packet, which is fastest; only after the first invalid octet each string is checked
//! by itself.

use std::fmt;

/// Why something is not a node ID or port ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The ID is the empty string.
    #[error("an ID must not be empty")]
    Empty,
    /// A node ID contains a character that port IDs or greetings give a meaning.
    #[error("a node ID must not contain {0:?}")]
    Forbidden(char),
    /// A node ID is longer than 255 bytes.
    #[error("a node ID must not be longer than 255 bytes, this one has {0}")]
    TooLong(usize),
}

/// Why a value cannot be put into a packet.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// A float is infinite or not a number, which packets cannot carry.
    #[error("infinity and not-a-number cannot be sent")]
    NotFinite,
    /// The packet is nested deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// The packet is larger than [`Limits::max_packet`](crate::Limits::max_packet).
    #[error("larger than {limit} bytes")]
    TooLarge {
        /// The limit in force.
        limit: usize,
    },
    /// There are more values in something than there may be.
    #[error("more than {limit} values")]
    TooMany {
        /// The limit in force.
        limit: usize,
    },
    /// A map key is neither a string nor a character nor an integer.
    #[error("a map key must be a string or an integer")]
    KeyNotString,
    /// An earlier value of the same packet could not be encoded, so the packet was given up.
    #[error("the packet was given up after an earlier error")]
    GivenUp,
    /// A `Serialize` implementation or a codec gave up.
    #[error("{0}")]
    Custom(String),
}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Custom(text.to_string())
    }
}

/// Why a packet, or a value in it, cannot be decoded.
///
/// There are two kinds: a *malformed* packet breaks the rules of its format and is the
/// connection's fault; a well-formed packet with values of the wrong *type* is only the receiving
/// port's concern. So is text that is not Unicode, in every format: Perl can send half of a surrogate pair, and no
/// string of Rust can hold that.
///
/// ```
/// use aemp_codec::{DecodeError, Value, from_value};
///
/// let error: DecodeError = from_value::<u8>(Value::from("many")).unwrap_err();
/// assert!(!error.is_malformed());
/// assert_eq!(error.to_string(), "invalid type: string \"many\", expected u8");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct DecodeError(Box<Decode>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Decode {
    text: String,
    kind: Kind,
    offset: Option<usize>,
    argument: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Malformed,
    Mismatch,
    NotUnicode,
}

impl DecodeError {
    /// The packet breaks the rules of its format at `offset`.
    #[cold]
    pub fn malformed(offset: usize, text: impl Into<String>) -> Self {
        Self::new(text.into(), Kind::Malformed, Some(offset))
    }

    /// A value does not have the type that was asked for.
    #[cold]
    pub fn mismatch(text: impl Into<String>) -> Self {
        Self::new(text.into(), Kind::Mismatch, None)
    }

    /// A text, or a key of a map, is no sequence of Unicode characters, in a packet that is well-formed otherwise.
    #[cold]
    pub fn not_unicode() -> Self {
        Self::new("text that is not Unicode".into(), Kind::NotUnicode, None)
    }

    /// More values than a packet may have: the connection's fault, because somebody has to stop it.
    #[cold]
    pub(crate) fn too_many(offset: usize, limit: usize) -> Self {
        let text = format!("more than {limit} values in a packet (max_packet_values)");
        Self::malformed(offset, text)
    }

    fn new(text: String, kind: Kind, offset: Option<usize>) -> Self {
        Self(Box::new(Decode {
            text,
            kind,
            offset,
            argument: None,
        }))
    }

    /// True if the packet breaks the rules of its format: the connection's fault, not the port's.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.0.kind == Kind::Malformed
    }

    /// True if it is text that is not Unicode ([`not_unicode`](Self::not_unicode)).
    #[must_use]
    pub fn is_not_unicode(&self) -> bool {
        self.0.kind == Kind::NotUnicode
    }

    /// Where in the packet the offending value or byte is, if known.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// Which argument of the message is of the wrong type, counted from 1, if known.
    #[must_use]
    pub fn argument(&self) -> Option<usize> {
        self.0.argument
    }

    /// The same error with the place where it happened, unless it has one already.
    #[cold]
    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// The same error with the argument in which it happened, unless it is a malformed packet.
    #[cold]
    pub(crate) fn in_argument(mut self, argument: usize) -> Self {
        if !self.is_malformed() {
            self.0.argument.get_or_insert(argument);
        }
        self
    }

    /// The packet ended before its `argument`th argument.
    #[cold]
    pub(crate) fn missing(argument: usize) -> Self {
        Self::mismatch(format!("missing argument {argument}"))
    }
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&*self.0, self.is_malformed()) {
            (
                Decode {
                    text,
                    offset: Some(offset),
                    ..
                },
                true,
            ) => {
                write!(f, "malformed packet at byte {offset}: {text}")
            }
            (
                Decode {
                    text,
                    argument: Some(argument),
                    ..
                },
                _,
            ) => {
                write!(f, "argument {argument}: {text}")
            }
            (Decode { text, .. }, _) => f.write_str(text),
        }
    }
}

impl fmt::Debug for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for DecodeError {}

impl serde::de::Error for DecodeError {
    #[cold]
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::mismatch(text.to_string())
    }
}

/// Why no packet can be found in what a connection has received; the connection cannot go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (at byte {offset})")]
#[non_exhaustive]
pub struct FrameError {
    /// Where it went wrong, counted from the first byte of the buffer that was scanned.
    pub offset: usize,
    /// The kind of the error.
    pub kind: FrameErrorKind,
}

impl FrameError {
    /// An error of that kind, at that place in the buffer.
    #[must_use]
    pub fn new(offset: usize, kind: FrameErrorKind) -> Self {
        Self { offset, kind }
    }
}

/// The kinds of [`FrameError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameErrorKind {
    /// A packet is something else than an array.
    #[error("a packet must be an array")]
    NotAnArray,
    /// A packet is larger than [`Limits::max_packet`](crate::Limits::max_packet).
    #[error("a packet is larger than {limit} bytes")]
    TooLarge {
        /// The limit in force.
        limit: usize,
    },
    /// A packet is nested deeper than [`Limits::max_depth`](crate::Limits::max_depth).
    #[error("a packet is nested deeper than {limit} levels")]
    TooDeep {
        /// The limit in force.
        limit: usize,
    },
    /// The bytes are not what the format allows.
    #[error("malformed packet: {0}")]
    Malformed(String),
}
