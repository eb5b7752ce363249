//! Idioms of Erlang and OTP, in Rust.

use std::{error::Error, time::Duration};

use aemp::{Inbox, Node, PortId, Reason, port, receive, snd, supervisor::*};

// ANCHOR: loop
async fn counter(inbox: Inbox, mut n: i64) {
    loop {
        receive! { inbox,
            ("inc", by: i64) if by > 0 => n += by,
            ("get", from: PortId) => { snd!(inbox, from, "n", n); }
            ("stop") => return,
        }
    }
}
// ANCHOR_END: loop

// ANCHOR: server
struct Counter {
    n: i64,
}

#[port]
impl Counter {
    #[start]
    fn init(&mut self) {
        println!("init");
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
    fn terminate(&self, reason: &Reason) {
        println!("terminate: {reason}");
    }
}
// ANCHOR_END: server

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let node = Node::local()?;

    // ANCHOR: spawn
    let pid = node.process(|inbox| counter(inbox, 40));
    snd!(node, pid, "inc", 2);
    // ANCHOR_END: spawn

    // ANCHOR: selective
    let asking = node.process(move |inbox| async move {
        snd!(inbox, pid, "get", inbox.id());
        receive! { inbox,
            ("n", n: i64) => println!("{n}"),
            after Duration::from_secs(1) => println!("timeout"),
        }
    });
    // ANCHOR_END: selective
    asking.closed().await;

    // ANCHOR: call
    let counter = node.port(Counter { n: 40 });
    counter.inc(2);
    let n = counter.get().timeout(Duration::from_secs(5)).await?;
    println!("{n}");
    // ANCHOR_END: call

    // ANCHOR: down
    let watcher = node.process(move |inbox| async move {
        inbox.monitor(&counter.id()).detach();
        counter.kill("shutdown");
        receive! { inbox,
            ("DOWN", _port: PortId, reason: Reason) => println!("down: {reason}"),
        }
    });
    // ANCHOR_END: down
    watcher.closed().await;

    // ANCHOR: supervisor
    let sup = Supervisor::builder()
        .strategy(Strategy::OneForOne)
        .intensity(5, Duration::from_secs(10))
        .child("counter", Restart::Permanent, |node| {
            node.port(Counter { n: 0 })
        })
        .start(&node);
    // ANCHOR_END: supervisor
    let child = sup.follow::<CounterRef>("counter").await?;
    println!("{}", child.call(|counter| counter.get()).await?);
    sup.shutdown().await?;

    // ANCHOR: register
    let counter = node.port(Counter { n: 7 });
    node.db_reg("counter", &counter.id(), ())?;
    let pool = node.pool::<CounterRef>("counter")?;
    // ANCHOR_END: register
    println!("{}", pool.wait(aemp::db::Pick::Random).await?.get().await?);
    Ok(())
}
