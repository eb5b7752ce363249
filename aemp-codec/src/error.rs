//! Errors between values and bytes.
//!
//! **Text that is not Unicode** costs the port that it is for, and not the connection, in every format. Perl sends
//! half of a surrogate pair in CBOR and JSON as the three octets that UTF-8 would have for it, and JSON also has
//! `\ud800`. A Rust string cannot hold that. So a framer does not check text, and a reader that skips a value does
//! not notice. A reader that needs the text returns `DecodeError::not_unicode`, and the port dies of it. A kill
//! reason with such text becomes a reason that says so, because monitors have to fire. Other requests with it are
//! logged and dropped. JSON is checked for UTF-8 once for each packet, which is fastest. Only after the first invalid
//! octet each string is checked by itself.

use std::fmt;

/// The error of a text that is not a node ID or port ID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The ID is the empty string.
    #[error("an ID must not be empty")]
    Empty,
    /// A node ID contains a character that has a meaning in port IDs or greetings.
    #[error("a node ID must not contain {0:?}")]
    Forbidden(char),
    /// A node ID is longer than 255 bytes.
    #[error("a node ID must not be longer than 255 bytes, this one has {0}")]
    TooLong(usize),
}

/// The error of a value that cannot be put into a packet.
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
    /// Something has more values than the limit allows.
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
    /// A `Serialize` implementation or a codec has returned an error.
    #[error("{0}")]
    Custom(String),
}

impl serde::ser::Error for EncodeError {
    fn custom<T: fmt::Display>(text: T) -> Self {
        Self::Custom(text.to_string())
    }
}

/// The error of a packet, or of a value in it, that cannot be decoded.
///
/// There are two kinds. A *malformed* packet breaks the rules of its format, which is the fault of the connection. A
/// well-formed packet with values of the wrong *type* concerns only the receiving port. The same holds for text that
/// is not Unicode, in every format: Perl can send half of a surrogate pair, and no Rust string can hold that.
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

    /// A value does not have the requested type.
    #[cold]
    pub fn mismatch(text: impl Into<String>) -> Self {
        Self::new(text.into(), Kind::Mismatch, None)
    }

    /// A text, or a key of a map, is not Unicode, in a packet that is well-formed otherwise.
    #[cold]
    pub fn not_unicode() -> Self {
        Self::new("text that is not Unicode".into(), Kind::NotUnicode, None)
    }

    /// The packet has more values than the limit allows. This is a fault of the connection, because the connection
    /// has to be stopped.
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

    /// True if the packet breaks the rules of its format: the fault of the connection and not of the port.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        self.0.kind == Kind::Malformed
    }

    /// True if a text is not Unicode ([`not_unicode`](Self::not_unicode)).
    #[must_use]
    pub fn is_not_unicode(&self) -> bool {
        self.0.kind == Kind::NotUnicode
    }

    /// The offset of the faulty value or byte in the packet, if known.
    #[must_use]
    pub fn offset(&self) -> Option<usize> {
        self.0.offset
    }

    /// The number of the argument with the wrong type, counted from 1, if known.
    #[must_use]
    pub fn argument(&self) -> Option<usize> {
        self.0.argument
    }

    /// The same error with the offset at which it occurred, unless it has one.
    #[cold]
    pub(crate) fn at(mut self, offset: usize) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// The same error with the argument in which it occurred, unless the packet is malformed.
    #[cold]
    pub(crate) fn in_argument(mut self, argument: usize) -> Self {
        if !self.is_malformed() {
            self.0.argument.get_or_insert(argument);
        }
        self
    }

    /// The packet has ended before this argument.
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

/// The error of received bytes in which no packet can be found. The connection cannot continue.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{kind} (at byte {offset})")]
#[non_exhaustive]
pub struct FrameError {
    /// The offset of the fault, counted from the first byte of the scanned buffer.
    pub offset: usize,
    /// The kind of the error.
    pub kind: FrameErrorKind,
}

impl FrameError {
    /// Creates an error of this kind, at this offset in the buffer.
    #[must_use]
    pub fn new(offset: usize, kind: FrameErrorKind) -> Self {
        Self { offset, kind }
    }
}

/// The kinds of [`FrameError`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameErrorKind {
    /// A packet is not an array.
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
    /// The bytes break the rules of the format.
    #[error("malformed packet: {0}")]
    Malformed(String),
}
