//! The writing side of CBOR.

use super::head::{push_float, push_head, push_int, push_string, put_head};
use super::major;
use crate::encoding::{Encoding, ListKind, Opened};
use crate::error::EncodeError;

/// CBOR in a form that the reference reads without ambiguity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cbor;

impl Encoding for Cbor {
    #[inline]
    fn begin(&self, out: &mut Vec<u8>) {
        out.push(major::ARRAY << 5);
    }

    #[inline]
    fn end(&self, out: &mut Vec<u8>, start: usize, count: usize) -> Result<(), EncodeError> {
        put_head(out, start, 1, major::ARRAY, count);
        Ok(())
    }

    #[inline]
    fn null(&self, out: &mut Vec<u8>) {
        out.push(0xf6);
    }

    #[inline]
    fn bool(&self, out: &mut Vec<u8>, v: bool) {
        out.push(if v { 0xf5 } else { 0xf4 });
    }

    #[inline]
    fn int(&self, out: &mut Vec<u8>, n: i64) {
        push_int(out, n);
    }

    #[inline]
    fn unsigned(&self, out: &mut Vec<u8>, n: u64) {
        push_head(out, major::UNSIGNED, n);
    }

    fn float(&self, out: &mut Vec<u8>, x: f64) {
        push_float(out, x);
    }

    #[inline]
    fn text(&self, out: &mut Vec<u8>, text: &str) {
        push_string(out, major::TEXT, text.as_bytes());
    }

    #[inline]
    fn bytes(&self, out: &mut Vec<u8>, octets: &[u8]) {
        push_string(out, major::BYTES, octets);
    }

    #[inline]
    fn key(&self, out: &mut Vec<u8>, key: &str) {
        push_string(out, major::TEXT, key.as_bytes());
    }

    #[inline]
    fn open(&self, out: &mut Vec<u8>, kind: ListKind, count: usize) {
        push_head(out, major_of(kind), count as u64);
    }

    #[inline]
    fn close(&self, out: &mut Vec<u8>, list: &Opened) {
        if list.count() != list.promised() {
            let head = list.head();
            put_head(
                out,
                head.start,
                head.len(),
                major_of(list.kind()),
                list.count(),
            );
        }
    }
}

fn major_of(kind: ListKind) -> u8 {
    match kind {
        ListKind::Array => major::ARRAY,
        ListKind::Map => major::MAP,
    }
}
