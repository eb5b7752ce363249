//! Streams of bytes between two nodes over loopback, beside raw TCP and messages, in one run; the calls beside a
//! stream; the time to open one; the time of a small one in a message; and the memory of a long one.
//!
//! `cargo bench -p aemp-benches --bench stream`; `--smoke` shows only that everything runs.

use std::{
    env, fmt, fs,
    time::{Duration, Instant},
};

use aemp::{Node, NodeBuilder, Octets, args, config::Encrypt, port, stream::ByteStream};
use aemp_benches::{
    noise::{Figures, compare},
    pair::{Pair, runtime},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// The size of reads and writes, in bytes.
const PIECE: usize = 64 << 10;
/// The size of a small stream, in bytes.
const SMALL: usize = 4 << 10;
/// The number of repetitions of a rate.
const REPETITIONS: usize = 5;

struct Sink {
    octets: u64,
}

#[port]
impl Sink {
    #[rcv]
    fn take(&mut self, piece: Octets) {
        self.octets += piece.len() as u64;
    }

    #[rcv]
    fn octets(&self) -> u64 {
        self.octets
    }

    #[rcv]
    async fn drain(&self, bytes: ByteStream) -> u64 {
        drain(bytes).await
    }
}

/// Reads to the end, or to the end of the connection. Returns the number of bytes.
async fn drain(mut from: impl AsyncRead + Unpin) -> u64 {
    let (mut buffer, mut total) = (vec![0; PIECE], 0);
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        total += read as u64;
    }
    total
}

/// Writes so many pieces, and the end.
async fn fill(mut to: impl AsyncWrite + Unpin, pieces: usize) {
    let piece = vec![7; PIECE];
    for _ in 0..pieces {
        to.write_all(&piece).await.expect("the other end reads");
    }
    to.shutdown().await.expect("the other end reads");
}

async fn drained(_: aemp::Origin, _: aemp::Args, mut stream: ByteStream) {
    let total = drain(&mut stream).await;
    let _ = stream.write_all(&total.to_le_bytes()).await;
    let _ = stream.shutdown().await;
}

fn builder(id: &str, encrypt: Encrypt) -> NodeBuilder {
    Node::builder()
        .node_id(id)
        .secret("bench")
        .encrypt(encrypt)
        .stream_function("Bench::drain", drained)
}

/// The two nodes, and the workloads over them.
struct Workloads(Pair);

impl Workloads {
    fn new(encrypt: Encrypt) -> Self {
        Self(Pair::new(|id| builder(id, encrypt)))
    }

    /// The bytes per second of a stream.
    fn stream(&self, pieces: usize) -> f64 {
        self.0.here.0.block_on(async {
            let stream = self.0.here.1.open_stream("there", "Bench::drain", args![]);
            let mut stream = stream.await.expect("it opens");
            let begun = Instant::now();
            fill(&mut stream, pieces).await;
            let total = stream.read_u64_le().await.expect("it answers");
            assert_eq!(total, (pieces * PIECE) as u64);
            total as f64 / begun.elapsed().as_secs_f64()
        })
    }

    /// The bytes per second of messages.
    fn messages(&self, pieces: usize) -> f64 {
        let there = async { self.0.there.1.port(Sink { octets: 0 }) };
        let sink = self.0.there.0.block_on(there);
        self.0.here.0.block_on(async {
            let sink: SinkRef = self.0.here.1.handle(&sink.id());
            let begun = Instant::now();
            for piece in 0..pieces {
                sink.take(Octets::from(vec![7; PIECE]));
                if piece % 64 == 63 {
                    let _ = sink.octets().await;
                }
            }
            let total = sink.octets().await.expect("it answers");
            assert_eq!(total, (pieces * PIECE) as u64);
            total as f64 / begun.elapsed().as_secs_f64()
        })
    }

    /// The time of calls, alone or beside a stream.
    fn calls(&self, beside: bool, calls: usize) -> Quartiles {
        let there = async { self.0.there.1.port(Sink { octets: 0 }) };
        let sink = self.0.there.0.block_on(there);
        self.0.here.0.block_on(async {
            let sink: SinkRef = self.0.here.1.handle(&sink.id());
            let filling = if beside {
                let stream = self.0.here.1.open_stream("there", "Bench::drain", args![]);
                let stream = stream.await.expect("it opens");
                Some(tokio::spawn(fill(stream, usize::MAX)))
            } else {
                None
            };
            let mut times = Vec::new();
            for _ in 0..calls {
                let begun = Instant::now();
                let _ = sink.octets().await;
                times.push(begun.elapsed());
            }
            filling.inspect(tokio::task::JoinHandle::abort);
            quartiles(times)
        })
    }

