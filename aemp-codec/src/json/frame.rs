//! Finding the end of a JSON packet that arrives in pieces of any size.

use std::ops::Range;

use crate::error::{FrameError, FrameErrorKind};
use crate::limits::Limits;
use crate::text::plain_prefix;

/// Counts brackets and passes over strings. It remembers its place when the bytes run out.
///
/// The reader checks whether the packet is correct JSON. The framer only detects faults that would let a connection
/// wait for an end that never comes.
#[derive(Debug)]
pub(crate) struct JsonFramer {
    limits: Limits,
    /// The beginning of the packet, behind white space.
    start: usize,
    cursor: Cursor,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// All bytes before this offset have been scanned.
    position: usize,
    depth: usize,
    within: Within,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Within {
    Structure,
    String,
    /// Behind a backslash.
    Escape,
}

impl JsonFramer {
    pub(crate) fn new(limits: Limits) -> Self {
        let cursor = Cursor {
            position: 0,
            depth: 0,
            within: Within::Structure,
        };
        Self {
            limits,
            start: 0,
            cursor,
        }
    }

    pub(crate) fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        if self.cursor.depth == 0 && !self.begin(buffer)? {
            return Ok(None);
        }
        let limit = self.limits.max_packet;
        // Bytes beyond the limit are not scanned.
        let visible = &buffer[..buffer.len().min(self.start.saturating_add(limit))];
        // A copy, so that it lives in registers.
        let mut cursor = self.cursor;
        if cursor.find_end(visible, self.limits.max_depth)? {
            let packet = self.start..cursor.position;
            *self = Self::new(self.limits);
            return Ok(Some(packet));
        }
        self.cursor = cursor;
        if visible.len() < buffer.len() {
            return Err(FrameError::new(
                visible.len(),
                FrameErrorKind::TooLarge { limit },
            ));
        }
        Ok(None)
    }

    /// Passes over white space. Returns true if a packet has begun.
    fn begin(&mut self, buffer: &[u8]) -> Result<bool, FrameError> {
        let position = &mut self.cursor.position;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = buffer.get(*position) {
            *position += 1;
        }
        let limit = self.limits.max_packet;
        if *position > limit {
            return Err(FrameError::new(limit, FrameErrorKind::TooLarge { limit }));
        }
        let Some(&first) = buffer.get(*position) else {
            return Ok(false);
        };
        if first != b'[' {
            return Err(FrameError::new(*position, not_an_array(first)));
        }
        self.start = *position;
        Ok(true)
    }
}

impl Cursor {
    /// Goes to the packet's end, or to the end of the bytes. Returns true if the packet has ended.
    fn find_end(&mut self, bytes: &[u8], max_depth: usize) -> Result<bool, FrameError> {
        if self.within != Within::Structure && !self.finish_string(bytes)? {
            return Ok(false);
        }
        while let Some(&byte) = bytes.get(self.position) {
            let class = CLASSES[usize::from(byte)];
            // Most bytes. In front of the other cases, they cost no jump by table.
            if class == Class::Other {
                self.position += 1;
                continue;
            }
            match class {
                Class::Other => {}
                Class::Quote => {
                    self.position += 1;
                    self.within = Within::String;
                    if !self.finish_string(bytes)? {
                        return Ok(false);
                    }
                    continue;
                }
                Class::Open => {
                    self.depth += 1;
                    if self.depth > max_depth {
                        let kind = FrameErrorKind::TooDeep { limit: max_depth };
                        return Err(FrameError::new(self.position, kind));
                    }
                }
                Class::Close => {
                    self.depth -= 1;
                    if self.depth == 0 {
                        self.position += 1;
                        return Ok(true);
                    }
                }
                Class::Foreign => return Err(malformed(self.position, "unexpected character")),
            }
            self.position += 1;
        }
        Ok(false)
    }

    /// Passes over the rest of a string. Returns false if the bytes end before it.
    #[inline]
    fn finish_string(&mut self, bytes: &[u8]) -> Result<bool, FrameError> {
        if self.within == Within::String {
            self.position += plain_prefix(&bytes[self.position..]);
            if bytes.get(self.position) == Some(&b'"') {
                self.position += 1;
                self.within = Within::Structure;
                return Ok(true);
            }
        }
        self.finish_string_with_escapes(bytes)
    }

