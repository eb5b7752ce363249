//! The reading side of a format: the items of a packet, one after the other.

use std::borrow::Cow;
use std::fmt;

use serde::de::Unexpected;

use crate::error::DecodeError;
use crate::format::Limits;
use crate::lenient::Scalar;

/// At most so many elements are announced to code that allocates for them in advance: a number of elements is a claim, and in
/// nested lists each could claim all that follows.
const BELIEVED: usize = 1024;

/// Reads the items of a packet, or of a value, and knows nothing of serde.
///
/// It is asked for [`item`](Self::item)s. Inside of a list or a map it is asked for [`more`](Self::more) before each element, and before
/// each [`key`](Self::key), behind which comes an item.
///
/// The methods that have a body are shorter ways for what is frequent. They do not change what is read.
///
/// After an error other than a malformed packet, the cursor is [set back](Self::go_to), and the item is [skipped](Self::skip).
pub(crate) trait Source<'de>: fmt::Debug {
    /// A list or a map that is being read.
    type List: List;

    /// The place of the next byte to look at; for errors, and to return to.
    fn at(&self) -> usize;

    /// Sets the cursor to a place where it has been.
    fn go_to(&mut self, at: usize);

    /// The next item; of lists and maps only the beginning. After text that is not Unicode the cursor is behind it, unless
    /// [`skip`](Self::skip) is implemented.
    fn item(&mut self) -> Result<Item<'de, Self::List>, DecodeError>;

    /// Goes to the next element or entry; false behind the last one, however often it is called.
    fn more(&mut self, list: &mut Self::List) -> Result<bool, DecodeError>;

    /// Goes to the next element or entry if it is found at once. False says nothing.
    #[inline]
    fn more_at_once(&mut self, list: &mut Self::List) -> bool {
        let _ = list;
        false
    }

    /// The key that is next.
    fn key(&mut self) -> Result<Cow<'de, str>, DecodeError>;

    /// The packet's last element has been read: checks that nothing follows.
    fn end(&mut self) -> Result<(), DecodeError>;

    /// Leaves a list or map, behind its last element.
    #[inline]
    fn leave(&mut self, list: Self::List) {
        let _ = list;
    }

    /// Checks the item that is next and passes over it. Text need not be Unicode.
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

    /// The integer that is next, if it is found at once; nothing is read otherwise.
    #[inline]
    fn integer(&mut self) -> Option<i64> {
        None
    }

    /// The text that is next, if it is found at once; nothing is read otherwise.
    #[inline]
    fn text(&mut self) -> Result<Option<Cow<'de, str>>, DecodeError> {
        Ok(None)
    }

    /// The byte string that is next, if it is found at once; nothing is read otherwise.
    #[inline]
    fn octets(&mut self) -> Result<Option<&'de [u8]>, DecodeError> {
        Ok(None)
    }

    /// Passes over the next item if it is nothing, and leaves it otherwise.
    fn nothing(&mut self) -> Result<bool, DecodeError> {
        let start = self.at();
        let nothing = matches!(self.item()?, Item::Scalar(Scalar::Null));
        if !nothing {
            self.go_to(start);
        }
        Ok(nothing)
    }

    /// The next item where text is asked for: a format of text gives numbers as they are written.
    #[inline]
    fn item_as_text(&mut self) -> Result<Item<'de, Self::List>, DecodeError> {
        self.item()
    }

    /// True if octets that are ASCII are text where any type is taken.
    #[inline]
    fn has_text_as_octets(&self) -> bool {
        false
    }

    /// True if floats that are infinite or not a number are part of the format. They are an error otherwise.
    #[inline]
    fn has_infinity(&self) -> bool {
        true
    }
}

/// One item, up to what is in it. There will be no other kinds.
#[derive(Debug)]
pub enum Item<'de, L> {
    /// Anything that is neither a list nor a map.
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
    /// Where it begins, for errors.
    fn start(&self) -> usize;

    /// How many elements or entries are to come, if that is known.
    fn left(&self) -> Option<usize>;
}

/// How many elements are announced.
pub(crate) fn size_hint(list: &impl List) -> Option<usize> {
    list.left().map(|left| left.min(BELIEVED))
}

/// A list or a map in a format from outside this crate.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    start: usize,
    /// [`OPEN`](Self::OPEN) if it is unknown.
    left: usize,
}

impl Contents {
    const OPEN: usize = usize::MAX;

    /// A list or map of that number of elements or entries, whose first byte is at `start`.
    #[inline]
    #[must_use]
    pub fn counted(start: usize, count: usize) -> Self {
        let left = count;
        Self { start, left }
    }

    /// A list or map whose end is seen when it is reached.
    #[inline]
    #[must_use]
    pub fn open(start: usize) -> Self {
        let left = Self::OPEN;
        Self { start, left }
    }

    /// Counts an element or entry that is read; false if there is none, or if their number is unknown.
    #[inline]
    pub fn take(&mut self) -> bool {
        // Neither none nor open, in one comparison.
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

/// How many lists and maps are open, which has a limit. No packet can be so deep that 32 bits were not enough.
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

    /// Goes into the list or map whose first byte is at `start`.
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
