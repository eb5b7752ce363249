//! Streams of bytes between two nodes, and within one: files, backups, anything that is too large for messages.
//!
//! A stream between two nodes has a connection of its own, through the same listeners and with the same proof and
//! encryption as any other. So bulk never delays messages. Only the first bytes of a stream in a message take the connection
//! of the nodes, so a small one needs no other. There are two ways to get a stream:
//!
//! - [`Node::open_stream`] calls a function of another node ([`NodeBuilder::stream_function`](crate::NodeBuilder::stream_function)),
//!   which gets the other end. This is AnyEvent::MP's data connection, and works with Perl nodes.
//! - [`Node::stream`] makes a pair of ends. One of them is sent in a message, to a port of any node of this project,
//!   as an argument of type [`ByteStream`].
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use aemp::{Node, port, stream::ByteStream};
//! use tokio::io::{AsyncReadExt, AsyncWriteExt};
//!
//! struct Archive;
//!
//! #[port]
//! impl Archive {
//!     #[rcv]
//!     async fn put(&self, name: String, mut bytes: ByteStream) -> String {
//!         let mut content = Vec::new();
//!         match bytes.read_to_end(&mut content).await {
//!             Ok(size) => format!("{name}: {size} bytes"),
//!             Err(error) => format!("{name}: {error}"),
//!         }
//!     }
//! }
//!
//! let node = Node::local()?;
//! let archive = node.port(Archive);
//! let (mut mine, theirs) = node.stream();
//! let answer = archive.put("hello.txt".into(), theirs);
//! let write = async {
//!     mine.write_all(b"hello").await?;
//!     mine.shutdown().await
//! };
//! let (written, answer) = tokio::join!(write, answer);
//! written?;
//! assert_eq!(answer?, "hello.txt: 5 bytes");
//! # Ok(()) }
//! ```
//!
//! # Semantics
//!
//! - Each end is an [`AsyncRead`] and an [`AsyncWrite`]. The two directions are independent, and in order.
//! - A side ends by [`shutdown`](tokio::io::AsyncWriteExt::shutdown), and only by that. An end that is dropped before,
//!   a process that dies, or a connection that breaks is an error of [`UnexpectedEof`](io::ErrorKind::UnexpectedEof) at
//!   the other end. So a truncated file never looks whole. Perl nodes do not mark ends: with them, the end of the
//!   connection counts as the end ([`ByteStream::marks_end`]).
//! - Writing waits until the other end reads. At most a socket's buffers and 256 KiB of this process hold bytes, besides
//!   the 64 KiB ([`INLINE`]) of each direction that a stream in a message sends over the connection of the nodes.
//! - [`ByteStream::progress`] counts the bytes of both directions, and can be asked by another task.
//! - The other end of a stream in a message connects when it is first used, within [`WAIT`].
//! - **Small streams in messages** ([`Node::stream`]) go inline: if the two nodes are connected when the other end is first
//!   used, directly or through a relay, the bytes travel over this connection. A direction with more than [`INLINE`] bytes
//!   moves to a connection of the stream's own, where it goes on behind the same byte. Order, end, errors and progress are
//!   the same, and the program notices nothing. Calls wait for no more than a short queue of such bytes, however many streams
//!   there are. A stream of [`Node::bulk_stream`] takes a connection of its own at once.
//! - Two tasks may use the two directions, each with a half of [`tokio::io::split`], also before the ends are connected.
//! - If a question cannot be sent completely, because the other end has answered and gone, its answer is read all the
//!   same. The next write returns the error.
//! - A stream that has a direct connection of its own outlives its node, and the connection over which the nodes talk. The
//!   end of the node, and the loss of this connection, are errors of streams that are inline, in one direction or in both.
//!   The end of the node is an error of streams that are not connected yet, too.
//!
//! # Limits
//!
//! - Two nodes without listeners need a [relay](crate::handbook::relays), and must be connected through it before the
//!   stream is opened, or first used. Such a stream ends with the connection of either node to the relay.
//! - A stream can be sent once, before it is used. To send it again is an error of that message.
//! - Each other node has at most [`MOST_STREAMS`] streams to functions of this one, from the announcement until the function
//!   returns. Streams in messages have no such limit: a port that takes them decides.
//! - An end that is dropped while the other end still writes may break the connection before its own last bytes have
//!   arrived. That is an error at the other end. A program that does not want it reads to the end before it drops its end.
//! - The arguments of [`Node::open_stream`] have at most 64 KiB, and 8 addresses of a node are tried.
//! - Each direction of a stream in a message has at most [`INLINE`] bytes on the connection of the nodes. A peer that sends
//!   more, or breaks another rule, loses the stream.
//! - A small stream costs a round trip, and each of the nodes a port while it is inline. A few kilobytes that are there at
//!   once are better an argument of the message ([`Octets`](crate::Octets)).
//! - A stream to a function has a connection of its own, however small it is, as in AnyEvent::MP.
//! - Bytes are not acknowledged. After a cut, the two ends do not know how many have arrived; ask the other end.

