//! A survey of the references within a packet: to strings (tags 256 and 25) and to values (28 and 29).
//!
//! The reference implementation reads them, and writes them only on request; this crate reads them. The first
//! reference of a packet causes one pass over the packet that notes the target of each reference by its place. So
//! reading can stop, skip and return at any place. The bytes that references add are limited to 16 times the packet
//! plus 1 MiB, and to the limit of packets. A value that contains itself is an error. So a few hundred bytes cannot
//! stand for gigabytes.

use std::ops::Range;

use super::item::Head;
use super::reader::CborReader;
use super::references::References;
use super::{major, tag};
use crate::error::DecodeError;
use crate::reader::Meter;
use crate::source::Source;

/// Finds all references of a packet, and their targets.
pub(super) fn references(packet: &CborReader<'_>) -> Result<References, DecodeError> {
    let reader = CborReader {
        at: 0,
        ..packet.clone()
    };
    let mut survey = Survey {
        meter: Meter::new(reader.limits()),
        reader,
        shared: Vec::new(),
        strings: Vec::new(),
        references: References::default(),
    };
    survey.value()?;
    Ok(survey.references)
}

struct Survey<'de> {
    reader: CborReader<'de>,
    meter: Meter,
    /// The start and the end of each shared value. Values without an end contain the cursor.
    shared: Vec<(usize, Option<usize>)>,
    /// The lists of strings that contain the cursor.
    strings: Vec<Vec<Range<usize>>>,
    references: References,
}

impl Survey<'_> {
    fn value(&mut self) -> Result<(), DecodeError> {
        let (first_shared, lists) = (self.shared.len(), self.strings.len());
        let mut head = self.reader.head()?;
        while head.is_tag() {
            let at = self.reader.at - head.size();
            match self.reader.tag(head)? {
                tag::SHARED => {
                    self.count()?;
                    self.shared.push((self.reader.at, None));
                }
                tag::STRINGS => {
                    self.count()?;
                    self.strings.push(Vec::new());
                }
                kind @ (tag::STRING | tag::REFERENCE) => self.reference(kind, at)?,
                _ => {}
            }
            head = self.reader.head()?;
        }
        let last_shared = self.shared.len();
        self.content(head)?;
        let end = self.reader.at;
        for (_, shared_end) in &mut self.shared[first_shared..last_shared] {
            *shared_end = Some(end);
        }
        self.strings.truncate(lists);
        Ok(())
    }

    /// Counts a note like a value.
    fn count(&mut self) -> Result<(), DecodeError> {
        self.meter.count(|| self.reader.at)
    }

    /// Notes the target of a reference. The cursor stays before its number.
    fn reference(&mut self, kind: u64, at: usize) -> Result<(), DecodeError> {
        let before = self.reader.at;
        let head = self.reader.head()?;
        let nothing = || DecodeError::malformed(at, "a reference to nothing");
        if head.kind() != major::UNSIGNED || head.is_indefinite() {
            return Err(nothing());
        }
        self.reader.at = before;
        let number = usize::try_from(head.value).map_err(|_| nothing())?;
        let target = if kind == tag::STRING {
            let strings = self.strings.last().ok_or_else(nothing)?;
            Some(strings.get(number).ok_or_else(nothing)?.clone())
        } else {
            let (start, end) = *self.shared.get(number).ok_or_else(nothing)?;
            end.map(|end| start..end)
        };
        self.count()?;
        self.references.note(at, target);
        Ok(())
    }

    fn content(&mut self, head: Head) -> Result<(), DecodeError> {
        match head.kind() {
            major::TEXT | major::BYTES if !head.is_indefinite() => {
                let start = self.reader.at - head.size();
                let length = self.reader.octets_of(head)?.len();
                self.string(start..self.reader.at, length)
            }
            major::ARRAY | major::MAP => self.contents(head),
            _ => {
                self.reader.at -= head.size();
                self.reader.skip(&mut self.meter.depth)
            }
        }
    }

    fn contents(&mut self, head: Head) -> Result<(), DecodeError> {
        let mut contents = self.reader.contents(head)?;
        self.meter.depth.enter(contents.start)?;
        while self.reader.more(&mut contents)? {
            if head.kind() == major::MAP {
                self.value()?;
            }
            self.value()?;
        }
        self.meter.depth.leave();
        Ok(())
    }

    /// Counts a string, unless it is not longer than a reference to it would be.
    fn string(&mut self, place: Range<usize>, length: usize) -> Result<(), DecodeError> {
        if let Some(strings) = self.strings.last_mut() {
            let shortest = match strings.len() {
                0..=23 => 3,
                24..=0xff => 4,
                0x100..=0xffff => 5,
                0x1_0000..=0xffff_ffff => 7,
                _ => 11,
            };
            if length >= shortest {
                // The note takes more memory than a short string itself.
                self.meter.count(|| self.reader.at)?;
                strings.push(place);
            }
        }
        Ok(())
    }
}
