//! Streams of items beside one-way messages of the same items, in one run: within a process, and between two nodes over
//! loopback in each format. Once with the usual window, and once with a window that does not grow.
//!
//! `cargo bench -p aemp-benches --bench streamed`; `--smoke` shows only that everything runs.

use std::{env, time::Instant};

use aemp::{
    Cx, Node, port,
    streamed::{Streamed, WINDOW},
};
use aemp_benches::{
    noise::{Figures, compare},
    pair::{Pair, runtime},
};
use tokio::runtime::Runtime;

/// The number of repetitions.
const REPETITIONS: usize = 7;

#[derive(Default)]
struct Counter {
    count: u64,
}

#[port]
impl Counter {
    #[rcv]
    fn add(&mut self, number: u64) {
        self.count += number;
    }

    #[rcv]
    fn take(&mut self) -> u64 {
        std::mem::take(&mut self.count)
    }

    /// The items of a stream are added up by a task.
    #[rcv]
    fn sum(
        &self,
        cx: &mut Cx<'_>,
        mut numbers: Streamed<u64>,
        window: Option<usize>,
        reply: aemp::Reply<u64>,
    ) {
        if let Some(window) = window {
            numbers = numbers.window(window);
        }
        cx.spawn(async move {
            let mut sum = 0;
            while let Some(Ok(number)) = numbers.next().await {
                sum += number;
            }
            reply.send(sum);
        });
    }
}

/// Items per second of one-way messages.
fn one_way(runtime: &Runtime, counter: &CounterRef, items: u64) -> f64 {
    let counter = counter.clone();
    let run = async move {
        let begun = Instant::now();
        for number in 0..items {
            counter.add(number % 7);
            if number % 1024 == 1023 {
                tokio::task::yield_now().await;
            }
        }
        counter.take().await.expect("it answers");
        items as f64 / begun.elapsed().as_secs_f64()
    };
    runtime.block_on(runtime.spawn(run)).expect("no panic")
}

/// Items per second of a stream with this window, or the usual one.
fn stream(
    runtime: &Runtime,
    node: &Node,
    counter: &CounterRef,
    items: u64,
    window: Option<usize>,
) -> f64 {
    let (mut sink, numbers) = node.streamed();
    let sum = counter.sum(numbers, window);
    let run = async move {
        let begun = Instant::now();
        let sum = tokio::spawn(sum.into_future());
        for number in 0..items {
            sink.send(number % 7).await.expect("there is a consumer");
        }
        sink.finish();
        sum.await.expect("no panic").expect("it answers");
        items as f64 / begun.elapsed().as_secs_f64()
    };
    runtime.block_on(runtime.spawn(run)).expect("no panic")
}

fn measure(title: &str, runtime: &Runtime, node: &Node, counter: &CounterRef, smoke: bool) {
    let (items, repetitions) = if smoke {
        (1000, 1)
    } else {
        (400_000, REPETITIONS)
    };
    let mut rates = [(); 3].map(|()| Figures::default());
    for _ in 0..repetitions {
        rates[0].push(one_way(runtime, counter, items) / 1e6);
        rates[1].push(stream(runtime, node, counter, items, None) / 1e6);
        rates[2].push(stream(runtime, node, counter, items, Some(WINDOW)) / 1e6);
    }
    let [one_way, usual, fixed] = rates;
    println!(
        "{title:<18} one-way M/s {one_way:<24} stream M/s {usual:<24} {}   window fixed at {WINDOW} M/s {fixed:<24} {}",
        compare(&usual, &one_way),
        compare(&fixed, &one_way),
    );
}

fn main() {
    let smoke = !env::args().any(|argument| argument == "--bench")
        || env::args().any(|argument| argument == "--smoke");
    for workers in [1, 2] {
        let runtime = match workers {
            1 => runtime(),
            _ => tokio::runtime::Builder::new_multi_thread()
                .worker_threads(workers)
                .enable_all()
                .build()
                .expect("a runtime"),
        };
        let node = runtime.block_on(async { Node::local() }).expect("a node");
        let counter = runtime.block_on(async { node.port(Counter::default()) });
        let title = format!("local, {workers} workers");
        measure(&title, &runtime, &node, &counter, smoke);
    }
    for format in ["json", "cbor", "postcard/1"] {
        let pair = Pair::new(|id| {
            let builder = Node::builder().node_id(id).secret("bench");
            builder.framing_format([format])
        });
        let there = async { pair.there.1.port(Counter::default()) };
        let counter = pair.there.0.block_on(there);
        let (runtime, node) = &pair.here;
        let counter: CounterRef = node.handle(&counter.id());
        measure(&format!("remote, {format}"), runtime, node, &counter, smoke);
        pair.stop();
    }
}
