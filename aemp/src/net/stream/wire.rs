//! The carrier of a connection's bytes: TCP, the simulation's stand-in for it, or another connection (`tunnel`).

use std::io;
#[cfg(feature = "net")]
use std::{
    io::IoSlice,
    pin::Pin,
    task::{Context, Poll},
};

#[cfg(feature = "net")]
use tokio::io::AsyncWrite;

use super::{stir::Stirred, tunnel::Tunnel};
use crate::net::machine::{self, TcpStream};
#[cfg(feature = "sim")]
use crate::sim::SimStream;

/// A stream of bytes in both directions.
pub(crate) enum Wire {
    Tcp(TcpStream),
    /// Boxed, because tunnels are rare.
    Tunnel(Box<Tunnel>),
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
            Self::Tunnel(tunnel) => {
                tunnel.readable().await;
                Ok(())
            }
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
            Self::Tunnel(tunnel) => {
                tunnel.writable().await;
                Ok(())
            }
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
            Self::Tunnel(tunnel) => tunnel.try_read_buf(buffer),
            #[cfg(feature = "sim")]
            Self::Sim(stream) => stream.try_read_buf(buffer),
        }
    }

    /// Writes as many bytes as are taken at once.
    #[inline]
    pub(crate) fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_write(bytes),
            Self::Tunnel(tunnel) => tunnel.try_write(bytes),
            #[cfg(feature = "sim")]
            Self::Sim(stream) => stream.try_write(bytes),
        }
    }

    /// Ends writing. The other end reads everything that was written, then the end.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => machine::shutdown(stream).await,
            Self::Tunnel(tunnel) => {
                tunnel.shutdown();
                Ok(())
            }
            #[cfg(feature = "sim")]
            Self::Sim(stream) => {
                stream.shutdown();
                Ok(())
            }
        }
    }
}

/// For one reader and one writer that poll.
#[cfg(feature = "net")]
impl Wire {
    /// As [`readable`](Self::readable), for the one task that reads.
    pub(crate) fn poll_readable(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_read_ready(task),
            Self::Tunnel(tunnel) => tunnel.poll_readable(task).map(Ok),
            #[cfg(feature = "sim")]
            Self::Sim(stream) => stream.poll_readable(task).map(Ok),
        }
    }

    /// As [`writable`](Self::writable), for the one task that writes.
    pub(crate) fn poll_writable(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => stream.poll_write_ready(task),
            Self::Tunnel(tunnel) => tunnel.poll_writable(task).map(Ok),
            #[cfg(feature = "sim")]
            Self::Sim(stream) => stream.poll_writable(task).map(Ok),
        }
    }

    /// Reads available bytes. Zero bytes mean the end.
    #[inline]
    pub(crate) fn try_read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.try_read(buffer),
            appending => {
                let mut bytes = Vec::with_capacity(buffer.len());
                let read = appending.try_read_buf(&mut bytes)?;
                buffer[..read].copy_from_slice(&bytes);
                Ok(read)
            }
        }
    }

    /// Writes as many bytes of both pieces as are taken at once.
    #[inline]
    pub(crate) fn try_write_both(&self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => {
                stream.try_write_vectored(&[IoSlice::new(first), IoSlice::new(second)])
            }
            // One packet carries both. A tunnel takes no more of them at once.
            Self::Tunnel(tunnel) => {
                let second = &second[..second.len().min(super::tunnel::MOST)];
                tunnel.try_write(&[first, second].concat())
            }
            #[cfg(feature = "sim")]
            Self::Sim(stream) => stream.try_write(&[first, second].concat()),
        }
    }

    /// Ends writing in one step, after everything has been written.
    pub(crate) fn poll_shutdown(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(task),
            Self::Tunnel(tunnel) => {
                tunnel.shutdown();
                Poll::Ready(Ok(()))
            }
            #[cfg(feature = "sim")]
            Self::Sim(stream) => {
                stream.shutdown();
                Poll::Ready(Ok(()))
            }
        }
    }
}
