//! Strings in JSON: finding their end, and what their escapes stand for.

use std::borrow::Cow;

use crate::error::DecodeError;
use crate::text::plain_prefix;

/// Reads the string whose opening quote is right before `start`; returns it and where it ends,
/// behind the closing quote.
#[inline]
pub(super) fn read(json: &str, start: usize) -> Result<(Cow<'_, str>, usize), DecodeError> {
    let end = start + plain_prefix(&json.as_bytes()[start..]);
    if json.as_bytes().get(end) == Some(&b'"') {
        return Ok((Cow::Borrowed(&json[start..end]), end + 1));
    }
    read_with_escapes(json, start, end)
}

/// The same for a string in which something special comes before its end.
fn read_with_escapes(
    json: &str,
    start: usize,
    special: usize,
) -> Result<(Cow<'_, str>, usize), DecodeError> {
    if json.as_bytes().get(special) != Some(&b'\\') {
        return Err(bad_end(json.as_bytes(), special));
    }
    let mut text = String::from(&json[start..special]);
    let end = read_escaped(json, special, &mut text)?;
    Ok((Cow::Owned(text), end))
}

/// Passes over the string whose opening quote is right before `start`; returns where it ends.
pub(super) fn skip(json: &str, start: usize) -> Result<usize, DecodeError> {
    let bytes = json.as_bytes();
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

/// Goes on from the first backslash, which is at `at`.
fn read_escaped(json: &str, mut at: usize, text: &mut String) -> Result<usize, DecodeError> {
    let bytes = json.as_bytes();
    loop {
        let plain = at + plain_prefix(&bytes[at..]);
        text.push_str(&json[at..plain]);
        at = plain;
        match bytes.get(at) {
            Some(b'"') => return Ok(at + 1),
            Some(b'\\') => {
                let (c, behind) = escape(bytes, at)?;
                text.push(c);
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

/// The character that the escape at `at` stands for, and where it ends.
fn escape(bytes: &[u8], at: usize) -> Result<(char, usize), DecodeError> {
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
    Ok((c, at + 2))
}

/// The same for `\uXXXX` and pairs of them.
fn unicode(bytes: &[u8], at: usize) -> Result<(char, usize), DecodeError> {
    let lone = || DecodeError::malformed(at, "lone surrogate");
    let first = hex(bytes, at)?;
    if let Some(c) = char::from_u32(first) {
        return Ok((c, at + 6));
    }
    if first >= 0xdc00 || bytes.get(at + 6) != Some(&b'\\') || bytes.get(at + 7) != Some(&b'u') {
        return Err(lone());
    }
    let second = hex(bytes, at + 6)?;
    if !(0xdc00..0xe000).contains(&second) {
        return Err(lone());
    }
    let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
    char::from_u32(code).map(|c| (c, at + 12)).ok_or_else(lone)
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
