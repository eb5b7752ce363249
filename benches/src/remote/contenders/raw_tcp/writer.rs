//! Batched writes: whatever has gathered while the last write was under way leaves in one.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use crate::remote::codec::Codec;
use crate::remote::contenders::raw_tcp::packet::Packet;

/// A sender that is further ahead than this should wait.
pub(crate) const ROOM: usize = 1 << 20;

/// The sending side of a connection.
#[derive(Debug)]
pub(crate) struct Writer {
    codec: Codec,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    buffer: Mutex<Vec<u8>>,
    filled: Notify,
    emptied: Notify,
}

impl Writer {
    pub(crate) fn start(codec: Codec, socket: OwnedWriteHalf) -> Self {
        let shared = Arc::new(Shared {
            buffer: Mutex::default(),
            filled: Notify::new(),
            emptied: Notify::new(),
        });
        tokio::spawn(write_out(Arc::clone(&shared), socket));
        Self { codec, shared }
    }

    /// Appends a packet, wakes the writing task if it may be asleep, and tells how many bytes are
    /// unwritten now.
    pub(crate) fn send(&self, packet: &Packet<'_>) -> usize {
        let mut buffer = self.shared.lock();
        let was_empty = buffer.is_empty();
        packet.write(self.codec, &mut buffer);
        let unwritten = buffer.len();
        drop(buffer);
        if was_empty {
            self.shared.filled.notify_one();
        }
        unwritten
    }

    /// Waits while too much is unwritten.
    pub(crate) async fn room(&self) {
        while self.shared.lock().len() > ROOM {
            self.shared.emptied.notified().await;
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write_out(shared: Arc<Shared>, mut socket: OwnedWriteHalf) {
    let mut batch = Vec::new();
    loop {
        mem::swap(&mut *shared.lock(), &mut batch);
        shared.emptied.notify_one();
        if batch.is_empty() {
            shared.filled.notified().await;
        } else if socket.write_all(&batch).await.is_err() {
            return;
        }
        batch.clear();
    }
}
