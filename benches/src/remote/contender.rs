//! What a contender provides: a service in one process and a client of it in another.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};

use crate::remote::codec::Codec;

/// Both sides of a connection between two processes.
pub(crate) trait Remote: Clone + Send + Sync + 'static {
    /// Runs the service until the process ends, and tells its address once it can be connected to. Everything between
    /// the processes is in the format that `codec` says.
    /// The address is text that `connect` understands: a socket's address or more.
    ///
    /// The service has three messages, each with an integer and a string. `put` hands both to
    /// [`Delivered::put`], `put_bytes` to [`Delivered::put_bytes`]. `call` is answered with [`Delivered::count`]. Messages
    /// of one client are handled in order.
    fn serve(
        codec: Codec,
        delivered: &'static Delivered,
        announce: impl FnOnce(String) + Send + 'static,
    ) -> impl Future<Output = ()> + Send;

    /// Connects to the service of another process. May return before the connection is up.
    fn connect(codec: Codec, address: &str) -> impl Future<Output = Self> + Send;

    /// Sends a `put`. May return before it is written, and may wait for room to write to.
    fn put(&self, number: i64, text: &str) -> impl Future<Output = ()> + Send;

    /// The same with a byte string, in formats that have them. The sender has it already, and keeps it.
    fn put_bytes(&self, number: i64, bytes: &Arc<[u8]>) -> impl Future<Output = ()> + Send;

    /// Sends a `call` and waits for its answer. Many calls may wait at the same time.
    fn call(&self, number: i64, text: &str) -> impl Future<Output = u64> + Send;
}

/// What the service has received.
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

    /// One `put` was handled. Its arguments must have been decoded to be passed here.
    pub(crate) fn put(&self, number: i64, text: &str) {
        self.put_bytes(number, text.as_bytes());
    }

    /// The same with a byte string.
    pub(crate) fn put_bytes(&self, number: i64, bytes: &[u8]) {
        // Kept, so that no part of decoding can be optimised away.
        self.bytes
            .fetch_add(number as u64 + bytes.len() as u64, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
        if let Some(watcher) = &self.watcher {
            let _ = watcher.send(());
        }
    }

    /// How many messages were put so far.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }
}
