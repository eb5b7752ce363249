//! The cost of being observed: a node with many ports answers the questions of an observer, once a second.
//!
//! `cargo run --release -p aemp --example inspected [PORTS]`
//!
//! Prints for each question the time to the answer, the answer's size as JSON, and the processor time of the process in a second of
//! questions, with and without traffic.

use std::{env, fs, time::Duration};

use aemp::{Node, port};
use serde::Serialize;
use tokio::time::{Instant, sleep};

struct Item;

#[port]
impl Item {
    #[rcv]
    fn touch(&self) {}
}

/// The number of seconds that are measured.
const SECONDS: u32 = 60;

/// The processor time of this process, in seconds, on systems that report it.
fn processor() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    ticks
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

fn tell(what: &str, began: Instant, answer: &impl Serialize) {
    let size = serde_json::to_string(answer).map_or(0, |text| text.len());
    println!("{what}: {:?}, {size} bytes", began.elapsed());
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let ports = env::args()
        .nth(1)
        .map_or(Ok(1_000_000), |n| n.parse::<usize>())?;
    let node = Node::local()?;
    let all: Vec<_> = (0..ports).map(|_| node.port(Item)).collect();
    all.iter().for_each(|item| drop(item.touch()));
    sleep(Duration::from_secs(1)).await;
    let observer = node.inspect(node.id()).at_most(200);
    println!("{ports} ports");
    let began = Instant::now();
    tell("ports", began, &observer.ports().await?);
    let began = Instant::now();
    tell("ports, again", began, &observer.ports().await?);
    let began = Instant::now();
    tell("counts", began, &observer.counts().await?);
    let began = Instant::now();
    tell("waits", began, &observer.waits().await?);

    for asks in [false, true] {
        let before = processor();
        let mut longest = Duration::ZERO;
        for _ in 0..SECONDS {
            let began = Instant::now();
            if asks {
                let _answers = (
                    observer.node().await?,
                    observer.ports().await?,
                    observer.counts().await?,
                    observer.waits().await?,
                );
            }
            longest = longest.max(began.elapsed());
            sleep(Duration::from_secs(1)).await;
        }
        let used = (processor() - before) / f64::from(SECONDS);
        println!(
            "asked: {asks}: {:.2} % of a processor, the longest round {longest:?}",
            used * 100.0
        );
    }
    Ok(())
}
