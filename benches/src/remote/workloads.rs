//! The workloads, from the side of the client.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;

use crate::remote::codec::Codec;
use crate::remote::contender::Remote;
use crate::remote::{flood, peers};
use crate::report::{self, Unit};

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Workload {
    OneWay,
    Call,
    CallOnAnyCore,
    CallsInFlight,
    Kibibyte,
    Kibibytes64,
    FloodedCall,
    FloodedCallTail,
    Flood,
    Peers(usize),
    PeersCalling(usize),
    PeersQuiet(usize),
    Start,
}

pub(crate) const WORKLOADS: [Workload; 16] = [
    Workload::OneWay,
    Workload::Call,
    Workload::CallOnAnyCore,
    Workload::CallsInFlight,
    Workload::Kibibyte,
    Workload::Kibibytes64,
    Workload::FloodedCall,
    Workload::FloodedCallTail,
    Workload::Flood,
    Workload::Peers(100),
    Workload::Peers(500),
    Workload::PeersCalling(100),
    Workload::PeersCalling(500),
    Workload::PeersQuiet(500),
    Workload::PeersQuiet(5000),
    Workload::Start,
];

impl Workload {
    /// The name for `--only`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::OneWay => "one-way",
            Self::Call => "call",
            Self::CallOnAnyCore => "call-any-core",
            Self::CallsInFlight => "calls-64",
            Self::Kibibyte => "payload-1k",
            Self::Kibibytes64 => "payload-64k",
            Self::FloodedCall => "flooded-call",
            Self::FloodedCallTail => "flooded-call-p99",
            Self::Flood => "flood",
            Self::Peers(100) => "peers-100",
            Self::Peers(_) => "peers-500",
            Self::PeersCalling(100) => "peers-100-calls",
            Self::PeersCalling(_) => "peers-500-calls",
            Self::PeersQuiet(500) => "peers-500-quiet",
            Self::PeersQuiet(_) => "peers-5000-quiet",
            Self::Start => "start",
        }
    }

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::OneWay => "one-way messages",
            Self::Call => "call, sequential, median, both on one core",
            Self::CallOnAnyCore => "call, sequential, median, on any core",
            Self::CallsInFlight => "calls, 64 in flight",
            Self::Kibibyte => "1 KiB payload",
            Self::Kibibytes64 => "64 KiB payload",
            Self::FloodedCall => "call behind a flood, median",
            Self::FloodedCallTail => "call behind a flood, 99th percentile",
            Self::Flood => "the flood in front of these calls",
            Self::Peers(100) => "one-way messages, 100 connections",
            Self::Peers(_) => "one-way messages, 500 connections",
            Self::PeersCalling(100) => "calls, one on each of 100 connections",
            Self::PeersCalling(_) => "calls, one on each of 500 connections",
            Self::PeersQuiet(500) => "a connection 5 s after traffic, of 500",
            Self::PeersQuiet(_) => "a connection 5 s after traffic, of 5,000",
            Self::Start => "start of process to first message delivered",
        }
    }

    pub(crate) fn unit(self) -> Unit {
        match self {
            Self::OneWay | Self::Flood | Self::Peers(_) => Unit::rate("M/s"),
            Self::Call | Self::CallOnAnyCore | Self::FloodedCall | Self::FloodedCallTail => {
                Unit::cost("us")
            }
            Self::CallsInFlight | Self::PeersCalling(_) => Unit::rate("k/s"),
            Self::PeersQuiet(_) => Unit::cost("KB"),
            Self::Kibibyte | Self::Kibibytes64 => Unit::rate("MB/s"),
            Self::Start => Unit::cost("ms"),
        }
    }

    /// True if both processes share a core. On two cores, a call measures mostly the time that the system takes to
    /// wake an idle core, and the workers that are woken beside the one that is needed.
    pub(crate) fn on_one_core(self) -> bool {
        self == Self::Call
    }
}

/// The sizes of the workloads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    messages: u64,
    calls: u64,
    calls_in_flight: u64,
    payload_bytes: u64,
    flood: Duration,
    quiet: Duration,
    connections: usize,
    pub(crate) starts: u64,
}

impl Sizes {
    pub(crate) fn choose(smoke: bool) -> Self {
        if smoke { Self::SMOKE } else { Self::FULL }
    }

    const FULL: Self = Self {
        messages: 3_000_000,
        calls: 50_000,
        calls_in_flight: 300_000,
        payload_bytes: 1 << 30,
        flood: Duration::from_secs(2),
        quiet: Duration::from_secs(5),
        connections: usize::MAX,
        starts: 20,
    };

    const SMOKE: Self = Self {
        messages: 1_000,
        calls: 100,
        calls_in_flight: 640,
        payload_bytes: 1 << 20,
        flood: Duration::from_millis(50),
        quiet: Duration::from_millis(10),
        connections: 4,
        starts: 2,
    };
}

