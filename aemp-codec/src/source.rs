//! The reading side of a format: the items of a packet, in order.

use std::borrow::Cow;
use std::fmt;

use serde::de::Unexpected;

use crate::error::DecodeError;
use crate::lenient::Scalar;
use crate::limits::Limits;

/// The greatest number of elements that is announced to code that allocates for them. A number of elements is a
/// claim, and in nested lists each list could claim the whole rest.
const BELIEVED: usize = 1024;

/// Reads the items of a packet, or of a value. It knows nothing of serde.
///
/// Callers request [`item`](Self::item)s. Inside of a list or a map they call [`more`](Self::more) before each
/// element, and before each [`key`](Self::key), which an item follows.
///
/// Methods with a default body are shorter ways for frequent cases. They do not change the result.
///
/// After an error other than a malformed packet, callers [set the cursor back](Self::go_to), and [skip](Self::skip)
/// the item.
pub(crate) trait Source<'de>: fmt::Debug {
    /// A list or a map that is being read.
    type List: List;

    /// The offset of the next byte. It is for errors, and to return to.
    fn at(&self) -> usize;

    /// Sets the cursor to a place where it has been.
    fn go_to(&mut self, at: usize);

    /// The next item. Of lists and maps this is only the beginning. After text that is not Unicode, the cursor is
    /// behind the text, unless [`skip`](Self::skip) is implemented.
    fn item(&mut self) -> Result<Item<'de, Self::List>, DecodeError>;

    /// Goes to the next element or entry. Returns false behind the last one, however often it is called.
    fn more(&mut self, list: &mut Self::List) -> Result<bool, DecodeError>;

    /// Goes to the next element or entry, if it is found at once. False has no meaning.
    #[inline]
    fn more_at_once(&mut self, list: &mut Self::List) -> bool {
        let _ = list;
        false
    }

    /// The next key.
    fn key(&mut self) -> Result<Cow<'de, str>, DecodeError>;

    /// Checks that nothing follows the last element of the packet.
    fn end(&mut self) -> Result<(), DecodeError>;

    /// Leaves a list or map, behind its last element.
    #[inline]
    fn leave(&mut self, list: Self::List) {
        let _ = list;
    }

    /// Checks the next item and passes over it. Text need not be Unicode.
    fn skip(&mut self, depth: &mut Depth) -> Result<(), DecodeError> {
        let (mut list, is_map) = match self.item() {
            Ok(Item::Array(list)) => (list, false),
            Ok(Item::Map(list)) => (list, true),
            Ok(Item::Scalar(_)) => return Ok(()),
            Err(error) if error.is_not_unicode() => return Ok(()),
            Err(error) => return Err(error),
        };
        depth.enter(list.start())?;
        while self.more(&mut list)? {
            if is_map {
                self.skip_key(depth)?;
            }
            self.skip(depth)?;
        }
        depth.leave();
        self.leave(list);
        Ok(())
    }

    /// Passes over a key. It need not be Unicode.
    fn skip_key(&mut self, depth: &mut Depth) -> Result<(), DecodeError> {
        let _ = depth;
        match self.key() {
            Err(error) if !error.is_not_unicode() => Err(error),
            _ => Ok(()),
        }
    }

    /// The next integer, if it is found at once. Otherwise nothing is read.
    #[inline]
    fn integer(&mut self) -> Option<i64> {
        None
    }

    /// The next text, if it is found at once. Otherwise nothing is read.
    #[inline]
    fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        Ok(None)
    }

    /// The next byte string, if it is found at once. Otherwise nothing is read.
    #[inline]
    fn octets(&mut self) -> Result<Option<&'de [u8]>, DecodeError> {
        Ok(None)
    }

    /// Passes over the next item if it is null. Otherwise nothing is read.
    fn nothing(&mut self) -> Result<bool, DecodeError> {
        let start = self.at();
        let nothing = matches!(self.item()?, Item::Scalar(Scalar::Null));
        if !nothing {
            self.go_to(start);
        }
        Ok(nothing)
    }

    /// The next item, where text is requested. A text format gives numbers as they are written.
    #[inline]
    fn item_as_text(&mut self) -> Result<Item<'de, Self::List>, DecodeError> {
        self.item()
    }

    /// True if octets that are ASCII become text where any type is accepted.
    #[inline]
    fn has_text_as_octets(&self) -> bool {
        false
    }

    /// True if the format has floats that are infinite or not a number. In other formats they are an error.
    #[inline]
    fn has_infinity(&self) -> bool {
        true
    }
}

