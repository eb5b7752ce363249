//! One authenticated connection: its packets, its keepalives, and its end by silence.

use std::{ops::Range, time::Duration};

use aemp_codec::{Format, FrameError, Framer, Limits};

use super::Time;

/// The text with which a connection ends whose other end is dead (REFERENCE.md, "Reasons").
pub const TIMED_OUT: &str = "Connection timed out";

/// How much room a read gets at least, in bytes.
const LEAST_ROOM: usize = 16 << 10;
/// How much room a read gets at most, unless a packet is larger than that.
const MOST_ROOM: usize = 256 << 10;

/// A buffer that holds so much of a packet is not moved where others wait for that.
const LARGE: usize = 1 << 20;

/// The receiving side of one connection behind its handshake, and the judge of whether it is alive.
///
/// The other end counts as dead when it has promised keepalives (greeting key `keepalive`) and nothing is heard of it
/// for the timeout, or when the socket accepts nothing of what is written for that long. A reference node promises
/// nothing; that it is gone shows when keepalives to it are no longer acknowledged, which the operating system finds
/// out.
#[derive(Debug)]
pub struct Link {
    framer: Framer,
    buffer: Vec<u8>,
    /// Where what has not been returned as packets begins.
    start: usize,
    /// Where the packet is that was returned last.
    last: Range<usize>,
    /// How much room the next read gets.
    room: usize,
    /// How long the buffer was when room was made.
    offered: usize,
    timeout: Duration,
    silence: Option<Duration>,
    heard: Time,
    wrote: Time,
    stalled: Option<Time>,
}

/// What to do when a [`Link`]'s deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum LinkAction {
    /// Nothing yet.
    None,
    /// Send a keepalive ([`Peer::keepalive`](super::peer::Peer::keepalive)).
    SendKeepalive,
    /// The other end is dead: close the connection, with the text [`TIMED_OUT`].
    Dead,
}

impl Link {
    /// A connection that has just been authenticated.
    ///
    /// `timeout` is the node's `monitor_timeout`; `peer_keepalive` what the other end has promised, if anything;
    /// `leftover` what it sent behind its authentication line.
    #[must_use]
    pub fn new(
        now: Time,
        recv: &Format,
        limits: Limits,
        timeout: Duration,
        peer_keepalive: Option<Duration>,
        leftover: Vec<u8>,
    ) -> Self {
        Self {
            framer: recv.framer(limits),
            buffer: leftover,
            start: 0,
            last: 0..0,
            room: LEAST_ROOM,
            offered: 0,
            timeout,
            // A peer with a longer timeout than ours also promises less; one missed keepalive is no proof.
            silence: peer_keepalive.map(|promised| timeout.max(2 * promised)),
            heard: now,
            wrote: now,
            stalled: None,
        }
    }

    /// How often a node with that `monitor_timeout` sends something at the least.
    #[must_use]
    pub fn keepalive_interval(timeout: Duration) -> Duration {
        timeout / 3
    }

