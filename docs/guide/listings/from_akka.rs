//! Idioms of Akka Typed, in Rust.

use std::{error::Error, time::Duration};

use aemp::{CallError, Cx, Node, Reason, Reply, db::Pick, port, supervisor::*};

// ANCHOR: behavior
struct Account {
    cents: u64,
}

#[port]
impl Account {
    #[rcv]
    fn deposit(&mut self, cents: u64) {
        self.cents += cents;
    }

    #[rcv]
    fn withdraw(&mut self, cents: u64) -> Result<u64, String> {
        self.cents = self.cents.checked_sub(cents).ok_or("too little")?;
        Ok(self.cents)
    }
}
// ANCHOR_END: behavior

// ANCHOR: reply
struct Worker;

#[port]
impl Worker {
    #[rcv]
    fn work(&self, input: u32, reply: Reply<u32>) {
        tokio::spawn(async move { reply.send(input * 2) });
    }
}
// ANCHOR_END: reply

struct Shop {
    account: AccountRef,
    sold: u32,
}

#[port]
impl Shop {
    // ANCHOR: pipe
    #[rcv]
    fn sell(&mut self, cx: &mut Cx<'_>, reply: Reply<u32>) {
        let paid = self.account.withdraw(250);
        cx.then(paid, move |shop: &mut Self, _, paid| {
            if matches!(paid, Ok(Ok(_))) {
                shop.sold += 1;
            }
            reply.send(shop.sold);
        });
    }
    // ANCHOR_END: pipe

    // ANCHOR: signal
    #[start]
    fn start(&mut self, cx: &mut Cx<'_>) {
        let account = self.account.closed();
        cx.then(account, |_: &mut Self, cx, reason: Reason| {
            println!("terminated normally: {}", reason.is_normal());
            cx.kill("no account");
        });
    }

    #[stop]
    fn stop(&mut self) {
        println!("post stop");
    }
    // ANCHOR_END: signal

    // ANCHOR: timer
    #[rcv]
    fn open(&mut self, cx: &mut Cx<'_>) {
        let hour = Duration::from_secs(3600);
        cx.timer("closing", hour, |_: &mut Self, cx| cx.stop());
    }
    // ANCHOR_END: timer
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // ANCHOR: system
    let node = Node::local()?;
    let account = node.port(Account { cents: 300 });
    account.deposit(100);
    // ANCHOR_END: system

    // ANCHOR: ask
    let limit = Duration::from_secs(3);
    match account.withdraw(1000).timeout(limit).await {
        Ok(Ok(left)) => println!("{left} left"),
        Ok(Err(refusal)) => println!("refused: {refusal}"),
        Err(CallError::Timeout) => println!("timeout"),
        Err(error) => println!("failed: {error}"),
    }
    // ANCHOR_END: ask

    let shop = node.port(Shop {
        account: account.clone(),
        sold: 0,
    });
    shop.open();
    println!("sold {}", shop.sell().await?);

    // ANCHOR: receptionist
    for _ in 0..3 {
        let worker = node.port(Worker);
        node.db_reg("workers", &worker.id(), ())?;
    }
    let router = node.pool::<WorkerRef>("workers")?;
    let worker = router.wait(Pick::RoundRobin).await?;
    println!("{}", worker.work(21).await?);
    // ANCHOR_END: receptionist

    // ANCHOR: supervise
    let sup = Supervisor::builder()
        .intensity(10, Duration::from_secs(60))
        .child("worker", Restart::Permanent, |node| node.port(Worker))
        .start(&node);
    let worker = sup.follow::<WorkerRef>("worker").await?;
    println!("{}", worker.call(|worker| worker.work(4)).retry(3).await?);
    // ANCHOR_END: supervise
    sup.shutdown().await?;

    account.stop();
    shop.closed().await;
    Ok(())
}
