//! A call on a connection on which another task floods.
//!
//! The flood waits for room as a polite sender does. All the bytes that are on their way delay the call, so its time
//! shows how much the connection holds: in the queue of the sender, in the sockets, and in the queue of the port.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::remote::contender::Remote;
use crate::remote::workloads::TEXT;

/// The time before the first call that counts. The system grows the buffers of sockets meanwhile.
const WARM_UP: u32 = 4;

/// The time between two calls.
const PAUSE: Duration = Duration::from_millis(1);

/// The measurements of a flood.
#[derive(Debug)]
pub(crate) struct Flood {
    /// The times of the calls, in microseconds.
    pub(crate) calls: Vec<f64>,
    /// The number of messages of the flood in a second.
    pub(crate) rate: f64,
}

/// Floods for this time, and calls one after another meanwhile.
pub(crate) async fn measure<R: Remote>(remote: &R, time: Duration) -> Flood {
    let over = Arc::new(AtomicBool::new(false));
    let began = Instant::now();
    let flood = tokio::spawn(flood(remote.clone(), Arc::clone(&over)));
    let mut calls = Vec::new();
    while began.elapsed() < time {
        // Calls that follow each other at once would gather in the moments in which the flood pauses.
        tokio::time::sleep(PAUSE).await;
        let start = Instant::now();
        remote.call(0, TEXT).await;
        if began.elapsed() > time / WARM_UP || calls.is_empty() {
            calls.push(start.elapsed().as_nanos() as f64 / 1e3);
        }
    }
    over.store(true, Ordering::Relaxed);
    let sent = flood.await.expect("no flood panics");
    assert_eq!(remote.call(0, TEXT).await, sent);
    let rate = sent as f64 / began.elapsed().as_secs_f64();
    Flood { calls, rate }
}

/// Sends until it is over. Returns the number of messages.
async fn flood<R: Remote>(remote: R, over: Arc<AtomicBool>) -> u64 {
    let mut sent = 0;
    while !over.load(Ordering::Relaxed) {
        remote.put(sent as i64, TEXT).await;
        sent += 1;
    }
    sent
}
