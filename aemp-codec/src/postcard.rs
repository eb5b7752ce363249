//! A compact binary format between nodes of this project: postcard's encoding of self-describing values.
//!
//! `SPEC.md` specifies it, and is also the documentation of [`Format::Postcard`](crate::Format::Postcard). The
//! decisions:
//!
//! - **One self-describing encoding.** The `postcard` crate writes fields without names and values without types. That
//!   is smallest, but a node that passes a message on, keeps it, or shows it in `aemp mon` would need its types, and so
//!   would nodes with another version of them. Here a packet is the postcard encoding of *one* type, an enum of ten
//!   kinds of values, which costs a byte a value. Typed arguments are serialised straight to the bytes of their `Value`
//!   (the tests compare them), structs as maps with the names of their fields, as in the other formats. So the
//!   negotiated format does not decide whether two versions of a program understand each other.
//! - **An implementation of our own.** The crate cannot read a value of unknown kind (`deserialize_any` is an error
//!   there), nor write lists whose length becomes known late. It is the oracle of the tests, with only the
//!   specification's enum.
//! - **A length of four bytes in front**, no varint: the length is known last, and a varint of unknown size would move
//!   the packet, a second copy of a large byte string. The framer is one comparison, and its first four bytes refuse a
//!   packet beyond the limit.
//! - **Values arrive as they were sent.** CBOR makes text of ASCII octets, and integers of some floats, because Perl
//!   does not distinguish them. That is not needed here. Infinities are refused as in JSON: whether a message can be
//!   sent must not depend on the connection.
//! - **The name is `postcard/1`.** A change of the format is another name, so nodes of different ages agree on the best
//!   common one. Perl nodes compare names as a whole and ignore those that they do not know.
//!
//! A count is a claim: no more than 1024 elements are allocated by it, and a count beyond the bytes behind it is
//! refused. Nesting is counted in the reader, where arrays and maps are entered; the framer does not look into packets.

mod encoding;
mod frame;
mod reader;

pub(crate) use self::encoding::Postcard;
pub(crate) use self::frame::PostcardFramer;
pub(crate) use self::reader::PostcardReader;

/// The name under which nodes negotiate the format. Another version would be another format.
pub(crate) const NAME: &str = "postcard/1";

/// The size of the length in front of a packet, in bytes.
const PREFIX: usize = size_of::<u32>();

/// The kind of a value: its first byte.
mod kind {
    pub(super) const NULL: u8 = 0;
    pub(super) const FALSE: u8 = 1;
    pub(super) const TRUE: u8 = 2;
    pub(super) const INT: u8 = 3;
    pub(super) const UINT: u8 = 4;
    pub(super) const FLOAT: u8 = 5;
    pub(super) const TEXT: u8 = 6;
    pub(super) const BYTES: u8 = 7;
    pub(super) const ARRAY: u8 = 8;
    pub(super) const MAP: u8 = 9;
}
