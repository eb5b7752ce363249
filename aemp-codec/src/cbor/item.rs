//! The items that a cursor finds in a packet: heads, and the values that they stand for.

use std::num::NonZeroUsize;

use super::major;
use crate::source::List;

/// The first byte of an item and its argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) first: u8,
    pub(super) value: u64,
}

impl Head {
    /// The kind of the item, see [`major`].
    #[inline]
    pub(super) fn kind(self) -> u8 {
        self.first >> 5
    }

    pub(super) fn is_tag(self) -> bool {
        self.kind() == major::TAG
    }

    #[inline]
    pub(super) fn is_indefinite(self) -> bool {
        self.first & 31 == 31
    }

    /// How many bytes the head takes.
    pub(super) fn size(self) -> usize {
        match self.first & 31 {
            long @ 24..28 => 1 + (1 << (long - 24)),
            _ => 1,
        }
    }
}

/// An array or a map.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Contents {
    pub(super) left: Left,
    /// Where its head is.
    pub(super) start: usize,
    /// Where to go on behind it, if a reference has led to it; never at the packet's beginning.
    pub(super) back: Option<NonZeroUsize>,
}

impl List for Contents {
    #[inline]
    fn start(&self) -> usize {
        self.start
    }

    #[inline]
    fn left(&self) -> Option<usize> {
        self.left.known()
    }
}

/// How many items (arrays) or entries (maps) are to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Left(u64);

impl Left {
    /// As many as there are before a break.
    pub(super) const INDEFINITE: Self = Self(u64::MAX);
    pub(super) const NONE: Self = Self(0);

    /// The caller has seen that there are as many bytes at least.
    #[inline]
    pub(super) fn definite(count: u64) -> Self {
        Self(count)
    }

    /// Takes one away; false if there is none to take, or if only the bytes can tell.
    #[inline]
    pub(super) fn take(&mut self) -> bool {
        let some = self.0 > 0 && *self != Self::INDEFINITE;
        self.0 -= u64::from(some);
        some
    }

    /// How many there are, if that is known.
    #[inline]
    pub(super) fn known(self) -> Option<usize> {
        if self == Self::INDEFINITE {
            return None;
        }
        usize::try_from(self.0).ok()
    }
}
