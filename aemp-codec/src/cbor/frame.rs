//! Finding the end of a CBOR packet that arrives in pieces of any size.

use std::ops::Range;

use super::item::Head;
use super::{BREAK, major};
use crate::error::{FrameError, FrameErrorKind};
use crate::limits::Limits;

/// Counts items and passes over strings. It remembers its place when the bytes run out.
///
/// The reader checks whether the packet is correct. The framer only detects faults that would let a connection wait
/// for an end that never comes.
#[derive(Debug)]
pub(crate) struct CborFramer {
    limits: Limits,
    /// All bytes before this offset have been scanned, or are inside of a string.
    position: usize,
    /// The item whose argument has arrived in part.
    argument: Option<Argument>,
    /// The major type of the chunks, within a string of indefinite length.
    chunks: Option<u8>,
    /// True if the last item was a tag, which belongs to the next item.
    tagged: bool,
    /// The number of items that the innermost array or map still lacks.
    left: u64,
    /// The same for the arrays and maps around it. Most packets have none, so nothing is allocated.
    outer: Vec<u64>,
    /// True if the packet's array has begun.
    begun: bool,
    /// True if the packet ends at the cursor, or ends when the rest of a string has come.
    complete: bool,
}

/// The number of items to come: a count, or all items before a break.
const INDEFINITE: u64 = u64::MAX;

#[derive(Clone, Copy, Debug)]
struct Argument {
    head: Head,
    missing: usize,
}

