//! Jobs in networks with faults: whole nodes, random schedules.
//!
//! `d1` and `d2` have a dispatcher each, in one family. `w1` and `w2` have workers, and `user` submits. The schedule cuts,
//! splits and crashes all nodes but `user`, and starts them again. In the end, when
//! all faults are over, each job has the result that belongs to it: none is lost. And no job was begun twice without the
//! mark: of all its attempts, on all nodes, at most one has the number 1.
//!
//! `AEMP_SCHEDULES` is the number of schedules, `AEMP_SCHEDULE` the first.

use std::{cell::RefCell, collections::BTreeMap, time::Duration};

use aemp::{
    Node, NodeBuilder,
    sim::{Chance, Conditions, Crash, Sim},
    work::{Attempt, Dispatcher, Failure, JobError, JobId, Jobs, Submitted, Worker},
};

use super::{SECOND, Told, builder, each_schedule};

const STEP: Duration = Duration::from_millis(250);
const NODES: [&str; 5] = ["user", "d1", "d2", "w1", "w2"];
const FAMILY: &str = "jobs";

thread_local! {
    /// The attempts of this schedule: job, number of the attempt. The simulation runs on one thread.
    static BEGUN: RefCell<Vec<(JobId, u32, u64)>> = const { RefCell::new(Vec::new()) };
}

fn member(id: &str) -> NodeBuilder {
    let seeds = NODES.iter().map(|seed| format!("{seed}:4040"));
    seeds.fold(builder(id), NodeBuilder::seed)
}

async fn square(attempt: Attempt<u64>) -> Result<u64, Failure> {
    let begun = (attempt.id().clone(), attempt.number(), attempt.job);
    BEGUN.with_borrow_mut(|all| all.push(begun));
    tokio::time::sleep(Duration::from_millis(attempt.job % 7 * 300)).await;
    if attempt.job.is_multiple_of(5) && attempt.number() == 1 {
        return Err("the first attempt of each fifth job fails".into());
    }
    Ok(attempt.job * attempt.job)
}

/// Gives a node its ports, after each of its starts.
fn furnish(node: &Node) {
    match node.id().as_str() {
        "d1" | "d2" => {
            let dispatcher = Dispatcher::builder().attempts(1000).capacity(4);
            dispatcher.register(FAMILY).start(node).unwrap();
        }
        "w1" | "w2" => {
            let worker = Worker::builder(FAMILY).at_once(2);
            worker.start(node, square).unwrap();
        }
        _ => {}
    }
}

struct World {
    sim: Sim,
    chance: Chance,
    user: Node,
    jobs: Jobs<u64, u64>,
    accepted: Told<(u64, Submitted<u64>)>,
    results: Told<(u64, Result<u64, String>)>,
    next: u64,
}

impl World {
    fn new(seed: u64) -> Self {
        BEGUN.take();
        let mut sim = Sim::new(seed);
        let nodes = NODES.map(|id| sim.start(member(id)).unwrap());
        sim.block_on(async { nodes.iter().for_each(furnish) });
        let user = nodes[0].clone();
        let jobs = sim.block_on(async { Jobs::new(&user, FAMILY).unwrap() });
        Self {
            sim,
            chance: Chance::new(seed),
            user,
            jobs,
            accepted: Told::new(),
            results: Told::new(),
            next: 0,
        }
    }

    fn submit(&mut self) {
        self.next += 1;
        let number = self.next;
        let key = [None, None, Some("k")][self.chance.index(3)];
        let (jobs, accepted, results) = (
            self.jobs.clone(),
            self.accepted.clone(),
            self.results.clone(),
        );
        self.sim.block_on(async move {
            tokio::spawn(async move {
                let mut submit = jobs.submit(&number);
                if let Some(key) = key {
                    submit = submit.key(key);
                }
                let submitted = match submit.await {
                    Ok(submitted) => submitted,
                    Err(error) => return results.tell((number, Err(error.to_string()))),
                };
                accepted.tell((number, submitted.clone()));
                let result = submitted.result().await;
                results.tell((number, result.map_err(|error: JobError| error.to_string())));
            });
        });
    }

    fn restart(&mut self, node: &str) {
        if !self.sim.is_running(node) {
            let node = self.sim.restart(node).unwrap();
            self.sim.block_on(async { furnish(&node) });
        }
    }

