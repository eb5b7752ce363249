//! CBOR (RFC 8949), as AnyEvent::MP nodes write it and as widely as they read it.
//!
//! Written is what the reference understands without doubt: definite lengths, shortest integers, text
//! as text strings and octets as byte strings, floats in single precision where that is exact and
//! else in double, no tags. Read is everything that is well-formed, within the limits; tags are
//! looked at where they change what a value is.

mod encoding;
mod frame;
mod head;
mod item;
mod number;
mod reader;
mod references;
mod tagged;

pub(crate) use self::encoding::Cbor;
pub(crate) use self::frame::CborFramer;
pub(crate) use self::item::Contents as CborContents;
pub(crate) use self::reader::CborReader;

/// What an item is: the upper three bits of its first byte.
mod major {
    pub(super) const UNSIGNED: u8 = 0;
    pub(super) const NEGATIVE: u8 = 1;
    pub(super) const BYTES: u8 = 2;
    pub(super) const TEXT: u8 = 3;
    pub(super) const ARRAY: u8 = 4;
    pub(super) const MAP: u8 = 5;
    pub(super) const TAG: u8 = 6;
    pub(super) const SIMPLE: u8 = 7;
}

/// The tags that change what a value is; all others are passed over.
mod tag {
    pub(super) const BIG: u64 = 2;
    pub(super) const BIG_NEGATIVE: u64 = 3;
    /// The string of that number in the innermost list of strings.
    pub(super) const STRING: u64 = 25;
    /// The value can be referred to.
    pub(super) const SHARED: u64 = 28;
    /// The shared value of that number.
    pub(super) const REFERENCE: u64 = 29;
    /// Begins a list of strings.
    pub(super) const STRINGS: u64 = 256;
    /// A Perl reference to a scalar: to 1 and 0 they are true and false.
    pub(super) const INDIRECTION: u64 = 22_098;
}

/// Ends arrays, maps and strings of indefinite length.
const BREAK: u8 = 0xff;
