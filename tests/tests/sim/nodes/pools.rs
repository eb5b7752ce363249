//! Pools over nodes: members come and go, drain, and are lost with their nodes.
//!
//! `g` is the seed and has no members, `user` has the pool, `w1` to `w3` have a worker each, which is registered when the node starts.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use aemp::{
    Node, NodeBuilder, PortId,
    db::{Offer, Pick, Pool},
    port,
    sim::{Chance, Conditions, Crash, Sim},
};

use super::{SECOND, Told, builder, each_schedule};

const MS: Duration = Duration::from_millis(1);
const FAMILY: &str = "workers";
const WORKERS: [&str; 3] = ["w1", "w2", "w3"];

thread_local! {
    /// The workers that have begun a job, by the number of the job. The simulation runs on one thread.
    static DONE: RefCell<BTreeMap<u64, Vec<String>>> = const { RefCell::new(BTreeMap::new()) };
}

struct Worker(String);

#[port]
impl Worker {
    /// Takes so many milliseconds.
    #[rcv]
    async fn work(&mut self, number: u64, time: u32) -> String {
        DONE.with_borrow_mut(|all| all.entry(number).or_default().push(self.0.clone()));
        tokio::time::sleep(time * MS).await;
        self.0.clone()
    }
}

fn member(id: &str) -> NodeBuilder {
    builder(id).seed("g:4040")
}

/// A worker of a node. Its weight is one, two or three, by the node's name.
fn furnish(node: &Node) -> PortId {
    let name = node.id().as_str();
    let worker = node.port(Worker(name.into())).id();
    let weight = f64::from(name.as_bytes()[1] - b'0');
    node.db_reg(FAMILY, &worker, Offer::new().weight(weight))
        .unwrap();
    worker
}

struct World {
    sim: Sim,
    user: Node,
    pool: Pool<WorkerRef>,
    workers: BTreeMap<&'static str, (Node, PortId)>,
}

impl World {
    fn new(seed: u64) -> Self {
        DONE.take();
        let mut sim = Sim::new(seed);
        sim.start(builder("g")).unwrap();
        let user = sim.start(member("user")).unwrap();
        let workers = WORKERS.map(|id| {
            let node = sim.start(member(id)).unwrap();
            let port = sim.block_on(async { furnish(&node) });
            (id, (node, port))
        });
        let pool = sim.block_on(async { user.pool(FAMILY).unwrap() });
        let mut world = Self {
            sim,
            user,
            pool,
            workers: workers.into(),
        };
        world.until_all_are_there();
        world
    }

    fn until_all_are_there(&mut self) {
        let pool = &self.pool;
        assert!(
            self.sim.run_until(60 * SECOND, || pool.len() == 3),
            "{pool:?}"
        );
    }

    /// Makes calls, all at once, each of so many milliseconds. Returns the names of the workers that answered.
    fn jobs(&mut self, pick: Pick<'static>, times: &[u32]) -> Told<String> {
        let told = Told::new();
        for time in times.iter().copied() {
            let (pool, tell) = (self.pool.clone(), told.clone());
            self.sim.block_on(async move {
                tokio::spawn(async move {
                    let call = pool.call(pick, |worker| worker.work(0, time)).retry(20);
                    tell.tell(call.await.unwrap());
                });
            });
        }
        told
    }
}

fn count(names: &[String], name: &str) -> usize {
    names.iter().filter(|other| *other == name).count()
}

/// Ten jobs of 10 ms for three workers, of which one is busy for a second: by turns it took 1.04 s.
#[test]
fn a_busy_worker_of_another_node_delays_no_caller() {
    let mut world = World::new(1);
    world.pool = world.pool.clone().with_room(1);
    let _busy = world.jobs(Pick::LeastLoaded, &[1000]);
    world.sim.run_for(5 * MS);
    let begin = world.sim.elapsed();
    let done = world.jobs(Pick::LeastLoaded, &[10; 10]);
    let over = world.sim.run_until(SECOND / 2, || done.all().len() == 10);
    assert!(over, "{:?}", done.all());
    let took = world.sim.elapsed() - begin;
    assert!(took < 100 * MS, "{took:?}");
    // The greatest weight is chosen first, so `w3` is busy.
    assert_eq!(count(&done.all(), "w3"), 0);
}

#[test]
fn weights_of_other_nodes_are_known_and_drains_are_left_out() {
    let mut world = World::new(2);
    let done = world.jobs(Pick::RoundRobin, &[0; 60]);
    assert!(world.sim.run_until(20 * SECOND, || done.all().len() == 60));
    let counts = WORKERS.map(|name| count(&done.all(), name));
    assert_eq!(counts, [10, 20, 30]);
    let (node, port) = &world.workers["w3"];
    world
        .sim
        .block_on(async { node.db_reg(FAMILY, port, Offer::new().draining()).unwrap() });
    let pool = &world.pool;
    assert!(world.sim.run_until(20 * SECOND, || pool.len() == 2));
    let done = world.jobs(Pick::Random, &[0; 60]);
    assert!(world.sim.run_until(20 * SECOND, || done.all().len() == 60));
    assert_eq!(count(&done.all(), "w3"), 0);
}

