//! A cursor over the text of one JSON packet.

use std::borrow::Cow;

use super::string::{self, Json};
use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::source::{Depth, Item, List, Source};

/// Reads the items of a packet.
#[derive(Clone, Debug)]
pub(crate) struct JsonReader<'de> {
    json: Json<'de>,
    /// The offset of the next byte.
    at: usize,
}

/// An array or a map, and the cursor's place in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Brackets {
    start: usize,
    close: u8,
    place: Place,
}

impl List for Brackets {
    #[inline]
    fn start(&self) -> usize {
        self.start
    }

    #[inline]
    fn left(&self) -> Option<usize> {
        None
    }
}

/// The cursor's place in an array or a map.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    /// Behind the opening bracket.
    First,
    /// Behind an element.
    Later,
    /// Behind the closing bracket.
    End,
}

impl<'de> JsonReader<'de> {
    /// The whole packet.
    pub(crate) fn packet(&self) -> &'de [u8] {
        self.json.bytes()
    }

    #[inline]
    pub(crate) fn new(packet: &'de [u8]) -> Self {
        Self {
            json: Json::new(packet),
            at: 0,
        }
    }

    /// Finds the packet's array.
    #[inline]
    pub(crate) fn packet_contents(&mut self) -> Result<Brackets, DecodeError> {
        // In the form that nodes write: without white space in front.
        if self.json.bytes().first() != Some(&b'[') {
            self.expect_array()?;
        }
        Ok(self.open(b']'))
    }

    #[cold]
    fn expect_array(&mut self) -> Result<(), DecodeError> {
        match self.peek()? {
            b'[' => Ok(()),
            _ => Err(self.malformed("a packet must be an array")),
        }
    }

    /// The array or map whose bracket is next.
    #[inline]
    fn open(&mut self, close: u8) -> Brackets {
        let start = self.at;
        self.at += 1;
        Brackets {
            start,
            close,
            place: Place::First,
        }
    }

    /// Goes to the next element of an array or map, or behind the closing bracket.
    #[inline]
    fn next(&mut self, place: Place, close: u8) -> Result<bool, DecodeError> {
        let rest = &self.json.bytes()[self.at..];
        // In the form that nodes write: without white space.
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

    /// The next byte that is not white space. The cursor stays before it.
    #[inline]
    fn peek(&mut self) -> Result<u8, DecodeError> {
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

    /// The string whose opening quote is next.
    #[expect(
        clippy::inline_always,
        reason = "it is called for each text, and short"
    )]
    #[inline(always)]
    fn string(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        let (text, end) = string::read(self.json, self.at + 1)?;
        self.at = end;
        Ok(text)
    }

    fn skip_list(&mut self, close: u8, depth: &mut Depth) -> Result<(), DecodeError> {
        depth.enter(self.at)?;
        self.at += 1;
        let mut place = Place::First;
        while self.next(place, close)? {
            place = Place::Later;
            if close == b'}' {
                self.skip_key(depth)?;
            }
            self.skip(depth)?;
        }
        depth.leave();
        Ok(())
    }

    fn expect_key(&mut self) -> Result<(), DecodeError> {
        match self.peek()? {
            b'"' => Ok(()),
            _ => Err(self.malformed("expected a string as key")),
        }
    }

    fn colon(&mut self) -> Result<(), DecodeError> {
        if self.peek()? != b':' {
            return Err(self.malformed("expected a colon"));
        }
        self.at += 1;
        Ok(())
    }

    /// The next scalar. The caller has checked that the next item is neither an array nor a map.
    #[inline]
    fn scalar(&mut self) -> Result<Scalar<'de>, DecodeError> {
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

    /// The next number, most often a short integer.
    #[inline]
    fn number(&mut self) -> Result<Scalar<'de>, DecodeError> {
        match self.short_integer() {
            Some(n) => Ok(Scalar::Int(n)),
            None => self.literal().map(Scalar::of_number),
        }
    }

    /// The next number, if it is an integer of few digits.
    #[inline]
    fn short_integer(&mut self) -> Option<i64> {
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

    /// The digits of the next number, by the grammar.
    #[inline]
    fn literal(&mut self) -> Result<&'de str, DecodeError> {
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

    /// Passes over one or more digits. Returns their number.
    fn digits(&mut self) -> Result<usize, DecodeError> {
        let rest = &self.json.bytes()[self.at..];
        let count = rest.iter().take_while(|b| b.is_ascii_digit()).count();
        self.at += count;
        if count == 0 {
            return Err(self.malformed("expected a digit"));
        }
        Ok(count)
    }

    #[cold]
    fn malformed(&self, text: impl Into<String>) -> DecodeError {
        DecodeError::malformed(self.at, text)
    }
}

