//! Memory for reads, which many connections of one thread share.
//!
//! A connection needs room only while it reads and delivers. With room of its own, hundreds of connections that are busy
//! at the same time hold megabytes, most of them unused at any moment, and the allocator keeps that memory when they are
//! quiet again. So a link borrows room for each read. It keeps only the bytes of the packet that has not arrived in full.
//!
//! A link that has many bytes left, because its packets are large or because it is not read for a while, reads behind
//! them into a buffer of its own.

use super::{LEAST_ROOM, Link, MOST_ROOM};

/// The bytes that a link copies when it borrows room. A link with more of them reads into its own buffer.
const COPIED: usize = 4 << 10;
/// The number of sizes: from the least to the most room, each twice the one before.
const SIZES: usize = (MOST_ROOM / LEAST_ROOM).trailing_zeros() as usize + 1;

/// Spare buffers, at most one of each size. Each thread that reads has one `Spare`.
#[derive(Debug, Default)]
pub struct Spare([Vec<u8>; SIZES]);

impl Spare {
    /// An empty buffer with this much room, and for the bytes that a link copies.
    fn take(&mut self, room: usize) -> Vec<u8> {
        let spare = std::mem::take(&mut self.0[size_of(room)]);
        if spare.capacity() > 0 {
            return spare;
        }
        Vec::with_capacity(room + COPIED)
    }

    fn put(&mut self, mut buffer: Vec<u8>) {
        let room = buffer.capacity().saturating_sub(COPIED);
        // A buffer of another size has grown. It is freed.
        if (LEAST_ROOM..=2 * MOST_ROOM).contains(&room) {
            buffer.clear();
            self.0[size_of(room)] = buffer;
        }
    }

    /// The bytes that are kept for the next reads.
    #[cfg(test)]
    pub(super) fn kept(&self) -> usize {
        self.0.iter().map(Vec::capacity).sum()
    }
}

/// The place of the largest size that is not above this room.
fn size_of(room: usize) -> usize {
    let size = (room / LEAST_ROOM).max(1).ilog2() as usize;
    size.min(SIZES - 1)
}

impl Link {
    /// Borrows room for the next read, unless the link has many bytes. Call this before [`space`](Link::space), and
    /// [`give_back`](Self::give_back) when the packets have been delivered.
    pub fn borrow_room(&mut self, spare: &mut Spare) {
        let kept = self.buffer.len() - self.start;
        let has_room = self.buffer.capacity() - kept >= self.room;
        if kept > COPIED || has_room {
            return;
        }
        let mut buffer = spare.take(self.room);
        buffer.extend_from_slice(&self.buffer[self.start..]);
        self.replace_buffer(buffer);
    }

    /// Gives room back that is not needed until the next read. The bytes that have not been returned as packets are
    /// copied, if they are few: never more than have been returned since the last copy, apart from a packet's beginning.
    pub fn give_back(&mut self, spare: &mut Spare) {
        let kept = &self.buffer[self.start..];
        let few = kept.len() <= COPIED || kept.len() <= self.start / 4;
        if self.buffer.capacity() < LEAST_ROOM || !few {
            return;
        }
        let kept = kept.to_vec();
        let room = self.replace_buffer(kept);
        spare.put(room);
    }

    /// The bytes that have not been returned as packets, if there are so many that they have a buffer of their own.
    #[must_use]
    pub fn unread(&self) -> usize {
        let kept = self.buffer.len() - self.start;
        if kept > COPIED { kept } else { 0 }
    }

    /// Makes the next read a small one. Use this while many connections have read more than can be delivered in a turn.
    pub fn narrow(&mut self) {
        self.room = LEAST_ROOM;
    }

    /// Returns the old buffer. The new one has the bytes that have not been returned as packets.
    fn replace_buffer(&mut self, buffer: Vec<u8>) -> Vec<u8> {
        self.last = 0..0;
        (self.start, self.offered) = (0, buffer.len());
        std::mem::replace(&mut self.buffer, buffer)
    }
}
