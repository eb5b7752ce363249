//! The packets that wait to be written on a connection.
//!
//! Small packets are copied once, into the common buffer. Large ones move into a list of chunks, which the connection's
//! task writes one by one. The peer itself writes only packets without user types: `mon1`, the packets that waited for
//! the connection, and requests of the mesh. In a format from another crate these stay values in the list, and the
//! connection's task writes them (`Peer::take_unwritten`).

use std::{collections::VecDeque, mem};

use aemp_codec::{EncodeError, Format, Limits, PacketWriter, Value};

use crate::queue::{Queue, weight_of_all};

/// A packet that was written outside of its [`Peer`](super::Peer), to be [put](super::Peer::put) there.
#[derive(Debug)]
pub enum Written {
    /// Bytes for a connection.
    Bytes {
        /// The format of the bytes.
        format: Format,
        /// The bytes of one packet.
        bytes: Vec<u8>,
    },
    /// Values for a node that is not connected.
    Values {
        /// The elements of one packet.
        values: Vec<Value>,
        /// The approximate size of the packet, in bytes.
        weight: usize,
    },
}

impl Written {
    /// Creates a packet of these elements. The first is the name of the port.
    ///
    /// # Errors
    ///
    /// Returns an error if the packet is too large.
    pub fn values(values: Vec<Value>, limits: Limits) -> Result<Self, EncodeError> {
        let weight = weight_of_all(&values);
        let limit = limits.max_packet;
        if weight > limit {
            return Err(EncodeError::TooLarge { limit });
        }
        Ok(Self::Values { values, weight })
    }
}

/// The size from which a packet is written as it is, instead of being copied.
const LARGE: usize = 32 << 10;
/// The number of buffers that are kept for large packets.
const SPARES: usize = 2;
/// The largest capacity of a buffer that is kept, in bytes.
const SPARE: usize = 1 << 20;

/// The bytes and packets to write, in order: large packets, each with the bytes before it, then the bytes behind the
/// last large packet.
#[derive(Debug, Default)]
pub(super) struct Output {
    chunks: VecDeque<Chunk>,
    chunked: usize,
    last: Vec<u8>,
    spares: Vec<Vec<u8>>,
}

#[derive(Debug)]
enum Chunk {
    Bytes(Vec<u8>),
    /// One packet that is still a list of values, and its approximate size in bytes. A codec of another crate is
    /// foreign code, which must not run while a peer is locked.
    Values(Vec<Value>, usize),
}

impl Output {
    /// Writes the packets that have waited for a connection of this format.
    pub(super) fn of(queue: Queue, format: &Format, limits: Limits) -> Result<Self, EncodeError> {
        let mut output = Self::default();
        if let Format::Custom(_) = format {
            let packets = queue.into_packets();
            packets
                .into_iter()
                .for_each(|packet| output.push_values(packet));
        } else {
            queue.write_all(format, limits, &mut output.last)?;
        }
        Ok(output)
    }

    pub(super) fn len(&self) -> usize {
        self.chunked + self.last.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Writes a packet behind all others.
    #[inline]
    pub(super) fn write(
        &mut self,
        format: &Format,
        limits: Limits,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), EncodeError> {
        if let Format::Custom(_) = format {
            let mut values = Vec::new();
            let mut packet = PacketWriter::values(&mut values, limits);
            write(&mut packet)?;
            packet.finish()?;
            self.push_values(values);
            return Ok(());
        }
        let mut packet = format.writer(&mut self.last, limits);
        write(&mut packet)?;
        packet.finish()
    }

    #[cold]
    fn push_values(&mut self, values: Vec<Value>) {
        self.end_chunk();
        let weight = weight_of_all(&values);
        self.chunked += weight;
        self.chunks.push_back(Chunk::Values(values, weight));
    }

    /// Takes the next packets that are still values.
    pub(super) fn take_values(&mut self) -> Vec<Vec<Value>> {
        let mut packets = Vec::new();
        while let Some(Chunk::Values(..)) = self.chunks.front()
            && let Some(Chunk::Values(values, weight)) = self.chunks.pop_front()
        {
            self.chunked -= weight;
            packets.push(values);
        }
        packets
    }

    /// Appends a packet. If it is large, `packet` gets another buffer.
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
        self.end_chunk();
        let spare = self.spares.pop().unwrap_or_default();
        self.push(mem::replace(packet, spare));
    }

    fn end_chunk(&mut self) {
        if !self.last.is_empty() {
            let spare = self.spares.pop().unwrap_or_default();
            let before = mem::replace(&mut self.last, spare);
            self.push(before);
        }
    }

    fn push(&mut self, chunk: Vec<u8>) {
        self.chunked += chunk.len();
        self.chunks.push_back(Chunk::Bytes(chunk));
    }

    /// Frees the buffers, if nothing waits in them.
    pub(super) fn rest(&mut self) {
        if self.is_empty() {
            *self = Self::default();
        }
    }

    /// Exchanges `buf` for the bytes to write next. Returns true if these are all. Takes nothing as long as the next
    /// packets are still values.
    pub(super) fn swap(&mut self, buf: &mut Vec<u8>) -> bool {
        let chunk = match self.chunks.pop_front() {
            Some(Chunk::Bytes(chunk)) => chunk,
            Some(values) => {
                self.chunks.push_front(values);
                return false;
            }
            None => {
                mem::swap(&mut self.last, buf);
                return true;
            }
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
    fn an_output_at_rest_keeps_no_buffer() {
        let mut output = Output::default();
        let mut buf = Vec::with_capacity(100);
        output.append(&mut packet(1, LARGE));
        output.append(&mut packet(2, 10));
        output.rest();
        assert_eq!(output.len(), LARGE + 10);
        while !output.is_empty() {
            output.swap(&mut buf);
            buf.clear();
        }
        output.rest();
        let kept = output.last.capacity() + output.spares.len() + output.chunks.capacity();
        assert_eq!(kept, 0);
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