impl<'de> Source<'de> for JsonReader<'de> {
    type List = Brackets;

    #[inline]
    fn at(&self) -> usize {
        self.at
    }

    #[inline]
    fn go_to(&mut self, at: usize) {
        self.at = at;
    }

    #[expect(
        clippy::inline_always,
        reason = "its result is matched where it is called"
    )]
    #[inline(always)]
    fn item(&mut self) -> Result<Item<'de, Brackets>, DecodeError> {
        match self.peek()? {
            b'[' => Ok(Item::Array(self.open(b']'))),
            b'{' => Ok(Item::Map(self.open(b'}'))),
            _ => self.scalar().map(Item::Scalar),
        }
    }

    #[inline]
    fn more(&mut self, list: &mut Brackets) -> Result<bool, DecodeError> {
        if list.place == Place::End {
            return Ok(false);
        }
        let more = self.next(list.place, list.close)?;
        list.place = if more { Place::Later } else { Place::End };
        Ok(more)
    }

    /// In the form that nodes write: an element behind a comma, without white space.
    #[inline]
    fn more_at_once(&mut self, list: &mut Brackets) -> bool {
        let rest = self.json.bytes().get(self.at..self.at + 2);
        let more = list.place == Place::Later
            && matches!(rest, Some(&[b',', byte]) if byte > b' ' && byte != list.close);
        self.at += usize::from(more);
        more
    }

    /// Passes over the key and its colon.
    fn key(&mut self) -> Result<Cow<'de, str>, DecodeError> {
        self.expect_key()?;
        let key = self.string()?;
        self.colon()?;
        Ok(key)
    }

    #[inline]
    fn end(&mut self) -> Result<(), DecodeError> {
        if self.at < self.json.bytes().len() {
            self.skip_space();
            if self.at < self.json.bytes().len() {
                return Err(self.malformed("something behind the packet"));
            }
        }
        Ok(())
    }

    fn skip(&mut self, depth: &mut Depth) -> Result<(), DecodeError> {
        match self.peek()? {
            b'"' => self.at = string::skip(self.json, self.at + 1)?,
            b'[' => self.skip_list(b']', depth)?,
            b'{' => self.skip_list(b'}', depth)?,
            b'-' | b'0'..=b'9' => {
                self.literal()?;
            }
            _ => {
                self.scalar()?;
            }
        }
        Ok(())
    }

    fn skip_key(&mut self, _: &mut Depth) -> Result<(), DecodeError> {
        self.expect_key()?;
        self.at = string::skip(self.json, self.at + 1)?;
        self.colon()
    }

    /// An integer of few digits.
    #[inline]
    fn integer(&mut self) -> Option<i64> {
        self.peek().ok()?;
        self.short_integer()
    }

    #[expect(
        clippy::inline_always,
        reason = "it is called for each text, and short"
    )]
    #[inline(always)]
    fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        match self.peek()? {
            b'"' => self.string().map(Some),
            _ => Ok(None),
        }
    }

    #[inline]
    fn nothing(&mut self) -> Result<bool, DecodeError> {
        let nothing = self.peek()? == b'n';
        if nothing {
            self.word("null")?;
        }
        Ok(nothing)
    }

    /// A number as it is written.
    #[inline]
    fn item_as_text(&mut self) -> Result<Item<'de, Brackets>, DecodeError> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => {
                let digits = Cow::Borrowed(self.literal()?);
                Ok(Item::Scalar(Scalar::Str(digits)))
            }
            _ => self.item(),
        }
    }

    #[inline]
    fn has_infinity(&self) -> bool {
        false
    }
}