    /// The time of a small stream in a message, until it is answered. Inline, or over a connection of its own.
    fn small(&self, inline: bool, times: usize) -> Quartiles {
        let there = async { self.0.there.1.port(Sink { octets: 0 }) };
        let sink = self.0.there.0.block_on(there);
        self.0.here.0.block_on(async {
            let sink: SinkRef = self.0.here.1.handle(&sink.id());
            let mut taken = Vec::new();
            for _ in 0..times {
                let begun = Instant::now();
                let (mut mine, theirs) = match inline {
                    true => self.0.here.1.stream(),
                    false => self.0.here.1.bulk_stream(),
                };
                let write = async {
                    mine.write_all(&[7; SMALL]).await?;
                    mine.shutdown().await
                };
                let (drained, written) = tokio::join!(sink.drain(theirs), write);
                written.expect("the other end reads");
                assert_eq!(drained.expect("it answers"), SMALL as u64);
                taken.push(begun.elapsed());
            }
            quartiles(taken)
        })
    }

    /// The time to open a stream.
    fn open(&self, times: usize) -> Quartiles {
        self.0.here.0.block_on(async {
            let mut taken = Vec::new();
            for _ in 0..times {
                let begun = Instant::now();
                let stream = self.0.here.1.open_stream("there", "Bench::drain", args![]);
                drop(stream.await.expect("it opens"));
                taken.push(begun.elapsed());
            }
            quartiles(taken)
        })
    }
}

/// The quarters of many times. The lowest and the highest of thousands of calls would say nothing.
#[derive(Clone, Copy)]
struct Quartiles([Duration; 3]);

fn quartiles(mut times: Vec<Duration>) -> Quartiles {
    times.sort();
    Quartiles([1, 2, 3].map(|quarter| times[times.len() * quarter / 4]))
}

impl fmt::Display for Quartiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, median, third] = self.0;
        write!(f, "{median:?} (quartiles {first:?} .. {third:?})")
    }
}

/// The bytes per second of raw TCP between two runtimes.
fn raw(pieces: usize) -> f64 {
    let (here, there) = (runtime(), runtime());
    let listener = there
        .block_on(TcpListener::bind("127.0.0.1:0"))
        .expect("a port");
    let address = listener.local_addr().expect("an address");
    let reading = there.spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("a connection");
        let total = drain(&mut socket).await;
        let _ = socket.write_all(&total.to_le_bytes()).await;
    });
    let rate = here.block_on(async {
        let mut socket = TcpStream::connect(address).await.expect("a connection");
        let begun = Instant::now();
        fill(&mut socket, pieces).await;
        let total = socket.read_u64_le().await.expect("it answers");
        total as f64 / begun.elapsed().as_secs_f64()
    });
    let _ = there.block_on(reading);
    rate
}

/// The most memory that this process has had, in MiB.
fn peak() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024)
}

fn main() {
    let smoke = !env::args().any(|argument| argument == "--bench")
        || env::args().any(|argument| argument == "--smoke");
    let (pieces, repetitions, calls, opens) = if smoke {
        (16, 1, 10, 3)
    } else {
        (16_384, REPETITIONS, 5_000, 101)
    };
    let pairs = [Encrypt::Never, Encrypt::Always].map(Workloads::new);
    let before = peak();
    // The longest stream comes first, because the peak of memory never falls.
    let long = if smoke { 16 } else { 32_768 };
    pairs[0].stream(long);
    let after = peak();
    if let Some((before, after)) = before.zip(after) {
        println!(
            "a stream of {} MiB: the process's memory has grown by {} MiB (both ends are in it)",
            (long * PIECE) >> 20,
            after - before
        );
    }
    let titles = ["raw TCP", "stream", "stream in TLS", "messages of 64 KiB"];
    let mut rates = titles.map(|_| Figures::default());
    for _ in 0..repetitions {
        rates[0].push(raw(pieces) / 1e6);
        rates[1].push(pairs[0].stream(pieces) / 1e6);
        rates[2].push(pairs[1].stream(pieces) / 1e6);
        rates[3].push(pairs[0].messages(pieces / 4) / 1e6);
    }
    for (title, rate) in titles.into_iter().zip(&rates) {
        let ratio = compare(rate, &rates[0]);
        println!("{title:<20} MB/s {rate:<24} {ratio} of raw TCP");
    }
    let (alone, beside) = (pairs[0].calls(false, calls), pairs[0].calls(true, calls));
    let ratio = beside.0[1].as_secs_f64() / alone.0[1].as_secs_f64();
    println!("a call: {alone} alone, {beside} beside a stream, {ratio:.2}x (medians of {calls})");
    let [clear, tls] = [0, 1].map(|pair| pairs[pair].open(opens));
    println!("opening: {clear} in clear text, {tls} in TLS (medians of {opens})");
    for (pair, title) in pairs.iter().zip(["clear text", "TLS"]) {
        let (inline, own) = (pair.small(true, opens), pair.small(false, opens));
        let ratio = own.0[1].as_secs_f64() / inline.0[1].as_secs_f64();
        println!(
            "4 KiB in a message, {title}: {inline} inline, {own} over a connection, {ratio:.1}x (medians of {opens})"
        );
    }
    pairs.into_iter().for_each(|pair| pair.0.stop());
}
