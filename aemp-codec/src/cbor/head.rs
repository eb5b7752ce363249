//! Appending heads, and scalars that are hardly more than a head.

use super::major;
use crate::append::{few, push_few, push_word};

/// Appends the first byte of an item and its argument, in the shortest form.
#[inline]
pub(super) fn push_head(out: &mut Vec<u8>, kind: u8, value: u64) {
    let first = kind << 5;
    let (code, argument, size) = match value {
        0..24 => (value as u8, 0, 0),
        24..=0xff => (24, value, 1),
        0x100..=0xffff => (25, u64::from((value as u16).swap_bytes()), 2),
        0x1_0000..=0xffff_ffff => (26, u64::from((value as u32).swap_bytes()), 4),
        _ => (27, value.swap_bytes(), 8),
    };
    let word = u128::from(argument) << 8 | u128::from(first | code);
    push_word(out, word, 1 + size);
}

/// Writes a head over one of `size` bytes, when the number of items is known.
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
    if octets.len() > few::<1>() {
        return push_long_string(out, kind, octets);
    }
    let head = kind << 5 | octets.len() as u8;
    push_few::<1>(out, head.into(), octets);
}

#[inline(never)]
fn push_long_string(out: &mut Vec<u8>, kind: u8, octets: &[u8]) {
    push_head(out, kind, octets.len() as u64);
    out.extend_from_slice(octets);
}

#[inline]
pub(super) fn push_int(out: &mut Vec<u8>, n: i64) {
    if n >= 0 {
        push_head(out, major::UNSIGNED, n as u64);
    } else {
        push_head(out, major::NEGATIVE, !n as u64);
    }
}

/// As the reference does it: integral floats of 32 bits become integers, others have single precision if that is
/// exact. Only -0.0 keeps its sign here.
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
