//! The connection that another node has now, for `inspect`.
//!
//! Counting costs nothing while nobody looks. Packets are counted by plain integers under the lock that a send holds
//! anyway, bytes when a write takes the buffer, and received data once for each read, in atomics that only the reading
//! task stores to.

use std::sync::{
    OnceLock,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};

use tokio::time::Instant;

use aemp_proto::peer::{ConnId, Traffic};

/// What is known of a connection beside its [`Peer`](aemp_proto::peer::Peer).
///
/// Its task publishes here what only that task counts: once per read or write, with plain stores.
pub(crate) struct Line {
    pub(crate) conn: ConnId,
    /// Whether this node has opened it.
    pub(crate) dialed: bool,
    /// The socket address of the other end.
    pub(crate) address: String,
    /// The format in which packets arrive.
    pub(crate) format: String,
    /// What the other end says of its implementation.
    pub(crate) provider: Option<String>,
    /// Whether the other end is a node of this project.
    pub(crate) is_ours: bool,
    /// True if the other end answers who asks for room.
    pub(crate) credit: bool,
    /// Version and cipher suite, if it is in TLS.
    pub(crate) tls: Option<String>,
    /// Whether the other end has proved that its greeting is its own.
    pub(crate) trusted: bool,
    pub(crate) since: Instant,
    /// Whether the other end knows the request `inspect`, once that has been asked.
    pub(crate) inspects: OnceLock<bool>,
    packets: AtomicU64,
    bytes: AtomicU64,
    unwritten: AtomicUsize,
}

impl Line {
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
            tls: None,
            trusted: true,
            since: Instant::now(),
            inspects: OnceLock::new(),
            packets: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            unwritten: AtomicUsize::new(0),
        }
    }

    /// So much has arrived by now.
    #[inline]
    pub(crate) fn received(&self, total: Traffic) {
        self.packets.store(total.packets, Ordering::Relaxed);
        self.bytes.store(total.bytes, Ordering::Relaxed);
    }

    /// So many bytes were taken from the peer's buffer, and the socket has not accepted them yet.
    #[inline]
    pub(crate) fn unwritten(&self, bytes: usize) {
        self.unwritten.store(bytes, Ordering::Relaxed);
    }

    /// What has arrived.
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            packets: self.packets.load(Ordering::Relaxed),
            bytes: self.bytes.load(Ordering::Relaxed),
        }
    }

    /// How many bytes wait for the socket.
    pub(crate) fn waiting(&self) -> usize {
        self.unwritten.load(Ordering::Relaxed)
    }
}
