//! The current connection of another node, for `inspect`.
//!
//! Counting costs next to nothing. Packets are counted by plain integers under the lock that a send holds
//! anyway, bytes when a write takes the buffer, and received data once for each read, in atomics that only the reading
//! task stores to.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::time::Instant;

use aemp_proto::peer::{ConnId, Traffic};

/// The details of a connection, besides its [`Peer`](aemp_proto::peer::Peer).
///
/// Only the task of the connection stores here: once for each read or write, without atomic read-modify-write.
pub(crate) struct Connection {
    pub(crate) conn: ConnId,
    /// True if this node has opened it.
    pub(crate) dialed: bool,
    /// The socket address of the other end.
    pub(crate) address: String,
    /// The format of received packets.
    pub(crate) format: String,
    /// The implementation that the greeting of the other end names.
    pub(crate) provider: Option<String>,
    /// True if the other end is a node of this project.
    pub(crate) is_ours: bool,
    /// True if the other end answers requests for room.
    pub(crate) credit: bool,
    /// True if the other end reads the time limits of calls.
    pub(crate) deadlines: bool,
    /// The version and the cipher suite of TLS, if it is used.
    pub(crate) tls: Option<String>,
    /// True if the other end has proved that its greeting is its own.
    pub(crate) trusted: bool,
    pub(crate) since: Instant,
    /// True if the other end knows the request `inspect`; empty until it has been asked.
    pub(crate) inspects: OnceLock<bool>,
    packets: AtomicU64,
    bytes: AtomicU64,
    unwritten: AtomicUsize,
}

impl Connection {
    pub(crate) fn new(
        conn: ConnId,
        dialed: bool,
        address: String,
        format: &str,
        provider: Option<String>,
    ) -> Self {
        Self {
            conn,
            dialed,
            address,
            format: format.into(),
            provider,
            is_ours: false,
            credit: false,
            deadlines: false,
            tls: None,
            trusted: true,
            since: Instant::now(),
            inspects: OnceLock::new(),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            unwritten: AtomicUsize::new(0),
        }
    }

    /// Sets the traffic received so far.
    #[inline]
    pub(crate) fn received(&self, total: Traffic) {
        self.packets.store(total.packets, Ordering::Relaxed);
        self.bytes.store(total.bytes, Ordering::Relaxed);
    }

    /// Sets the number of bytes that were taken from the peer's buffer and not accepted by the socket yet.
    #[inline]
    pub(crate) fn unwritten(&self, bytes: usize) {
        self.unwritten.store(bytes, Ordering::Relaxed);
    }

    /// The traffic received so far.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            packets: self.packets.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// The number of bytes that wait for the socket.
    pub(crate) fn waiting(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }
}