    /// Where the next read appends to, with room. Afterwards, [`heard`](Self::heard) must be called.
    pub fn space(&mut self) -> &mut Vec<u8> {
        self.last = 0..0;
        let kept = self.buffer.len() - self.start;
        // Moving the rest of a packet to the front never moves more bytes than have been consumed before, so all
        // moves together cost no more than one per byte.
        if kept <= self.start {
            self.buffer.copy_within(self.start.., 0);
            self.buffer.truncate(kept);
            self.start = 0;
        }
        if self.buffer.is_empty() && self.buffer.capacity() > 2 * MOST_ROOM {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(self.room);
        self.offered = self.buffer.len();
        &mut self.buffer
    }

    /// True if room would be made by moving a lot. Then the buffer may be [taken](Self::take_buffer), and
    /// [grown](Self::grow) elsewhere.
    #[must_use]
    pub fn is_cramped(&self) -> bool {
        let kept = self.buffer.len() - self.start;
        let moves = kept <= self.start || self.buffer.capacity() - self.buffer.len() < self.room;
        kept >= LARGE && moves
    }

    /// Hands over all that has been read and not been returned. It has to be given [back](Self::put_buffer) before anything else.
    pub fn take_buffer(&mut self) -> (Vec<u8>, usize) {
        self.last = 0..0;
        let start = std::mem::replace(&mut self.start, 0);
        (std::mem::take(&mut self.buffer), start)
    }

    /// Makes room for as much again as there is behind `start`, which becomes the beginning.
    #[must_use]
    pub fn grow((mut buffer, start): (Vec<u8>, usize)) -> Vec<u8> {
        buffer.drain(..start);
        buffer.reserve(buffer.len().max(MOST_ROOM));
        buffer
    }

    /// What [`grow`](Self::grow) has made of the buffer.
    pub fn put_buffer(&mut self, buffer: Vec<u8>) {
        self.offered = buffer.len();
        self.buffer = buffer;
    }

    /// Something has been read into [`space`](Self::space).
    pub fn heard(&mut self, now: Time) {
        self.heard = now;
        let read = self.buffer.len() - self.offered;
        if read >= self.room {
            self.room = (2 * self.room).min(MOST_ROOM);
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(LEAST_ROOM);
        }
        self.offered = self.buffer.len();
    }

    /// These bytes have arrived: for callers that do not read into [`space`](Self::space).
    pub fn received(&mut self, now: Time, bytes: &[u8]) {
        self.space().extend_from_slice(bytes);
        self.heard(now);
    }

    /// The next packet; `None` when more bytes are needed.
    ///
    /// # Errors
    ///
    /// When what has arrived can never be a packet. The connection has to be closed, with the error as text.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let Some(range) = self.framer.scan(&self.buffer[self.start..])? else {
            return Ok(None);
        };
        let packet = self.start + range.start..self.start + range.end;
        self.start = packet.end;
        self.last = packet.clone();
        Ok(Some(&self.buffer[packet]))
    }

    /// Hands over the packet that was returned last, and nothing has been read since: the bytes, and where in them it is. It is
    /// not moved for that, however large it is.
    pub fn take_last_packet(&mut self) -> (Vec<u8>, Range<usize>) {
        let place = std::mem::replace(&mut self.last, 0..0);
        let rest = self.buffer.split_off(place.end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        (self.start, self.offered) = (0, self.buffer.len());
        (bytes, place)
    }

    /// Bytes are being handed to the socket.
    pub fn writing(&mut self, now: Time) {
        self.stalled.get_or_insert(now);
    }

    /// The socket has accepted some of the bytes handed to it, not all.
    pub fn progress(&mut self, now: Time) {
        self.wrote = now;
        self.stalled = Some(now);
    }

    /// The socket has accepted all bytes handed to it.
    pub fn wrote(&mut self, now: Time) {
        self.wrote = now;
        self.stalled = None;
    }

    /// When [`timeout`](Self::timeout) has to be called at the latest.
    #[must_use]
    pub fn deadline(&self) -> Time {
        let keepalive = self.wrote + Self::keepalive_interval(self.timeout);
        self.death().map_or(keepalive, |death| death.min(keepalive))
    }

    /// What has to be done now. What has arrived must have been told before.
    pub fn timeout(&mut self, now: Time) -> LinkAction {
        if self.death().is_some_and(|death| death <= now) {
            return LinkAction::Dead;
        }
        if now - self.wrote < Self::keepalive_interval(self.timeout) {
            return LinkAction::None;
        }
        // Counts as written, so that the deadline moves on even if it waits behind a stalled write.
        self.wrote = now;
        match self.stalled {
            Some(_) => LinkAction::None,
            None => LinkAction::SendKeepalive,
        }
    }

    fn death(&self) -> Option<Time> {
        let silent = self.silence.map(|silence| self.heard + silence);
        let stalled = self.stalled.map(|since| since + self.timeout);
        silent.into_iter().chain(stalled).min()
    }
}

#[cfg(all(test, feature = "json"))]
mod tests;
