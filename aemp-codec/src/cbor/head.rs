//! Appending heads, and scalars that are little more.

use super::major;

/// Appends an item's first byte and its argument, as short as possible.
#[inline]
pub(super) fn push_head(out: &mut Vec<u8>, kind: u8, value: u64) {
    let first = kind << 5;
    if value < 24 {
        out.push(first | value as u8);
    } else if let Ok(value) = u8::try_from(value) {
        out.extend_from_slice(&[first | 24, value]);
    } else {
        push_long_head(out, first, value);
    }
}

#[inline]
fn push_long_head(out: &mut Vec<u8>, first: u8, value: u64) {
    let bytes = value.to_be_bytes();
    let (code, from) = match value {
        0..=0xffff => (25, 6),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 0),
    };
    out.push(first | code);
    match from {
        6 => out.extend_from_slice(&bytes[6..]),
        4 => out.extend_from_slice(&bytes[4..]),
        _ => out.extend_from_slice(&bytes),
    }
}

/// Writes a head over one of `size` bytes, when it is known how many items there are.
#[inline]
pub(super) fn put_head(out: &mut Vec<u8>, at: usize, size: usize, kind: u8, count: usize) {
    if count < 24 && size == 1 {
        out[at] = kind << 5 | count as u8;
        return;
    }
    let mut head = Vec::with_capacity(9);
    push_head(&mut head, kind, count as u64);
    out.splice(at..at + size, head);
}

#[inline]
pub(super) fn push_string(out: &mut Vec<u8>, kind: u8, octets: &[u8]) {
    push_head(out, kind, octets.len() as u64);
    out.extend_from_slice(octets);
}

#[inline]
pub(super) fn push_unsigned(out: &mut Vec<u8>, n: u64) {
    push_head(out, major::UNSIGNED, n);
}

#[inline]
pub(super) fn push_int(out: &mut Vec<u8>, n: i64) {
    if n >= 0 {
        push_head(out, major::UNSIGNED, n as u64);
    } else {
        push_head(out, major::NEGATIVE, !n as u64);
    }
}

/// As the reference does it: integral floats of 32 bits as integers, the others in single
/// precision if that is exact. Only -0.0 keeps its sign here.
pub(super) fn push_float(out: &mut Vec<u8>, x: f64) {
    let integer = x as u32;
    if f64::from(integer).to_bits() == x.to_bits() {
        return push_head(out, major::UNSIGNED, integer.into());
    }
    let single = x as f32;
    if f64::from(single).to_bits() == x.to_bits() {
        out.push(0xfa);
        out.extend_from_slice(&single.to_be_bytes());
    } else {
        out.push(0xfb);
        out.extend_from_slice(&x.to_be_bytes());
    }
}
