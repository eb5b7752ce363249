//! The end of a stream within a process.

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

/// The number of bytes that wait for their reader.
const ROOM: usize = 64 << 10;

pub(crate) struct Local {
    pipe: DuplexStream,
    /// True if this end has ended its side.
    ended: Arc<AtomicBool>,
    /// True if the other end has ended its side.
    other: Arc<AtomicBool>,
}

impl Local {
    pub(super) fn pair() -> (Self, Self) {
        let (one, other) = duplex(ROOM);
        let (ended, gone) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let first = Self {
            pipe: one,
            ended: Arc::clone(&ended),
            other: Arc::clone(&gone),
        };
        let second = Self {
            pipe: other,
            ended: gone,
            other: ended,
        };
        (first, second)
    }

    pub(super) fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.pipe).poll_read(task, buffer))?;
        let read = buffer.filled().len() - before;
        if read == 0 && !self.other.load(Ordering::Acquire) {
            let text = "the stream was cut off: its other end was dropped";
            return Poll::Ready(Err(io::Error::new(ErrorKind::UnexpectedEof, text)));
        }
        Poll::Ready(Ok(read))
    }

    pub(super) fn poll_write(
        &mut self,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.pipe).poll_write(task, bytes)
    }

    /// Ends the side that is written.
    pub(super) fn poll_shutdown(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.ended.store(true, Ordering::Release);
        Pin::new(&mut self.pipe).poll_shutdown(task)
    }
}
