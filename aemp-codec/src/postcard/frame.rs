//! Finding the end of a packet, by its length.

use std::ops::Range;

use super::PREFIX;
use crate::error::{FrameError, FrameErrorKind};
use crate::limits::Limits;

/// Reads the length, and waits for that number of bytes.
#[derive(Debug)]
pub(crate) struct PostcardFramer {
    limit: usize,
}

impl PostcardFramer {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limit: limits.max_packet,
        }
    }

    #[inline]
    pub(crate) fn scan(&self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        let Some(length) = buffer.first_chunk() else {
            return Ok(None);
        };
        // In 64 bits, so that nothing overflows on machines with fewer.
        let size = u64::from(u32::from_le_bytes(*length)) + PREFIX as u64;
        if size > self.limit as u64 {
            return Err(self.too_large());
        }
        let size = size as usize;
        Ok((buffer.len() >= size).then_some(0..size))
    }

    #[cold]
    fn too_large(&self) -> FrameError {
        let kind = FrameErrorKind::TooLarge { limit: self.limit };
        FrameError::new(0, kind)
    }
}
