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
    /// Everything before this has been looked at.
    position: usize,
    /// Where the packet begins: behind the white space.
    start: usize,
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
        Self {
            limits,
            position: 0,
            start: 0,
            depth: 0,
            within: Within::Structure,
        }
    }

    pub(crate) fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        if self.depth == 0 && !self.begin(buffer)? {
            return Ok(None);
        }
        let limit = self.limits.max_packet;
        // What is beyond the limit need not be looked at.
        let visible = &buffer[..buffer.len().min(self.start.saturating_add(limit))];
        let end = self.find_end(visible)?;
        match end {
            Some(end) => {
                let packet = self.start..end;
                *self = Self::new(self.limits);
                Ok(Some(packet))
            }
            None if visible.len() < buffer.len() => Err(FrameError::new(
                visible.len(),
                FrameErrorKind::TooLarge { limit },
            )),
            None => Ok(None),
        }
    }

    /// Passes over white space; whether a packet has begun.
    fn begin(&mut self, buffer: &[u8]) -> Result<bool, FrameError> {
        let rest = &buffer[self.position..];
        let space = rest
            .iter()
            .take_while(|b| matches!(b, b' ' | b'\t' | b'\n' | b'\r'))
            .count();
        self.position += space;
        let limit = self.limits.max_packet;
        if self.position > limit {
            return Err(FrameError::new(limit, FrameErrorKind::TooLarge { limit }));
        }
        let Some(&first) = buffer.get(self.position) else {
            return Ok(false);
        };
        if first != b'[' {
            return Err(FrameError::new(self.position, not_an_array(first)));
        }
        self.start = self.position;
        Ok(true)
    }

    /// Goes on to the packet's end, or to the end of the bytes.
    fn find_end(&mut self, bytes: &[u8]) -> Result<Option<usize>, FrameError> {
        while let Some(&byte) = bytes.get(self.position) {
            match self.within {
                Within::String => {
                    self.position += plain_prefix(&bytes[self.position..]);
                    match bytes.get(self.position) {
                        Some(b'"') => self.within = Within::Structure,
                        Some(b'\\') => self.within = Within::Escape,
                        Some(_) => return Err(self.malformed("control character in a string")),
                        None => return Ok(None),
                    }
                }
                Within::Escape => self.within = Within::String,
                Within::Structure => match CLASSES[usize::from(byte)] {
                    Class::Other => {}
                    Class::Quote => self.within = Within::String,
                    Class::Open => self.open()?,
                    Class::Close => {
                        self.depth -= 1;
                        if self.depth == 0 {
                            return Ok(Some(self.position + 1));
                        }
                    }
                    Class::Foreign => return Err(self.malformed("unexpected character")),
                },
            }
            self.position += 1;
        }
        Ok(None)
    }

    fn open(&mut self) -> Result<(), FrameError> {
        self.depth += 1;
        let limit = self.limits.max_depth;
        if self.depth > limit {
            return Err(FrameError::new(
                self.position,
                FrameErrorKind::TooDeep { limit },
            ));
        }
        Ok(())
    }

    #[cold]
    fn malformed(&self, text: &str) -> FrameError {
        FrameError::new(self.position, FrameErrorKind::Malformed(text.into()))
    }
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
