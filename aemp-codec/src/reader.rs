//! Reading Rust types from any [`Source`]: the elements of a packet, and their contents.

mod de;

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::de::{DeserializeSeed, Error};

use crate::error::DecodeError;
use crate::limits::Limits;
use crate::source::{Depth, Item, List, Source};

/// Reads the elements of a packet, in order.
#[derive(Debug)]
pub(crate) struct Elements<'de, S, L> {
    reader: Reader<'de, S>,
    /// The packet itself, which is a list.
    packet: L,
}

impl<'de, L: List, S: Source<'de, List = L>> Elements<'de, S, L> {
    /// Begins at the first element. The source has opened the packet's list.
    #[expect(
        clippy::inline_always,
        reason = "it is large, and costs more to move than to make"
    )]
    #[inline(always)]
    pub(crate) fn new(source: S, packet: L, depth: Depth, limits: Limits) -> Self {
        Self {
            reader: Reader {
                source,
                meter: Meter::within(depth, limits),
                packet: PhantomData,
            },
            packet,
        }
    }

    pub(crate) fn source(&self) -> &S {
        &self.reader.source
    }

    /// The next element, read with a seed; `None` at the packet's end.
    ///
    /// After a type error the element counts as read, and its syntax has been checked.
    #[inline]
    pub(crate) fn element<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        let start = self.reader.source.at();
        match seed.deserialize(&mut self.reader) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(self.recover(start, error)),
        }
    }

    /// The next element as Perl's text; `None` at the packet's end.
    #[inline]
    pub(crate) fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        if !self.advance()? {
            return Ok(None);
        }
        let source = &mut self.reader.source;
        let start = source.at();
        match source.text() {
            Ok(Some(text)) => Ok(Some(text)),
            Ok(None) => self.any_text(start),
            Err(error) => Err(self.recover(start, error)),
        }
    }

    fn any_text(&mut self, start: usize) -> Result<Option<Cow<'de, str>>, DecodeError> {
        let error = match self.reader.source.item() {
            Ok(Item::Scalar(scalar)) => return Ok(Some(scalar.into_text())),
            Ok(other) => DecodeError::invalid_type(other.unexpected(), &"text"),
            Err(error) => error,
        };
        Err(self.recover(start, error))
    }

    /// Passes over the next element. Returns false at the packet's end.
    #[inline]
    pub(crate) fn skip(&mut self) -> Result<bool, DecodeError> {
        let more = self.advance()?;
        if more {
            self.reader.skip()?;
        }
        Ok(more)
    }

    /// Passes over all remaining elements. Returns their number.
    #[inline]
    pub(crate) fn count(&mut self) -> Result<usize, DecodeError> {
        let mut count = 0;
        while self.skip()? {
            count += 1;
        }
        Ok(count)
    }

    /// Goes to the next element of the packet, if there is one.
    #[inline]
    pub(crate) fn advance(&mut self) -> Result<bool, DecodeError> {
        if self.reader.source.more_at_once(&mut self.packet) {
            return Ok(true);
        }
        self.advance_with_care()
    }

    fn advance_with_care(&mut self) -> Result<bool, DecodeError> {
        let source = &mut self.reader.source;
        if source.more(&mut self.packet)? {
            return Ok(true);
        }
        source.end()?;
        Ok(false)
    }

    /// Reads ahead, and restores the state.
    pub(crate) fn ahead<R>(&mut self, look: impl FnOnce(&mut Self) -> R) -> R
    where
        L: Copy,
    {
        let (at, packet) = (self.reader.source.at(), self.packet);
        let result = look(self);
        self.packet = packet;
        self.reader.source.go_to(at);
        self.reader.meter.depth.reset();
        result
    }

    /// Passes over an element that did not have the requested type.
    #[cold]
    fn recover(&mut self, start: usize, error: DecodeError) -> DecodeError {
        if error.is_malformed() {
            return error;
        }
        self.reader.source.go_to(start);
        self.reader.meter.depth.reset();
        match self.reader.skip() {
            Ok(()) => error.at(start),
            Err(malformed) => malformed,
        }
    }
}

/// Reads one item and its contents into the type that serde requests.
#[derive(Debug)]
pub(crate) struct Reader<'de, S> {
    source: S,
    meter: Meter,
    packet: PhantomData<&'de [u8]>,
}

impl<'de, S: Source<'de>> Reader<'de, S> {
    #[inline]
    pub(crate) fn new(source: S, limits: Limits) -> Self {
        Self {
            source,
            meter: Meter::new(limits),
            packet: PhantomData,
        }
    }

    #[inline]
    fn skip(&mut self) -> Result<(), DecodeError> {
        self.source.skip(&mut self.meter.depth)
    }

    #[inline]
    fn skip_key(&mut self) -> Result<(), DecodeError> {
        self.source.skip_key(&mut self.meter.depth)
    }

    /// Counts a value.
    #[inline]
    fn count(&mut self) -> Result<(), DecodeError> {
        self.meter.count(|| self.source.at())
    }
}

/// The values and the depth that a packet may still use.
#[derive(Debug)]
pub(crate) struct Meter {
    pub(crate) depth: Depth,
    values: usize,
    max_values: usize,
}

impl Meter {
    #[inline]
    pub(crate) fn new(limits: Limits) -> Self {
        Self::within(Depth::new(limits), limits)
    }

    #[inline]
    fn within(depth: Depth, limits: Limits) -> Self {
        Self {
            depth,
            values: limits.max_values,
            max_values: limits.max_values,
        }
    }

    /// Counts a value. There is a limit, because values take more memory than their bytes in the packet.
    #[inline]
    pub(crate) fn count(&mut self, at: impl FnOnce() -> usize) -> Result<(), DecodeError> {
        match self.values.checked_sub(1) {
            Some(left) => {
                self.values = left;
                Ok(())
            }
            None => Err(DecodeError::too_many(at(), self.max_values)),
        }
    }
}
