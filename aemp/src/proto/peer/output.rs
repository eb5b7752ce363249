//! What waits to be written on a connection.

use std::{collections::VecDeque, mem};

use aemp_codec::{EncodeError, Format, Limits, PacketWriter, Value};

use crate::proto::queue::weight_of_all;

/// A packet that was written apart from its [`Peer`](super::Peer), to be [put](super::Peer::put) there.
#[derive(Debug)]
pub enum Written {
    /// For a connection.
    Bytes {
        /// What it is written in.
        format: Format,
        /// One packet.
        bytes: Vec<u8>,
    },
    /// For a node that is not connected.
    Values {
        /// One packet.
        values: Vec<Value>,
        /// About how many bytes it will have.
        weight: usize,
    },
}

impl Written {
    /// A packet of these elements, the first of which is the name of the port.
    ///
    /// # Errors
    ///
    /// When it is too large.
    pub fn values(values: Vec<Value>, limits: Limits) -> Result<Self, EncodeError> {
        let weight = weight_of_all(&values);
        let limit = limits.max_packet;
        if weight > limit {
            return Err(EncodeError::TooLarge { limit });
        }
        Ok(Self::Values { values, weight })
    }
}

/// Packets of so many bytes are not copied, but written as they are.
const LARGE: usize = 32 << 10;
/// So many buffers are kept for large packets, and what each of them may hold.
const SPARES: usize = 2;
const SPARE: usize = 1 << 20;

/// Bytes in the order in which they are to be written: large packets, each with what came before it, then all that is behind the last one.
#[derive(Debug, Default)]
pub(super) struct Output {
    chunks: VecDeque<Vec<u8>>,
    chunked: usize,
    last: Vec<u8>,
    spares: Vec<Vec<u8>>,
}

impl Output {
    pub(super) fn new(last: Vec<u8>) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    pub(super) fn len(&self) -> usize {
        self.chunked + self.last.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Begins a packet behind all others.
    #[inline]
    pub(super) fn writer(&mut self, format: &Format, limits: Limits) -> PacketWriter<'_> {
        format.writer(&mut self.last, limits)
    }

    /// Appends a packet. Of a large one another buffer is left.
    #[inline]
    pub(super) fn append(&mut self, packet: &mut Vec<u8>) {
        if packet.len() < LARGE {
            self.last.extend_from_slice(packet);
        } else {
            self.append_large(packet);
        }
    }

    #[inline(never)]
    fn append_large(&mut self, packet: &mut Vec<u8>) {
        if !self.last.is_empty() {
            let spare = self.spares.pop().unwrap_or_default();
            let before = mem::replace(&mut self.last, spare);
            self.push(before);
        }
        let spare = self.spares.pop().unwrap_or_default();
        self.push(mem::replace(packet, spare));
    }

    fn push(&mut self, chunk: Vec<u8>) {
        self.chunked += chunk.len();
        self.chunks.push_back(chunk);
    }

    /// Exchanges `buf` for what is to be written next. Whether that is all.
    pub(super) fn swap(&mut self, buf: &mut Vec<u8>) -> bool {
        let Some(chunk) = self.chunks.pop_front() else {
            mem::swap(&mut self.last, buf);
            return true;
        };
        self.chunked -= chunk.len();
        let mut written = mem::replace(buf, chunk);
        if self.spares.len() < SPARES && (1..=SPARE).contains(&written.capacity()) {
            written.clear();
            self.spares.push(written);
        }
        self.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(content: u8, len: usize) -> Vec<u8> {
        vec![content; len]
    }

    #[test]
    fn large_packets_are_moved_and_stay_in_order() {
        let mut output = Output::default();
        let sizes = [1, LARGE, LARGE + 1, 2, 3, 2 * LARGE, 4];
        let mut expected = Vec::new();
        for (content, len) in sizes.into_iter().enumerate() {
            let mut packet = packet(content as u8, len);
            expected.extend_from_slice(&packet);
            let place = packet.as_ptr();
            output.append(&mut packet);
            assert_eq!(place != packet.as_ptr(), len >= LARGE, "{len}");
            assert_eq!(output.len(), expected.len());
        }
        let (mut buf, mut written) = (Vec::new(), Vec::new());
        while !output.is_empty() {
            let all = output.swap(&mut buf);
            assert_eq!(all, output.is_empty());
            written.extend_from_slice(&buf);
            buf.clear();
        }
        assert!(written == expected);
    }

    #[test]
    fn buffers_are_used_again() {
        let mut output = Output::default();
        let mut buf = Vec::with_capacity(100);
        output.append(&mut packet(1, LARGE));
        output.swap(&mut buf);
        let mut next = packet(2, LARGE);
        output.append(&mut next);
        assert_eq!((next.len(), next.capacity()), (0, 100));
    }
}
