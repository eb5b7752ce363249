//! The buffer for ciphertext to send.

use std::io::{self, Write};

/// The bytes of plaintext that are encrypted at a time: four records.
pub(super) const CHUNK: usize = 64 << 10;
/// Room for messages of rustls itself.
pub(super) const BESIDES: usize = 256;
/// The largest capacity of an idle buffer that is kept.
pub(super) const KEEP: usize = 8 << 10;

/// The buffer for ciphertext to send.
pub(super) struct Outgoing<'a> {
    pub(super) buffer: &'a mut Vec<u8>,
    pub(super) filled: &'a mut usize,
}

impl Outgoing<'_> {
    pub(super) fn room(&mut self, needed: usize) {
        let needed = *self.filled + needed;
        if *self.filled == 0 && needed <= KEEP && self.buffer.len() > CHUNK / 2 {
            *self.buffer = Vec::new();
        }
        if self.buffer.len() < needed {
            self.buffer.resize(needed, 0);
        }
    }
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.room(bytes.len());
        self.buffer[*self.filled..][..bytes.len()].copy_from_slice(bytes);
        *self.filled += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
