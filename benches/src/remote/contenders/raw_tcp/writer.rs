//! Batched writes: packets that gather during a write leave together in the next one.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

use crate::remote::codec::Codec;
use crate::remote::contenders::raw_tcp::packet::Packet;

/// The number of unwritten bytes from which a sender should wait.
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

    /// Appends a packet, and wakes the writing task if it may be asleep. Returns the number of unwritten bytes.
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

    /// Waits until few enough bytes are unwritten.
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
