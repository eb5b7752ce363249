//! The times of messages and calls between ports of one node, to compare builds with each other: with and without the
//! feature `metrics`, say. `BENCHMARKS.md` has the commands.
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
    let node = Node::local()?;
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