    /// The same, if the next byte is not the closing quote.
    fn finish_string_with_escapes(&mut self, bytes: &[u8]) -> Result<bool, FrameError> {
        while let Some(&byte) = bytes.get(self.position) {
            self.position += 1;
            self.within = match (self.within, byte) {
                (Within::Escape, _) => Within::String,
                (_, b'"') => Within::Structure,
                (_, b'\\') => Within::Escape,
                _ => {
                    return Err(malformed(
                        self.position - 1,
                        "control character in a string",
                    ));
                }
            };
            match self.within {
                Within::Structure => return Ok(true),
                Within::String => self.position += plain_prefix(&bytes[self.position..]),
                Within::Escape => {}
            }
        }
        Ok(false)
    }
}

#[cold]
fn malformed(position: usize, text: &str) -> FrameError {
    FrameError::new(position, FrameErrorKind::Malformed(text.into()))
}

#[cold]
fn not_an_array(first: u8) -> FrameErrorKind {
    match first {
        b'{' | b'"' | b'-' | b'0'..=b'9' | b't' | b'f' | b'n' => FrameErrorKind::NotAnArray,
        0xef => FrameErrorKind::Malformed("byte order mark".into()),
        _ => FrameErrorKind::Malformed("unexpected character".into()),
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Class {
    Other,
    Quote,
    Open,
    Close,
    /// A byte that JSON has nowhere outside of strings.
    Foreign,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Foreign; 256];
    let other = b" \t\n\r,:+-.0123456789Eeaflnrstu";
    let mut i = 0;
    while i < other.len() {
        classes[other[i] as usize] = Class::Other;
        i += 1;
    }
    classes[b'"' as usize] = Class::Quote;
    classes[b'[' as usize] = Class::Open;
    classes[b'{' as usize] = Class::Open;
    classes[b']' as usize] = Class::Close;
    classes[b'}' as usize] = Class::Close;
    classes
};

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of repetitions in packets that are fed in all pieces, which takes quadratic time.
    const MANY: usize = if cfg!(miri) { 4 } else { 1_000 };

    /// Feeds a packet in pieces. Returns the number of bytes that all scans together have read.
    fn looked_at(packet: &[u8], piece: usize) -> usize {
        let mut framer = JsonFramer::new(Limits::default());
        let mut looked_at = 0;
        let mut end = 0;
        loop {
            let before = framer.cursor.position;
            end = packet.len().min(end + piece);
            // Bytes before the cursor are overwritten, so a second look at them would show.
            let mut buffer = packet[..end].to_vec();
            buffer[..before].fill(b'?');
            match framer.scan(&buffer).expect("a packet") {
                Some(range) => return looked_at + range.end - before,
                None => looked_at += framer.cursor.position - before,
            }
            assert!(end < packet.len(), "the packet has an end");
        }
    }

    #[test]
    fn no_byte_is_looked_at_twice() {
        let string = format!("[\"{}\"]", "x\\\"y\\\\".repeat(2 * MANY));
        let list = format!("  [{}0]", "1,[\"a\",{\"b\":null}],".repeat(MANY));
        for packet in [string, list] {
            for piece in [1, 2, 7, 64, 1_000, packet.len()] {
                assert_eq!(looked_at(packet.as_bytes(), piece), packet.len());
            }
        }
    }

    #[test]
    fn a_large_packet_in_small_pieces_takes_time_in_proportion() {
        // 100 MB in optimised builds, less in others.
        let size = if cfg!(miri) {
            10_000
        } else if cfg!(debug_assertions) {
            10_000_000
        } else {
            100_000_000
        };
        let element = "[123,\"some text, and some more of it\"],";
        let packet = format!("[{}0]", element.repeat(size / element.len())).into_bytes();
        let mut framer = JsonFramer::new(Limits::default().with_max_packet(usize::MAX));
        let (mut looked_at, mut found) = (0, None);
        for end in (1_000..packet.len()).step_by(1_000).chain([packet.len()]) {
            let before = framer.cursor.position;
            found = framer.scan(&packet[..end]).expect("a packet");
            let after = found
                .as_ref()
                .map_or(framer.cursor.position, |range| range.end);
            assert!(after - before <= 1_000, "only the new bytes");
            looked_at += after - before;
        }
        assert_eq!((looked_at, found), (packet.len(), Some(0..packet.len())));
    }
}
