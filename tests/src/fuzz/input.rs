//! Decisions out of bytes.

/// The rest of an input. At its end everything is nought and empty, so that every input means something.
#[derive(Clone, Debug)]
pub struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    /// All of an input.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    /// True if nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next byte.
    pub fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or_default()
    }

    /// The next two bytes, the higher one first.
    pub fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    /// The next `len` bytes, or the rest.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// All that is left.
    pub fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.0)
    }

    /// Bytes in pieces of sizes that follow from a number: small ones mostly, all of one byte for 0.
    pub fn pieces(bytes: &[u8], seed: u8) -> impl Iterator<Item = &[u8]> {
        let (mut rest, mut state) = (bytes, u32::from(seed));
        std::iter::from_fn(move || {
            state = state.wrapping_mul(1_664_525).wrapping_add(u32::from(seed));
            let len = 1 + (state >> 24) as usize % (1 + usize::from(seed));
            let (piece, behind) = rest.split_at(len.min(rest.len()));
            rest = behind;
            (!piece.is_empty()).then_some(piece)
        })
    }
}
