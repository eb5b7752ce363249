//! The end of a stream that a data connection carries.
//!
//! Between nodes of this project, the bytes are divided into frames ([`aemp_proto::stream`]). The end that has accepted
//! the connection begins with `TAKEN`, for which the other end waits: the handshake alone does not tell that the stream
//! is expected. Towards other implementations the bytes are raw, and the end of the connection is the end of the
//! stream.
//!
//! Bytes that count as written and that the socket has not taken are held. Both sides send them: a program that writes a
//! question and then reads the answer need not flush in between. So the socket wakes both sides when it takes more. A
//! failure to send them is an error of the side that writes. The side that reads goes on: the other end may have
//! answered and ended before it has read everything.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    task::{Context, Poll, ready},
};

use tokio::io::ReadBuf;

use super::sides::{Side, Sides};
use crate::net::Stream;
use aemp_proto::{
    handshake::StreamStart,
    stream::{END, FrameError, HEADER, Incoming, Place, TAKEN, header},
};

/// The largest frame that is written, in bytes. Only the part that the socket does not take at once is copied.
const MOST: usize = 256 << 10;
/// The largest frame in TLS, whose bytes are copied in any case.
#[cfg(feature = "tls")]
const MOST_TLS: usize = 64 << 10;

pub(crate) struct Wired {
    stream: Stream,
    ends: bool,
    /// Bytes that have arrived and have not been read.
    arrived: Vec<u8>,
    taken: usize,
    reading: Incoming,
    /// Bytes that count as written, and that the socket has not taken.
    held: Vec<u8>,
    sent: usize,
    /// The tasks to wake when the socket takes more.
    sides: Sides,
    writing: Writing,
}

/// The state of the side that is written.
#[derive(Clone, Copy, PartialEq)]
enum Writing {
    Raw,
    Frames,
    Ended,
}

impl Wired {
    /// `arrived` are the bytes behind the handshake.
    pub(crate) fn new(stream: Stream, arrived: Vec<u8>, start: &StreamStart) -> Self {
        let (writing, held) = match (start.ends, start.dialed) {
            (false, _) => (Writing::Raw, Vec::new()),
            (true, true) => (Writing::Frames, Vec::new()),
            (true, false) => (Writing::Frames, TAKEN.to_vec()),
        };
        Self {
            sides: Sides::default(),
            stream,
            ends: start.ends,
            arrived,
            taken: 0,
            reading: Incoming::new(start),
            held,
            sent: 0,
            writing,
        }
    }

    /// True if a broken connection is told from the end of the stream.
    pub(super) fn marks_end(&self) -> bool {
        self.ends
    }

    /// Completes the beginning: one end says that it has taken the stream, and the other end waits for that.
    pub(crate) async fn begin(&mut self) -> io::Result<()> {
        poll_fn(|task| {
            ready!(self.poll_held(Side::Writer, task))?;
            while !self.reading.is_taken() {
                ready!(self.poll_header(task))?;
            }
            Poll::Ready(Ok(()))
        })
        .await
    }

    pub(super) fn tls(&self) -> Option<String> {
        self.stream.tls()
    }