/// One item. Of a list or a map this is only the beginning. The enum is closed.
#[derive(Debug)]
pub enum Item<'de, L> {
    /// A value that is neither a list nor a map.
    Scalar(Scalar<'de>),
    /// A list, before its first element.
    Array(L),
    /// A map, before its first key.
    Map(L),
}

impl<L> Item<'_, L> {
    /// The kind of the item, for an error where another kind was expected.
    pub(crate) fn unexpected(&self) -> Unexpected<'_> {
        match self {
            Self::Scalar(scalar) => scalar.unexpected(),
            Self::Array(_) => Unexpected::Seq,
            Self::Map(_) => Unexpected::Map,
        }
    }
}

/// A list or a map that is being read.
pub(crate) trait List: fmt::Debug {
    /// The offset of its beginning, for errors.
    fn start(&self) -> usize;

    /// The number of elements or entries to come, if it is known.
    fn left(&self) -> Option<usize>;
}

/// The number of elements to announce.
pub(crate) fn size_hint(list: &impl List) -> Option<usize> {
    list.left().map(|left| left.min(BELIEVED))
}

/// A list or a map in a format of another crate.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    start: usize,
    /// [`OPEN`](Self::OPEN) if it is unknown.
    left: usize,
}

impl Contents {
    const OPEN: usize = usize::MAX;

    /// A list or map with this number of elements or entries, whose first byte is at `start`.
    #[inline]
    #[must_use]
    pub fn counted(start: usize, count: usize) -> Self {
        let left = count;
        Self { start, left }
    }

    /// A list or map that does not begin with its number of elements.
    #[inline]
    #[must_use]
    pub fn open(start: usize) -> Self {
        let left = Self::OPEN;
        Self { start, left }
    }

    /// Counts an element or entry. Returns false if none is left, or if their number is unknown.
    #[inline]
    pub fn take(&mut self) -> bool {
        // Neither zero nor unknown, in one comparison.
        let more = self.left.wrapping_sub(1) < Self::OPEN - 1;
        self.left -= usize::from(more);
        more
    }
}

impl List for Contents {
    #[inline]
    fn start(&self) -> usize {
        self.start
    }

    #[inline]
    fn left(&self) -> Option<usize> {
        (self.left < Self::OPEN).then_some(self.left)
    }
}

/// The number of open lists and maps, which has a limit. 32 bits suffice for any packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Depth {
    now: u32,
    limit: u32,
}

impl Depth {
    /// Nothing is open.
    #[inline]
    pub(crate) fn new(limits: Limits) -> Self {
        let limit = u32::try_from(limits.max_depth).unwrap_or(u32::MAX);
        Self { now: 0, limit }
    }

    /// The packet is open.
    #[inline]
    pub(crate) fn within(packet: &impl List, limits: Limits) -> Result<Self, DecodeError> {
        let mut depth = Self::new(limits);
        depth.enter(packet.start())?;
        Ok(depth)
    }

    /// Only the packet itself is open.
    #[inline]
    pub(crate) fn reset(&mut self) {
        self.now = 1;
    }

    /// Enters the list or map whose first byte is at `start`.
    #[inline]
    pub(crate) fn enter(&mut self, start: usize) -> Result<(), DecodeError> {
        if self.now >= self.limit {
            return Err(self.too_deep(start));
        }
        self.now += 1;
        Ok(())
    }

    #[inline]
    pub(crate) fn leave(&mut self) {
        self.now -= 1;
    }

    #[cold]
    fn too_deep(self, start: usize) -> DecodeError {
        let text = format!("nested deeper than {} levels", self.limit);
        DecodeError::malformed(start, text)
    }
}
