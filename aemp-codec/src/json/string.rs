//! Strings in JSON: finding their end, and resolving their escapes.

use std::borrow::Cow;

use crate::error::DecodeError;
use crate::text::plain_prefix;

/// A packet, which usually is text.
///
/// Text is checked once for the whole packet. Only if that fails, each string is checked by itself, when it is read.
/// So one faulty string costs only its message, and only if a receiver reads it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Json<'de> {
    Text(&'de str),
    Bytes(&'de [u8]),
}

impl<'de> Json<'de> {
    #[inline]
    pub(super) fn new(bytes: &'de [u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text),
            Err(_) => Self::Bytes(bytes),
        }
    }

    #[inline]
    pub(super) fn bytes(self) -> &'de [u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    /// The bytes in this range as text. Both ends are next to ASCII.
    #[expect(
        clippy::inline_always,
        reason = "it is called for each text, and short"
    )]
    #[inline(always)]
    pub(super) fn text(self, start: usize, end: usize) -> Result<&'de str, DecodeError> {
        match self {
            Self::Text(text) => Ok(&text[start..end]),
            Self::Bytes(bytes) => text_of(&bytes[start..end]),
        }
    }
}

#[cold]
fn text_of(bytes: &[u8]) -> Result<&str, DecodeError> {
    std::str::from_utf8(bytes).map_err(|_| DecodeError::not_unicode())
}

/// Reads the string whose opening quote is before `start`. Returns the string, and the offset behind its closing
/// quote.
#[expect(
    clippy::inline_always,
    reason = "it is called for each text, and its common path is short"
)]
#[inline(always)]
pub(super) fn read(json: Json<'_>, start: usize) -> Result<(Cow<'_, str>, usize), DecodeError> {
    let end = start + plain_prefix(&json.bytes()[start..]);
    if json.bytes().get(end) == Some(&b'"') {
        return Ok((Cow::Borrowed(json.text(start, end)?), end + 1));
    }
    read_with_escapes(json, start, end)
}

/// The same for a string with an escape or a control character.
#[inline(never)]
fn read_with_escapes(
    json: Json<'_>,
    start: usize,
    special: usize,
) -> Result<(Cow<'_, str>, usize), DecodeError> {
    if json.bytes().get(special) != Some(&b'\\') {
        return Err(bad_end(json.bytes(), special));
    }
    let mut text = String::from(json.text(start, special)?);
    let end = read_escaped(json, special, &mut text)?;
    Ok((Cow::Owned(text), end))
}

/// Passes over the string whose opening quote is before `start`. Returns the offset of its end.
pub(super) fn skip(json: Json<'_>, start: usize) -> Result<usize, DecodeError> {
    let bytes = json.bytes();
    let mut at = start;
    loop {
        at += plain_prefix(&bytes[at..]);
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => at = escape(bytes, at)?.1,
            _ => return Err(bad_end(bytes, at)),
        }
    }
}

/// Continues at the first backslash, which is at `at`.
fn read_escaped(json: Json<'_>, mut at: usize, text: &mut String) -> Result<usize, DecodeError> {
    let bytes = json.bytes();
    loop {
        let plain = at + plain_prefix(&bytes[at..]);
        text.push_str(json.text(at, plain)?);
        at = plain;
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                let (c, behind) = escape(bytes, at)?;
                text.push(c.ok_or_else(DecodeError::not_unicode)?);
                at = behind;
            }
            _ => return Err(bad_end(bytes, at)),
        }
    }
}

#[cold]
fn bad_end(bytes: &[u8], at: usize) -> DecodeError {
    let text = match bytes.get(at) {
        Some(_) => "control character in a string",
        None => "string without end",
    };
    DecodeError::malformed(at, text)
}

/// The character of the escape at `at`, and the offset of its end; `None` for half of a surrogate pair.
fn escape(bytes: &[u8], at: usize) -> Result<(Option<char>, usize), DecodeError> {
    let c = match bytes.get(at + 1) {
        Some(&c @ (b'"' | b'\\' | b'/')) => char::from(c),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return unicode(bytes, at),
        Some(_) => return Err(DecodeError::malformed(at, "unknown escape")),
        None => return Err(DecodeError::malformed(at, "string without end")),
    };
    Ok((Some(c), at + 2))
}

/// The same for `\uXXXX` and pairs of them.
fn unicode(bytes: &[u8], at: usize) -> Result<(Option<char>, usize), DecodeError> {
    let first = hex(bytes, at)?;
    if let Some(c) = char::from_u32(first) {
        return Ok((Some(c), at + 6));
    }
    if first >= 0xdc00 || bytes.get(at + 6) != Some(&b'\\') || bytes.get(at + 7) != Some(&b'u') {
        return Ok((None, at + 6));
    }
    let second = hex(bytes, at + 6)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Ok((None, at + 6));
    }
    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    Ok((char::from_u32(code), at + 12))
}

/// The four digits of the `\uXXXX` at `at`.
fn hex(bytes: &[u8], at: usize) -> Result<u32, DecodeError> {
    let digits = bytes.get(at + 2..at + 6).unwrap_or_default();
    let mut code = 0;
    for &digit in digits {
        let Some(digit) = char::from(digit).to_digit(16) else {
            return Err(DecodeError::malformed(at, "unknown escape"));
        };
        code = code << 4 | digit;
    }
    if digits.len() < 4 {
        return Err(DecodeError::malformed(at, "string without end"));
    }
    Ok(code)
}
