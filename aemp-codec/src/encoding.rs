//! The writing side of a format.

use std::fmt;
use std::ops::Range;

use crate::error::EncodeError;

/// Writes packets in a format: item by item, straight from the given types.
///
/// It knows nothing of types. [`PacketWriter::encoding`](crate::PacketWriter::encoding) writes the items that serde
/// gives, and keeps the [`Limits`](crate::Limits). Each method appends to the buffer, and changes nothing before the
/// packet.
///
/// ```
/// use aemp_codec::{EncodeError, Encoding, Limits, ListKind, Opened, PacketWriter};
///
/// /// Lisp, with lists as maps.
/// #[derive(Debug)]
/// struct Lisp;
///
/// impl Encoding for Lisp {
///     fn begin(&self, out: &mut Vec<u8>) {
///         out.push(b'(');
///     }
///     fn end(&self, out: &mut Vec<u8>, _: usize, _: usize) -> Result<(), EncodeError> {
///         out.push(b')');
///         Ok(())
///     }
///     fn null(&self, out: &mut Vec<u8>) {
///         out.extend(b"nil");
///     }
///     fn bool(&self, out: &mut Vec<u8>, b: bool) {
///         out.extend(if b { &b"t"[..] } else { b"nil" });
///     }
///     fn int(&self, out: &mut Vec<u8>, n: i64) {
///         out.extend(n.to_string().bytes());
///     }
///     fn unsigned(&self, out: &mut Vec<u8>, n: u64) {
///         out.extend(n.to_string().bytes());
///     }
///     fn float(&self, out: &mut Vec<u8>, x: f64) {
///         out.extend(x.to_string().bytes());
///     }
///     fn text(&self, out: &mut Vec<u8>, text: &str) {
///         out.extend(format!("{text:?}").bytes());
///     }
///     fn bytes(&self, out: &mut Vec<u8>, octets: &[u8]) {
///         self.text(out, &octets.escape_ascii().to_string());
///     }
///     fn separate(&self, out: &mut Vec<u8>) {
///         out.push(b' ');
///     }
///     fn key(&self, out: &mut Vec<u8>, key: &str) {
///         self.text(out, key);
///         out.push(b' ');
///     }
///     fn open(&self, out: &mut Vec<u8>, _: ListKind, _: usize) {
///         out.push(b'(');
///     }
///     fn close(&self, out: &mut Vec<u8>, _: &Opened) {
///         out.push(b')');
///     }
/// }
///
/// let mut out = Vec::new();
/// let mut packet = PacketWriter::encoding(&Lisp, &mut out, Limits::default());
/// packet.str("port").unwrap();
/// packet.arg(&(1, [Some("two"), None])).unwrap();
/// packet.finish().unwrap();
/// assert_eq!(out, br#"("port" (1 ("two" nil)))"#);
/// ```
pub trait Encoding: fmt::Debug + Send + Sync {
    /// Writes the beginning of a packet, before the number of its elements is known.
    fn begin(&self, out: &mut Vec<u8>);

    /// Completes the packet that begins at `start` and has this number of elements.
    ///
    /// # Errors
    ///
    /// If the format has no such packets.
    fn end(&self, out: &mut Vec<u8>, start: usize, count: usize) -> Result<(), EncodeError>;

    /// Writes null.
    fn null(&self, out: &mut Vec<u8>);

    /// Writes a truth value.
    fn bool(&self, out: &mut Vec<u8>, b: bool);

    /// Writes an integer.
    fn int(&self, out: &mut Vec<u8>, n: i64);

    /// Writes an integer that is not negative.
    fn unsigned(&self, out: &mut Vec<u8>, n: u64);

    /// Writes the digits of an integer that 64 bits cannot hold. By default they are text.
    fn large(&self, out: &mut Vec<u8>, digits: &str) {
        self.text(out, digits);
    }

    /// Writes a finite float.
    fn float(&self, out: &mut Vec<u8>, x: f64);

    /// Writes text.
    fn text(&self, out: &mut Vec<u8>, text: &str);

    /// Writes octets.
    fn bytes(&self, out: &mut Vec<u8>, octets: &[u8]);

    /// Writes the separator before each element and each key except the first. By default there is none.
    #[inline]
    fn separate(&self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Writes the key of an entry, and the separator between key and value.
    fn key(&self, out: &mut Vec<u8>, key: &str);

    /// Begins a list or a map with this number of elements or entries. The number comes from the type's
    /// `Serialize` and may be wrong.
    fn open(&self, out: &mut Vec<u8>, kind: ListKind, count: usize);

    /// Ends a list or a map. If the number of elements differs from the promised one, it writes the beginning once more.
    #[inline]
    fn close(&self, out: &mut Vec<u8>, list: &Opened) {
        if list.count() != list.promised() {
            list.write_again(out, |head| self.open(head, list.kind(), list.count()));
        }
    }
}

/// The kind of a list or a map. The enum is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// A list.
    Array,
    /// A map.
    Map,
}

/// A list or a map whose elements have been written.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    pub(crate) kind: ListKind,
    pub(crate) start: usize,
    pub(crate) head: u8,
    pub(crate) promised: usize,
    pub(crate) count: usize,
}

impl Opened {
    /// The map of an enum variant. It always has the promised number of entries, so its place is not needed.
    pub(crate) const VARIANT: Self = Self {
        kind: ListKind::Map,
        start: 0,
        head: 0,
        promised: 1,
        count: 1,
    };

    #[cold]
    fn write_again(self, out: &mut Vec<u8>, open: impl FnOnce(&mut Vec<u8>)) {
        let mut head = Vec::new();
        open(&mut head);
        out.splice(self.head(), head);
    }

    /// The kind: list or map.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> ListKind {
        self.kind
    }

    /// The place in the buffer at which [`Encoding::open`] has written the beginning. It is known if the number of
    /// elements differs from [`promised`](Self::promised).
    #[inline]
    #[must_use]
    pub fn head(&self) -> Range<usize> {
        self.start..self.start + usize::from(self.head)
    }

    /// The number of elements or entries that [`Encoding::open`] was given.
    #[inline]
    #[must_use]
    pub fn promised(&self) -> usize {
        self.promised
    }

    /// The number of elements or entries that were written.
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Forwards to the trait object, so that the same code writes the formats of other crates.
macro_rules! forward {
    ($($method:ident($($arg:ident: $type:ty),*) $result:ty;)*) => {$(
        fn $method(&self, out: &mut Vec<u8>, $($arg: $type),*) -> $result {
            (**self).$method(out, $($arg),*)
        }
    )*};
}

impl Encoding for &dyn Encoding {
    forward! {
        end(start: usize, count: usize) Result<(), EncodeError>;
        begin() ();
        null() ();
        bool(b: bool) ();
        int(n: i64) ();
        unsigned(n: u64) ();
        large(digits: &str) ();
        float(x: f64) ();
        text(text: &str) ();
        bytes(octets: &[u8]) ();
        separate() ();
        key(key: &str) ();
        open(kind: ListKind, count: usize) ();
        close(list: &Opened) ();
    }
}