    fn step(&mut self) {
        let one = NODES[1 + self.chance.index(4)];
        let others: Vec<&str> = NODES.into_iter().filter(|node| *node != one).collect();
        match self.chance.below(12) {
            0 => self.sim.cut(one, others[self.chance.index(4)]),
            1 => self.sim.partition(&[one], &others),
            2 => self.sim.partition_one_way(&[one], &others),
            3 => self.sim.crash(one, Crash::Process),
            4 => self.sim.crash(one, Crash::Machine),
            5 => self.restart(one),
            6 => self.sim.heal(),
            _ => {
                for _ in 0..self.chance.below(6) {
                    self.submit();
                }
            }
        }
        let time = STEP * self.chance.below(20) as u32;
        self.sim.run_for(time);
    }

    /// Ends all faults, and checks that no job is lost.
    fn finish(mut self) {
        self.sim.heal();
        self.sim.set_conditions(Conditions::default());
        for node in NODES {
            self.restart(node);
        }
        let results = self.results.clone();
        let all = self.next as usize;
        let done = || results.all().len() == all;
        let over = self.sim.run_until(600 * SECOND, done);
        let results: BTreeMap<u64, _> = results.all().into_iter().collect();
        let lost: Vec<u64> = (1..=self.next)
            .filter(|number| !results.contains_key(number))
            .collect();
        assert!(over, "jobs without an end: {lost:?} of {}", self.next);
        for (number, result) in results {
            assert_eq!(result, Ok(number * number), "job {number}");
        }
        let mut begun = BTreeMap::<JobId, Vec<u32>>::new();
        for (id, attempt, _) in BEGUN.take() {
            begun.entry(id).or_default().push(attempt);
        }
        for (id, attempts) in begun {
            let first = attempts.iter().filter(|attempt| **attempt == 1).count();
            assert!(
                first <= 1,
                "{id} is begun twice without a mark: {attempts:?}"
            );
        }
        assert_eq!(self.accepted.all().len(), all);
        drop(self.user);
    }
}

#[test]
fn no_job_is_lost_and_none_is_done_twice_without_the_mark() {
    each_schedule(40, |seed| {
        let mut world = World::new(seed);
        world.sim.run_for(3 * SECOND);
        for _ in 0..25 {
            world.step();
        }
        world.finish();
    });
}

#[test]
fn jobs_of_one_key_begin_in_order_over_nodes() {
    let mut world = World::new(1);
    world.sim.run_for(3 * SECOND);
    let (jobs, user) = (world.jobs.clone(), world.user.clone());
    world.sim.block_on(async move {
        let mut all = Vec::new();
        for number in 1..=20_u64 {
            all.push(jobs.submit(&number).key("k").await.unwrap());
        }
        for (number, job) in (1..).zip(&all) {
            assert_eq!(job.result().await.unwrap(), number * number);
        }
        drop(user);
    });
    let begun: Vec<u64> = BEGUN.take().into_iter().map(|(_, _, job)| job).collect();
    assert!(begun.is_sorted(), "{begun:?}");
}

/// Jobs that do not fit into a packet must not count as being on their way: there would be room for too many, and the dispatcher would refuse them.
#[test]
fn jobs_that_cannot_be_sent_take_no_place_of_others() {
    let mut sim = Sim::new(1);
    let limited = |id: &str| member(id).max_packet_bytes(20_000);
    let user = sim.start(limited("user")).unwrap();
    let d1 = sim.start(limited("d1")).unwrap();
    let jobs = sim.block_on(async {
        let dispatcher = Dispatcher::builder().capacity(1).start(&d1).unwrap();
        Jobs::<Vec<u8>, ()>::new(&user, dispatcher.id()).unwrap()
    });
    sim.run_for(3 * SECOND);
    let results = Told::new();
    let tell = results.clone();
    sim.block_on(async move {
        let submit = |job: Vec<u8>| {
            let (submit, tell) = (jobs.submit(&job).into_future(), tell.clone());
            tokio::spawn(async move {
                if let Err(error) = submit.await {
                    tell.tell(error.to_string());
                }
            });
        };
        (0..40).for_each(|_| submit(vec![0; 10]));
        (0..40).for_each(|_| submit(vec![0; 100_000]));
        (0..100).for_each(|_| submit(vec![0; 10]));
    });
    sim.run_for(10 * SECOND);
    let errors = results.all();
    assert_eq!(errors.len(), 40, "{errors:?}");
    assert!(
        errors.iter().all(|error| error.contains("encoded")),
        "{errors:?}"
    );
}
