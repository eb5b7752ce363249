//! CBOR (RFC 8949), as AnyEvent::MP nodes write it and as widely as they read it.
//!
//! - *Written*: definite lengths (the head is put in place when the number of elements is known), shortest integers,
//!   text as text strings, octets as byte strings. Integral floats below 2^32 become integers. Other floats are
//!   written in single precision if that is exact, else in double, as in the reference. Things that Perl misreads are
//!   never written: tags, `f7`, integers below -2^63 (their digits are written instead), invalid UTF-8. Infinities
//!   and NaN are refused although CBOR has them, because the negotiated format must not decide whether a message can
//!   be sent.
//! - *Read*: everything that is well-formed, within the limits. Tags count where they change a value. Perl sends all
//!   strings as byte strings unless the program has made them text. So for a `Value`, octets that are ASCII become
//!   text. They would be text in JSON, and a program must not notice which format was negotiated.
//! - A packet that is well-formed, but has no meaning for any type, costs the message and not the connection.
//!
//! The implementation is our own. ciborium, which was measured first (`benches/benches/codec.rs`), encodes as fast
//! but decodes several times slower. It also has no framer that can be interrupted, no borrowed text, no lengths that
//! become known late, and no strings that are numbers. It is the oracle of the property tests.

mod encoding;
mod frame;
mod head;
mod item;
mod number;
mod reader;
mod references;
mod survey;
mod tagged;

pub(crate) use self::encoding::Cbor;
pub(crate) use self::frame::CborFramer;
pub(crate) use self::item::Contents as CborContents;
pub(crate) use self::reader::CborReader;

/// The major type of an item: the upper three bits of its first byte.
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

/// The tags that change a value. All others are passed over.
mod tag {
    pub(super) const BIG: u64 = 2;
    pub(super) const BIG_NEGATIVE: u64 = 3;
    /// Refers to the string with this number in the innermost list of strings.
    pub(super) const STRING: u64 = 25;
    /// Marks a value that references can name.
    pub(super) const SHARED: u64 = 28;
    /// Refers to the shared value with this number.
    pub(super) const REFERENCE: u64 = 29;
    /// Begins a list of strings.
    pub(super) const STRINGS: u64 = 256;
    /// A Perl reference to a scalar. References to 1 and 0 are true and false.
    pub(super) const INDIRECTION: u64 = 22_098;
}

/// Ends arrays, maps and strings of indefinite length.
const BREAK: u8 = 0xff;
