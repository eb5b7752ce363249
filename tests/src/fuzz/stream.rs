//! Packets out of a stream of bytes in some format.

use std::ops::Range;

use aemp_codec::{Format, Framer, Limits};

use super::Input;

/// The format, the limits and the stream of an input.
pub(super) struct Stream<'a> {
    pub(super) format: Format,
    pub(super) limits: Limits,
    /// The pieces of the stream.
    pub(super) cut: u8,
    pub(super) bytes: &'a [u8],
}

/// The places of the packets in a stream, and the error behind them, if there is one.
pub(super) type Found = (Vec<Range<usize>>, Option<String>);

impl<'a> Stream<'a> {
    /// Two bytes of decisions, and the rest.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        let mut input = Input::new(bytes);
        let (kind, cut) = (input.byte(), input.byte());
        Self {
            format: format(kind & 3),
            limits: limits(kind >> 2),
            cut,
            bytes: input.rest(),
        }
    }

    /// The packets of the stream when all of it is there at once.
    pub(super) fn whole(&self) -> Found {
        self.find([self.bytes])
    }

    /// The packets of the stream when it arrives bit by bit.
    pub(super) fn in_pieces(&self) -> Found {
        self.find(Input::pieces(self.bytes, self.cut))
    }

    fn find<'p>(&self, pieces: impl IntoIterator<Item = &'p [u8]>) -> Found {
        let mut framer = self.format.framer(self.limits);
        let (mut start, mut end, mut packets) = (0, 0, Vec::new());
        for piece in pieces {
            end += piece.len();
            if let Err(error) = self.scan(&mut framer, &mut start, end, &mut packets) {
                return (packets, Some(error));
            }
        }
        (packets, None)
    }

    fn scan(
        &self,
        framer: &mut Framer,
        start: &mut usize,
        end: usize,
        packets: &mut Vec<Range<usize>>,
    ) -> Result<(), String> {
        let wrong = |error: aemp_codec::FrameError, start| {
            format!("{} at {}", error.kind, start + error.offset)
        };
        while let Some(found) = framer
            .scan(&self.bytes[*start..end])
            .map_err(|error| wrong(error, *start))?
        {
            assert!(found.start < found.end && *start + found.end <= end);
            packets.push(*start + found.start..*start + found.end);
            *start += found.end;
        }
        Ok(())
    }
}

/// A format, by a number that does not change: 0 JSON, 1 CBOR, 2 postcard. A format that is not compiled in is replaced
/// by one that is.
pub(super) fn format(number: u8) -> Format {
    let name = match number {
        1 => "cbor",
        2 => "postcard/1",
        _ => "json",
    };
    let mut formats = Format::built_in();
    let named = formats.iter().position(|format| format.name() == name);
    named
        .or_else(|| formats.len().checked_sub(1))
        .map(|at| formats.swap_remove(at))
        .expect("a format is compiled in")
}

/// Ordinary ones for 0, and narrow ones.
fn limits(number: u8) -> Limits {
    let limits = Limits::default();
    match number & 3 {
        1 => limits.with_max_packet(64),
        2 => limits.with_max_depth(3),
        3 => limits.with_max_packet(300).with_max_depth(8),
        _ => limits.with_max_packet(1 << 16),
    }
}
