//! Two nodes to be watched: `BENCHMARKS.md` has the cost of a page of `aemp observe` for them.
//!
//! `cargo run --profile bench -p aemp --features trace --example watched [REQUESTS]`
//!
//! Runs the nodes `a` and `b`, with so many requests in a second that lead from one to the other and back, and prints the address of `a`, and
//! then every ten seconds the processor time of both, in percent of one processor.

use std::{env, fs, time::Duration};

use aemp::{Node, NodeBuilder, port};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

/// Asks the kitchen of the other node, and writes each order into the book.
struct Desk {
    kitchen: KitchenRef,
    book: BookRef,
}

#[port]
impl Desk {
    #[rcv]
    async fn order(&self, dish: String) -> u64 {
        self.book.enter(dish.clone());
        self.kitchen.cook(dish).await.unwrap_or(0)
    }
}

struct Kitchen {
    cellar: CellarRef,
}

#[port]
impl Kitchen {
    #[rcv]
    async fn cook(&self, dish: String) -> u64 {
        self.cellar.fetch(dish).await.unwrap_or(0)
    }
}

struct Cellar;

#[port]
impl Cellar {
    #[rcv]
    fn fetch(&self, dish: String) -> u64 {
        dish.len() as u64
    }
}

struct Book {
    lines: u64,
}

#[port]
impl Book {
    #[rcv]
    fn enter(&mut self, _dish: String) {
        self.lines += 1;
    }
}

/// The processor time of all threads of this process, on systems that report it.
fn processor() -> Duration {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten();
    let times = threads.filter_map(|thread| {
        let text = fs::read_to_string(thread.ok()?.path().join("schedstat")).ok()?;
        text.split(' ')
            .next()?
            .parse()
            .ok()
            .map(Duration::from_nanos)
    });
    times.sum()
}

fn node(id: &str) -> NodeBuilder {
    let node = Node::builder().node_id(id).secret("watched");
    node.bind("127.0.0.1:0")
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let requests: u32 = env::args().nth(1).map_or(Ok(500), |n| n.parse())?;
    let a = node("a").start().await?;
    let seed = a.listeners().remove(0);
    let b = node("b").seed(&seed).start().await?;
    b.until_up("a").await;
    println!("{seed}");
    let cellar = a.port(Cellar).id();
    let kitchen = b.port(Kitchen {
        cellar: b.handle(&cellar),
    });
    let desk = a.port(Desk {
        kitchen: a.handle(&kitchen.id()),
        book: a.port(Book { lines: 0 }),
    });
    tokio::spawn(async move {
        let mut ticks = interval(Duration::from_secs(1) / requests.max(1));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            ticks.tick().await;
            desk.order("soup".into()).forget();
        }
    });
    let length = Duration::from_secs(10);
    let mut over = Instant::now() + length;
    loop {
        let before = processor();
        sleep_until(over).await;
        over += length;
        let used = (processor() - before).as_secs_f64() / length.as_secs_f64();
        println!("{:.2}", used * 100.0);
    }
}
