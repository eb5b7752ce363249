//! The items of a packet: heads, and the values behind them.

use std::num::NonZeroUsize;

use super::major;
use crate::source::List;

/// The first byte of an item, and its argument.
#[derive(Clone, Copy, Debug)]
pub(super) struct Head {
    pub(super) first: u8,
    pub(super) value: u64,
}

impl Head {
    /// The major type of the item, see [`major`].
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

    /// The size of the head in bytes.
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
    /// The place of its head.
    pub(super) start: usize,
    /// The place to return to at its end, if a reference has led to it. It is never the beginning of the packet.
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

/// The number of items (arrays) or entries (maps) to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Left(u64);

impl Left {
    /// All items before a break.
    pub(super) const INDEFINITE: Self = Self(u64::MAX);
    pub(super) const NONE: Self = Self(0);

    /// A known number. The caller has checked that the packet has at least as many bytes.
    #[inline]
    pub(super) fn definite(count: u64) -> Self {
        Self(count)
    }

    /// Counts one down. Returns false if none is left, or if only the bytes can tell.
    #[inline]
    pub(super) fn take(&mut self) -> bool {
        let some = self.0 > 0 && *self != Self::INDEFINITE;
        self.0 -= u64::from(some);
        some
    }

    /// The number, if it is known.
    #[inline]
    pub(super) fn known(self) -> Option<usize> {
        if self == Self::INDEFINITE {
            return None;
        }
        usize::try_from(self.0).ok()
    }
}
