//! How CBOR is written.

use super::head::{push_float, push_head, push_int, push_string, put_head};
use super::major;
use crate::counted::Encoding;
use crate::error::EncodeError;

/// CBOR as the reference understands it without doubt.
#[derive(Debug)]
pub(crate) enum Cbor {}

impl Encoding for Cbor {
    const ARRAY: u8 = major::ARRAY;
    const MAP: u8 = major::MAP;

    #[inline]
    fn begin(out: &mut Vec<u8>) {
        out.push(major::ARRAY << 5);
    }

    #[inline]
    fn end(out: &mut Vec<u8>, start: usize, count: usize) -> Result<(), EncodeError> {
        put_head(out, start, 1, major::ARRAY, count);
        Ok(())
    }

    #[inline]
    fn null(out: &mut Vec<u8>) {
        out.push(0xf6);
    }

    #[inline]
    fn bool(out: &mut Vec<u8>, v: bool) {
        out.push(if v { 0xf5 } else { 0xf4 });
    }

    #[inline]
    fn int(out: &mut Vec<u8>, n: i64) {
        push_int(out, n);
    }

    #[inline]
    fn unsigned(out: &mut Vec<u8>, n: u64) {
        push_head(out, major::UNSIGNED, n);
    }

    fn float(out: &mut Vec<u8>, x: f64) {
        push_float(out, x);
    }

    #[inline]
    fn text(out: &mut Vec<u8>, text: &str) {
        push_string(out, major::TEXT, text.as_bytes());
    }

    #[inline]
    fn bytes(out: &mut Vec<u8>, octets: &[u8]) {
        push_string(out, major::BYTES, octets);
    }

    #[inline]
    fn key(out: &mut Vec<u8>, key: &str) {
        push_string(out, major::TEXT, key.as_bytes());
    }

    #[inline]
    fn head(out: &mut Vec<u8>, kind: u8, count: usize) {
        push_head(out, kind, count as u64);
    }

    #[inline]
    fn put_head(out: &mut Vec<u8>, at: usize, size: usize, kind: u8, count: usize) {
        put_head(out, at, size, kind, count);
    }
}
