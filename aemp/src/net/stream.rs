//! A connection's bytes, in clear or in TLS: `Plain(Wire)` or `Tls(Box<..>)`. The link does not know which.
//!
//! Bytes count as written when their ciphertext has been written. A caller that is told to wait comes again with the
//! same bytes. So nothing needs to be flushed later, and the link's clock runs by the bytes that the socket takes.

#[cfg(feature = "tls")]
pub(super) mod secured;
pub(crate) mod stir;
pub(super) mod tunnel;
pub(super) mod wire;

use std::io;
#[cfg(feature = "net")]
use std::task::{Context, Poll};

#[cfg(feature = "tls")]
use self::secured::Secured;
use self::wire::Wire;
use super::machine::{self, TcpStream};
#[cfg(feature = "tls")]
use crate::tls::Session;

/// A stream of bytes in both directions.
pub(crate) enum Stream {
    Plain(Wire),
    #[cfg(feature = "tls")]
    Tls(Box<Secured>),
}

impl Stream {
    /// Waits until there may be something to read.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.readable().await,
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.readable().await,
        }
    }

    /// Waits until something may be written.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.writable().await,
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.writable().await,
        }
    }

    /// Appends available bytes to the buffer, about as far as it has room. Zero bytes mean the end.
    #[inline]
    pub(crate) fn try_read_buf(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.try_read_buf(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.try_read_buf(buffer),
        }
    }

    /// Writes as many bytes as are taken at once. The rest must be offered again, unless the connection is given up.
    #[inline]
    pub(crate) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(wire) => wire.try_write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.try_write(bytes),
        }
    }

    /// Writes all bytes.
    ///
    /// # Cancel safety
    ///
    /// The number of bytes written is unknown after cancellation.
    pub(crate) async fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            self.writable().await?;
            match self.try_write(bytes) {
                Ok(written) => bytes = &bytes[written..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Ends writing. The other end reads everything that was written, then the end.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(wire) => wire.shutdown().await,
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.shutdown().await,
        }
    }

    /// Gives buffers back: the connection is quiet.
    pub(crate) fn rest(&mut self) {
        match self {
            Self::Plain(_) => {}
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.rest(),
        }
    }

    /// True if the other end is a process of this machine.
    pub(crate) fn is_near(&self) -> bool {
        self.tcp().is_some_and(machine::is_near)
    }

    /// Sets the number of bytes that the socket takes before the other end has got any.
    pub(crate) fn hold(&self, bytes: usize) {
        if let Some(socket) = self.tcp() {
            machine::hold(socket, bytes);
        }
    }

    fn tcp(&self) -> Option<&TcpStream> {
        let wire = match self {
            Self::Plain(wire) => wire,
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.wire(),
        };
        match wire {
            Wire::Tcp(socket) => Some(socket),
            _ => None,
        }
    }

    /// Begins TLS. `early` is its ciphertext that has arrived already. Run [`Secured::handshake`] first.
    #[cfg(feature = "tls")]
    pub(super) fn into_tls(self, session: Session, early: &[u8]) -> Result<Box<Secured>, Self> {
        match self {
            Self::Plain(wire) => Ok(Box::new(Secured::new(wire, session, early))),
            Self::Tls(_) => Err(self),
        }
    }

    /// A connection of a simulated network.
    #[cfg(all(test, feature = "sim", feature = "net"))]
    pub(crate) fn simulated(stream: crate::sim::SimStream) -> Self {
        Self::Plain(Wire::Sim(stream))
    }

    /// The version and cipher suite of TLS, as text.
    pub(crate) fn tls(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.describe(),
        }
    }
}

/// For one reader and one writer that poll.
#[cfg(feature = "net")]
impl Stream {
    /// As [`readable`](Self::readable).
    pub(crate) fn poll_readable(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(wire) => wire.poll_readable(task),
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.poll_readable(task),
        }
    }

    /// As [`writable`](Self::writable).
    pub(crate) fn poll_writable(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(wire) => wire.poll_writable(task),
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.poll_writable(task),
        }
    }

    /// Ends writing, after everything has been written.
    pub(crate) fn poll_shutdown(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(wire) => wire.poll_shutdown(task),
            #[cfg(feature = "tls")]
            Self::Tls(secured) => secured.poll_shutdown(task),
        }
    }
}
