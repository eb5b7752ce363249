//! Packets are written before anything is locked, because user code writes them: `Serialize`, and codecs of other
//! crates. It may panic, take long, send to the same node, or ask about it.
//!
//! `Peer::send` writes into a buffer of the thread. The buffer is taken out of the thread for that time, because
//! writing may send. The format is an assumption: the one of the last packet to that node, or values if it was not
//! connected. Under the peer's lock `Peer::put` appends the bytes if the assumption holds. Otherwise nothing has
//! changed, and the packet is read back and written as the peer needs it; the user's arguments are gone by then.
//!
//! A reason of a death that cannot be written is replaced by a reason that says so (`Peer::tell`), and so is one that
//! cannot be read (`aemp_proto::request`), because the death matters more than its text.

use std::{
    cell::Cell,
    sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
};

use aemp_codec::{EncodeError, Format, Limits, PacketWriter, Value};

use super::{Peer, is_crowded};
use crate::{SendError, exec::spans, guard};
use aemp_proto::peer::{ConnId, Peer as PeerState, Urge, Written};

/// A larger buffer of a thread is not kept.
const KEEP: usize = 256 << 10;

thread_local! {
    /// The buffer for packets. It is taken out while it is used, because writing may send another packet.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The assumptions of senders about a node before they hold its lock. If they are out of date, the packet is written
/// again.
pub(super) struct Manner {
    limits: Limits,
    format: AtomicU8,
    is_ours: AtomicBool,
    deadlines: AtomicBool,
    /// Twice the number of the connection that takes contexts of spans, and two more, and one more if our node has a
    /// tracer. Zero if there is no such connection.
    traces: AtomicU64,
    /// True if so much is queued that waiting senders have to wait. It is set under the lock.
    crowded: AtomicBool,
}

impl Manner {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            format: AtomicU8::new(VALUES),
            is_ours: AtomicBool::new(false),
            deadlines: AtomicBool::new(false),
            traces: AtomicU64::new(0),
            crowded: AtomicBool::new(false),
        }
    }
}

/// For a node that is not connected: packets are queued as values.
const VALUES: u8 = 0;
/// For a format without a number here.
const OTHER: u8 = u8::MAX;

fn number(format: Option<&Format>) -> u8 {
    match format {
        None => VALUES,
        #[cfg(feature = "json")]
        Some(Format::Json) => 1,
        #[cfg(feature = "cbor")]
        Some(Format::Cbor) => 2,
        #[cfg(feature = "postcard")]
        Some(Format::Postcard) => 3,
        Some(_) => OTHER,
    }
}

/// The values that `write` writes.
pub(crate) fn values(
    limits: Limits,
    write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
) -> Result<Vec<Value>, EncodeError> {
    let mut values = Vec::new();
    guarded(|| {
        let mut packet = PacketWriter::values(&mut values, limits);
        write(&mut packet)?;
        packet.finish()
    })?;
    Ok(values)
}

fn guarded<R>(write: impl FnOnce() -> Result<R, EncodeError>) -> Result<R, EncodeError> {
    guard::attempt(write).unwrap_or_else(|panic| Err(EncodeError::Custom(panic)))
}

impl Peer {
    /// True if it is a node of this project, as far as is known.
    pub(crate) fn is_ours(&self) -> bool {
        self.manner.is_ours.load(Ordering::Relaxed)
    }

    /// True if it reads the time limits of calls. Nothing is known of a node that is not connected.
    pub(crate) fn reads_deadlines(&self) -> bool {
        self.manner.deadlines.load(Ordering::Relaxed)
    }

    pub(super) fn set_deadlines(&self, deadlines: bool) {
        self.manner.deadlines.store(deadlines, Ordering::Relaxed);
    }

    /// The connection that takes contexts of spans, if the node has one, and whether our node has a tracer that may know
    /// some.
    #[cfg(feature = "trace")]
    #[inline]
    pub(crate) fn traces(&self) -> Option<(ConnId, bool)> {
        let traces = self.manner.traces.load(Ordering::Relaxed);
        let conn = (traces >> 1).checked_sub(1)?;
        Some((ConnId(conn), traces & 1 != 0))
    }

    pub(crate) fn set_traces(&self, conn: Option<ConnId>, has_tracer: bool) {
        let traces = conn.map_or(0, |conn| (conn.0 + 1) << 1 | u64::from(has_tracer));
        self.manner.traces.store(traces, Ordering::Relaxed);
    }

    /// True if the queue for the node is full, as far as is known without the lock.
    pub(crate) fn is_crowded(&self) -> bool {
        self.manner.crowded.load(Ordering::Relaxed)
    }

    #[inline]
    fn set_crowded(&self, peer: &PeerState) {
        let crowded = &self.manner.crowded;
        let is_crowded = is_crowded(peer);
        if crowded.load(Ordering::Relaxed) != is_crowded {
            crowded.store(is_crowded, Ordering::Relaxed);
        }
    }

    pub(super) fn set_ours(&self, is_ours: bool) {
        self.manner.is_ours.store(is_ours, Ordering::Relaxed);
    }

