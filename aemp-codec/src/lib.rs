//! Values, packets and wire formats of AnyEvent::MP nodes: bytes in, bytes out, no I/O.
//!
//! Nodes send each other *packets*. A packet is a list: the name of a port on the receiving node, and the message for
//! it, usually a tag and its arguments.
//!
//! - [`PacketWriter`] and [`PacketReader`] write Rust types into a packet and read them, without values in between.
//! - [`Format`] is the form of packets as bytes. JSON, CBOR and [postcard](Format::Postcard) are built in, each with
//!   a feature. A [`Codec`] adds a format from another crate, whose [`Encoding`] and [`Decoding`] write and read item
//!   by item.
//! - [`Framer`] finds the packets in the bytes of a connection, in pieces of any size.
//! - [`Value`] is for messages of unknown types.
//! - [`Octets`] is a `Vec<u8>` that travels as a byte string.
//! - [`NodeId`] and [`PortId`] are addresses.
//!
//! The built-in formats are written by hand. They serialize and deserialize user types straight to and from packet bytes,
//! with framers that can be interrupted, borrowed text, and the leniency of Perl (`"5"` is `5`). No published crate has all
//! of these. The crates ciborium and postcard are the oracles of the tests.
//!
//! ```
//! # #[cfg(feature = "json")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use aemp_codec::{Format, Limits};
//!
//! let (json, limits) = (Format::Json, Limits::default());
//! let mut buffer = Vec::new();
//! let mut packet = json.writer(&mut buffer, limits);
//! packet.str("counter")?;
//! packet.str("inc")?;
//! packet.arg(&5)?;
//! packet.finish()?;
//! assert_eq!(buffer, br#"["counter","inc",5]"#);
//!
//! let range = json.framer(limits).scan(&buffer)?.expect("all of it is there");
//! let mut packet = json.reader(&buffer[range], limits)?;
//! assert_eq!(packet.text()?.as_deref(), Some("counter"));
//! assert_eq!(packet.text()?.as_deref(), Some("inc"));
//! assert_eq!(packet.required::<i64>()?, 5);
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "json"))]
//! # fn main() {}
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(any(feature = "cbor", feature = "postcard"))]
mod append;
#[cfg(feature = "cbor")]
mod cbor;
mod decoding;
mod encoding;
mod error;
mod format;
mod id;
#[cfg(feature = "json")]
mod json;
mod lenient;
mod limits;
mod octets;
mod packet;
#[cfg(feature = "postcard")]
mod postcard;
mod reader;
mod source;
mod text;
mod value;
mod writer;

pub use decoding::{Cursor, Decoding};
pub use encoding::{Encoding, ListKind, Opened};
pub use error::{DecodeError, EncodeError, FrameError, FrameErrorKind, IdError};
pub use format::{Codec, Format, Framer, Framing};
pub use id::{NodeId, PortId};
pub use lenient::Scalar;
pub use limits::Limits;
pub use octets::Octets;
pub use packet::{KeptPacket, PacketReader, PacketWriter};
pub use source::{Contents, Item};
pub use value::{Entries, IntoEntries, Map, Value, from_value, to_value};

#[cfg(all(doctest, feature = "json"))]
#[doc = include_str!("../README.md")]
struct Readme;
