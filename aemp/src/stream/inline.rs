//! Streams in messages that are small: their bytes travel over the connection of the nodes.
//!
//! A connection of its own costs a stream a handshake of TCP, one of TLS, and the proof of the secret: several round
//! trips and some kilobytes, for a file of one. A stream over the connection that is there costs one round trip, and two
//! ports. But bulk would delay the calls behind it. So a stream begins *inline*, and one that turns out to be long *moves*
//! to a connection.
//!
//! # Decisions
//!
//! - **The length decides, and not the sender's word for it.** A program seldom knows the length before, and a protocol
//!   that answers questions has none. Each direction may send [`INLINE`] bytes inline. A direction that has more asks for
//!   a connection. It goes on there at an exact offset: `moved` has the number of bytes before, and the reader takes
//!   those first. A direction that ends within the limit sends `end` instead, which costs no credit.
//! - **The credit is granted once.** It is HTTP/2's first window, of 64 KiB, without updates: further credit would make the
//!   connection of the nodes a way for bulk. Both ends count in the [`Credit`] of streams of items.
//! - **Calls wait for little.** Packets have at most 16 KiB, and a stream sends none while the queue for the node is
//!   crowded. This bounds what all inline streams together put in front of a call.
//! - **Two ports that monitor each other** carry it, as they do for streams of items. The delivery guarantee then makes a
//!   death or a loss an error: the monitor fires behind all that has arrived, and before anything of a later connection
//!   comes. The end of a whole direction is a message, so nothing else looks like it. An end that is dropped is the
//!   death of its port.
//! - **The word of the descriptor tells that a node can do it.** An ID that begins with [`PREFIX`] is for the taking by
//!   [`INLINE_OPEN`](crate::node::streams::INLINE_OPEN). Nodes that do not know the word pass it on as a part of the ID
//!   and connect, and the offer is the same entry in the table. A greeting key would not do: a message is passed on over
//!   nodes, and its encoder does not know its last receiver.
//! - **The receiver begins**, when it uses its end. So messages alone make a node send nothing. It begins inline if the
//!   nodes are connected at this time, also through a relay.
//!
//! # The move
//!
//! The end that was offered expects the connection under the stream's ID, and tells the other one (`connect`), which
//! dials as for any stream. If the other one is the one with more bytes, it asks first (`connect` as well). A writer asks
//! as soon as it has more bytes at hand than credit. A direction moves when its credit is spent and the connection is there;
//! one that has ended never does. The ports die when both directions have ended or moved: from then on the stream outlives
//! the connection of the nodes.
//!
//! # Alternatives
//!
//! - *The sender declares the length, or the first write decides* (remoc's and Akka's streams have no second way at all).
//!   Two kinds of streams would need two functions, and a wrong guess would block calls, or cost a connection.
//! - *Requests of the node port instead of ports.* They run on the connection's task and count towards the rate of requests.
//!
//! # Dangers
//!
//! - Bytes behind a gap: after a loss nothing more is taken (`flow`).
//! - An end that waits for a connection for ever: the offer of the move ends after [`WAIT`](super::WAIT), and a failure
//!   kills the port, so both ends learn of it.
//! - Memory: unread bytes are one buffer of at most [`INLINE`], however small the packets were.

mod end;
mod error;
mod flow;
mod message;
mod write;

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use tokio::io::ReadBuf;

pub(super) use self::end::fetch;
use self::{
    end::{Own, Shared},
    error::{cut_off, failure},
    flow::Next,
};
use super::{INLINE, Opened, Waits, Wired, sides::Side};
use crate::{Monitor, port::destination::Destination, streamed::window::Credit};

/// The beginning of the ID of a stream that can be sent for inline.
pub(super) const PREFIX: &str = "inline:";

fn is_inline(id: &str) -> bool {
    id.starts_with(PREFIX)
}

type Room = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// An end whose bytes travel inline, or have begun to.
pub(crate) struct Inline {
    /// None when both directions have ended, or have their connection. A stream with a connection holds no node.
    live: Option<Live>,
    /// TLS of the connection of the nodes, as it was in the end.
    tls: Option<String>,
    shared: Arc<Shared>,
    reading: Way,
    writing: Way,
    /// Bytes that have been taken from the flow, and the number of those that were read.
    taken: (Vec<u8>, usize),
    /// The number of bytes that may still be sent inline.
    credit: Credit,
    sent: u64,
    /// The wait for room in the queue for the node.
    room: Option<Room>,
    connection: Connection,
}

/// The two ports.
struct Live {
    own: Own,
    to: Destination,
    _monitor: Monitor,
}

impl Live {
    fn tls(&self) -> Option<String> {
        self.to.peer()?.connection()?.tls.clone()
    }
}

/// The way of one direction.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Inline,
    Moved,
    Ended,
}

enum Connection {
    Not,
    Waits(Waits),
    Here(Box<Wired>),
}