    /// Reads some bytes into the buffer; none at the end of the stream.
    pub(super) fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        // The next write returns an error.
        let _ = self.poll_held(Side::Reader, task);
        loop {
            let room = match self.reading.place().map_err(error)? {
                Place::End => return Poll::Ready(Ok(0)),
                Place::Content(left) => buffer.remaining().min(left),
                Place::Header(_) => {
                    ready!(self.poll_header(task))?;
                    continue;
                }
            };
            let bytes = buffer.initialize_unfilled_to(room);
            let read = ready!(self.poll_bytes(task, bytes))?;
            self.reading.read(read).map_err(error)?;
            buffer.advance(read);
            return Poll::Ready(Ok(read));
        }
    }

    /// Reads bytes of a header, if they come next.
    fn poll_header(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut bytes = [0; HEADER];
        let Place::Header(place) = self.reading.place().map_err(error)? else {
            return Poll::Ready(Ok(()));
        };
        let room = place.len();
        let read = ready!(self.poll_bytes(task, &mut bytes[..room]))?;
        if let Ok(Place::Header(place)) = self.reading.place() {
            place[..read].copy_from_slice(&bytes[..read]);
        }
        Poll::Ready(self.reading.read(read).map_err(error))
    }

    /// Reads bytes of the connection. Zero bytes mean its end.
    fn poll_bytes(&mut self, task: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        let read = ready!(self.poll_connection(task, out));
        if read.is_err() {
            self.reading.broken();
        }
        Poll::Ready(read)
    }

    fn poll_connection(
        &mut self,
        task: &mut Context<'_>,
        out: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        loop {
            if let Some(read) = self.take_arrived(out) {
                return Poll::Ready(Ok(read));
            }
            ready!(self.stream.poll_readable(task))?;
            let read = match &mut self.stream {
                Stream::Plain(wire) => wire.try_read(out),
                #[cfg(feature = "tls")]
                Stream::Tls(secured) => {
                    self.arrived.reserve(MOST_TLS);
                    match secured.try_read_buf(&mut self.arrived) {
                        Ok(0) => Ok(0),
                        Ok(_) => continue,
                        Err(error) => Err(error),
                    }
                }
            };
            match read {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read),
            }
        }
    }

    fn take_arrived(&mut self, out: &mut [u8]) -> Option<usize> {
        let arrived = &self.arrived[self.taken..];
        if arrived.is_empty() {
            self.arrived.clear();
            self.taken = 0;
            return None;
        }
        let read = arrived.len().min(out.len());
        out[..read].copy_from_slice(&arrived[..read]);
        self.taken += read;
        Some(read)
    }

    /// Writes some of the bytes.
    pub(super) fn poll_write(
        &mut self,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.writing == Writing::Ended {
            return Poll::Ready(Err(ErrorKind::BrokenPipe.into()));
        }
        ready!(self.poll_held(Side::Writer, task))?;
        if bytes.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let most = match &self.stream {
            Stream::Plain(_) => MOST,
            #[cfg(feature = "tls")]
            Stream::Tls(_) => MOST_TLS,
        };
        let bytes = &bytes[..bytes.len().min(most)];
        let length = header(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        let header: &[u8] = match self.writing {
            Writing::Frames => &length,
            Writing::Raw | Writing::Ended => &[],
        };
        let sent = ready!(self.poll_first(task, header, bytes))?;
        let in_bytes = sent.saturating_sub(header.len());
        self.held.clear();
        self.sent = 0;
        self.held
            .extend_from_slice(&header[sent.min(header.len())..]);
        self.held.extend_from_slice(&bytes[in_bytes..]);
        // The rest is sent by the next call of either side.
        if let Poll::Ready(sent) = self.poll_held(Side::Writer, task) {
            sent?;
        }
        Poll::Ready(Ok(bytes.len()))
    }

    /// Writes as much of a frame as the socket takes at once, but something. TLS takes the bytes from `held`.
    fn poll_first(
        &mut self,
        task: &mut Context<'_>,
        header: &[u8],
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Stream::Plain(wire) => loop {
                ready!(wire.poll_writable(&mut self.sides.wait(Side::Writer, task)))?;
                match wire.try_write_both(header, bytes) {
                    Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                    sent => return Poll::Ready(sent),
                }
            },
            #[cfg(feature = "tls")]
            Stream::Tls(_) => Poll::Ready(Ok(0)),
        }
    }

    /// Writes the bytes that are held.
    fn poll_held(&mut self, side: Side, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.held.len() {
            let both = &mut self.sides.wait(side, task);
            ready!(self.stream.poll_writable(both))?;
            match self.stream.try_write(&self.held[self.sent..]) {
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        Poll::Ready(Ok(()))
    }

    pub(super) fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_held(Side::Writer, task)
    }

    /// Ends the side that is written.
    pub(super) fn poll_shutdown(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_held(Side::Writer, task))?;
        if self.writing == Writing::Frames {
            self.held = END.to_vec();
            self.sent = 0;
            self.writing = Writing::Ended;
            ready!(self.poll_held(Side::Writer, task))?;
        }
        self.writing = Writing::Ended;
        self.stream.poll_shutdown(task)
    }
}

fn error(error: FrameError) -> io::Error {
    let kind = match error {
        FrameError::CutOff => ErrorKind::UnexpectedEof,
        _ => ErrorKind::InvalidData,
    };
    io::Error::new(kind, error)
}

#[cfg(all(test, feature = "sim"))]
mod tests;
