//! Pools of ports of one node, in paused time.

use std::{sync::Arc, time::Duration};

use aemp::{
    CallError, Node, Reply,
    db::{Offer, Pick, Pool, PoolCallError, PoolError},
    port,
};
use tokio::time::{Instant, sleep};

use crate::{Journal, node, within};

const MS: Duration = Duration::from_millis(1);
const FAMILY: &str = "workers";

struct Worker {
    name: &'static str,
    journal: Journal,
    kept: Vec<Reply<()>>,
}

#[port]
impl Worker {
    /// Takes so many milliseconds.
    #[rcv]
    async fn work(&mut self, time: u32) -> String {
        self.journal.note(self.name);
        sleep(time * MS).await;
        self.name.into()
    }

    #[rcv]
    fn name(&self) -> String {
        self.name.into()
    }

    #[rcv]
    fn note(&mut self) {
        self.journal.note(self.name);
    }

    #[rcv]
    fn keep(&mut self, reply: Reply<()>) {
        self.kept.push(reply);
    }

    #[rcv(try)]
    fn fail(&self) -> Result<(), String> {
        Err("as demanded".into())
    }
}

fn worker(node: &Node, name: &'static str, journal: &Journal, offer: Offer) -> WorkerRef {
    let worker = node.port(Worker {
        name,
        journal: journal.clone(),
        kept: Vec::new(),
    });
    node.db_reg(FAMILY, &worker.id(), offer).unwrap();
    worker
}

/// A pool of three workers, `a`, `b` and `c`.
fn three(node: &Node, journal: &Journal) -> (Pool<WorkerRef>, [WorkerRef; 3]) {
    let workers = ["a", "b", "c"].map(|name| worker(node, name, journal, Offer::new()));
    let pool = node.pool(FAMILY).unwrap();
    (pool, workers)
}

/// The fault that was measured: by turns, ten jobs of 10 ms for three workers, of which one is busy, took 1.04 s.
#[tokio::test(start_paused = true)]
async fn jobs_go_to_the_workers_that_have_room() {
    let node = node();
    let (pool, _) = three(&node, &Journal::default());
    let pool = pool.with_room(1);
    let busy = pool.try_lease(Pick::LeastLoaded).unwrap();
    let long = tokio::spawn(async move { busy.work(1000).await });
    tokio::task::yield_now().await;
    let begin = Instant::now();
    let jobs: Vec<_> = (0..10)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(
                async move { pool.call(Pick::LeastLoaded, |worker| worker.work(10)).await },
            )
        })
        .collect();
    for job in jobs {
        within(job).await.unwrap().unwrap();
    }
    // 50 ms, and a tick for each of five jobs one after the other.
    let took = begin.elapsed();
    assert!(took <= 60 * MS, "{took:?}");
    assert!(!long.is_finished());
}