impl Inline {
    fn new(own: Own, to: Destination, monitor: Monitor, most: u64) -> Self {
        let mut credit = Credit::default();
        credit.add(most.min(INLINE as u64));
        Self {
            tls: None,
            shared: Arc::clone(&own.shared),
            live: Some(Live {
                own,
                to,
                _monitor: monitor,
            }),
            reading: Way::Inline,
            writing: Way::Inline,
            taken: (Vec::new(), 0),
            credit,
            sent: 0,
            room: None,
            connection: Connection::Not,
        }
    }

    fn tell_open(&self) {
        if let Some(Live { own, to, .. }) = &self.live {
            message::open(to, &own.port.id(), INLINE);
        }
    }

    /// The version and the cipher suite of TLS, of the connection that the bytes take.
    pub(super) fn tls(&self) -> Option<String> {
        match &self.connection {
            Connection::Here(wired) => wired.tls(),
            _ => match &self.live {
                Some(live) => live.tls(),
                None => self.tls.clone(),
            },
        }
    }

    /// True if the stream has a connection of its own.
    pub(super) fn has_moved(&self) -> bool {
        matches!(self.connection, Connection::Here(_))
    }

    pub(super) fn poll_read(
        &mut self,
        task: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<usize>> {
        if buffer.remaining() == 0 {
            return Poll::Ready(Ok(0));
        }
        loop {
            match self.reading {
                Way::Ended => return Poll::Ready(Ok(0)),
                Way::Moved => {
                    let wired = ready!(self.poll_connection(Side::Reader, task))?;
                    return wired.poll_read(task, buffer);
                }
                Way::Inline => {}
            }
            if let Some(read) = self.read_taken(buffer) {
                return Poll::Ready(Ok(read));
            }
            match ready!(self.shared.flow.poll_next(task)) {
                Next::Bytes(bytes) => self.taken = (bytes, 0),
                Next::End => self.over(Side::Reader, Way::Ended),
                Next::Moved => self.over(Side::Reader, Way::Moved),
                Next::Lost(reason) => return Poll::Ready(Err(cut_off(&reason))),
            }
        }
    }

    fn read_taken(&mut self, buffer: &mut ReadBuf<'_>) -> Option<usize> {
        let (bytes, read) = &mut self.taken;
        let left = &bytes[*read..];
        if left.is_empty() {
            return None;
        }
        let size = left.len().min(buffer.remaining());
        buffer.put_slice(&left[..size]);
        *read += size;
        Some(size)
    }

    /// The connection, when it is there.
    fn poll_connection(
        &mut self,
        side: Side,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<&mut Wired>> {
        if let Connection::Not = self.connection {
            let flow = &self.shared.flow;
            match ready!(flow.poll_moving(side, task)) {
                Ok(opened) => self.connection = Connection::Waits(opened.into()),
                Err(reason) => return Poll::Ready(Err(cut_off(&reason))),
            }
        }
        if let Connection::Waits(Waits { opened, sides }) = &mut self.connection {
            let text = match ready!(Pin::new(opened).poll(&mut sides.wait(side, task))) {
                Ok(Opened::Wired(wired)) => {
                    self.connection = Connection::Here(wired);
                    self.settle();
                    return self.poll_connection(side, task);
                }
                Ok(Opened::Failed(text)) => text,
                Ok(Opened::Local(_) | Opened::Inline(_)) | Err(_) => "it was given up".into(),
            };
            return Poll::Ready(Err(self.fail(text)));
        }
        match &mut self.connection {
            Connection::Here(wired) => Poll::Ready(Ok(wired)),
            Connection::Not | Connection::Waits(_) => Poll::Pending,
        }
    }

    /// The connection could not be made. Both directions fail, here and there.
    fn fail(&mut self, text: String) -> io::Error {
        self.connection = Connection::Not;
        self.shared.flow.lose(&failure(&text));
        // The other end's monitor fires.
        self.live = None;
        io::Error::new(ErrorKind::NotConnected, text)
    }

    pub(super) fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.connection {
            Connection::Here(wired) => wired.poll_flush(task),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// One direction has no further bytes inline.
    fn over(&mut self, side: Side, way: Way) {
        match side {
            Side::Reader => self.reading = way,
            Side::Writer => self.writing = way,
        }
        self.settle();
    }

    /// Ends the port when neither direction needs it any more.
    fn settle(&mut self) {
        let ways = [self.reading, self.writing];
        if ways.contains(&Way::Inline) {
            return;
        }
        if let Some(live) = &self.live {
            live.own.port.kill(());
        }
        // Until the connection is here, the end of the other node's attempt would be the end of the stream.
        let is_over = ways == [Way::Ended; 2];
        if is_over {
            self.connection = Connection::Not;
        }
        if is_over || self.has_moved() {
            self.tls = self.tls();
            self.live = None;
        }
    }
}
