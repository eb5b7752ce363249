//! The writing side of postcard.

use super::{PREFIX, kind};
use crate::append::{few, push_few, push_word};
use crate::encoding::{Encoding, ListKind};
use crate::error::EncodeError;

/// The format of `postcard/1`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Postcard;

impl Encoding for Postcard {
    #[inline]
    fn begin(&self, out: &mut Vec<u8>) {
        // The length, and the number of items. One byte is nearly always enough for the number.
        out.extend_from_slice(&[0; PREFIX + 1]);
    }

    #[inline]
    fn end(&self, out: &mut Vec<u8>, start: usize, count: usize) -> Result<(), EncodeError> {
        let body = start + PREFIX;
        if count < 0x80 {
            out[body] = count as u8;
        } else {
            replace(out, body, 1, |out| push_varint(out, count as u64));
        }
        let limit = u32::MAX as usize;
        let length = u32::try_from(out.len() - body);
        let length = length.map_err(|_| EncodeError::TooLarge { limit })?;
        out[start..body].copy_from_slice(&length.to_le_bytes());
        Ok(())
    }

    #[inline]
    fn null(&self, out: &mut Vec<u8>) {
        out.push(kind::NULL);
    }

    #[inline]
    fn bool(&self, out: &mut Vec<u8>, v: bool) {
        out.push(if v { kind::TRUE } else { kind::FALSE });
    }

    #[inline]
    fn int(&self, out: &mut Vec<u8>, n: i64) {
        push_number(out, kind::INT, ((n << 1) ^ (n >> 63)) as u64);
    }

    #[inline]
    fn unsigned(&self, out: &mut Vec<u8>, n: u64) {
        match i64::try_from(n) {
            Ok(n) => push_number(out, kind::INT, (n << 1) as u64),
            Err(_) => push_number(out, kind::UINT, n),
        }
    }

    fn float(&self, out: &mut Vec<u8>, x: f64) {
        let mut item = [kind::FLOAT; 9];
        item[1..].copy_from_slice(&x.to_le_bytes());
        out.extend_from_slice(&item);
    }

    #[inline]
    fn text(&self, out: &mut Vec<u8>, text: &str) {
        Self::bytes_of(out, kind::TEXT, text.as_bytes());
    }

    #[inline]
    fn bytes(&self, out: &mut Vec<u8>, octets: &[u8]) {
        Self::bytes_of(out, kind::BYTES, octets);
    }

    #[inline]
    fn key(&self, out: &mut Vec<u8>, key: &str) {
        push_varint(out, key.len() as u64);
        out.extend_from_slice(key.as_bytes());
    }

    #[inline]
    fn open(&self, out: &mut Vec<u8>, kind: ListKind, count: usize) {
        let kind = match kind {
            ListKind::Array => kind::ARRAY,
            ListKind::Map => kind::MAP,
        };
        push_number(out, kind, count as u64);
    }
}

impl Postcard {
    #[inline]
    fn bytes_of(out: &mut Vec<u8>, kind: u8, octets: &[u8]) {
        if octets.len() > few::<2>() {
            return Self::many_bytes_of(out, kind, octets);
        }
        let head = [kind, octets.len() as u8];
        push_few::<2>(out, u16::from_le_bytes(head), octets);
    }

    #[inline(never)]
    fn many_bytes_of(out: &mut Vec<u8>, kind: u8, octets: &[u8]) {
        push_number(out, kind, octets.len() as u64);
        out.extend_from_slice(octets);
    }
}

/// Appends an item's kind, and a varint.
#[inline]
fn push_number(out: &mut Vec<u8>, kind: u8, n: u64) {
    let (word, length) = varint(n);
    push_word(out, word << 8 | u128::from(kind), 1 + length);
}

fn push_varint(out: &mut Vec<u8>, n: u64) {
    let (word, length) = varint(n);
    push_word(out, word, length);
}

/// The bytes of a varint, the least significant first, and their number.
#[inline]
fn varint(n: u64) -> (u128, usize) {
    const MORE: u64 = 0x80;
    let group = |at: u32| (n >> (7 * at) & 0x7f) << (8 * at);
    match n {
        0..0x80 => (n.into(), 1),
        0x80..0x4000 => ((group(0) | MORE | group(1)).into(), 2),
        0x4000..0x20_0000 => {
            let word = group(0) | group(1) | group(2) | MORE | MORE << 8;
            (word.into(), 3)
        }
        _ => long_varint(n),
    }
}

fn long_varint(mut n: u64) -> (u128, usize) {
    let (mut word, mut length) = (0, 0);
    while n >= 0x80 {
        word |= u128::from(n & 0x7f | 0x80) << (8 * length);
        length += 1;
        n >>= 7;
    }
    (word | u128::from(n) << (8 * length), length + 1)
}

/// Overwrites `size` bytes.
#[cold]
fn replace(out: &mut Vec<u8>, at: usize, size: usize, push: impl FnOnce(&mut Vec<u8>)) {
    let mut other = Vec::with_capacity(11);
    push(&mut other);
    out.splice(at..at + size, other);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_are_as_short_as_possible() {
        let shifted = (0..64).flat_map(|bits| [(1u64 << bits) - 1, 1 << bits, (1 << bits) + 1]);
        for n in shifted.chain([u64::MAX]) {
            let mut expected = Vec::new();
            push_varint(&mut expected, n);
            let bits = 64 - n.leading_zeros().min(63);
            assert_eq!(expected.len() as u32, bits.div_ceil(7), "{n}");
            let mut out = Vec::new();
            push_number(&mut out, 77, n);
            assert_eq!((out[0], &out[1..]), (77, &*expected));
        }
    }
}
