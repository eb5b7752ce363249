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
//! dials as for any stream. If the other one is the one with more bytes, it asks first (`connect` as well). Each
//! direction moves when its writer has the connection and writes; one that has ended never does. The ports die when both
//! directions have ended or moved: from then on the stream outlives the connection of the nodes.
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
//! - An end without a connection waits for ever: the offer of the move ends after [`WAIT`], and a failure kills the port,
//!   so both ends learn of it.
//! - Memory: unread bytes are one buffer of at most [`INLINE`], however small the packets were.

mod end;
mod flow;
mod message;

use std::{
    io::{self, ErrorKind},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use aemp_codec::Value;
use tokio::io::ReadBuf;

pub(super) use self::end::fetch;
use self::{
    end::{Own, failure, text_of},
    flow::Next,
};
use super::{INLINE, Opened, Waits, Wired, sides::Side};
use crate::{Monitor, Reason, port::destination::Destination, streamed::window::Credit};
use aemp_proto::stream::FrameError;

/// The beginning of the ID of a stream that can be sent for inline.
pub(super) const PREFIX: &str = "inline:";

/// The first element of the reason of a monitor on a port that has died before.
const NO_SUCH_PORT: &str = "no_such_port";

/// The most bytes of a packet.
const PIECE: usize = 16 << 10;

fn is_inline(id: &str) -> bool {
    id.starts_with(PREFIX)
}

type Room = Pin<Box<dyn Future<Output = ()> + Send + Sync>>;

/// An end whose bytes travel inline, or have begun to.
pub(crate) struct Inline {
    own: Own,
    /// The port of the other end.
    to: Destination,
    _monitor: Monitor,
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
            own,
            to,
            _monitor: monitor,
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
        message::open(&self.to, &self.own.port.id(), INLINE);
    }

    /// The version and the cipher suite of TLS, of the connection that the bytes take.
    pub(super) fn tls(&self) -> Option<String> {
        match &self.connection {
            Connection::Here(wired) => wired.tls(),
            _ => self.to.peer()?.connection()?.tls.clone(),
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
            match ready!(self.own.shared.flow.poll_next(task)) {
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

    pub(super) fn poll_write(
        &mut self,
        task: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.writing {
            Way::Ended => return Poll::Ready(Err(ErrorKind::BrokenPipe.into())),
            Way::Moved => {}
            Way::Inline if bytes.is_empty() => return Poll::Ready(Ok(0)),
            Way::Inline => {
                if let Poll::Ready(reason) = self.own.shared.flow.poll_lost(task) {
                    return Poll::Ready(Err(gone(&reason)));
                }
                if self.credit.left() < bytes.len() as u64 {
                    self.own.shared.ask_to_move(&self.to);
                }
                if let Poll::Ready(sent) = self.poll_send(task, bytes) {
                    return Poll::Ready(Ok(sent));
                }
                if self.room.is_some() {
                    return Poll::Pending;
                }
                ready!(self.poll_connection(Side::Writer, task))?;
                message::moved(&self.to, self.sent);
                self.over(Side::Writer, Way::Moved);
            }
        }
        let wired = ready!(self.poll_connection(Side::Writer, task))?;
        wired.poll_write(task, bytes)
    }

    /// Sends bytes inline, as far as the credit goes. Pending if there is none, or if `room` is awaited.
    fn poll_send(&mut self, task: &mut Context<'_>, bytes: &[u8]) -> Poll<usize> {
        let most = usize::try_from(self.credit.left()).unwrap_or(PIECE);
        let piece = &bytes[..bytes.len().min(PIECE).min(most)];
        if piece.is_empty() {
            return Poll::Pending;
        }
        ready!(self.poll_room(task));
        if message::data(&self.to, piece).is_err() {
            // The limits of packets are smaller than the piece.
            self.credit = Credit::default();
            self.own.shared.ask_to_move(&self.to);
            return Poll::Pending;
        }
        let length = piece.len() as u64;
        let _ = self.credit.spend(length);
        self.sent += length;
        Poll::Ready(piece.len())
    }

    fn poll_room(&mut self, task: &mut Context<'_>) -> Poll<()> {
        if let Some(peer) = self.to.peer()
            && (self.room.is_some() || peer.is_crowded())
        {
            let peer = Arc::clone(peer);
            let room = self
                .room
                .get_or_insert_with(|| Box::pin(async move { peer.room().await }));
            ready!(room.as_mut().poll(task));
            self.room = None;
        }
        Poll::Ready(())
    }

    /// The connection, when it is there.
    fn poll_connection(
        &mut self,
        side: Side,
        task: &mut Context<'_>,
    ) -> Poll<io::Result<&mut Wired>> {
        if let Connection::Not = self.connection {
            let flow = &self.own.shared.flow;
            match ready!(flow.poll_moving(side, task)) {
                Ok(opened) => self.connection = Connection::Waits(opened.into()),
                Err(reason) => return Poll::Ready(Err(cut_off(&reason))),
            }
        }
        if let Connection::Waits(Waits { opened, sides }) = &mut self.connection {
            let text = match ready!(Pin::new(opened).poll(&mut sides.wait(side, task))) {
                Ok(Opened::Wired(wired)) => {
                    self.connection = Connection::Here(wired);
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
        self.own.shared.flow.lose(&failure(&text));
        self.own.port.kill(());
        io::Error::new(ErrorKind::NotConnected, text)
    }

    pub(super) fn poll_flush(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.connection {
            Connection::Here(wired) => wired.poll_flush(task),
            _ => Poll::Ready(Ok(())),
        }
    }

    /// Ends the side that is written.
    pub(super) fn poll_shutdown(&mut self, task: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.writing {
            Way::Ended => Poll::Ready(Ok(())),
            Way::Moved => ready!(self.poll_connection(Side::Writer, task))?.poll_shutdown(task),
            Way::Inline => {
                if let Some(reason) = self.own.shared.flow.lost() {
                    return Poll::Ready(Err(gone(&reason)));
                }
                message::end(&self.to);
                self.over(Side::Writer, Way::Ended);
                Poll::Ready(Ok(()))
            }
        }
    }

    /// One direction has no further bytes inline. The port ends with the last one.
    fn over(&mut self, side: Side, way: Way) {
        match side {
            Side::Reader => self.reading = way,
            Side::Writer => self.writing = way,
        }
        if self.reading != Way::Inline && self.writing != Way::Inline {
            self.own.port.kill(());
        }
    }
}

/// The error of an end that waits for bytes.
fn cut_off(reason: &Reason) -> io::Error {
    let text = match is_dropped(reason) {
        true => FrameError::CutOff.to_string(),
        false => format!("the stream was cut off: {}", text_of(reason)),
    };
    io::Error::new(ErrorKind::UnexpectedEof, text)
}

/// The error of an end that writes.
fn gone(reason: &Reason) -> io::Error {
    let text = match is_dropped(reason) {
        true => "the other end was dropped".into(),
        false => text_of(reason),
    };
    io::Error::new(ErrorKind::BrokenPipe, text)
}

/// True if the other end was dropped, perhaps before its port was monitored.
fn is_dropped(reason: &Reason) -> bool {
    let kind = reason.first().and_then(Value::text);
    kind.is_none_or(|kind| kind == NO_SUCH_PORT)
}
