//! Idioms of actix, ractor and kameo, in aemp.

use std::{error::Error, time::Duration};

use aemp::{CallError, Cx, Node, Reason, port, supervisor::*};

// ANCHOR: actor
#[derive(Default)]
struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[start]
    fn started(&mut self) {
        println!("started");
    }

    #[rcv]
    fn inc(&mut self, by: i64) {
        self.n += by;
    }

    #[rcv]
    fn get(&self) -> i64 {
        self.n
    }

    #[stop]
    fn stopped(&mut self, reason: &Reason) {
        println!("stopped, normally: {}", reason.is_normal());
    }
}
// ANCHOR_END: actor

#[derive(Default)]
struct Clock {
    n: i64,
    ticks: u32,
}

#[port]
impl Clock {
    // ANCHOR: interval
    #[rcv]
    fn tick(&mut self, cx: &mut Cx<'_>) {
        let period = Duration::from_millis(5);
        cx.every_with(period, |clock: &mut Self, cx| {
            clock.ticks += 1;
            if clock.ticks == 3 {
                cx.stop();
            }
        });
    }
    // ANCHOR_END: interval

    // ANCHOR: wait
    #[rcv]
    async fn slow(&mut self, ms: u64) -> i64 {
        tokio::time::sleep(Duration::from_millis(ms)).await;
        self.n
    }
    // ANCHOR_END: wait

    // ANCHOR: error
    #[rcv(try)]
    fn divide(&mut self, by: i64) -> Result<i64, &'static str> {
        self.n = self.n.checked_div(by).ok_or("divided by zero")?;
        Ok(self.n)
    }
    // ANCHOR_END: error
}

// ANCHOR: blocking
struct Hasher;

#[port(blocking)]
impl Hasher {
    #[rcv]
    fn digest(&self, text: String) -> u64 {
        std::thread::sleep(Duration::from_millis(1));
        text.bytes()
            .fold(7, |hash, byte| hash * 31 + u64::from(byte))
    }
}
// ANCHOR_END: blocking

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // ANCHOR: start
    let node = Node::local()?;
    let counter = node.port(Counter::default());
    // ANCHOR_END: start

    // ANCHOR: send
    counter.inc(2);
    let n = counter.get().await?;
    // ANCHOR_END: send
    println!("{n}");

    // ANCHOR: bound
    counter.bound(100);
    counter.send(CounterMsg::Inc(5)).await?;
    // ANCHOR_END: bound

    // ANCHOR: timeout
    let clock = node.port(Clock::default());
    let slow = clock.slow(60_000);
    match slow.timeout(Duration::from_millis(20)).await {
        Err(CallError::Timeout) => println!("too slow"),
        other => println!("{other:?}"),
    }
    // ANCHOR_END: timeout

    // ANCHOR: kill
    counter.kill("too slow");
    println!("{}", counter.closed().await);
    // ANCHOR_END: kill

    let clock = node.port(Clock::default());
    println!("{:?}", clock.divide(1).await);
    clock.tick();
    clock.closed().await;
    println!("{}", node.port(Hasher).digest("a".into()).await?);

    // ANCHOR: supervise
    let sup = Supervisor::builder()
        .child("digest", Restart::Permanent, |node| node.port(Hasher))
        .start(&node);
    let hasher = sup.follow::<HasherRef>("digest").await?;
    let digest = hasher.call(|hasher| hasher.digest("b".into()));
    println!("{}", digest.retry(3).await?);
    // ANCHOR_END: supervise
    sup.shutdown().await?;
    Ok(())
}