mod inline;
mod local;
mod offer;
mod open;
mod sides;
mod wired;

use std::{
    fmt, io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::oneshot,
};

pub use self::open::{OpenStream, StreamError};
use self::{
    inline::Inline,
    local::Local,
    offer::{Fetch, Offer},
    sides::{Side, Sides},
};
pub(crate) use self::{
    open::{NEXT_ADDRESS, Opened, Step},
    wired::Wired,
};
use crate::Node;

/// The time within which the other end of a stream must connect.
pub const WAIT: Duration = Duration::from_secs(30);

/// The number of bytes that each direction of a stream in a message sends over the connection of the nodes. A stream with
/// more moves to a connection of its own.
pub const INLINE: usize = 64 << 10;

/// The number of streams that each other node may have to functions of this one: announced, or open until the function
/// returns.
pub const MOST_STREAMS: usize = 1024;

/// One end of a stream of bytes. The [module](self) describes it.
///
/// As an argument of a message it is sent to the port, which may be one of another node.
#[doc(alias = "DataConn")]
#[doc(alias = "upload")]
pub struct ByteStream {
    end: End,
    progress: Progress,
    reading: Turn,
    writing: Turn,
}

/// The number of bytes that one direction may move before other tasks of its worker run.
const TURN: usize = 128 << 10;

/// The bytes that one direction has moved without a pause. A fast stream is never pending by itself, so without turns
/// it would keep the calls of its worker waiting.
#[derive(Default)]
struct Turn(usize);

impl Turn {
    /// Pending once when the turn is over. The worker looks for other work, and at its sockets, before it comes back.
    fn poll(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if self.0 < TURN {
            return Poll::Ready(());
        }
        self.0 = 0;
        pin!(tokio::task::yield_now()).poll(task)
    }
}

enum End {
    Wired(Box<Wired>),
    Inline(Box<Inline>),
    Local(Local),
    /// The connection is being made.
    Waits(Waits),
    /// It can be sent or used.
    Offered(Offer),
    /// It has come in a message, and connects when it is used.
    Fetch(Fetch),
    /// It could not be connected.
    Failed(String),
}

/// The wait for the connection, of both tasks that may use the stream.
struct Waits {
    opened: oneshot::Receiver<Opened>,
    sides: Sides,
}

impl From<oneshot::Receiver<Opened>> for Waits {
    fn from(opened: oneshot::Receiver<Opened>) -> Self {
        let sides = Sides::default();
        Self { opened, sides }
    }
}

/// The number of bytes of a stream so far. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    read: AtomicU64,
    written: AtomicU64,
}

impl Progress {
    /// The number of bytes that this end has read.
    #[must_use]
    pub fn read(&self) -> u64 {
        self.0.read.load(Ordering::Relaxed)
    }

    /// The number of bytes that this end has written. Up to 256 KiB of them may wait for the socket, until a flush.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.0.written.load(Ordering::Relaxed)
    }
}

impl Node {
    /// Makes a stream, and returns its two ends. Send one of them in a message.
    ///
    /// The ends are equal. If neither is sent to another node, the bytes stay in this process.
    #[must_use]
    pub fn stream(&self) -> (ByteStream, ByteStream) {
        self.pair_of_ends(true)
    }

    /// Makes a stream as [`stream`](Self::stream) does, which has a connection of its own from the start if its ends are on
    /// different nodes. This saves a long stream the [first bytes](INLINE) over the connection of the nodes, and it lets a
    /// quiet one outlive that connection.
    #[must_use]
    pub fn bulk_stream(&self) -> (ByteStream, ByteStream) {
        self.pair_of_ends(false)
    }

    fn pair_of_ends(&self, inline: bool) -> (ByteStream, ByteStream) {
        let (offer, waits) = Offer::new(self, inline);
        (
            ByteStream::new(End::Waits(waits.into())),
            ByteStream::new(End::Offered(offer)),
        )
    }
}

impl ByteStream {
    fn new(end: End) -> Self {
        Self {
            end,
            progress: Progress::default(),
            reading: Turn::default(),
            writing: Turn::default(),
        }
    }

