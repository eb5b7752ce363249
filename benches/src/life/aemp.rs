//! The subject of the bench, written as in its documentation.

use std::time::{Duration, Instant};

use aemp::{
    Node, port,
    supervisor::{Backoff, Child, Restart, Supervisor, SupervisorRef},
};

use super::contender::{self, Lives};
use crate::local::framework::Latch;

pub(crate) struct Aemp;

struct Fragile;

#[port]
impl Fragile {
    #[rcv(try, send)]
    fn fail(&self) -> Result<(), String> {
        Err("as demanded".into())
    }

    #[rcv]
    fn get(&self) -> u64 {
        1
    }
}

#[port]
struct Idle {
    _life: Latch,
}

struct Hooked {
    ready: bool,
    life: Option<Latch>,
}

#[port(local)]
impl Hooked {
    #[start]
    async fn begin(&mut self) {
        self.ready = true;
    }

    #[stop]
    async fn end(&mut self) {
        self.life = None;
    }

    #[rcv]
    fn is_ready(&self) -> bool {
        self.ready
    }
}

const AT_ONCE: Backoff = Backoff {
    first: Duration::ZERO,
    most: Duration::ZERO,
    reset: Duration::ZERO,
};

impl Lives for Aemp {
    type Nursery = SupervisorRef;

    async fn restarts(times: u64) -> Duration {
        let node = Node::local().expect("a runtime runs");
        let child = Child::new("fragile", |node| node.port(Fragile)).backoff(AT_ONCE);
        let supervisor = Supervisor::builder()
            .intensity(u32::MAX, Duration::from_secs(1))
            .with_child(child)
            .start(&node);
        let follow = supervisor.follow::<FragileRef>("fragile").await;
        let follow = follow.expect("it is there");
        let begun = Instant::now();
        for _ in 0..times {
            follow.wait().await.expect("it is there").fail();
            let call = follow.call(FragileRef::get).retry(1000);
            call.await.expect("the next incarnation answers");
        }
        let took = begun.elapsed();
        supervisor.shutdown().await.expect("it ends");
        took
    }

    async fn hooked(count: u64, latch: Latch) {
        let node = Node::local().expect("a runtime runs");
        for _ in 0..count {
            let life = Some(latch.clone());
            node.port(Hooked { ready: false, life }).stop();
        }
    }
}

impl contender::Nursery for SupervisorRef {
    async fn open() -> Self {
        let node = Node::local().expect("a runtime runs");
        Supervisor::builder().start(&node)
    }

    async fn start(&self, count: u64, latch: Latch) {
        for _ in 0..count {
            let life = latch.clone();
            let child = Child::new("", move |node| {
                node.port(Idle {
                    _life: life.clone(),
                })
            });
            let started = self.start_child(child.restart(Restart::Transient)).await;
            started.expect("it answers").expect("the child starts");
        }
    }

    async fn close(self) {
        self.shutdown().await.expect("it ends");
    }
}
