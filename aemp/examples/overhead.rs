//! The times of messages and calls between ports of one node, to compare builds with each other: with and without the
//! feature `metrics`, say. `BENCHMARKS.md` has the commands. With the feature `trace`, the argument `none` adds a tracer that
//! wants no spans, and `empty` one whose spans do nothing.
//!
//! Prints the lowest time of ten runs of each workload, in nanoseconds for each message.

use std::time::Instant;

use aemp::{Node, port};

const MESSAGES: u32 = 200_000;
const PORTS: usize = 503;

#[derive(Default)]
struct Counter {
    n: u64,
}

#[port]
impl Counter {
    #[rcv]
    fn inc(&mut self, by: u64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> u64 {
        self.n
    }
}

#[derive(Default)]
struct Link {
    next: Option<LinkRef>,
    told: Option<tokio::sync::mpsc::UnboundedSender<()>>,
}

#[port]
impl Link {
    #[rcv]
    fn join(&mut self, next: LinkRef) {
        self.next = Some(next);
    }

    #[rcv]
    fn pass(&self, left: u32) {
        match (&self.next, &self.told) {
            (Some(next), _) if left > 0 => drop(next.pass(left - 1)),
            (_, Some(told)) => drop(told.send(())),
            _ => {}
        }
    }
}

#[cfg(feature = "trace")]
mod tracing {
    use aemp::span::{Handling, Span, SpanContext, Tracer};

    /// True if there are spans.
    pub(crate) struct Idle(pub(crate) bool);

    struct Empty(SpanContext);

    impl Tracer for Idle {
        fn begin(&self, _: &Handling<'_>) -> Option<Box<dyn Span>> {
            let context = SpanContext::new([1; 16], [1; 8], SpanContext::SAMPLED)?;
            self.0.then(|| Box::new(Empty(context)) as Box<dyn Span>)
        }
    }

    impl Span for Empty {
        fn context(&self) -> SpanContext {
            self.0.clone()
        }
    }
}

fn node() -> Result<Node, aemp::StartError> {
    let builder = Node::builder();
    #[cfg(feature = "trace")]
    let builder = match std::env::args().nth(1).as_deref() {
        Some("none") => builder.tracer(tracing::Idle(false)),
        Some("empty") => builder.tracer(tracing::Idle(true)),
        _ => builder,
    };
    builder.start_local()
}

async fn one_way(counter: &CounterRef) {
    (0..MESSAGES).for_each(|_| drop(counter.inc(1)));
    counter.get().await.expect("the port lives");
}

async fn calls(counter: &CounterRef) {
    for _ in 0..MESSAGES {
        counter.get().await.expect("the port lives");
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let node = node()?;
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let counter = node.port(Counter::default());
    let link = |_| {
        let told = Some(tell.clone());
        node.port(Link { next: None, told })
    };
    let ring: Vec<LinkRef> = (0..PORTS).map(link).collect();
    for (at, link) in ring.iter().enumerate() {
        link.join(ring[(at + 1) % PORTS].clone());
    }
    let mut best = [f64::MAX; 3];
    let task = tokio::spawn(async move {
        for _ in 0..10 {
            for (workload, best) in best.iter_mut().enumerate() {
                let began = Instant::now();
                match workload {
                    0 => one_way(&counter).await,
                    1 => calls(&counter).await,
                    _ => {
                        ring[0].pass(MESSAGES);
                        told.recv().await.expect("the ring lives");
                    }
                }
                let nanos = began.elapsed().as_nanos() as f64 / f64::from(MESSAGES);
                *best = best.min(nanos);
            }
        }
        best
    });
    let [one_way, call, ring] = task.await?;
    println!("one-way {one_way:.1}  call {call:.1}  ring {ring:.1}");
    Ok(())
}
