//! Finding the end of a JSON packet, however small the pieces are in which it arrives.

use std::ops::Range;

use crate::error::{FrameError, FrameErrorKind};
use crate::format::Limits;
use crate::text::plain_prefix;

/// Counts brackets and passes over strings; remembers where it was when the bytes ran out.
///
/// Whether the packet is correct JSON is seen when it is read. Here it is only noticed what would
/// otherwise keep a connection waiting for an end that never comes.
#[derive(Debug)]
pub(crate) struct JsonFramer {
    limits: Limits,
    /// Where the packet begins: behind the white space.
    start: usize,
    cursor: Cursor,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// Everything before this has been looked at.
    position: usize,
    depth: usize,
    within: Within,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Within {
    Structure,
    String,
    /// Right behind a backslash.
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
        // What is beyond the limit need not be looked at.
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

    /// Passes over white space; whether a packet has begun.
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
    /// Goes on to the packet's end, or to the end of the bytes; whether it was the packet's.
    fn find_end(&mut self, bytes: &[u8], max_depth: usize) -> Result<bool, FrameError> {
        if self.within != Within::Structure && !self.finish_string(bytes)? {
            return Ok(false);
        }
        while let Some(&byte) = bytes.get(self.position) {
            match CLASSES[usize::from(byte)] {
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

    /// Passes over what is left of a string; false if the bytes end before it does.
    #[inline]
    fn finish_string(&mut self, bytes: &[u8]) -> Result<bool, FrameError> {
        loop {
            if self.within == Within::String {
                self.position += plain_prefix(&bytes[self.position..]);
            }
            let Some(&byte) = bytes.get(self.position) else {
                return Ok(false);
            };
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
            if self.within == Within::Structure {
                return Ok(true);
            }
        }
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

#[derive(Clone, Copy)]
enum Class {
    Other,
    Quote,
    Open,
    Close,
    /// Occurs nowhere in JSON outside strings.
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
