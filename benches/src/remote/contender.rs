//! The interface of a contender: a service in one process and a client of it in another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use crate::remote::codec::Codec;

/// Both sides of a connection between two processes.
pub(crate) trait Remote: Clone + Send + Sync + 'static {
    /// Runs the service until the process ends, and announces its address as soon as it accepts connections.
    /// Everything between the processes is in the format of `codec`. The address is a text for `connect`, such as a
    /// socket address.
    ///
    /// The service has three messages, each with an integer and a string. `put` hands both to [`Delivered::put`],
    /// `put_bytes` to [`Delivered::put_bytes`]. `call` is answered with [`Delivered::count`]. Messages of one client
    /// are handled in order.
    fn serve(
        codec: Codec,
        delivered: &'static Delivered,
        announce: impl FnOnce(String) + Send + 'static,
    ) -> impl Future<Output = ()> + Send;

    /// Connects to the service of another process. May return before the connection is up.
    fn connect(codec: Codec, address: &str) -> impl Future<Output = Self> + Send;

    /// Sends a `put`. May return before it is written, and may wait for room to write to.
    fn put(&self, number: i64, text: &str) -> impl Future<Output = ()> + Send;

    /// As `put`, with a byte string, in formats that have them. The sender has the bytes already, and keeps them.
    fn put_bytes(&self, number: i64, bytes: &Arc<[u8]>) -> impl Future<Output = ()> + Send;

    /// Sends a `call` and waits for its answer. Many calls may wait at the same time.
    fn call(&self, number: i64, text: &str) -> impl Future<Output = u64> + Send;
}

/// The messages that the service has received.
#[derive(Debug, Default)]
pub(crate) struct Delivered {
    count: AtomicU64,
    bytes: AtomicU64,
    watcher: Option<mpsc::Sender<()>>,
}

impl Delivered {
    /// Reports every message on the channel as well.
    pub(crate) fn watched(watcher: mpsc::Sender<()>) -> Self {
        Self {
            watcher: Some(watcher),
            ..Self::default()
        }
    }

    /// Counts a `put`. Its arguments must have been decoded.
    pub(crate) fn put(&self, number: i64, text: &str) {
        self.put_bytes(number, text.as_bytes());
    }

    /// As `put`, with a byte string.
    pub(crate) fn put_bytes(&self, number: i64, bytes: &[u8]) {
        // Kept, so that the compiler cannot remove parts of the decoding.
        self.bytes
            .fetch_add(number as u64 + bytes.len() as u64, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(());
        }
    }

    /// The number of messages that were put so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
