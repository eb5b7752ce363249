//! Calls over nodes whose callers wait no more: the deadline travels with the call, and so does the notice that a
//! caller has left.

use std::time::Duration;

use aemp::{port, sim::Sim};

use super::{SECOND, Told, pair};

struct Slow(Told<u64>);

#[port]
impl Slow {
    #[rcv(wanted)]
    async fn work(&mut self, n: u64) -> u64 {
        self.0.tell(n);
        tokio::time::sleep(10 * SECOND).await;
        n
    }
}

fn spawn(sim: &mut Sim, task: impl Future<Output = ()> + Send + 'static) {
    sim.block_on(async { drop(tokio::spawn(task)) });
}

#[test]
fn a_call_of_another_node_ends_with_its_deadline_or_its_caller() {
    let mut sim = Sim::new(3);
    let [a, b] = pair(&mut sim);
    let told = Told::new();
    let port = sim.block_on(async { a.port(Slow(told.clone())) });
    let far: SlowRef = b.handle(&port.id());
    let results = Told::new();
    // The first is at work for ten seconds. The second has a deadline, and the third a caller that leaves.
    for (n, limit) in [(1, Duration::MAX), (2, 5 * SECOND), (4, Duration::MAX)] {
        let (call, results) = (far.work(n).timeout(limit), results.clone());
        spawn(
            &mut sim,
            async move { results.tell((n, call.await.is_ok())) },
        );
        sim.run_for(SECOND);
    }
    let leaver = far.work(3);
    spawn(&mut sim, async move {
        drop(tokio::time::timeout(SECOND, leaver).await)
    });
    sim.run_for(60 * SECOND);
    assert_eq!(told.all(), [1, 4]);
    assert_eq!(results.all(), [(2, false), (1, true), (4, true)]);
    let unwanted = Told::new();
    let (tell, inspected) = (unwanted.clone(), a.clone());
    spawn(&mut sim, async move {
        let info = inspected.inspect(inspected.id()).node().await;
        tell.tell(info.unwrap().unwanted_calls);
    });
    sim.run_for(SECOND);
    assert_eq!(unwanted.all(), [2]);
}
