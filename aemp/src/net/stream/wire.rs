//! The carrier of a connection's bytes: TCP, or the simulation's stand-in for it.

use std::io;

use crate::net::machine::{self, TcpStream};
#[cfg(feature = "sim")]
use crate::sim::SimStream;

/// A stream of bytes in both directions.
pub(crate) enum Wire {
    Tcp(TcpStream),
    #[cfg(feature = "sim")]
    Sim(SimStream),
}

impl Wire {
    /// Waits until there may be something to read.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            #[cfg(feature = "sim")]
            Self::Sim(stream) => {
                stream.readable().await;
                Ok(())
            }
        }
    }

    /// Waits until something may be written.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub(crate) async fn writable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.writable().await,
            #[cfg(feature = "sim")]
            Self::Sim(stream) => {
                stream.writable().await;
                Ok(())
            }
        }
    }

    /// Appends available bytes to the buffer, as far as it has room. Zero bytes mean the end.
    #[inline]
    pub(crate) fn try_read_buf(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read_buf(buffer),
            #[cfg(feature = "sim")]
            Self::Sim(stream) => stream.try_read_buf(buffer),
        }
    }

    /// Writes as many bytes as are taken at once.
    #[inline]
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            #[cfg(feature = "sim")]
            Self::Sim(stream) => stream.try_write(bytes),
        }
    }

    /// Ends writing. The other end reads everything that was written, then the end.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => machine::shutdown(stream).await,
            #[cfg(feature = "sim")]
            Self::Sim(stream) => {
                stream.shutdown();
                Ok(())
            }
        }
    }
}
