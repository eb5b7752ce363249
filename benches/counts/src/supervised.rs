//! The restart of a child.

use std::time::Duration;

use aemp::{
    Node, port,
    supervisor::{Backoff, Child, Supervisor},
};

const AT_ONCE: Backoff = Backoff {
    first: Duration::ZERO,
    most: Duration::ZERO,
    reset: Duration::ZERO,
};

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

/// From a fatal message to the answer of the next incarnation.
pub(crate) async fn restart(node: Node, times: u64) {
    let child = Child::new("fragile", |node| node.port(Fragile)).backoff(AT_ONCE);
    let supervisor = Supervisor::builder()
        .intensity(u32::MAX, Duration::from_secs(1))
        .with_child(child)
        .start(&node);
    let follow = supervisor.follow::<FragileRef>("fragile").await;
    let follow = follow.expect("the child is there");
    for _ in 0..times {
        follow.wait().await.expect("the child is there").fail();
        let call = follow.call(FragileRef::get).retry(1000);
        call.await.expect("the next incarnation answers");
    }
    supervisor.shutdown().await.expect("the supervisor ends");
}