    pub(crate) fn wired(wired: Wired) -> Self {
        Self::new(End::Wired(Box::new(wired)))
    }

    /// The two ends of a stream within the process.
    pub(crate) fn local() -> (Self, Self) {
        let (one, other) = Local::pair();
        (Self::new(End::Local(one)), Self::new(End::Local(other)))
    }

    /// The counts of bytes, for another task.
    #[must_use]
    pub fn progress(&self) -> Progress {
        self.progress.clone()
    }

    /// Waits until both ends are connected. Reading and writing do that as well.
    ///
    /// # Errors
    ///
    /// The other end was dropped, has not connected in time, or could not be reached.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn connected(&mut self) -> io::Result<()> {
        std::future::poll_fn(|task| self.poll_connected(Side::Writer, task)).await
    }

    /// True if the other end marks the end of its side, so that a broken connection is told from it. `None` if the
    /// ends are not connected.
    #[must_use]
    pub fn marks_end(&self) -> Option<bool> {
        match &self.end {
            End::Wired(wired) => Some(wired.marks_end()),
            End::Inline(_) | End::Local(_) => Some(true),
            End::Waits(_) | End::Offered(_) | End::Fetch(_) | End::Failed(_) => None,
        }
    }

    /// The version and the cipher suite of TLS, if the connection uses it.
    #[must_use]
    pub fn tls(&self) -> Option<String> {
        match &self.end {
            End::Wired(wired) => wired.tls(),
            End::Inline(inline) => inline.tls(),
            _ => None,
        }
    }

    fn poll_connected(&mut self, side: Side, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            self.end = match &mut self.end {
                End::Wired(_) | End::Inline(_) | End::Local(_) => return Poll::Ready(Ok(())),
                End::Failed(text) => {
                    let text = text.clone();
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::NotConnected, text)));
                }
                End::Waits(Waits { opened, sides }) => {
                    match ready!(Pin::new(opened).poll(&mut sides.wait(side, task))) {
                        Ok(Opened::Wired(wired)) => End::Wired(wired),
                        Ok(Opened::Inline(inline)) => End::Inline(inline),
                        Ok(Opened::Local(local)) => End::Local(local),
                        Ok(Opened::Failed(text)) => End::Failed(text),
                        Err(_) => End::Failed("the other end was dropped".into()),
                    }
                }
                End::Offered(offer) => offer.stay(),
                End::Fetch(fetch) => fetch.start(),
            };
        }
    }
}

impl AsyncRead for ByteStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        ready!(self.poll_connected(Side::Reader, task))?;
        ready!(self.reading.poll(task));
        let read = match &mut self.end {
            End::Wired(wired) => ready!(wired.poll_read(task, buffer))?,
            End::Inline(inline) => ready!(inline.poll_read(task, buffer))?,
            End::Local(local) => ready!(local.poll_read(task, buffer))?,
            _ => 0,
        };
        self.reading.0 += read;
        let read_so_far = &self.progress.0.read;
        read_so_far.fetch_add(read as u64, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ByteStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_connected(Side::Writer, task))?;
        ready!(self.writing.poll(task));
        let written = match &mut self.end {
            End::Wired(wired) => ready!(wired.poll_write(task, bytes))?,
            End::Inline(inline) => ready!(inline.poll_write(task, bytes))?,
            End::Local(local) => ready!(local.poll_write(task, bytes))?,
            _ => 0,
        };
        self.writing.0 += written;
        let written_so_far = &self.progress.0.written;
        written_so_far.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.end {
            End::Wired(wired) => wired.poll_flush(task),
            End::Inline(inline) => inline.poll_flush(task),
            // The pipe holds nothing back, and an end that is not connected has nothing to write.
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_connected(Side::Writer, task))?;
        match &mut self.end {
            End::Wired(wired) => wired.poll_shutdown(task),
            End::Inline(inline) => inline.poll_shutdown(task),
            End::Local(local) => local.poll_shutdown(task),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl fmt::Debug for ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.end {
            End::Wired(_) => "connected",
            End::Inline(inline) if inline.has_moved() => "connected",
            End::Inline(_) => "inline",
            End::Local(_) => "local",
            End::Waits(_) | End::Fetch(_) => "not connected yet",
            End::Offered(_) => "not sent yet",
            End::Failed(text) => text,
        };
        f.debug_struct("ByteStream")
            .field("state", &state)
            .field("read", &self.progress.read())
            .field("written", &self.progress.written())
            .finish()
    }
}
