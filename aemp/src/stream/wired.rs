//! The end of a stream that a data connection carries.
//!
//! Between nodes of this project, the bytes are divided into frames: a length of four octets, the bytes, and a frame
//! without bytes at the end. So a connection that breaks is told from a stream that has ended. The end that has
//! accepted the connection begins with the length `TAKEN`, for which the other end waits: the handshake alone does not
//! tell that the stream is expected. Towards other implementations the bytes are raw, and the end of the connection is
//! the end of the stream.
//!
//! Bytes that count as written and that the socket has not taken are held. Both sides send them: a program that writes a
//! question and then reads the answer need not flush in between. So the socket wakes both sides when it takes more.

use std::{
    future::poll_fn,
    io::{self, ErrorKind},
    mem,
    sync::Arc,
    task::{Context, Poll, Wake, Waker, ready},
};

use tokio::io::ReadBuf;

use crate::{guard, lock::Lock, net::Stream};
use aemp_proto::handshake::StreamStart;

/// The largest frame that is written, in bytes. Only the part that the socket does not take at once is copied.
const MOST: usize = 256 << 10;
/// The largest frame in TLS, whose bytes are copied in any case.
#[cfg(feature = "tls")]
const MOST_TLS: usize = 64 << 10;
/// The length of a frame's header.
const HEADER: usize = 4;
/// The length that stands for no frame, and says that the stream has been taken.
const TAKEN: [u8; HEADER] = [0xFF; HEADER];

pub(crate) struct Wired {
    stream: Stream,
    ends: bool,
    /// Bytes that have arrived and have not been read.
    arrived: Vec<u8>,
    taken: usize,
    reading: Reading,
    /// Bytes that count as written, and that the socket has not taken.
    held: Vec<u8>,
    sent: usize,
    /// The tasks to wake when the socket takes more, and the waker that wakes both.
    sides: Arc<Sides>,
    both: Waker,
    writing: Writing,
}

#[derive(Clone, Copy)]
enum Side {
    Reader,
    Writer,
}

/// The wakers of the tasks that wait until the socket takes more. A socket keeps one waker.
#[derive(Default)]
struct Sides(Lock<[Option<Waker>; 2]>);

impl Wake for Sides {
    fn wake(self: Arc<Self>) {
        let wakers = mem::take(&mut *self.0.lock());
        wakers.into_iter().flatten().for_each(guard::wake);
    }
}

impl Sides {
    fn wait(&self, side: Side, task: &Context<'_>) {
        let waker = task.waker().clone();
        let before = self.0.lock()[side as usize].replace(waker);
        guard::discard(before);
    }
}

/// The state of the side that is read.
enum Reading {
    Raw,
    /// The next bytes say that the other end has taken the stream, of which some have been read.
    Taking([u8; HEADER], usize),
    /// The next bytes are a header, of which some have been read.
    Header([u8; HEADER], usize),
    /// So many bytes of a frame are left.
    Frame(usize),
    Ended,
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
        let none = [0; HEADER];
        let (reading, writing, held) = match (start.ends, start.dialed) {
            (false, _) => (Reading::Raw, Writing::Raw, Vec::new()),
            (true, true) => (Reading::Taking(none, 0), Writing::Frames, Vec::new()),
            (true, false) => (Reading::Header(none, 0), Writing::Frames, TAKEN.to_vec()),
        };
        let sides = Arc::<Sides>::default();
        Self {
            both: Arc::clone(&sides).into(),
            sides,
            stream,
            ends: start.ends,
            arrived,
            taken: 0,
            reading,
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
            let Reading::Taking(mut header, mut got) = self.reading else {
                return Poll::Ready(Ok(()));
            };
            let read = self.poll_length(task, &mut header, &mut got);
            self.reading = Reading::Taking(header, got);
            ready!(read)?;
            if header != TAKEN {
                let error = io::Error::new(ErrorKind::InvalidData, "not the beginning of a stream");
                return Poll::Ready(Err(error));
            }
            self.reading = Reading::Header([0; HEADER], 0);
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
        if let Poll::Ready(sent) = self.poll_held(Side::Reader, task) {
            sent?;
        }
        loop {
            let room = match &self.reading {
                Reading::Ended => return Poll::Ready(Ok(0)),
                Reading::Raw => buffer.remaining(),
                Reading::Frame(left) => buffer.remaining().min(*left),
                Reading::Header(..) | Reading::Taking(..) => {
                    ready!(self.poll_header(task))?;
                    continue;
                }
            };
            let bytes = buffer.initialize_unfilled_to(room);
            let read = ready!(self.poll_bytes(task, bytes))?;
            buffer.advance(read);
            if read == 0 {
                if matches!(self.reading, Reading::Raw) {
                    self.reading = Reading::Ended;
                    return Poll::Ready(Ok(0));
                }
                return Poll::Ready(Err(cut_off()));
            }
            if let Reading::Frame(left) = &mut self.reading {
                *left -= read;
                if *left == 0 {
                    self.reading = Reading::Header([0; HEADER], 0);
                }
            }
            return Poll::Ready(Ok(read));
        }
    }

    fn poll_header(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Reading::Header(mut header, mut got) = self.reading else {
            return Poll::Ready(Ok(()));
        };
        let read = self.poll_length(task, &mut header, &mut got);
        self.reading = Reading::Header(header, got);
        ready!(read)?;
        let length = u32::from_be_bytes(header);
        self.reading = match usize::try_from(length) {
            Ok(0) => Reading::Ended,
            Ok(length) => Reading::Frame(length),
            Err(error) => return Poll::Ready(Err(io::Error::new(ErrorKind::InvalidData, error))),
        };
        Poll::Ready(Ok(()))
    }

    /// Reads a length, of which `got` octets have been read.
    fn poll_length(
        &mut self,
        task: &mut Context<'_>,
        header: &mut [u8; HEADER],
        got: &mut usize,
    ) -> Poll<io::Result<()>> {
        while *got < HEADER {
            let read = ready!(self.poll_bytes(task, &mut header[*got..]))?;
            if read == 0 {
                return Poll::Ready(Err(cut_off()));
            }
            *got += read;
        }
        Poll::Ready(Ok(()))
    }

    /// Reads bytes of the connection. Zero bytes mean its end.
    fn poll_bytes(&mut self, task: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
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
        let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_be_bytes();
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
                self.sides.wait(Side::Writer, task);
                ready!(wire.poll_writable(&mut Context::from_waker(&self.both)))?;
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
            self.sides.wait(side, task);
            let both = &mut Context::from_waker(&self.both);
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
            self.held = vec![0; HEADER];
            self.sent = 0;
            self.writing = Writing::Ended;
            ready!(self.poll_held(Side::Writer, task))?;
        }
        self.writing = Writing::Ended;
        self.stream.poll_shutdown(task)
    }
}

fn cut_off() -> io::Error {
    let text = "the stream was cut off: its other end has not ended it";
    io::Error::new(ErrorKind::UnexpectedEof, text)
}
