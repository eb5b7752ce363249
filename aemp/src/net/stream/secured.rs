//! A connection's bytes in TLS: a [`Session`] over the stream that carries them.

use std::{
    io::{self, ErrorKind},
    task::{Context, Poll, ready},
};

use super::wire::Wire;
use crate::tls::{Session, TlsError};
use aemp_proto::handshake::Binding;

/// The smallest and the largest read of ciphertext, in bytes.
const LEAST_ROOM: usize = 4 << 10;
const MOST_ROOM: usize = 64 << 10;

/// TLS over a wire.
pub(crate) struct Secured {
    wire: Wire,
    session: Session,
    /// The room for the next read of ciphertext, in bytes.
    room: usize,
    /// Plaintext bytes whose ciphertext has not been taken by the wire. They count as written when it has.
    promised: usize,
}

impl Secured {
    pub(super) fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Begins TLS. `early` is its ciphertext that has arrived already.
    pub(super) fn new(wire: Wire, mut session: Session, early: &[u8]) -> Self {
        session.space(early.len()).extend_from_slice(early);
        session.arrived();
        Self {
            wire,
            session,
            room: LEAST_ROOM,
            promised: 0,
        }
    }

    /// Runs the handshake.
    ///
    /// # Errors
    ///
    /// Returns errors of the wire, and [`TlsError`] as [`io::ErrorKind::Other`].
    pub(in crate::net) async fn handshake(&mut self) -> io::Result<()> {
        loop {
            let advanced = self.session.advance();
            if let Err(error) = advanced {
                return Err(self.failed(error));
            }
            while !self.session.to_send().is_empty() {
                self.wire.writable().await?;
                match self.flush() {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    flushed => flushed?,
                }
            }
            if self.session.is_up() {
                return Ok(());
            }
            self.wire.readable().await?;
            match self.wire.try_read_buf(self.session.space(self.room)) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(_) => self.session.arrived(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        if self.session.is_readable() {
            return Ok(());
        }
        self.wire.readable().await
    }

    pub(super) async fn writable(&self) -> io::Result<()> {
        self.wire.writable().await
    }

    /// Reads the wire at most once, because a peer that sends records without content must not keep the task.
    pub(crate) fn try_read_buf(&mut self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        if self.session.is_readable()
            && let Some(read) = self.decrypt(buffer)
        {
            return read;
        }
        let read = self.wire.try_read_buf(self.session.space(self.room))?;
        if read == 0 {
            // Many implementations end without a close_notify. Packets are framed, so a truncated one is never taken
            // for complete.
            return Ok(0);
        }
        self.session.arrived();
        if read >= self.room {
            self.room = (2 * self.room).min(MOST_ROOM);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(LEAST_ROOM);
        }
        self.decrypt(buffer)
            .unwrap_or_else(|| Err(ErrorKind::WouldBlock.into()))
    }

    /// Gives the buffer for ciphertext back: the connection is quiet.
    pub(crate) fn rest(&mut self) {
        self.room = LEAST_ROOM;
        self.session.rest();
    }

    /// Decrypts bytes that have arrived, if there are any.
    fn decrypt(&mut self, buffer: &mut Vec<u8>) -> Option<io::Result<usize>> {
        let before = buffer.len();
        let decrypted = self.session.read(buffer);
        // The rest is sent with the next write, if the wire does not take it now.
        let _ = self.flush();
        let read = buffer.len() - before;
        match decrypted {
            _ if read > 0 => Some(Ok(read)),
            Err(error) => Some(Err(self.failed(error))),
            Ok(()) if self.session.has_ended() => Some(Ok(0)),
            Ok(()) => None,
        }
    }

    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            self.flush()?;
            if self.promised > 0 {
                return Ok(std::mem::take(&mut self.promised).min(bytes.len()));
            }
            if bytes.is_empty() {
                return Ok(0);
            }
            self.promised = match self.session.write(bytes) {
                Ok(written) => written,
                Err(error) => return Err(self.failed(error)),
            };
        }
    }

    /// Hands ciphertext to the wire, until there is none or the wire takes no more.
    fn flush(&mut self) -> io::Result<()> {
        while !self.session.to_send().is_empty() {
            let sent = self.wire.try_write(self.session.to_send())?;
            self.session.sent(sent);
        }
        Ok(())
    }

    /// Sends close_notify, and ends writing.
    pub(super) async fn shutdown(&mut self) -> io::Result<()> {
        self.session.close();
        while !self.session.to_send().is_empty() {
            self.wire.writable().await?;
            match self.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                flushed => flushed?,
            }
        }
        self.wire.shutdown().await
    }

    /// The channel binding that the proofs have to cover, after the handshake.
    ///
    /// # Errors
    ///
    /// Returns [`TlsError`] as [`io::ErrorKind::Other`].
    pub(in crate::net) fn binding(&self) -> io::Result<Option<Binding>> {
        self.session.binding().map_err(io::Error::other)
    }

    pub(in crate::net) fn describe(&self) -> Option<String> {
        self.session.describe()
    }

    /// Sends the alert, if there is room, and converts the error.
    fn failed(&mut self, error: TlsError) -> io::Error {
        let _ = self.flush();
        io::Error::other(error)
    }
}

/// For one reader and one writer that poll.
impl Secured {
    pub(super) fn poll_readable(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.session.is_readable() {
            return Poll::Ready(Ok(()));
        }
        self.wire.poll_readable(task)
    }

    pub(super) fn poll_writable(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.wire.poll_writable(task)
    }

    /// Sends close_notify, and ends writing.
    pub(super) fn poll_shutdown(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.session.close();
        while !self.session.to_send().is_empty() {
            ready!(self.wire.poll_writable(task))?;
            match self.flush() {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                flushed => flushed?,
            }
        }
        self.wire.poll_shutdown(task)
    }
}