    /// The format of the last packet to the node; `None` while packets are queued as values.
    #[inline]
    fn assumed_format(&self) -> Option<Format> {
        match self.manner.format.load(Ordering::Relaxed) {
            VALUES if self.manner.traces.load(Ordering::Relaxed) != 0 => self.first_format(),
            VALUES => None,
            #[cfg(feature = "json")]
            1 => Some(Format::Json),
            #[cfg(feature = "cbor")]
            2 => Some(Format::Cbor),
            #[cfg(feature = "postcard")]
            3 => Some(Format::Postcard),
            _ => self.state().format().cloned(),
        }
    }

    /// The format of a new connection that takes contexts. The first packet has one as well, so it is not written as values.
    #[cold]
    fn first_format(&self) -> Option<Format> {
        let format = self.state().format().cloned();
        let known = number(format.as_ref());
        self.manner.format.store(known, Ordering::Relaxed);
        format
    }

    /// Sends a packet to a port of the node. `write` writes everything after the port's name.
    pub(crate) fn send(
        &self,
        port: &str,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        let limits = self.manner.limits;
        let Some(format) = self.assumed_format() else {
            let packet = values(limits, |packet| {
                packet.str(port)?;
                write(packet)
            });
            return self.put(port, None, Written::values(packet?, limits)?);
        };
        let span = spans::to_send(self, port);
        let mut bytes = SCRATCH.take();
        write_bytes(&format, limits, &mut bytes, |packet| {
            span.write(port, packet)?;
            write(packet)
        })?;
        let only = span.only_over();
        let put = {
            let mut state = self.state();
            let fits = only.is_none_or(|(conn, _)| state.is_up_over(conn));
            let put = match fits {
                true => state.put_bytes(&format, &mut bytes),
                false => None,
            };
            self.set_crowded(&state);
            put
        };
        if let (None, Some((_, head))) = (put, only) {
            // Another connection may take no contexts.
            let mut packet = self.read_back(&format, &bytes)?;
            packet.drain(..head.min(packet.len()));
            recycle(bytes);
            return self.put(port, None, Written::values(packet, limits)?);
        }
        match put {
            Some(urge) => {
                recycle(bytes);
                if !matches!(urge, Urge::None) {
                    self.follow(urge);
                }
                Ok(())
            }
            None => self.put(port, None, Written::Bytes { format, bytes }),
        }
    }

    /// Appends a written packet. The connection may have changed meanwhile; a packet for one connection only (`over`)
    /// is dropped then.
    #[cold]
    fn put(&self, port: &str, over: Option<ConnId>, mut packet: Written) -> Result<(), SendError> {
        loop {
            let mut state = self.state();
            if over.is_some_and(|conn| !state.is_up_over(conn)) {
                return Ok(());
            }
            let put = state.put(port, &mut packet);
            self.set_crowded(&state);
            drop(state);
            match put {
                Ok(urge) => {
                    if let Written::Bytes { bytes, .. } = packet {
                        recycle(bytes);
                    }
                    self.follow(urge);
                    return Ok(());
                }
                Err(wanted) => packet = self.write_again(packet, wanted)?,
            }
        }
    }

    /// Sends a packet to the node port, over this connection or not at all.
    pub(super) fn send_over(
        &self,
        conn: ConnId,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<(), SendError> {
        let packet = self.write(self.assumed_format(), |packet| {
            packet.str("")?;
            write(packet)
        })?;
        self.put("", Some(conn), packet)
    }

    fn write(
        &self,
        format: Option<Format>,
        write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
    ) -> Result<Written, EncodeError> {
        let limits = self.manner.limits;
        let Some(format) = format else {
            return Written::values(values(limits, write)?, limits);
        };
        let mut bytes = SCRATCH.take();
        write_bytes(&format, limits, &mut bytes, write)?;
        Ok(Written::Bytes { format, bytes })
    }

    /// The elements of a packet that was written.
    #[cold]
    fn read_back(&self, format: &Format, bytes: &[u8]) -> Result<Vec<Value>, EncodeError> {
        guarded(|| {
            let reader = format.reader(bytes, self.manner.limits);
            let values = reader.and_then(|mut reader| reader.rest());
            values.map_err(|error| EncodeError::Custom(error.to_string()))
        })
    }

    /// Writes a packet again after the connection has changed.
    #[cold]
    fn write_again(&self, packet: Written, wanted: Option<Format>) -> Result<Written, SendError> {
        let format = number(wanted.as_ref());
        self.manner.format.store(format, Ordering::Relaxed);
        let values = match packet {
            Written::Values { values, .. } => values,
            Written::Bytes { format, bytes } => {
                let read = self.read_back(&format, &bytes);
                recycle(bytes);
                read?
            }
        };
        let write =
            |packet: &mut PacketWriter<'_>| values.iter().try_for_each(|value| packet.value(value));
        Ok(self.write(wanted, write)?)
    }
}

#[inline]
fn write_bytes(
    format: &Format,
    limits: Limits,
    bytes: &mut Vec<u8>,
    write: impl FnOnce(&mut PacketWriter<'_>) -> Result<(), EncodeError>,
) -> Result<(), EncodeError> {
    guarded(|| {
        let mut packet = format.writer(bytes, limits);
        write(&mut packet)?;
        packet.finish()
    })
}

/// Keeps a buffer for the thread's next packet.
#[inline]
fn recycle(mut bytes: Vec<u8>) {
    if bytes.capacity() <= KEEP {
        bytes.clear();
        SCRATCH.set(bytes);
    }
}
