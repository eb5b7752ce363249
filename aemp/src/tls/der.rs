//! The parts of X.509 that webpki does not give out: version, names, dates and one extension of a certificate. webpki
//! checks signatures and chains.
//!
//! A crate for X.509 was considered and left out. x509-cert would add six crates to each build and x509-parser twenty, and
//! both bring a second version of syn.

use std::fmt;

use rustls_pki_types::UnixTime;

/// The content of a certificate. Its signature is not checked here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Certificate {
    /// The X.509 version, 1 to 3.
    pub(super) version: u8,
    /// The issuer, as text.
    pub(super) issuer: String,
    /// The subject, as text.
    pub(super) subject: String,
    /// The common name in the subject.
    pub(super) common_name: Option<String>,
    /// True if it may issue other certificates.
    pub(super) ca: bool,
    /// The validity, in seconds since the epoch.
    not_before: i64,
    not_after: i64,
}

/// The reason why a certificate is not valid at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Untimely {
    /// It is valid from this time on.
    Early(Date),
    /// It was valid until this time.
    Late(Date),
}

/// Seconds since the epoch, displayed as a date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Date(i64);

const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const INTEGER: u8 = 0x02;
const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const BMP_STRING: u8 = 0x1e;
/// The tag of the version.
const CONTEXT_0: u8 = 0xa0;
/// The tag of the extensions.
const CONTEXT_3: u8 = 0xa3;
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];

/// The number of characters of a name that are shown.
const SHOWN: usize = 100;

impl Certificate {
    /// Returns `None` if the octets are not a certificate.
    pub(super) fn parse(der: &[u8]) -> Option<Self> {
        let mut outer = Reader(Reader(der).expect(SEQUENCE)?);
        let mut fields = Reader(outer.expect(SEQUENCE)?);
        let version = match fields.peek()? {
            CONTEXT_0 => {
                let version = Reader(fields.expect(CONTEXT_0)?).expect(INTEGER)?;
                version.last()?.checked_add(1)?
            }
            _ => 1,
        };
        fields.expect(INTEGER)?;
        fields.expect(SEQUENCE)?;
        let issuer = Name::parse(fields.expect(SEQUENCE)?)?;
        let mut validity = Reader(fields.expect(SEQUENCE)?);
        let (not_before, not_after) = (validity.time()?, validity.time()?);
        let subject = Name::parse(fields.expect(SEQUENCE)?)?;
        fields.expect(SEQUENCE)?;
        Some(Self {
            version,
            issuer: issuer.to_string(),
            subject: subject.to_string(),
            common_name: subject.common_name(),
            ca: fields.is_ca()?,
            not_before,
            not_after,
        })
    }

    /// Checks that it is valid at this time.
    pub(super) fn check_dates(&self, now: UnixTime) -> Result<(), Untimely> {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        match () {
            () if now < self.not_before => Err(Untimely::Early(Date(self.not_before))),
            () if now > self.not_after => Err(Untimely::Late(Date(self.not_after))),
            () => Ok(()),
        }
    }
}

impl fmt::Display for Untimely {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Early(date) => write!(f, "is not valid before {date}"),
            Self::Late(date) => write!(f, "has expired on {date}"),
        }
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0.div_euclid(86_400));
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

