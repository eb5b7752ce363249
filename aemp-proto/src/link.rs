//! One authenticated connection: its packets, its keepalives, and its end by silence.

mod spare;

use std::{ops::Range, time::Duration};

use aemp_codec::{Format, FrameError, Framer, Limits};

pub use self::spare::Spare;
use super::Time;

/// The reason of a connection that ends because the other end is dead ([protocol](crate::protocol::monitors#reasons)).
pub const TIMED_OUT: &str = "Connection timed out";

/// The smallest room for a read, in bytes.
const LEAST_ROOM: usize = 16 << 10;
/// The largest room for a read, in bytes, unless a packet needs more.
const MOST_ROOM: usize = 256 << 10;
/// The size in bytes from which a packet is bulk.
///
/// A program that sends such packets sends large strings. They are decoded into memory of their own, and several of them
/// fill the processor's caches, and more than the allocator keeps when they are freed. So they are read and handled a
/// few at a time.
const BULK: usize = 16 << 10;
/// The largest room for a read while packets are bulk, in bytes.
const BULK_ROOM: usize = 32 << 10;

/// The size from which the rest of a packet is not moved on a task for which other tasks wait, in bytes.
const LARGE: usize = 1 << 20;

/// The time without traffic after which a connection gives its buffers back. A node with thousands of connections needs
/// few of them at a time.
const QUIET: Duration = Duration::from_secs(2);

/// The receiving side of an authenticated connection. It also decides whether the other end is alive.
///
/// The other end is dead if it has promised keepalives (greeting key `keepalive`) and sends nothing for the timeout, or
/// if the socket accepts no bytes for that long. Reference nodes promise no keepalives. The operating system detects
/// their death, because keepalives to them are no longer acknowledged.
#[derive(Debug)]
pub struct Link {
    framer: Framer,
    buffer: Vec<u8>,
    /// The start of the bytes that have not been returned as packets.
    start: usize,
    /// The position of the packet that was returned last.
    last: Range<usize>,
    /// The room for the next read, in bytes.
    room: usize,
    /// True if the packet that was returned last is [`BULK`].
    is_bulk: bool,
    /// The length of the buffer before the current read.
    offered: usize,
    timeout: Duration,
    silence: Option<Duration>,
    heard: Time,
    wrote: Time,
    stalled: Option<Time>,
    /// True if there has been no traffic since the buffers were given back.
    rests: bool,
}

/// The action to take when a [`Link`]'s deadline has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum LinkAction {
    /// Do nothing yet.
    None,
    /// Send a keepalive ([`Peer::keepalive`](super::peer::Peer::keepalive)).
    SendKeepalive,
    /// Give back the buffers for writing: the connection has become quiet. The buffer for reading is free already.
    Rest,
    /// Close the connection with the text [`TIMED_OUT`]: the other end is dead.
    Dead,
}

