//! The writing side of JSON.

use crate::encoding::{Encoding, ListKind, Opened};
use crate::error::EncodeError;
use crate::text;

/// JSON as nodes write it: without white space.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json;

impl Encoding for Json {
    #[inline]
    fn begin(&self, out: &mut Vec<u8>) {
        out.push(b'[');
    }

    #[inline]
    fn end(&self, out: &mut Vec<u8>, _: usize, _: usize) -> Result<(), EncodeError> {
        out.push(b']');
        Ok(())
    }

    #[inline]
    fn null(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }

    #[inline]
    fn bool(&self, out: &mut Vec<u8>, v: bool) {
        out.extend_from_slice(if v { b"true" } else { b"false" });
    }

    #[inline]
    fn int(&self, out: &mut Vec<u8>, n: i64) {
        text::push_int(out, n);
    }

    #[inline]
    fn unsigned(&self, out: &mut Vec<u8>, n: u64) {
        text::push_int(out, n);
    }

    fn large(&self, out: &mut Vec<u8>, digits: &str) {
        out.extend_from_slice(digits.as_bytes());
    }

    fn float(&self, out: &mut Vec<u8>, x: f64) {
        text::push_float(out, x);
    }

    #[inline]
    fn text(&self, out: &mut Vec<u8>, text: &str) {
        text::push_quoted(out, text);
    }

    fn bytes(&self, out: &mut Vec<u8>, octets: &[u8]) {
        text::push_quoted(out, &text::characters(octets));
    }

    #[inline]
    fn separate(&self, out: &mut Vec<u8>) {
        out.push(b',');
    }

    #[inline]
    fn key(&self, out: &mut Vec<u8>, key: &str) {
        text::push_quoted(out, key);
        out.push(b':');
    }

    #[inline]
    fn open(&self, out: &mut Vec<u8>, kind: ListKind, _: usize) {
        out.push(match kind {
            ListKind::Array => b'[',
            ListKind::Map => b'{',
        });
    }

    #[inline]
    fn close(&self, out: &mut Vec<u8>, list: &Opened) {
        out.push(match list.kind() {
            ListKind::Array => b']',
            ListKind::Map => b'}',
        });
    }
}
