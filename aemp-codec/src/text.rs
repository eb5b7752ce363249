//! Text that several formats share: numbers, quoted strings, octets as characters.

use std::borrow::Cow;

/// Integral floats below this are written like integers, as Perl does it.
const LIKE_INTEGERS: f64 = 1e15;

/// The integer that is equal to a float.
pub(crate) fn exact_i64(x: f64) -> Option<i64> {
    // 2^63 itself is out of range and the largest float below it is in, so `<` is right.
    let bound = 9_223_372_036_854_775_808.0;
    (x.fract() == 0.0 && (-bound..bound).contains(&x)).then_some(x as i64)
}

/// The shortest digits that identify a float. Integral floats of moderate size have no fraction.
pub(crate) fn float(x: f64) -> String {
    let mut out = Vec::with_capacity(24);
    push_float(&mut out, x);
    String::from_utf8(out).expect("digits are ASCII")
}

/// Appends the text that [`float`] returns.
pub(crate) fn push_float(out: &mut Vec<u8>, x: f64) {
    if x.fract() == 0.0 && x.abs() < LIKE_INTEGERS {
        if x == 0.0 && x.is_sign_negative() {
            out.push(b'-');
        }
        return push_int(out, x as i64);
    }
    out.extend_from_slice(zmij::Buffer::new().format(x).as_bytes());
}

/// Appends an integer's digits.
pub(crate) fn push_int(out: &mut Vec<u8>, n: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
}

/// The octets of a string whose characters are at most U+00FF.
pub(crate) fn octets(s: &str) -> Option<Cow<'_, [u8]>> {
    if s.is_ascii() {
        return Some(Cow::Borrowed(s.as_bytes()));
    }
    s.chars()
        .map(|c| u8::try_from(c).ok())
        .collect::<Option<Vec<u8>>>()
        .map(Cow::Owned)
}

/// The string whose characters have the octets as their numbers.
pub(crate) fn characters(octets: &[u8]) -> String {
    octets.iter().map(|&octet| char::from(octet)).collect()
}

/// The same without a copy where the octets are ASCII.
pub(crate) fn from_octets(octets: Cow<'_, [u8]>) -> Cow<'_, str> {
    if !octets.is_ascii() {
        return Cow::Owned(characters(&octets));
    }
    match octets {
        Cow::Borrowed(octets) => String::from_utf8_lossy(octets),
        Cow::Owned(octets) => Cow::Owned(characters(&octets)),
    }
}

/// The string in quotes. Characters that JSON forbids in strings are escaped as Perl does it.
pub(crate) fn quoted(s: &str) -> String {
    let mut out = Vec::with_capacity(s.len() + 2);
    push_quoted(&mut out, s);
    String::from_utf8(out).expect("escaping leaves UTF-8 as it is")
}

/// Appends the text that [`quoted`] returns.
#[inline]
pub(crate) fn push_quoted(out: &mut Vec<u8>, s: &str) {
    let bytes = s.as_bytes();
    out.reserve(bytes.len() + 3);
    out.push(b'"');
    let plain = plain_prefix(bytes);
    out.extend_from_slice(&bytes[..plain]);
    if plain < bytes.len() {
        push_escaped(out, &bytes[plain..]);
    }
    out.push(b'"');
}

fn push_escaped(out: &mut Vec<u8>, mut rest: &[u8]) {
    while let Some((&byte, behind)) = rest.split_first() {
        push_escape(out, byte);
        let plain = plain_prefix(behind);
        out.extend_from_slice(&behind[..plain]);
        rest = &behind[plain..];
    }
}

fn push_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\t' => b't',
        b'\r' => b'r',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            let [high, low] = [byte >> 4, byte & 15].map(|nibble| HEX[usize::from(nibble)]);
            return out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    };
    out.extend_from_slice(&[b'\\', short]);
}

/// The number of leading bytes that are neither a quote nor a backslash nor a control character.
#[inline]
pub(crate) fn plain_prefix(bytes: &[u8]) -> usize {
    // Short strings are the most frequent: eight bytes at a time, in one register.
    let (words, rest) = bytes.as_chunks();
    for (i, &word) in words.iter().enumerate() {
        let found = special_bytes(u64::from_le_bytes(word));
        if found != 0 {
            return 8 * i + (found.trailing_zeros() / 8) as usize;
        }
        if i == BLOCK / 8 {
            return BLOCK + plain_prefix_of_long(&bytes[BLOCK..]);
        }
    }
    8 * words.len() + rest.iter().take_while(|&&byte| !is_special(byte)).count()
}

/// The number of bytes of a long string that are examined together.
const BLOCK: usize = 64;

/// The same for the rest of a long string. The form of the inner loop is for the vectoriser.
fn plain_prefix_of_long(bytes: &[u8]) -> usize {
    let is_plain = |block: &&[u8]| {
        block
            .iter()
            .fold(0, |found, &byte| found | u8::from(is_special(byte)))
            == 0
    };
    let at = bytes.chunks_exact(BLOCK).take_while(is_plain).count() * BLOCK;
    at + bytes[at..]
        .iter()
        .take_while(|&&byte| !is_special(byte))
        .count()
}

const fn is_special(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// The high bit of every special byte. Bits above the lowest such byte may be wrong.
const fn special_bytes(word: u64) -> u64 {
    const ONES: u64 = u64::MAX / 255;
    const HIGH: u64 = ONES << 7;
    let quote = word ^ (ONES * b'"' as u64);
    let backslash = word ^ (ONES * b'\\' as u64);
    let control = word.wrapping_sub(ONES * 0x20);
    let zeros = quote.wrapping_sub(ONES) | backslash.wrapping_sub(ONES);
    // A byte with its high bit set is never special. This also removes the effects of borrows.
    (zeros | control) & !word & HIGH
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_prefix_stops_at_every_special_byte_at_every_place() {
        let all = [0, 1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 200, 300];
        // Under Miri, short strings have to do.
        for &length in &all[..if cfg!(miri) { 5 } else { all.len() }] {
            for at in 0..length {
                for special in [0, 0x1f, b'"', b'\\'] {
                    for other in [b' ', b'!', b'#', b'[', b']', 0x7f, 0x80, 0xa2, 0xdc, 0xff] {
                        let mut bytes = vec![other; length];
                        bytes[at] = special;
                        assert_eq!(plain_prefix(&bytes), at, "{special} among {other}");
                    }
                }
            }
            assert_eq!(plain_prefix(&vec![0xe4; length]), length);
        }
    }

    #[test]
    fn floats() {
        for (x, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-5.0, "-5"),
            (1.5, "1.5"),
            (0.1, "0.1"),
            (9_007_199_254_740_992.0, "9007199254740992.0"),
            (1e15, "1000000000000000.0"),
            (1e20, "1e+20"),
            (1e100, "1e+100"),
            (1e-7, "1e-7"),
            (f64::MAX, "1.7976931348623157e+308"),
            (5e-324, "5e-324"),
        ] {
            assert_eq!(float(x), text);
            assert_eq!(text.parse::<f64>().unwrap().to_bits(), x.to_bits());
        }
    }
}
