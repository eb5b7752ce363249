//! Two processes on loopback: an actor is spawned on the other one by name, called, monitored, and restarted.
//!
//! The program starts the second process itself. Nothing has to be configured.

use std::{
    env,
    error::Error,
    process::{Child, Command, Stdio},
    time::Duration,
};

use aemp::{Node, Reason, port, spawnable};
use tokio::{io::AsyncReadExt, sync::oneshot, time::timeout};

type Outcome = Result<(), Box<dyn Error>>;

struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    /// With `try`, an error kills the port, as a panic does. Without it, the `Result` would be the answer.
    #[rcv(try)]
    fn divide(&mut self, by: i64) -> Result<i64, &'static str> {
        self.n = self.n.checked_div(by).ok_or("cannot divide by zero")?;
        Ok(self.n)
    }
}

/// The init function of counters, which other nodes spawn by this name, with a start value.
#[spawnable(name = "Demo::counter")]
fn counter(n: i64) -> Counter {
    Counter { n }
}

#[tokio::main]
async fn main() -> Outcome {
    match env::args().nth(1) {
        Some(seed) => worker(&seed).await,
        None => boss().await,
    }
}

/// The second process: a node that knows the address of the first one.
async fn worker(seed: &str) -> Outcome {
    let node = Node::builder().node_id("worker").secret("demo").seed(seed);
    let _node = node.start().await?;
    // The first process holds the other end of standard input. When it ends, so does this one.
    tokio::io::stdin().read_to_end(&mut Vec::new()).await?;
    Ok(())
}

async fn boss() -> Outcome {
    let node = Node::builder()
        .node_id("boss")
        .secret("demo")
        .bind("127.0.0.1:0");
    let node = node.start().await?;
    let address = node.listeners().remove(0);
    println!(
        "boss:   process {} listens on {address}",
        std::process::id()
    );

    let mut second = start_worker(&address)?;
    timeout(Duration::from_secs(10), node.until_up("worker")).await?;
    println!(
        "boss:   process {} has joined as node \"worker\"",
        second.id()
    );

    let far = counter::on(&node, "worker", 40);
    println!("boss:   spawned Demo::counter there: port {}", far.id());
    far.inc(2);
    println!("boss:   40, and 2 sent to it, make {}", far.get().await?);

    let death = watch(&far);
    let failed = far.divide(0).await;
    println!(
        "boss:   asked it to divide by zero: {}",
        failed.expect_err("it cannot")
    );
    println!("boss:   its monitor says: {}", death.await?);

    let far = counter::on(&node, "worker", 7);
    println!(
        "boss:   restarted it: port {}, at {}",
        far.id(),
        far.get().await?
    );

    let death = watch(&far);
    second.kill()?;
    second.wait()?;
    println!(
        "boss:   killed process {}; the monitor says: {}",
        second.id(),
        death.await?
    );

    let mut second = start_worker(&address)?;
    timeout(Duration::from_secs(10), node.until_up("worker")).await?;
    println!(
        "boss:   started another: process {} is \"worker\" now",
        second.id()
    );
    let far = counter::on(&node, "worker", 1);
    println!("boss:   and counts again, from {}", far.get().await?);

    drop(second.stdin.take());
    second.wait()?;
    node.stop().await;
    Ok(())
}

/// The reason with which the counter will die.
fn watch(counter: &CounterRef) -> oneshot::Receiver<Reason> {
    let (tell, told) = oneshot::channel();
    let monitor = counter.monitor(move |reason| drop(tell.send(reason.clone())));
    monitor.detach();
    told
}

fn start_worker(seed: &str) -> std::io::Result<Child> {
    let mut command = Command::new(env::current_exe()?);
    command.arg(seed).stdin(Stdio::piped()).spawn()
}
