//! The cost of TLS: the same two nodes over loopback, in clear text, with TLS by the secret, and with TLS by
//! certificates, in one run.
//!
//! `cargo bench -p aemp-benches --bench tls`; `--smoke` shows only that everything runs.

use std::{env, time::Instant};

use aemp::{Node, NodeBuilder, config::Encrypt, port};
use aemp_benches::{
    noise::{Figures, compare},
    pair::{Pair, runtime},
};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// The number of repetitions.
const REPETITIONS: usize = 5;

struct Sink {
    octets: u64,
}

#[port]
impl Sink {
    #[rcv]
    fn take(&mut self, number: i64, text: String) {
        self.octets += number.unsigned_abs() % 2 + text.len() as u64;
    }

    #[rcv]
    fn octets(&self) -> u64 {
        self.octets
    }
}

/// Messages of one size: their number, and the number after which the sender waits for the receiver.
struct Workload {
    title: &'static str,
    length: usize,
    count: usize,
    ahead: usize,
}

const WORKLOADS: [Workload; 3] = [
    Workload {
        title: "32 octets",
        length: 32,
        count: 400_000,
        ahead: 20_000,
    },
    Workload {
        title: "1 KiB",
        length: 1 << 10,
        count: 100_000,
        ahead: 5_000,
    },
    Workload {
        title: "64 KiB",
        length: 64 << 10,
        count: 4_000,
        ahead: 200,
    },
];

fn certificate() -> String {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let ca = CertifiedIssuer::self_signed(params, key).expect("a certificate");
    ca.pem() + &ca.key().serialize_pem()
}

/// The names of the kinds of [`By`], in the order of `main`.
const TITLES: [&str; 3] = ["clear", "secret", "certificates"];

/// The protection of the connection.
#[derive(Clone, Copy)]
enum By<'a> {
    Nothing,
    Secret,
    Certificate(&'a str),
}

fn builder(id: &str, by: By<'_>) -> NodeBuilder {
    let builder = Node::builder()
        .node_id(id)
        .secret("bench")
        .framing_format(["cbor"]);
    match by {
        By::Nothing => builder.encrypt(Encrypt::Never),
        By::Secret => builder.encrypt(Encrypt::Always),
        By::Certificate(cert) => builder.cert(cert).require_tls(true),
    }
}

/// The two nodes, and the workloads over them.
struct Workloads(Pair);

impl Workloads {
    fn new(by: By<'_>) -> Self {
        Self(Pair::new(|id| builder(id, by)))
    }

    /// Sends messages. Returns the number per second.
    fn send(&self, workload: &Workload, count: usize) -> f64 {
        let sink = self
            .0
            .there
            .0
            .block_on(async { self.0.there.1.port(Sink { octets: 0 }) });
        let text = "x".repeat(workload.length);
        self.0.here.0.block_on(async {
            let sink: SinkRef = self.0.here.1.handle(&sink.id());
            let begun = Instant::now();
            for first in (0..count).step_by(workload.ahead) {
                for number in first..count.min(first + workload.ahead) {
                    sink.take(number as i64, text.clone());
                }
                sink.octets().await.expect("it answers");
            }
            count as f64 / begun.elapsed().as_secs_f64()
        })
    }
}

/// The time from the start of a node until it is connected, in milliseconds.
fn connecting(by: By<'_>, times: usize) -> Figures {
    let (here, there) = (runtime(), runtime());
    let far = builder("there", by).bind("127.0.0.1:0");
    let far = there.block_on(far.start()).expect("it starts");
    let taken = (0..times)
        .map(|n| {
            let near = builder(&format!("here/{n}"), by).seed(far.listeners().remove(0));
            let begun = Instant::now();
            let near = here.block_on(near.start()).expect("it starts");
            here.block_on(near.until_up("there"));
            let taken = begun.elapsed().as_secs_f64() * 1e3;
            here.block_on(near.stop());
            taken
        })
        .collect();
    there.block_on(far.stop());
    taken
}

fn main() {
    let smoke = !env::args().any(|argument| argument == "--bench")
        || env::args().any(|argument| argument == "--smoke");
    let cert = certificate();
    let kinds = [By::Nothing, By::Secret, By::Certificate(&cert)];
    let pairs = kinds.map(Workloads::new);
    for workload in &WORKLOADS {
        let (count, repetitions) = match smoke {
            true => (workload.ahead.min(100), 1),
            false => (workload.count, REPETITIONS),
        };
        let mut rates = TITLES.map(|_| Figures::default());
        for _ in 0..repetitions {
            for (pair, rates) in pairs.iter().zip(&mut rates) {
                rates.push(pair.send(workload, count) / 1e3);
            }
        }
        for (title, rate) in TITLES.into_iter().zip(&rates) {
            let megabytes = rate.median().unwrap_or_default() * workload.length as f64 / 1e3;
            let ratio = compare(rate, &rates[0]);
            println!(
                "{:<10} {title:<12} k/s {rate:<26} {megabytes:>6.0} MB/s   {ratio} of clear",
                workload.title
            );
        }
    }
    pairs.into_iter().for_each(|pair| pair.0.stop());
    let times = if smoke { 3 } else { 101 };
    for (title, by) in TITLES.into_iter().zip(kinds) {
        let taken = connecting(by, times);
        println!(
            "connecting {title:<12} ms {taken} (median of {times}, from the node's start to up)"
        );
    }
}
