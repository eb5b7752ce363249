//! A lenient JSON parser: with `#` comments, commas behind the last element, and tabs in strings.

use aemp_codec::{Map, Value};

use super::{Position, SyntaxError, places::Places};

/// The deepest nesting of arrays and objects, as in the reference.
pub(super) const MAX_DEPTH: usize = 512;

/// A mistake in a text, and its position.
#[derive(Debug, PartialEq)]
pub(super) struct Fault {
    pub(super) at: Position,
    pub(super) problem: SyntaxError,
}

/// Parses a configuration: one object, or nothing at all.
pub(super) fn document(octets: &[u8]) -> Result<Option<(Map, Places)>, Fault> {
    let text = match std::str::from_utf8(octets) {
        Ok(text) => text,
        Err(error) => {
            let valid = &octets[..error.valid_up_to()];
            let at = position(&String::from_utf8_lossy(valid), valid.len());
            let problem = SyntaxError::NotUtf8;
            return Err(Fault { at, problem });
        }
    };
    let mut parser = Parser {
        text,
        at: 0,
        path: Vec::new(),
        spots: Vec::new(),
        depth: 0,
    };
    let parsed = parser.document();
    let map = parsed.map_err(|(at, problem)| Fault {
        at: position(text, at),
        problem,
    })?;
    let places = Places::new(text, parser.spots);
    Ok(map.map(|map| (map, places)))
}

/// Converts an offset to a position.
fn position(text: &str, at: usize) -> Position {
    let before = &text[..at];
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Position {
        line: before.matches('\n').count() + 1,
        column: before[start..].chars().count() + 1,
    }
}

type Parsed<T> = Result<T, (usize, SyntaxError)>;

struct Parser<'a> {
    text: &'a str,
    at: usize,
    /// The keys that lead to the value that is being parsed.
    path: Vec<String>,
    /// The offsets of the values of all keys, down to the keys of profiles.
    spots: Vec<(Vec<String>, usize)>,
    depth: usize,
}

