//! How a format writes what everything is made of.

use std::fmt;
use std::ops::Range;

use crate::error::EncodeError;

/// How packets are written in a format: item by item, straight from the types that are given.
///
/// It knows nothing of types. [`PacketWriter::encoding`](crate::PacketWriter::encoding) writes whatever serde gives, and keeps the
/// [`Limits`](crate::Limits). Each method appends to what is in the buffer, and changes nothing that was there before the packet.
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

    /// Completes the packet of so many elements that begins at `start`.
    ///
    /// # Errors
    ///
    /// When the format has no such packets.
    fn end(&self, out: &mut Vec<u8>, start: usize, count: usize) -> Result<(), EncodeError>;

    /// Nothing.
    fn null(&self, out: &mut Vec<u8>);

    /// True or false.
    fn bool(&self, out: &mut Vec<u8>, b: bool);

    /// An integer.
    fn int(&self, out: &mut Vec<u8>, n: i64);

    /// An integer that is not negative.
    fn unsigned(&self, out: &mut Vec<u8>, n: u64);

    /// The digits of an integer that 64 bits cannot hold. They are text, unless the format has such integers.
    fn large(&self, out: &mut Vec<u8>, digits: &str) {
        self.text(out, digits);
    }

    /// A float that is finite.
    fn float(&self, out: &mut Vec<u8>, x: f64);

    /// Text.
    fn text(&self, out: &mut Vec<u8>, text: &str);

    /// Octets.
    fn bytes(&self, out: &mut Vec<u8>, octets: &[u8]);

    /// Writes the separator before each element and each key but the first. The default writes none.
    #[inline]
    fn separate(&self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// The key of an entry, and what stands between it and the value.
    fn key(&self, out: &mut Vec<u8>, key: &str);

    /// Begins a list or a map, which is said to have so many elements or entries. It may turn out to have others.
    fn open(&self, out: &mut Vec<u8>, kind: ListKind, count: usize);

    /// Ends a list or a map: writes its beginning once more if it has not the number of elements that was said.
    #[inline]
    fn close(&self, out: &mut Vec<u8>, list: &Opened) {
        if list.count() != list.promised() {
            list.write_again(out, |head| self.open(head, list.kind(), list.count()));
        }
    }
}

/// A list or a map. There will be no other kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListKind {
    /// A list.
    Array,
    /// A map.
    Map,
}

/// A list or a map that has been written up to its end.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    pub(crate) kind: ListKind,
    pub(crate) start: usize,
    pub(crate) head: u8,
    pub(crate) promised: usize,
    pub(crate) count: usize,
}

impl Opened {
    /// The map of an enum variant. It has as many entries as was said, so that its place is of no interest.
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

    /// Which of both it is.
    #[inline]
    #[must_use]
    pub fn kind(&self) -> ListKind {
        self.kind
    }

    /// Where in the buffer [`Encoding::open`] has written its beginning. It is known if there are more or less elements than
    /// [`promised`](Self::promised).
    #[inline]
    #[must_use]
    pub fn head(&self) -> Range<usize> {
        self.start..self.start + usize::from(self.head)
    }

    /// How many elements or entries [`Encoding::open`] was told of.
    #[inline]
    #[must_use]
    pub fn promised(&self) -> usize {
        self.promised
    }

    /// How many it has.
    #[inline]
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }
}

/// Forwards, so that a format from outside this crate is written by the same code as others.
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