/// Without a limit of the room: jobs that come one after the other do not wait behind the long one.
#[tokio::test(start_paused = true)]
async fn jobs_in_a_row_do_not_wait_behind_a_long_one() {
    for (pick, most) in [(Pick::LeastLoaded, 60 * MS), (Pick::RoundRobin, 2000 * MS)] {
        let node = node();
        let (pool, _) = three(&node, &Journal::default());
        let busy = pool.try_lease(pick).unwrap();
        tokio::spawn(async move { busy.work(1000).await });
        tokio::task::yield_now().await;
        let begin = Instant::now();
        for _ in 0..5 {
            let two = [(); 2].map(|()| pool.call(pick, |worker| worker.work(10)).into_future());
            let [one, other] = two;
            let (one, other) = tokio::join!(one, other);
            assert_ne!(one.unwrap(), other.unwrap());
        }
        let took = begin.elapsed();
        assert!(took <= most, "{pick:?}: {took:?}");
        let slow = pick == Pick::RoundRobin;
        assert_eq!(
            took >= 900 * MS,
            slow,
            "the fault is there by turns: {took:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_publishes_the_load_of_all_callers() {
    let (node, journal) = (node(), Journal::default());
    let (pool, [a, b, c]) = three(&node, &journal);
    node.db_reg(FAMILY, &a.id(), Offer::new().load(2.0))
        .unwrap();
    node.db_reg(FAMILY, &b.id(), Offer::new().load(1.0))
        .unwrap();
    node.db_reg(FAMILY, &c.id(), Offer::new().load(4.0))
        .unwrap();
    let leases: Vec<_> = (0..5)
        .map(|_| pool.try_lease(Pick::LeastLoaded).unwrap())
        .collect();
    let of = |port: &WorkerRef| {
        leases
            .iter()
            .filter(|lease| lease.id() == port.id())
            .count()
    };
    assert_eq!((of(&a), of(&b), of(&c)), (2, 3, 0));
}

#[tokio::test(start_paused = true)]
async fn weights_are_those_that_members_publish() {
    let (node, journal) = (node(), Journal::default());
    worker(&node, "a", &journal, Offer::new().weight(3.0));
    worker(&node, "b", &journal, Offer::new());
    let pool = node.pool::<WorkerRef>(FAMILY).unwrap();
    for _ in 0..40 {
        pool.pick(Pick::RoundRobin).unwrap().note();
    }
    within(pool.call_all(|worker| worker.name())).await.unwrap();
    let notes = journal.take();
    assert_eq!(notes.iter().filter(|name| *name == "a").count(), 30);
    assert_eq!(notes.len(), 40);
}

#[tokio::test(start_paused = true)]
async fn members_that_drain_get_no_more_calls_and_finish_theirs() {
    let (node, journal) = (node(), Journal::default());
    let (pool, [a, b, c]) = three(&node, &journal);
    let lease = pool.lease(Pick::LeastLoaded).await.unwrap();
    let id = lease.id();
    let call = tokio::spawn(async move { lease.work(10).await });
    node.db_reg(FAMILY, &id, Offer::new().draining()).unwrap();
    assert_eq!((pool.len(), pool.members().len()), (2, 3));
    for number in 0..20 {
        let key = number.to_string();
        for pick in [
            Pick::RoundRobin,
            Pick::Random,
            Pick::LeastLoaded,
            Pick::Key(&key),
        ] {
            assert_ne!(pool.pick(pick).unwrap().id(), id);
        }
    }
    within(call).await.unwrap().unwrap();
    for port in [&a, &b, &c] {
        node.db_reg(FAMILY, &port.id(), Offer::new().draining())
            .unwrap();
    }
    let wait = pool.lease(Pick::RoundRobin).within(50 * MS);
    assert_eq!(
        within(wait.into_future()).await.unwrap_err(),
        PoolError::Empty
    );
    let waits = tokio::spawn({
        let pool = pool.clone();
        async move { pool.wait(Pick::RoundRobin).await.unwrap().id() }
    });
    tokio::task::yield_now().await;
    node.db_reg(FAMILY, &b.id(), Offer::new()).unwrap();
    assert_eq!(within(waits).await.unwrap(), b.id());
}

/// The stop is behind a call that lasts, so the port is alive and the database has its entry.
#[tokio::test(start_paused = true)]
async fn a_port_of_this_node_that_stops_is_left_out() {
    let (node, journal) = (node(), Journal::default());
    let (pool, [a, b, c]) = three(&node, &journal);
    let call = tokio::spawn({
        let a = a.clone();
        async move { a.work(100).await }
    });
    tokio::task::yield_now().await;
    a.stop();
    for _ in 0..10 {
        assert_ne!(pool.pick(Pick::RoundRobin).unwrap().id(), a.id());
    }
    assert_eq!(node.db_keys(FAMILY).await.unwrap().len(), 3);
    assert_eq!(within(call).await.unwrap().unwrap(), "a");
    let answers = within(pool.call_all(|worker| worker.name())).await.unwrap();
    let mut names: Vec<_> = answers.into_iter().map(|(_, name)| name.unwrap()).collect();
    names.sort();
    assert_eq!(names, ["b", "c"]);
    drop((b, c));
}

#[tokio::test(start_paused = true)]
async fn a_broadcast_reaches_all_that_take_work() {
    let (node, journal) = (node(), Journal::default());
    let (pool, [_, b, _]) = three(&node, &journal);
    node.db_reg(FAMILY, &b.id(), Offer::new().draining())
        .unwrap();
    assert_eq!(pool.broadcast(|worker| drop(worker.note())), Ok(2));
    let answers = within(pool.call_all(|worker| worker.fail())).await.unwrap();
    assert_eq!(answers.len(), 2);
    for (_, answer) in answers {
        assert!(matches!(answer, Err(CallError::Died(_))), "{answer:?}");
    }
    let mut notes = journal.take();
    notes.sort();
    assert_eq!(notes, ["a", "c"]);
    assert_eq!(pool.broadcast(|worker| drop(worker.note())), Ok(0));
}

#[tokio::test(start_paused = true)]
async fn calls_are_tried_again_with_another_member() {
    let (node, journal) = (node(), Journal::default());
    let (pool, _) = three(&node, &journal);
    // The first two tries kill their member.
    let tries = std::sync::atomic::AtomicU32::new(0);
    let call = pool.call(Pick::RoundRobin, |worker| {
        let number = tries.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (worker, dies) = (worker.clone(), number < 2);
        async move {
            if dies {
                worker.fail().await?;
            }
            worker.name().await
        }
    });
    assert!(within(call.retry(5).into_future()).await.is_ok());
    assert_eq!((pool.len(), tries.into_inner()), (1, 3));
    let fails = pool
        .call(Pick::RoundRobin, |worker| worker.fail())
        .retry(3)
        .within(30 * MS);
    let error = within(fails.into_future()).await.unwrap_err();
    assert!(
        matches!(error, PoolCallError::Pool(PoolError::Empty)),
        "{error:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_gives_its_lease_back() {
    let (node, journal) = (node(), Journal::default());
    let (pool, _) = three(&node, &journal);
    let call = pool.call(Pick::LeastLoaded, |worker| worker.keep());
    let dropped = tokio::time::timeout(20 * MS, call.into_future()).await;
    assert!(dropped.is_err());
    assert!(pool.members().iter().all(|member| member.leases == 0));
    let lease = pool.try_lease(Pick::LeastLoaded).unwrap();
    let other = pool.clone();
    assert_eq!(
        other
            .members()
            .iter()
            .map(|member| member.leases)
            .sum::<u64>(),
        1
    );
    drop((lease, node));
}

#[tokio::test(start_paused = true)]
async fn full_pools_are_an_error_in_time_and_waits_go_on_when_there_is_room() {
    let (node, journal) = (node(), Journal::default());
    let a = worker(&node, "a", &journal, Offer::new().room(2));
    let pool = node.pool::<WorkerRef>(FAMILY).unwrap();
    let one = pool.try_lease(Pick::RoundRobin).unwrap();
    let two = pool.try_lease(Pick::Key("k")).unwrap();
    assert_eq!(pool.try_lease(Pick::Random).unwrap_err(), PoolError::Busy);
    let busy = pool.lease(Pick::Key("k")).within(10 * MS).into_future();
    assert_eq!(within(busy).await.unwrap_err(), PoolError::Busy);
    let picks = [
        Pick::Key("k"),
        Pick::LeastLoaded,
        Pick::Key("j"),
        Pick::Random,
    ];
    let waits: Vec<_> = picks
        .into_iter()
        .map(|pick| {
            let (pool, journal) = (pool.clone(), journal.clone());
            tokio::spawn(async move {
                let lease = pool.lease(pick).await.unwrap();
                journal.note("leased");
                sleep(10 * MS).await;
                drop(lease);
            })
        })
        .collect();
    sleep(10 * MS).await;
    assert_eq!(journal.take().len(), 0);
    drop(one);
    sleep(5 * MS).await;
    assert_eq!(journal.take().len(), 1, "one place, one lease");
    drop(two);
    for wait in waits {
        within(wait).await.unwrap();
    }
    drop(a);
}

#[tokio::test(start_paused = true)]
async fn a_key_waits_for_its_member_and_moves_when_that_is_gone() {
    let (node, journal) = (node(), Journal::default());
    let (pool, workers) = three(&node, &journal);
    let pool = pool.with_room(1);
    let owner = pool.try_lease(Pick::Key("k")).unwrap();
    let waits = tokio::spawn({
        let pool = pool.clone();
        async move { pool.lease(Pick::Key("k")).await.unwrap().id() }
    });
    sleep(10 * MS).await;
    assert!(!waits.is_finished());
    assert!(pool.try_lease(Pick::RoundRobin).is_ok(), "others have room");
    owner.kill(());
    let next = within(waits).await.unwrap();
    assert_ne!(next, owner.id());
    assert!(workers.iter().any(|worker| worker.id() == next));
}

#[tokio::test(start_paused = true)]
async fn closed_pools_and_stopped_nodes_are_errors() {
    let (node, journal) = (node(), Journal::default());
    let closed = node.pool::<WorkerRef>("nobody").unwrap();
    let waits = |pool: &Pool<WorkerRef>| {
        let [one, two, three] = [(); 3].map(|()| pool.clone());
        [
            tokio::spawn(async move { one.wait(Pick::Random).await.unwrap_err() }),
            tokio::spawn(async move { two.lease(Pick::Key("k")).await.unwrap_err() }),
            tokio::spawn(async move {
                let call = three.call(Pick::LeastLoaded, |worker| worker.name());
                match call.await.unwrap_err() {
                    PoolCallError::Pool(error) => error,
                    other => panic!("{other}"),
                }
            }),
        ]
    };
    let before = waits(&closed);
    tokio::task::yield_now().await;
    closed.clone().close();
    for wait in before.into_iter().chain(waits(&closed)) {
        assert_eq!(within(wait).await.unwrap(), PoolError::Closed);
    }
    assert_eq!(closed.broadcast(|_| ()), Err(PoolError::Closed));

    worker(&node, "a", &journal, Offer::new());
    let known = node.pool::<WorkerRef>(FAMILY).unwrap();
    let empty = node.pool::<WorkerRef>("nobody").unwrap();
    assert_eq!(known.len(), 1);
    let before = waits(&empty);
    tokio::task::yield_now().await;
    within(node.stop()).await;
    let later = node.pool::<WorkerRef>("nobody").unwrap();
    let after = [waits(&known), waits(&empty), waits(&later)];
    for wait in before.into_iter().chain(after.into_iter().flatten()) {
        assert_eq!(within(wait).await.unwrap(), PoolError::Stopped);
    }
    assert_eq!(
        known.try_lease(Pick::Random).unwrap_err(),
        PoolError::Stopped
    );
    assert!(known.pick(Pick::Random).is_none());
}

#[tokio::test(start_paused = true)]
async fn the_limit_of_calls_is_that_of_the_wait() {
    let limited = Node::builder().call_timeout(20 * MS).start_local().unwrap();
    let pool = limited.pool::<WorkerRef>("nobody").unwrap();
    let begin = Instant::now();
    let lease = pool.lease(Pick::Random).into_future();
    assert_eq!(within(lease).await.unwrap_err(), PoolError::Empty);
    assert!(begin.elapsed() < 30 * MS);
}

/// Many that wait at once, on several threads: each gets a place.
#[test]
fn no_wait_is_forgotten() {
    crate::many_threads().block_on(within(async {
        let (node, journal) = (node(), Journal::default());
        let (pool, _) = three(&node, &journal);
        let pool = Arc::new(pool.with_room(2));
        let all: Vec<_> = (0..600)
            .map(|number| {
                let pool = Arc::clone(&pool);
                tokio::spawn(async move {
                    let key = number.to_string();
                    let pick = [Pick::LeastLoaded, Pick::Key(&key), Pick::Random][number % 3];
                    let call = pool.call(pick, |worker| worker.name()).into_future();
                    if number % 7 == 0 {
                        // Some lose patience while they wait.
                        let _ = tokio::time::timeout(Duration::from_micros(50), call).await;
                    } else {
                        call.await.unwrap();
                    }
                })
            })
            .collect();
        for one in all {
            one.await.unwrap();
        }
        assert!(pool.members().iter().all(|member| member.leases == 0));
    }));
}