/// The remainder of some DER.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    /// Returns the tag and the content of the next element.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x84 => {
                let (octets, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
                let length = octets
                    .iter()
                    .fold(0, |n, octet| n << 8 | usize::from(*octet));
                (length, rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next()
            .and_then(|(tag, content)| (tag == wanted).then_some(content))
    }

    /// Reads the extensions, which come next, and returns the CA flag of "basic constraints".
    fn is_ca(&mut self) -> Option<bool> {
        while let Some(tag) = self.peek() {
            let (_, content) = self.next()?;
            if tag != CONTEXT_3 {
                continue;
            }
            let mut extensions = Reader(Reader(content).expect(SEQUENCE)?);
            while extensions.peek().is_some() {
                let mut extension = Reader(extensions.expect(SEQUENCE)?);
                if extension.expect(OBJECT_IDENTIFIER)? != BASIC_CONSTRAINTS {
                    continue;
                }
                if extension.peek()? == BOOLEAN {
                    extension.next()?;
                }
                let mut constraints =
                    Reader(Reader(extension.expect(OCTET_STRING)?).expect(SEQUENCE)?);
                return Some(constraints.next() == Some((BOOLEAN, &[0xff])));
            }
        }
        Some(false)
    }

    /// A time: `YYMMDDHHMMSSZ`, or with four digits of the year.
    fn time(&mut self) -> Option<i64> {
        let (tag, text) = self.next()?;
        let digits = text.strip_suffix(b"Z")?;
        if !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number = |digits: &[u8]| {
            let digits = digits.iter();
            digits.fold(0, |n, digit| 10 * n + i64::from(digit - b'0'))
        };
        let (year, rest) = match (tag, digits.len()) {
            (UTC_TIME, 12) => {
                let year = number(&digits[..2]);
                (if year < 50 { 2000 } else { 1900 } + year, &digits[2..])
            }
            (GENERALIZED_TIME, 14) => (number(&digits[..4]), &digits[4..]),
            _ => return None,
        };
        let [month, day, hour, minute, second] =
            [0, 2, 4, 6, 8].map(|at| number(&rest[at..at + 2]));
        let possible = (1..=12).contains(&month) && (1..=31).contains(&day);
        possible.then(|| days(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second)
    }
}

/// A distinguished name: the kinds of its attributes, with their texts.
struct Name(Vec<(String, String)>);

impl Name {
    fn parse(der: &[u8]) -> Option<Self> {
        let (mut sets, mut attributes) = (Reader(der), Vec::new());
        while sets.peek().is_some() {
            let mut set = Reader(sets.expect(SET)?);
            while set.peek().is_some() {
                let mut attribute = Reader(set.expect(SEQUENCE)?);
                let kind = kind(attribute.expect(OBJECT_IDENTIFIER)?);
                let (tag, text) = attribute.next()?;
                attributes.push((kind, string(tag, text)));
            }
        }
        Some(Self(attributes))
    }

    fn common_name(&self) -> Option<String> {
        let mut attributes = self.0.iter();
        let (_, text) = attributes.find(|(kind, _)| kind == "CN")?;
        Some(text.clone())
    }
}

/// Escapes the text, which a stranger has written.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("(no name)");
        }
        let texts = self.0.iter().map(|(kind, text)| format!("{kind}={text}"));
        let text = texts.collect::<Vec<_>>().join(", ");
        let shown = text.chars().take(SHOWN);
        shown
            .map(|c| if c.is_control() { '.' } else { c })
            .try_for_each(|c| f.write_str(c.encode_utf8(&mut [0; 4])))?;
        match text.chars().nth(SHOWN) {
            Some(_) => f.write_str("..."),
            None => Ok(()),
        }
    }
}

fn kind(oid: &[u8]) -> String {
    let known = match oid {
        [0x55, 4, 3] => "CN",
        [0x55, 4, 6] => "C",
        [0x55, 4, 7] => "L",
        [0x55, 4, 8] => "ST",
        [0x55, 4, 10] => "O",
        [0x55, 4, 11] => "OU",
        _ => {
            return format!(
                "#{}",
                oid.iter()
                    .map(|octet| format!("{octet:02x}"))
                    .collect::<String>()
            );
        }
    };
    known.into()
}

fn string(tag: u8, octets: &[u8]) -> String {
    if tag != BMP_STRING {
        return String::from_utf8_lossy(octets).into_owned();
    }
    let units = octets.chunks_exact(2);
    let units: Vec<u16> = units
        .map(|unit| u16::from_be_bytes([unit[0], unit[1]]))
        .collect();
    String::from_utf16_lossy(&units)
}

/// The number of days from the epoch to a date of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // If years begin in March, the leap day is their last day.
    let year = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The date that is this number of days after the epoch.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests;