impl Parser<'_> {
    fn document(&mut self) -> Parsed<Option<Map>> {
        let Some(first) = self.peek() else {
            return Ok(None);
        };
        if first != b'{' {
            return self.expected("`{`");
        }
        let map = self.object()?;
        match self.peek() {
            None => Ok(Some(map)),
            Some(_) => self.expected("nothing behind the configuration's `}`"),
        }
    }

    fn value(&mut self) -> Parsed<Value> {
        match self.peek() {
            Some(b'{') => self.object().map(Value::Map),
            Some(b'[') => self.array().map(Value::Array),
            Some(b'"') => self.string().map(Value::Str),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'a'..=b'z') => self.word(),
            _ => self.expected("a value"),
        }
    }

    fn object(&mut self) -> Parsed<Map> {
        self.enter()?;
        let mut map = Map::new();
        loop {
            match self.peek() {
                Some(b'}') => break,
                Some(b'"') => {}
                _ => return self.expected("a key in quotes, or `}`"),
            }
            let key = self.string()?;
            if self.peek() != Some(b':') {
                return self.expected("`:` behind the key");
            }
            self.at += 1;
            self.path.push(key);
            self.peek();
            if self.path.len() <= Places::DEPTH {
                self.spots.push((self.path.clone(), self.at));
            }
            let value = self.value()?;
            if let Some(key) = self.path.pop() {
                map.insert(key, value);
            }
            if !self.comma(b'}', "`,` or `}` behind the value")? {
                break;
            }
        }
        self.leave();
        Ok(map)
    }

    fn array(&mut self) -> Parsed<Vec<Value>> {
        self.enter()?;
        let mut items = Vec::new();
        // Values in an array have no keys.
        let path = std::mem::take(&mut self.path);
        self.path = vec![String::new(); Places::DEPTH];
        while self.peek() != Some(b']') {
            items.push(self.value()?);
            if !self.comma(b']', "`,` or `]` behind the element")? {
                break;
            }
        }
        self.path = path;
        self.leave();
        Ok(items)
    }

    fn enter(&mut self) -> Parsed<()> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err((self.at, SyntaxError::TooDeep));
        }
        self.at += 1;
        Ok(())
    }

    fn leave(&mut self) {
        self.depth -= 1;
        self.at += 1;
    }

    /// Skips a comma, or stays before the end. Returns false at the end.
    fn comma(&mut self, end: u8, expected: &'static str) -> Parsed<bool> {
        match self.peek() {
            Some(b',') => {
                self.at += 1;
                Ok(true)
            }
            Some(found) if found == end => Ok(false),
            _ => self.expected(expected),
        }
    }

    /// Returns the next octet that is neither white space nor part of a comment.
    fn peek(&mut self) -> Option<u8> {
        let octets = self.text.as_bytes();
        loop {
            match octets.get(self.at)? {
                b' ' | b'\t' | b'\n' | b'\r' => self.at += 1,
                b'#' => {
                    let line = self.text[self.at..].find('\n');
                    self.at = line.map_or(octets.len(), |end| self.at + end);
                }
                &octet => return Some(octet),
            }
        }
    }

    fn word(&mut self) -> Parsed<Value> {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric());
        let word = &rest[..end.unwrap_or(rest.len())];
        let value = match word {
            "null" => Value::Null,
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            _ => return Err((self.at, SyntaxError::Unquoted(word.into()))),
        };
        self.at += word.len();
        Ok(value)
    }

    fn number(&mut self) -> Parsed<Value> {
        let octets = self.text.as_bytes();
        let start = self.at;
        let mut whole = true;
        self.at += usize::from(octets[start] == b'-');
        if octets.get(self.at) == Some(&b'0') {
            self.at += 1;
            if octets.get(self.at).is_some_and(u8::is_ascii_digit) {
                return Err((start, SyntaxError::LeadingZero));
            }
        } else {
            self.digits()?;
        }
        if octets.get(self.at) == Some(&b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(octets.get(self.at), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            self.at += usize::from(matches!(octets.get(self.at), Some(b'+' | b'-')));
            self.digits()?;
        }
        number(&self.text[start..self.at], whole).ok_or((start, SyntaxError::OutOfRange))
    }

    fn digits(&mut self) -> Parsed<()> {
        let rest = &self.text.as_bytes()[self.at..];
        let count = rest.iter().take_while(|octet| octet.is_ascii_digit());
        match count.count() {
            0 => self.expected_here("a digit"),
            count => {
                self.at += count;
                Ok(())
            }
        }
    }

    fn string(&mut self) -> Parsed<String> {
        let start = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(c) = rest.chars().next() else {
                return Err((start, SyntaxError::Unclosed));
            };
            match c {
                '"' => break,
                '\\' => text.push(self.escape()?),
                // Reports a missing quote at the end of its line.
                '\n' | '\r' => return Err((start, SyntaxError::UnclosedLine)),
                // U+007F is allowed: it is valid JSON, and this implementation writes it.
                c if c < ' ' && c != '\t' => {
                    return Err((self.at, SyntaxError::ControlCharacter));
                }
                c => {
                    text.push(c);
                    self.at += c.len_utf8();
                }
            }
        }
        self.at += 1;
        Ok(text)
    }

    fn escape(&mut self) -> Parsed<char> {
        let start = self.at;
        let octets = self.text.as_bytes();
        let c = match octets.get(start + 1) {
            Some(&c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'n') => '\n',
            Some(b't') => '\t',
            Some(b'r') => '\r',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => return self.unicode(),
            _ => return Err((start, SyntaxError::UnknownEscape)),
        };
        self.at += 2;
        Ok(c)
    }

    fn unicode(&mut self) -> Parsed<char> {
        let start = self.at;
        let hex = |at: usize| {
            let digits = self.text.get(at..at + 6)?.strip_prefix("\\u")?;
            let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            plain.then(|| u16::from_str_radix(digits, 16).ok())?
        };
        let first = hex(start).ok_or((start, SyntaxError::ShortEscape))?;
        if let Some(c) = char::from_u32(first.into()) {
            self.at += 6;
            return Ok(c);
        }
        let units = [first, hex(start + 6).unwrap_or_default()];
        let c = char::decode_utf16(units).next().and_then(Result::ok);
        self.at += 12;
        c.ok_or((start, SyntaxError::LoneSurrogate))
    }

    fn expected<T>(&mut self, wanted: &'static str) -> Parsed<T> {
        self.peek();
        self.expected_here(wanted)
    }

    fn expected_here<T>(&self, expected: &'static str) -> Parsed<T> {
        let found = self.text[self.at..].chars().next();
        Err((self.at, SyntaxError::Unexpected { expected, found }))
    }
}

/// Converts a text to a number. Returns `None` if it is not finite.
fn number(text: &str, whole: bool) -> Option<Value> {
    // Negative zero is not an integer.
    if whole && text != "-0" {
        if let Ok(n) = text.parse() {
            return Some(Value::Int(n));
        }
        if let Ok(n) = text.parse() {
            return Some(Value::UInt(n));
        }
    }
    let x: f64 = text.parse().ok()?;
    // A whole number in another spelling (`1e3`, `2.0`) is written as an integer, so it is read as one.
    let float = x.is_finite().then_some(Value::Float(x))?;
    let written = float.text().filter(|digits| digits != "-0");
    let integer = written.and_then(|digits| digits.parse().ok());
    Some(integer.map_or(float, Value::Int))
}
