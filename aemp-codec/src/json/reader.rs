//! A cursor over the text of one JSON packet.

use std::borrow::Cow;

use serde::de::{DeserializeSeed, Error, Unexpected};

use super::string::{self, Json};
use crate::error::DecodeError;
use crate::format::Limits;
use crate::lenient::Scalar;

/// Walks through the elements of a packet, and through what is in them.
#[derive(Clone, Debug)]
pub(crate) struct JsonReader<'de> {
    json: Json<'de>,
    /// The next byte to look at.
    at: usize,
    place: Place,
    /// How many arrays and maps are open, the packet included.
    depth: usize,
    max_depth: usize,
    /// How many values may still be made of it.
    values: usize,
    max_values: usize,
}

/// Where in the packet, or in an array or a map, the cursor is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Place {
    /// Behind the opening bracket.
    First,
    /// Behind an element.
    Later,
    /// Behind the closing bracket.
    End,
}

impl<'de> JsonReader<'de> {
    /// All of the packet.
    pub(crate) fn packet(&self) -> &'de [u8] {
        self.json.bytes()
    }

    /// A packet as nodes write it: without space before it.
    #[inline]
    pub(crate) fn simple(packet: &'de [u8], limits: Limits) -> Option<Self> {
        (packet.first() == Some(&b'[') && limits.max_depth > 0).then(|| Self {
            json: Json::new(packet),
            at: 1,
            place: Place::First,
            depth: 1,
            max_depth: limits.max_depth,
            values: limits.max_values,
            max_values: limits.max_values,
        })
    }

    pub(crate) fn new(packet: &'de [u8], limits: Limits) -> Result<Self, DecodeError> {
        let mut reader = Self {
            json: Json::new(packet),
            at: 0,
            place: Place::First,
            depth: 0,
            max_depth: limits.max_depth,
            values: limits.max_values,
            max_values: limits.max_values,
        };
        if reader.peek()? != b'[' {
            return Err(reader.malformed("a packet must be an array"));
        }
        reader.enter()?;
        Ok(reader)
    }

    /// The next element by way of a seed; `None` at the packet's end.
    ///
    /// After a type error the element counts as read, and is known to be well-formed.
    #[inline]
    pub(crate) fn element<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        let start = self.at;
        match seed.deserialize(&mut *self) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.recover(start, error)),
        }
    }

    /// The next element as Perl's text; `None` at the packet's end.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        let start = self.at;
        let text = match self.peek()? {
            b'"' => self.string(),
            b'[' => Err(DecodeError::invalid_type(Unexpected::Seq, &"text")),
            b'{' => Err(DecodeError::invalid_type(Unexpected::Map, &"text")),
            _ => self.scalar().map(Scalar::into_text),
        };
        text.map(Some).map_err(|error| self.recover(start, error))
    }

    /// Passes over the next element; false at the packet's end.
    pub(crate) fn skip(&mut self) -> Result<bool, DecodeError> {
        let more = self.advance()?;
        if more {
            self.skip_value()?;
        }
        Ok(more)
    }

    /// Passes over all elements that are left, and counts them.
    #[inline]
    pub(crate) fn count(mut self) -> Result<usize, DecodeError> {
        let mut count = 0;
        while self.skip()? {
            count += 1;
        }
        Ok(count)
    }

    /// Whether all elements have been read.
    pub(crate) fn ends_here(mut self) -> Result<bool, DecodeError> {
        Ok(!self.advance()?)
    }

    /// Goes to the next element of the packet, if there is one.
    #[inline]
    fn advance(&mut self) -> Result<bool, DecodeError> {
        // As nodes write it: an element behind a comma, without white space.
        if self.place == Place::Later
            && let Some(&[b',', byte]) = self.json.bytes().get(self.at..self.at + 2)
            && byte > b' '
            && byte != b']'
        {
            self.at += 1;
            return Ok(true);
        }
        self.advance_with_care()
    }

    fn advance_with_care(&mut self) -> Result<bool, DecodeError> {
        if self.place == Place::End {
            return Ok(false);
        }
        let more = self.next(self.place, b']')?;
        self.place = Place::Later;
        if more { Ok(true) } else { self.check_end() }
    }

    /// Behind the packet's end there must be nothing.
    #[inline]
    fn check_end(&mut self) -> Result<bool, DecodeError> {
        self.place = Place::End;
        self.leave();
        if self.at < self.json.bytes().len() {
            self.skip_space();
            if self.at < self.json.bytes().len() {
                return Err(self.malformed("something behind the packet"));
            }
        }
        Ok(false)
    }

    /// After an element that is not what was asked for: passes over it all the same.
    #[cold]
    fn recover(&mut self, start: usize, error: DecodeError) -> DecodeError {
        if error.is_malformed() {
            return error;
        }
        (self.at, self.depth) = (start, 1);
        match self.skip_value() {
            Ok(()) => error.at(start),
            Err(malformed) => malformed,
        }
    }

    /// Goes to the next element of an array or map, or behind the closing bracket.
    #[inline]
    pub(super) fn next(&mut self, place: Place, close: u8) -> Result<bool, DecodeError> {
        let rest = &self.json.bytes()[self.at..];
        // As nodes write it: without white space.
        match (place, rest) {
            (Place::Later, [b',', byte, ..]) if *byte > b' ' && *byte != close => {
                self.at += 1;
                Ok(true)
            }
            (Place::First, [byte, ..]) if *byte > b' ' && *byte != close => Ok(true),
            (_, [byte, ..]) if *byte == close => {
                self.at += 1;
                Ok(false)
            }
            _ => self.next_with_care(place, close),
        }
    }

    fn next_with_care(&mut self, place: Place, close: u8) -> Result<bool, DecodeError> {
        let byte = self.peek()?;
        if byte == close {
            self.at += 1;
            return Ok(false);
        }
        if place == Place::First {
            return Ok(true);
        }
        if byte != b',' {
            return Err(self.malformed("expected a comma or the end of the list"));
        }
        self.at += 1;
        if self.peek()? == close {
            return Err(self.malformed("a comma before the end of the list"));
        }
        Ok(true)
    }

    /// The next byte that is not white space; it stays where it is.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<u8, DecodeError> {
        match self.json.bytes().get(self.at) {
            Some(&byte) if byte > b' ' => Ok(byte),
            _ => self.peek_behind_space(),
        }
    }

    fn peek_behind_space(&mut self) -> Result<u8, DecodeError> {
        self.skip_space();
        match self.json.bytes().get(self.at) {
            Some(&byte) => Ok(byte),
            None => Err(self.malformed("unexpected end")),
        }
    }

    fn skip_space(&mut self) {
        let rest = &self.json.bytes()[self.at..];
        self.at += rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
    }

    /// Goes into the array or map whose bracket is next.
    #[inline]
    pub(super) fn enter(&mut self) -> Result<(), DecodeError> {
        if self.depth >= self.max_depth {
            let text = format!("nested deeper than {} levels", self.max_depth);
            return Err(self.malformed(text));
        }
        self.depth += 1;
        self.at += 1;
        Ok(())
    }

    #[inline]
    pub(super) fn leave(&mut self) {
        self.depth -= 1;
    }

    /// Another value is made. There is a limit to that, because each takes more memory than bytes of the packet.
    #[inline]
    pub(super) fn count_value(&mut self) -> Result<(), DecodeError> {
        match self.values.checked_sub(1) {
            Some(left) => {
                self.values = left;
                Ok(())
            }
            None => Err(DecodeError::too_many(self.at, self.max_values)),
        }
    }

    /// The string whose opening quote is next.
    #[inline]
    pub(super) fn string(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        let (text, end) = string::read(self.json, self.at + 1)?;
        self.at = end;
        Ok(text)
    }

    /// The key that is next, and the colon behind it.
    pub(super) fn key(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        if self.peek()? != b'"' {
            return Err(self.malformed("expected a string as key"));
        }
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    fn colon(&mut self) -> Result<(), DecodeError> {
        if self.peek()? != b':' {
            return Err(self.malformed("expected a colon"));
        }
        self.at += 1;
        Ok(())
    }

    /// The scalar that is next; the caller has seen that it is neither array nor map.
    #[inline]
    pub(super) fn scalar(&mut self) -> Result<Scalar<'de>, DecodeError> {
        match self.peek()? {
            b'"' => self.string().map(Scalar::Str),
            b'-' | b'0'..=b'9' => self.number(),
            b'n' => self.word("null").map(|()| Scalar::Null),
            b't' => self.word("true").map(|()| Scalar::Bool(true)),
            b'f' => self.word("false").map(|()| Scalar::Bool(false)),
            _ => Err(self.malformed("expected a value")),
        }
    }

    fn word(&mut self, word: &str) -> Result<(), DecodeError> {
        if !self.json.bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.malformed("expected a value"));
        }
        self.at += word.len();
        Ok(())
    }

    /// The number that is next, most often a short integer.
    #[inline]
    fn number(&mut self) -> Result<Scalar<'de>, DecodeError> {
        match self.short_integer() {
            Some(n) => Ok(Scalar::Int(n)),
            None => self.literal().map(Scalar::of_number),
        }
    }

    /// The number that is next if it is an integer of few digits.
    #[inline]
    pub(super) fn short_integer(&mut self) -> Option<i64> {
        let bytes = &self.json.bytes()[self.at..];
        let negative = bytes.first() == Some(&b'-');
        let digits = &bytes[usize::from(negative)..];
        let mut n: i64 = 0;
        for (length, &byte) in digits.iter().enumerate() {
            match byte {
                // Eighteen digits cannot overflow.
                b'0'..=b'9' if length < 18 => n = n * 10 + i64::from(byte - b'0'),
                b'0'..=b'9' | b'.' | b'e' | b'E' => return None,
                _ => {
                    let leading_zero = digits[0] == b'0' && (length > 1 || negative);
                    if length == 0 || leading_zero {
                        return None;
                    }
                    self.at += usize::from(negative) + length;
                    return Some(if negative { -n } else { n });
                }
            }
        }
        None
    }

    /// The digits of the number that is next, by the grammar.
    #[inline]
    pub(super) fn literal(&mut self) -> Result<&'de str, DecodeError> {
        let start = self.at;
        self.at += usize::from(self.json.bytes()[start] == b'-');
        let zero = self.json.bytes().get(self.at) == Some(&b'0');
        if self.digits()? > 1 && zero {
            return Err(DecodeError::malformed(start, "leading zero in a number"));
        }
        if self.json.bytes().get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Some(b'e' | b'E') = self.json.bytes().get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.json.bytes().get(self.at) {
                self.at += 1;
            }
            self.digits()?;
        }
        self.json.text(start, self.at)
    }

    /// Passes over one or more digits, and counts them.
    fn digits(&mut self) -> Result<usize, DecodeError> {
        let rest = &self.json.bytes()[self.at..];
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        if count == 0 {
            return Err(self.malformed("expected a digit"));
        }
        Ok(count)
    }

    /// Checks the value that is next and passes over it.
    pub(super) fn skip_value(&mut self) -> Result<(), DecodeError> {
        match self.peek()? {
            b'"' => self.at = string::skip(self.json, self.at + 1)?,
            b'[' => self.skip_list(b']')?,
            b'{' => self.skip_list(b'}')?,
            b'-' | b'0'..=b'9' => {
                self.literal()?;
            }
            _ => {
                self.scalar()?;
            }
        }
        Ok(())
    }

    fn skip_list(&mut self, close: u8) -> Result<(), DecodeError> {
        self.enter()?;
        let mut place = Place::First;
        while self.next(place, close)? {
            place = Place::Later;
            if close == b'}' {
                self.skip_key()?;
            }
            self.skip_value()?;
        }
        self.leave();
        Ok(())
    }

    /// Passes over the key that is next, and the colon behind it.
    pub(super) fn skip_key(&mut self) -> Result<(), DecodeError> {
        if self.peek()? != b'"' {
            return Err(self.malformed("expected a string as key"));
        }
        self.at = string::skip(self.json, self.at + 1)?;
        self.colon()
    }

    #[cold]
    pub(super) fn malformed(&self, text: impl Into<String>) -> DecodeError {
        DecodeError::malformed(self.at, text)
    }
}