/// The database does not hear of the loss for seconds, and the lost worker has no calls out. It must not attract all of them.
#[test]
fn a_lost_worker_does_not_attract_the_calls() {
    let mut world = World::new(3);
    let done = world.jobs(Pick::RoundRobin, &[0; 12]);
    assert!(world.sim.run_until(SECOND, || done.all().len() == 12));
    world.sim.partition(&["w3"], &["g"]);
    world.sim.crash("w3", Crash::Process);
    world.sim.run_for(50 * MS);
    let done = world.jobs(Pick::LeastLoaded, &[10; 30]);
    let over = world.sim.run_until(3 * SECOND, || done.all().len() == 30);
    assert!(over, "{:?}", done.all());
    assert_eq!(world.pool.len(), 3, "the database has it still");
    assert_eq!(count(&done.all(), "w3"), 0);
    let pool = &world.pool;
    assert!(world.sim.run_until(30 * SECOND, || pool.len() == 2));
    world.sim.heal();
    restart(&mut world, "w3");
    world.until_all_are_there();
}

#[test]
fn two_nodes_choose_the_same_member_of_a_key() {
    let mut world = World::new(4);
    let other = world.sim.start(member("other")).unwrap();
    let there: Pool<WorkerRef> = world.sim.block_on(async { other.pool(FAMILY).unwrap() });
    assert!(world.sim.run_until(60 * SECOND, || there.len() == 3));
    let owners = |pool: &Pool<WorkerRef>| -> Vec<PortId> {
        let owner = |number: u32| pool.pick(Pick::Key(&number.to_string())).unwrap().id();
        (0..200).map(owner).collect()
    };
    let (before, same) = world
        .sim
        .block_on(async { (owners(&world.pool), owners(&there)) });
    assert_eq!(before, same);
    world.sim.crash("w2", Crash::Process);
    let pool = world.pool.clone();
    assert!(world.sim.run_until(60 * SECOND, || pool.len() == 2));
    let after = world.sim.block_on(async { owners(&pool) });
    let lost = &world.workers["w2"].1;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before == after, before != lost);
    }
}

/// With every fault of the workers and the network, each call that may be repeated is answered when the faults are over, no lease is left, and the
/// members are those that live.
#[test]
fn calls_are_answered_through_faults() {
    each_schedule(30, |seed| {
        let mut world = World::new(seed);
        world.pool = world.pool.clone().with_room(4);
        let (mut chance, answers, mut next) = (Chance::new(seed), Told::new(), 0_u64);
        for _ in 0..25 {
            let one = WORKERS[chance.index(3)];
            match chance.below(12) {
                0 => world.sim.cut("user", one),
                1 => world.sim.partition(&[one], &["user", "g"]),
                2 => world.sim.crash(one, Crash::Process),
                3 => world.sim.crash(one, Crash::Machine),
                4 => restart(&mut world, one),
                5 => world.sim.heal(),
                6 => toggle(&mut world, one),
                _ => {
                    for _ in 0..chance.below(6) {
                        next += 1;
                        let (number, kind) = (next, chance.index(3));
                        let (pool, tell) = (world.pool.clone(), answers.clone());
                        let time = chance.below(400) as u32;
                        world.sim.block_on(async move {
                            tokio::spawn(async move {
                                let key = number.to_string();
                                let pick =
                                    [Pick::LeastLoaded, Pick::RoundRobin, Pick::Key(&key)][kind];
                                let call = pool.call(pick, |worker| worker.work(number, time));
                                tell.tell((
                                    number,
                                    call.retry(1000).await.map_err(|error| error.to_string()),
                                ));
                            });
                        });
                    }
                }
            }
            world.sim.run_for(250 * MS * chance.below(12) as u32);
        }
        world.sim.heal();
        world.sim.set_conditions(Conditions::default());
        WORKERS.into_iter().for_each(|one| restart(&mut world, one));
        for (node, port) in world.workers.values() {
            world
                .sim
                .block_on(async { node.db_reg(FAMILY, port, Offer::new()).unwrap() });
        }
        let all = next as usize;
        let over = world
            .sim
            .run_until(300 * SECOND, || answers.all().len() == all);
        assert!(
            over,
            "{} of {all} answers: {:?}",
            answers.all().len(),
            world.pool
        );
        for (number, answer) in answers.all() {
            let name = answer.unwrap();
            let begun = DONE.with_borrow(|done| done[&number].contains(&name));
            assert!(begun, "{number}: no other port answers for {name}");
        }
        world.until_all_are_there();
        let members = world.pool.members();
        assert!(
            members.iter().all(|member| member.leases == 0),
            "{members:?}"
        );
        drop(world.user);
    });
}

fn restart(world: &mut World, one: &'static str) {
    if !world.sim.is_running(one) {
        let node = world.sim.restart(one).unwrap();
        let port = world.sim.block_on(async { furnish(&node) });
        world.workers.insert(one, (node, port));
    }
}

/// A worker begins to drain, or takes work again.
fn toggle(world: &mut World, one: &str) {
    if world.sim.is_running(one) {
        let (node, port) = &world.workers[one];
        let drains = world
            .pool
            .members()
            .iter()
            .any(|member| member.id == *port && !member.takes_work);
        let offer = if drains {
            Offer::new()
        } else {
            Offer::new().draining()
        };
        world
            .sim
            .block_on(async { node.db_reg(FAMILY, port, offer).unwrap() });
    }
}