impl Sizes {
    /// The name and the counts of a workload in `erlang/bench.erl`; `None` if it is not there.
    pub(crate) fn counts(&self, workload: Workload) -> Option<(&'static str, Vec<u64>)> {
        Some(match workload {
            Workload::OneWay => ("one-way", vec![self.messages]),
            Workload::Call | Workload::CallOnAnyCore => ("call", vec![self.calls]),
            Workload::CallsInFlight => ("calls-64", vec![self.calls_in_flight]),
            Workload::Kibibyte => ("payload", vec![1 << 10, self.payload_bytes]),
            Workload::Kibibytes64 => ("payload", vec![1 << 16, self.payload_bytes]),
            _ => return None,
        })
    }
}

/// The text in every small message.
pub(crate) const TEXT: &str = "0123456789abcdefghijklmnopqrstuv";

/// Measures one workload once, over an open connection.
pub(crate) async fn measure<R: Remote>(
    remote: R,
    codec: Codec,
    workload: Workload,
    sizes: Sizes,
) -> f64 {
    // Opens the connection, and checks that the answer is right.
    assert_eq!(remote.call(0, TEXT).await, 0);
    match workload {
        Workload::OneWay => put_all(&remote, sizes.messages, TEXT).await / 1e6,
        Workload::Call | Workload::CallOnAnyCore => call(&remote, sizes.calls).await,
        Workload::CallsInFlight => calls_in_flight(&remote, sizes.calls_in_flight).await,
        Workload::Kibibyte => payload(&remote, codec, 1 << 10, sizes.payload_bytes).await,
        Workload::Kibibytes64 => payload(&remote, codec, 1 << 16, sizes.payload_bytes).await,
        Workload::FloodedCall => percentile(&remote, sizes.flood, 50).await,
        Workload::FloodedCallTail => percentile(&remote, sizes.flood, 99).await,
        Workload::Flood => flood::measure(&remote, sizes.flood).await.rate / 1e6,
        Workload::Peers(_) | Workload::PeersCalling(_) | Workload::PeersQuiet(_) => {
            unreachable!("measured on many connections")
        }
        Workload::Start => unreachable!("measured by the process that starts the other"),
    }
}

/// Measures a workload on many connections; `None` if it is not one. The service has this process ID.
pub(crate) async fn measure_many<R: Remote>(
    open: impl Fn() -> JoinHandle<R>,
    workload: Workload,
    sizes: Sizes,
    server: u32,
) -> Option<f64> {
    let figure = match workload {
        Workload::Peers(count) => {
            let remotes = peers::connect(open, count.min(sizes.connections)).await;
            peers::put_all(&remotes, sizes.messages).await / 1e6
        }
        Workload::PeersCalling(count) => {
            let remotes = peers::connect(open, count.min(sizes.connections)).await;
            peers::call_all(&remotes, sizes.calls_in_flight).await / 1e3
        }
        Workload::PeersQuiet(count) => {
            let count = count.min(sizes.connections);
            peers::memory(open, count, server, sizes.quiet).await
        }
        _ => return None,
    };
    Some(figure)
}

/// The time that so many percent of the calls behind a flood do not exceed, in microseconds.
async fn percentile<R: Remote>(remote: &R, time: Duration, percent: usize) -> f64 {
    let flood = flood::measure(remote, time).await;
    report::percentile(&flood.calls, percent).expect("there is at least one call")
}

/// Sends messages. Returns the number per second.
async fn put_all<R: Remote>(remote: &R, messages: u64, text: &str) -> f64 {
    let start = Instant::now();
    for number in 0..messages {
        remote.put(number as i64, text).await;
    }
    assert_eq!(remote.call(0, TEXT).await, messages);
    messages as f64 / start.elapsed().as_secs_f64()
}

/// Sends large messages. Returns megabytes per second.
async fn payload<R: Remote>(remote: &R, codec: Codec, size: usize, bytes: u64) -> f64 {
    let text = TEXT.repeat(size / TEXT.len());
    let messages = bytes / size as u64;
    let rate = if codec.has_bytes() {
        put_all_bytes(remote, messages, &text.into_bytes().into()).await
    } else {
        put_all(remote, messages, &text).await
    };
    rate * size as f64 / 1e6
}

/// As [`put_all`], with a byte string.
async fn put_all_bytes<R: Remote>(remote: &R, messages: u64, bytes: &Arc<[u8]>) -> f64 {
    let start = Instant::now();
    for number in 0..messages {
        remote.put_bytes(number as i64, bytes).await;
    }
    assert_eq!(remote.call(0, TEXT).await, messages);
    messages as f64 / start.elapsed().as_secs_f64()
}

async fn call<R: Remote>(remote: &R, calls: u64) -> f64 {
    let mut times = Vec::new();
    for number in 0..calls {
        let start = Instant::now();
        remote.call(number as i64, TEXT).await;
        times.push(start.elapsed().as_nanos() as f64 / 1e3);
    }
    report::median(&times).expect("there is at least one call")
}

async fn calls_in_flight<R: Remote>(remote: &R, calls: u64) -> f64 {
    const CALLERS: u64 = 64;
    let start = Instant::now();
    let caller = |_| {
        let remote = remote.clone();
        tokio::spawn(async move {
            for number in 0..calls / CALLERS {
                remote.call(number as i64, TEXT).await;
            }
        })
    };
    for caller in (0..CALLERS).map(caller).collect::<Vec<_>>() {
        caller.await.expect("no caller panics");
    }
    calls as f64 / start.elapsed().as_secs_f64() / 1e3
}