impl Link {
    /// Creates the link of a connection that has just been authenticated.
    ///
    /// `timeout` is the node's `monitor_timeout`. `peer_keepalive` is the interval that the other end has promised, if
    /// any. `leftover` is the data that the other end sent behind its authentication line.
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
            is_bulk: false,
            offered: 0,
            timeout,
            // A peer with a longer timeout than ours also sends keepalives less often. One missed keepalive proves
            // nothing.
            silence: peer_keepalive.map(|promised| timeout.max(2 * promised)),
            heard: now,
            wrote: now,
            stalled: None,
            rests: false,
        }
    }

    /// The longest pause between two sends of a node with this `monitor_timeout`.
    #[must_use]
    pub fn keepalive_interval(timeout: Duration) -> Duration {
        timeout / 3
    }

    /// Returns the buffer that the next read appends to, with room in it. Call [`heard`](Self::heard) after the read.
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
        if self.buffer.is_empty() && self.buffer.capacity() > 2 * self.most_room() {
            self.buffer = Vec::new();
        }
        self.buffer.reserve(self.room);
        self.offered = self.buffer.len();
        &mut self.buffer
    }

    /// True if making room would move many bytes. Then the buffer may be [taken](Self::take_buffer), and
    /// [grown](Self::grow) on another thread.
    #[must_use]
    pub fn is_cramped(&self) -> bool {
        let kept = self.buffer.len() - self.start;
        let moves = kept <= self.start || self.buffer.capacity() - self.buffer.len() < self.room;
        kept >= LARGE && moves
    }

    /// Takes the buffer, with the start of the bytes that have not been returned. Give it [back](Self::put_buffer) before
    /// any other call.
    pub fn take_buffer(&mut self) -> (Vec<u8>, usize) {
        self.last = 0..0;
        let start = std::mem::replace(&mut self.start, 0);
        (std::mem::take(&mut self.buffer), start)
    }

    /// Drops the bytes before `start`, and makes room for as many as remain.
    #[must_use]
    pub fn grow((mut buffer, start): (Vec<u8>, usize)) -> Vec<u8> {
        buffer.drain(..start);
        buffer.reserve(buffer.len().max(MOST_ROOM));
        buffer
    }

    /// Gives a [grown](Self::grow) buffer back.
    pub fn put_buffer(&mut self, buffer: Vec<u8>) {
        self.offered = buffer.len();
        self.buffer = buffer;
    }

    /// Takes note of a read into [`space`](Self::space).
    pub fn heard(&mut self, now: Time) {
        self.heard = now;
        self.rests = false;
        let read = self.buffer.len() - self.offered;
        if read >= self.room {
            self.room *= 2;
        } else if read < self.room / 4 {
            self.room = (self.room / 2).max(LEAST_ROOM);
        }
        self.room = self.room.min(self.most_room());
        self.offered = self.buffer.len();
    }

    fn most_room(&self) -> usize {
        if self.is_bulk { BULK_ROOM } else { MOST_ROOM }
    }

    /// True if the packet that was returned last is large enough that few of them should be in memory at once.
    #[must_use]
    pub fn is_bulk(&self) -> bool {
        self.is_bulk
    }

    /// Takes bytes that have arrived, for callers that do not read into [`space`](Self::space).
    pub fn received(&mut self, now: Time, bytes: &[u8]) {
        self.space().extend_from_slice(bytes);
        self.heard(now);
    }

    /// Returns the next packet; `None` if more bytes are needed.
    ///
    /// # Errors
    ///
    /// Returns an error if the bytes can never become a packet. The caller must close the connection, with the error as
    /// text.
    #[inline]
    pub fn next_packet(&mut self) -> Result<Option<&[u8]>, FrameError> {
        let Some(range) = self.framer.scan(&self.buffer[self.start..])? else {
            return Ok(None);
        };
        let packet = self.start + range.start..self.start + range.end;
        self.start = packet.end;
        self.last = packet.clone();
        self.is_bulk = packet.len() >= BULK;
        Ok(Some(&self.buffer[packet]))
    }

    /// Takes the buffer of the packet that was returned last, and the packet's position in it. The packet is not moved,
    /// however large it is. Nothing may have been read since the packet was returned.
    pub fn take_last_packet(&mut self) -> (Vec<u8>, Range<usize>) {
        let place = std::mem::replace(&mut self.last, 0..0);
        let rest = self.buffer.split_off(place.end);
        let bytes = std::mem::replace(&mut self.buffer, rest);
        (self.start, self.offered) = (0, self.buffer.len());
        (bytes, place)
    }

    /// Takes note that bytes are being handed to the socket.
    pub fn writing(&mut self, now: Time) {
        self.stalled.get_or_insert(now);
    }

    /// Takes note that the socket has accepted some of the bytes, but not all.
    pub fn progress(&mut self, now: Time) {
        self.wrote = now;
        self.stalled = Some(now);
    }

    /// Takes note that the socket has accepted all bytes.
    pub fn wrote(&mut self, now: Time) {
        self.wrote = now;
        self.rests = false;
        self.stalled = None;
    }

    /// The latest time at which [`timeout`](Self::timeout) must be called.
    #[must_use]
    pub fn deadline(&self) -> Time {
        let keepalive = self.wrote + Self::keepalive_interval(self.timeout);
        let others = self.death().into_iter().chain(self.quiet());
        others.fold(keepalive, Time::min)
    }

    /// The time at which the connection gives its buffers back, unless it has, or has bytes to write.
    fn quiet(&self) -> Option<Time> {
        let is_idle = !self.rests && self.stalled.is_none();
        is_idle.then(|| self.heard.max(self.wrote) + QUIET)
    }

    /// Returns the action that is due now. Report everything that has arrived before calling this.
    pub fn timeout(&mut self, now: Time) -> LinkAction {
        if self.death().is_some_and(|death| death <= now) {
            return LinkAction::Dead;
        }
        if now - self.wrote < Self::keepalive_interval(self.timeout) {
            return match self.quiet() {
                Some(quiet) if quiet <= now => {
                    self.rest();
                    LinkAction::Rest
                }
                _ => LinkAction::None,
            };
        }
        // Counts as written, so that the deadline moves on even if it waits behind a stalled write.
        self.wrote = now;
        match self.stalled {
            Some(_) => LinkAction::None,
            None => LinkAction::SendKeepalive,
        }
    }

    /// Frees the room for reads. The part of a large packet stays where it is.
    fn rest(&mut self) {
        self.rests = true;
        self.last = 0..0;
        self.room = LEAST_ROOM;
        let kept = &self.buffer[self.start..];
        if kept.len() < LEAST_ROOM {
            self.buffer = kept.to_vec();
            (self.start, self.offered) = (0, self.buffer.len());
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