impl CborFramer {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            position: 0,
            argument: None,
            chunks: None,
            tagged: false,
            left: 1,
            outer: Vec::new(),
            begun: false,
            complete: false,
        }
    }

    pub(crate) fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        let limit = self.limits.max_packet;
        let visible = &buffer[..buffer.len().min(limit)];
        while !self.complete && self.position < visible.len() {
            self.pass_over_plain(visible);
            let Some(head) = self.head(visible)? else {
                break;
            };
            self.complete = self.item(head)?;
        }
        if self.complete && self.position <= visible.len() {
            let end = self.position;
            (self.position, self.left) = (0, 1);
            (self.begun, self.complete) = (false, false);
            return Ok(Some(0..end));
        }
        // Bytes are missing, and there is no room for them.
        if !self.complete && self.position >= limit {
            return Err(self.too_large(self.position));
        }
        Ok(None)
    }

    /// Passes over items that are short, complete, and not the last of their array or map. Most items are.
    #[inline]
    fn pass_over_plain(&mut self, visible: &[u8]) {
        if self.argument.is_some() || self.chunks.is_some() || !self.begun {
            return;
        }
        // Copies, so that they live in registers.
        let (mut position, mut left) = (self.position, self.left);
        while left > 1
            && left != INDEFINITE
            && let Some(&first) = visible.get(position)
        {
            let size = match PLAIN[usize::from(first)] {
                0 => break,
                STRING => match visible.get(position + 1) {
                    Some(&length) => 2 + usize::from(length),
                    None => break,
                },
                size => size.into(),
            };
            if size > visible.len() - position {
                break;
            }
            position += size;
            left -= 1;
        }
        self.tagged &= left == self.left;
        (self.position, self.left) = (position, left);
    }

    /// The next head; `None` if it is incomplete.
    #[inline]
    fn head(&mut self, visible: &[u8]) -> Result<Option<Head>, FrameError> {
        if self.argument.is_some() {
            return Ok(self.go_on(visible));
        }
        let Some(&first) = visible.get(self.position) else {
            return Ok(None);
        };
        if !self.begun && !matches!(first >> 5, major::ARRAY | major::TAG) {
            let kind = FrameErrorKind::NotAnArray;
            return Err(FrameError::new(self.position, kind));
        }
        let value = match first & 31 {
            short @ 0..24 => short.into(),
            24..28 | 31 => 0,
            _ => return Err(malformed(self.position, "reserved length of an argument")),
        };
        let head = Head { first, value };
        let size = head.size();
        self.position += 1;
        if size == 1 {
            return Ok(Some(head));
        }
        if let Some(bytes) = visible.get(self.position..self.position + size - 1) {
            self.position += size - 1;
            let value = number(0, bytes);
            return Ok(Some(Head { first, value }));
        }
        self.argument = Some(Argument {
            head,
            missing: size - 1,
        });
        Ok(self.go_on(visible))
    }

    /// Continues with an argument that was incomplete.
    #[cold]
    fn go_on(&mut self, visible: &[u8]) -> Option<Head> {
        let argument = self.argument.as_mut()?;
        let end = visible.len().min(self.position + argument.missing);
        let bytes = &visible[self.position..end];
        argument.head.value = number(argument.head.value, bytes);
        argument.missing -= bytes.len();
        self.position = end;
        let head = argument.head;
        if argument.missing > 0 {
            return None;
        }
        self.argument = None;
        Some(head)
    }

    /// Processes an item by its head. Returns true if the packet ends with it.
    #[inline]
    fn item(&mut self, head: Head) -> Result<bool, FrameError> {
        if let Some(chunks) = self.chunks {
            return self.chunk(chunks, head);
        }
        let (kind, indefinite) = (head.kind(), head.is_indefinite());
        match kind {
            major::BYTES | major::TEXT if indefinite => {
                self.chunks = Some(kind);
                return Ok(false);
            }
            major::BYTES | major::TEXT => self.pass_over(head)?,
            major::ARRAY | major::MAP if self.open(head)? => return Ok(false),
            major::ARRAY | major::MAP => {}
            major::SIMPLE if head.first == BREAK => return self.end_indefinite(),
            _ if indefinite => {
                let at = self.start(head);
                return Err(malformed(at, "indefinite length of a number or tag"));
            }
            major::TAG => {
                self.tagged = true;
                return Ok(false);
            }
            _ => {}
        }
        Ok(self.item_ends())
    }

    /// A part of a string, or its end.
    fn chunk(&mut self, chunks: u8, head: Head) -> Result<bool, FrameError> {
        if head.first == BREAK {
            self.chunks = None;
            return Ok(self.item_ends());
        }
        if head.kind() != chunks || head.is_indefinite() {
            let at = self.start(head);
            return Err(malformed(at, "something else in a string of chunks"));
        }
        self.pass_over(head)?;
        Ok(false)
    }

    #[inline]
    fn pass_over(&mut self, head: Head) -> Result<(), FrameError> {
        let length = usize::try_from(head.value).ok();
        let end = length.and_then(|length| self.position.checked_add(length));
        match end {
            Some(end) if end <= self.limits.max_packet => self.position = end,
            _ => return Err(self.too_large(self.start(head))),
        }
        Ok(())
    }

    /// The number of items that an array or a map promises. Each takes a byte, so there is a limit.
    #[inline]
    fn count(&self, head: Head) -> Result<u64, FrameError> {
        if head.is_indefinite() {
            return Ok(INDEFINITE);
        }
        let count = if head.kind() == major::MAP {
            head.value.checked_mul(2)
        } else {
            Some(head.value)
        };
        match count {
            Some(count) if count < self.limits.max_packet as u64 => Ok(count),
            _ => Err(self.too_large(self.start(head))),
        }
    }

    /// Enters an array or a map, unless it is empty.
    #[inline]
    fn open(&mut self, head: Head) -> Result<bool, FrameError> {
        let limit = self.limits.max_depth;
        if usize::from(self.begun) + self.outer.len() >= limit {
            let kind = FrameErrorKind::TooDeep { limit };
            return Err(FrameError::new(self.start(head), kind));
        }
        let count = self.count(head)?;
        if !std::mem::replace(&mut self.begun, true) {
            // An empty packet ends like an item.
            self.left = count.max(1);
        } else if count > 0 {
            self.outer.push(self.left);
            self.left = count;
        }
        self.tagged &= count == 0;
        Ok(count > 0)
    }

    /// Counts an item, and ends the arrays and maps that end with it. Returns true if the packet ends.
    #[inline]
    fn item_ends(&mut self) -> bool {
        self.tagged = false;
        loop {
            if self.left == INDEFINITE {
                return false;
            }
            self.left -= 1;
            if self.left > 0 {
                return false;
            }
            match self.outer.pop() {
                Some(outer) => self.left = outer,
                None => return true,
            }
        }
    }

    fn end_indefinite(&mut self) -> Result<bool, FrameError> {
        if self.left != INDEFINITE || self.tagged {
            let text = "a break where there is nothing to end";
            return Err(malformed(self.position - 1, text));
        }
        let Some(outer) = self.outer.pop() else {
            return Ok(true);
        };
        self.left = outer;
        Ok(self.item_ends())
    }

    /// The place of the last head.
    fn start(&self, head: Head) -> usize {
        self.position - head.size()
    }

    #[cold]
    fn too_large(&self, at: usize) -> FrameError {
        let limit = self.limits.max_packet;
        FrameError::new(at, FrameErrorKind::TooLarge { limit })
    }
}

