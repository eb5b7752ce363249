//! A format from elsewhere that is JSON under another name, for those of the tests that do something besides.

use std::ops::Range;

use aemp::{
    DecodeError, EncodeError, Format, Limits, Value,
    codec::{FrameError, Framer, Framing},
};

#[derive(Debug)]
struct Frames(Framer);

impl Framing for Frames {
    fn scan(&mut self, buffer: &[u8]) -> Result<Option<Range<usize>>, FrameError> {
        self.0.scan(buffer)
    }
}

pub(crate) fn framer(limits: Limits) -> Box<dyn Framing> {
    Box::new(Frames(Format::Json.framer(limits)))
}

pub(crate) fn encode(packet: &[Value], out: &mut Vec<u8>) -> Result<(), EncodeError> {
    let mut writer = Format::Json.writer(out, Limits::default());
    packet.iter().try_for_each(|value| writer.value(value))?;
    writer.finish()
}

pub(crate) fn decode(packet: &[u8], limits: Limits) -> Result<Vec<Value>, DecodeError> {
    Format::Json.reader(packet, limits)?.rest()
}
