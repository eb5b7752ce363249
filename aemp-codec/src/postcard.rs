//! A compact binary format between nodes of this project: postcard's encoding of values that say what they are.
//!
//! It is specified in `SPEC.md`, which is also the documentation of [`Format::Postcard`](crate::Format::Postcard).

mod encoding;
mod frame;
mod reader;

pub(crate) use self::encoding::Postcard;
pub(crate) use self::frame::PostcardFramer;
pub(crate) use self::reader::PostcardReader;

/// The name under which nodes negotiate it; another version would be another format.
pub(crate) const NAME: &str = "postcard/1";

/// How many bytes say how long the packet is.
const PREFIX: usize = size_of::<u32>();

/// What a value is: its first byte.
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