#[cold]
fn malformed(at: usize, text: &str) -> FrameError {
    FrameError::new(at, FrameErrorKind::Malformed(text.into()))
}

/// An entry of [`PLAIN`]: a string whose length is the next byte.
const STRING: u8 = u8::MAX;

/// The size of the items that begin with each byte; 0 for items that need more care.
static PLAIN: [u8; 256] = {
    let mut sizes = [0; 256];
    let mut short = 0;
    while short < 24 {
        sizes[short] = 1;
        sizes[0x20 | short] = 1;
        sizes[0x40 | short] = 1 + short as u8;
        sizes[0x60 | short] = 1 + short as u8;
        short += 1;
    }
    let mut long = 0;
    while long < 4 {
        let size = 1 + (1 << long);
        sizes[0x18 + long] = size;
        sizes[0x38 + long] = size;
        if long > 0 {
            sizes[0xf8 + long] = size;
        }
        long += 1;
    }
    sizes[0x58] = STRING;
    sizes[0x78] = STRING;
    sizes[0xf4] = 1;
    sizes[0xf5] = 1;
    sizes[0xf6] = 1;
    sizes
};

#[inline]
fn number(before: u64, bytes: &[u8]) -> u64 {
    let shift = |value, &byte: &u8| value << 8 | u64::from(byte);
    bytes.iter().fold(before, shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Feeds a packet in pieces. Returns the number of bytes that all scans together have read.
    fn looked_at(packet: &[u8], piece: usize) -> usize {
        let mut framer = CborFramer::new(Limits::default());
        let (mut looked_at, mut end) = (0, 0);
        loop {
            let before = framer.position.min(end);
            end = packet.len().min(end + piece);
            // Bytes before the cursor are overwritten, so a second look at them would show.
            let mut buffer = packet[..end].to_vec();
            buffer[..before].fill(BREAK);
            match framer.scan(&buffer).expect("a packet") {
                Some(range) => return looked_at + range.end - before,
                None => looked_at += framer.position.min(end) - before,
            }
            assert!(end < packet.len(), "the packet has an end");
        }
    }

    #[test]
    fn no_byte_is_looked_at_twice() {
        let length = if cfg!(miri) { 0x101 } else { 0x1001 };
        let head = [b"\xd9\xd9\xf7\x81\x59", &(length as u16).to_be_bytes()[..]].concat();
        let string = [head, vec![b'x'; length]].concat();
        let element = b"\x01\x1a\x00\x01\x00\x00\x43abc\xa1\x61a\xf6\x5f\x41a\x42bc\xff\xbf\xff\xc1\xfb\0\0\0\0\0\0\0\0\x80";
        let list = [
            b"\x9f".to_vec(),
            element.repeat(if cfg!(miri) { 4 } else { 1_000 }),
            vec![BREAK],
        ]
        .concat();
        for packet in [string, list] {
            for piece in [1, 2, 3, 7, 64, 1_000, packet.len()] {
                assert_eq!(looked_at(&packet, piece), packet.len());
            }
        }
    }

    #[test]
    fn a_large_packet_in_small_pieces_takes_time_in_proportion() {
        let element = b"\x18\x7b\x78\x20some text and some more of it...";
        let count = if cfg!(miri) {
            300
        } else if cfg!(debug_assertions) {
            1 << 18
        } else {
            1 << 21
        };
        let packet = [b"\x9f".to_vec(), element.repeat(count), vec![BREAK]].concat();
        let mut framer = CborFramer::new(Limits::default().with_max_packet(usize::MAX));
        let (mut steps, mut found) = (0, None);
        for end in (1_000..packet.len()).step_by(1_000).chain([packet.len()]) {
            let before = framer.position;
            found = framer.scan(&packet[..end]).expect("a packet");
            let after = found.as_ref().map_or(framer.position, |range| range.end);
            assert!(
                after - before <= 1_000 + element.len(),
                "only the new bytes"
            );
            steps += after - before;
        }
        assert_eq!((steps, found), (packet.len(), Some(0..packet.len())));
    }
}
