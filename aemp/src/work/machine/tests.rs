//! The machine without a runtime: each rule alone, and random schedules.

use super::*;
use crate::work::wire::Payload;

const MS: Duration = Duration::from_millis(1);

/// A machine with its submitters and workers.
struct World {
    machine: Machine,
    now: Duration,
    /// The attempts that are with workers: the worker, and the job with its order key.
    runs: BTreeMap<Run, (Member, u64)>,
    /// Those that have been cancelled.
    cancelled: BTreeSet<Run>,
    accepted: BTreeSet<u64>,
    ends: BTreeMap<u64, End>,
    /// The attempts that were begun, by job.
    begun: BTreeMap<u64, Vec<u32>>,
    letters: Vec<DeadLetter>,
    left: Vec<Member>,
    drained: bool,
}

fn policy() -> Policy {
    Policy {
        capacity: 3,
        max_bytes: 1000,
        when_full: WhenFull::Wait,
        attempts: 3,
        backoff: Backoff::default(),
        time_limit: None,
    }
}

fn id(number: u64) -> JobId {
    let submitter = aemp_codec::PortId::parse("s#1").unwrap();
    JobId { submitter, number }
}

fn job(number: u64, order: Option<&str>) -> NewJob {
    NewJob {
        id: id(number),
        payload: Payload(Arc::new(number.into())),
        weight: 8,
        order: order.map(Into::into),
        before: 0,
    }
}

fn failed(retry: bool) -> Outcome {
    Outcome::Failed {
        text: "out of tea".into(),
        retry,
    }
}

impl World {
    fn new(policy: Policy) -> Self {
        Self {
            machine: Machine::new(policy, 7),
            now: Duration::ZERO,
            runs: BTreeMap::new(),
            cancelled: BTreeSet::new(),
            accepted: BTreeSet::new(),
            ends: BTreeMap::new(),
            begun: BTreeMap::new(),
            letters: Vec::new(),
            left: Vec::new(),
            drained: false,
        }
    }

    fn settle(&mut self) {
        let mut commands = Vec::new();
        self.machine.commands(&mut commands);
        for command in commands {
            match command {
                Command::Accepted(_, number) => drop(self.accepted.insert(number)),
                Command::Ended(_, number, end) => {
                    let twice = self.ends.insert(number, end);
                    assert_eq!(twice, None, "job {number} has ended twice");
                }
                Command::Progress(..) => {}
                Command::Attempt(worker, run, assignment) => {
                    let number = assignment.id.number;
                    self.runs.insert(run, (worker, number));
                    let begun = self.begun.entry(number).or_default();
                    begun.push(assignment.attempt);
                }
                Command::Cancel(worker, run) => {
                    assert_eq!(self.runs[&run].0, worker);
                    self.cancelled.insert(run);
                }
                Command::Dead(letter) => self.letters.push(letter),
                Command::Left(worker) => self.left.push(worker),
                Command::Drained => self.drained = true,
            }
        }
    }

    fn submit(&mut self, from: Member, job: NewJob) {
        self.machine.submit(self.now, from, job);
        self.settle();
    }

    fn worker(&mut self, room: u32) -> Member {
        let worker = self.machine.worker();
        self.machine.offer(self.now, worker, room);
        self.settle();
        worker
    }

    /// The attempt of a job.
    fn run_of(&self, number: u64) -> Run {
        let run = self.runs.iter().find(|(_, (_, job))| *job == number);
        *run.expect("the job runs").0
    }

    fn running(&self) -> Vec<u64> {
        self.runs.values().map(|(_, number)| *number).collect()
    }

    fn end(&mut self, number: u64, outcome: Outcome) {
        let run = self.run_of(number);
        self.runs.remove(&run);
        self.machine.ended(self.now, run, outcome);
        self.settle();
    }

    fn done(&mut self, number: u64) {
        self.end(number, Outcome::Done(number.into()));
    }

    /// Lets time pass until the next timer.
    fn wait(&mut self) {
        let due = self.machine.deadline().expect("a timer");
        self.now = due;
        self.machine.timeout(due);
        self.settle();
    }
}

#[test]
fn workers_are_filled_and_the_least_loaded_is_first() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    let (small, large) = (world.worker(1), world.worker(3));
    for number in 0..6 {
        world.submit(from, job(number, None));
    }
    let of = |world: &World, worker| {
        let runs = world.runs.values();
        runs.filter(|(at, _)| *at == worker)
            .map(|(_, number)| *number)
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&world, small), [0]);
    assert_eq!(of(&world, large), [1, 2, 3]);
    world.done(0);
    assert_eq!(of(&world, small), [4]);
    world.machine.offer(world.now, small, 0);
    world.done(4);
    assert_eq!(of(&world, small), [0; 0], "it has no room any more");
    world.done(2);
    assert_eq!(of(&world, large), [1, 3, 5]);
}

#[test]
fn a_full_queue_lets_submitters_wait() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    for number in 0..5 {
        world.submit(from, job(number, None));
    }
    assert_eq!(world.accepted.len(), 3);
    world.worker(1);
    assert_eq!(world.accepted.len(), 4);
    world.done(0);
    assert_eq!(world.accepted.len(), 5);
    for number in 10..=10 + WINDOW as u64 {
        world.submit(from, job(number, None));
    }
    let last = 10 + WINDOW as u64;
    assert_eq!(world.ends.get(&last), Some(&End::Refused(Refusal::Flood)));
    // Another submitter may still wait.
    let other = world.machine.submitter();
    world.submit(other, job(999, None));
    assert!(!world.ends.contains_key(&999));
}

#[test]
fn a_full_queue_refuses_or_drops_the_oldest() {
    let refuse = Policy {
        when_full: WhenFull::Refuse,
        ..policy()
    };
    let mut world = World::new(refuse);
    let from = world.machine.submitter();
    for number in 0..4 {
        world.submit(from, job(number, None));
    }
    assert_eq!(world.ends.get(&3), Some(&End::Refused(Refusal::Full)));
    assert_eq!(world.accepted.len(), 3);

    let drop_oldest = Policy {
        when_full: WhenFull::DropOldest,
        ..policy()
    };
    let mut world = World::new(drop_oldest);
    let from = world.machine.submitter();
    for number in 0..4 {
        world.submit(from, job(number, None));
    }
    assert_eq!(world.ends.get(&0), Some(&End::Dropped));
    assert_eq!(world.accepted.len(), 4);
    assert_eq!(world.letters.len(), 1);
    assert_eq!(world.letters[0].job::<u64>().unwrap(), 0);
}

#[test]
fn the_weight_of_the_queue_is_bounded() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    for number in 0..2 {
        let weight = 900;
        world.submit(
            from,
            NewJob {
                weight,
                ..job(number, None)
            },
        );
    }
    assert_eq!(world.accepted, BTreeSet::from([0]));
    world.worker(1);
    // An empty queue accepts a job of any weight.
    world.done(0);
    world.submit(
        from,
        NewJob {
            weight: 5000,
            ..job(2, None)
        },
    );
    assert_eq!(world.accepted, BTreeSet::from([0, 1, 2]));
}

#[test]
fn a_failed_job_rests_is_marked_and_dies_in_the_end() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    world.worker(1);
    world.submit(from, job(1, None));
    for attempt in 1..=3 {
        assert_eq!(world.begun[&1].last(), Some(&attempt));
        let before = world.now;
        world.end(1, failed(true));
        if attempt < 3 {
            assert!(world.runs.is_empty(), "it rests");
            world.wait();
            assert!(world.now - before >= 25 * MS);
        }
    }
    let attempts = 3;
    let text = "out of tea".into();
    assert_eq!(world.ends.get(&1), Some(&End::Failed { attempts, text }));
    assert_eq!(world.letters[0].attempts, 3);
    assert_eq!(world.machine.stats().dead, 1);
    // An error that is final is not tried again.
    world.submit(from, job(2, None));
    world.end(2, failed(false));
    assert_eq!(world.begun[&2], [1]);
    assert_eq!(world.letters.len(), 2);
}

#[test]
fn a_lost_worker_returns_its_jobs() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    let worker = world.worker(2);
    world.submit(from, job(1, None));
    world.submit(from, job(2, None));
    let lost = world.run_of(1);
    world.runs.clear();
    world.machine.worker_lost(world.now, worker, "boom");
    world.settle();
    let other = world.worker(2);
    world.wait();
    if world.runs.len() < 2 {
        world.wait();
    }
    assert!(world.runs.values().all(|(at, _)| *at == other));
    assert_eq!(world.begun[&1], [1, 2]);
    // The lost worker tells of its attempt when it is too late.
    let late = Outcome::Done("late".into());
    world.machine.ended(world.now, lost, late);
    world.settle();
    assert!(world.ends.is_empty());
    world.done(1);
    assert_eq!(world.ends.get(&1), Some(&End::Done(1_u64.into())));
}

#[test]
fn jobs_of_one_key_run_one_by_one_in_order() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    world.worker(9);
    for number in 1..=3 {
        world.submit(from, job(number, Some("k")));
    }
    world.submit(from, job(4, None));
    assert_eq!(world.running(), [1, 4]);
    world.end(1, failed(true));
    assert_eq!(world.running(), [4], "the first rests, and the others wait");
    world.wait();
    world.done(1);
    assert_eq!(world.running(), [4, 2]);
    world.machine.cancel(world.now, &id(2));
    world.settle();
    assert_eq!(world.running(), [4, 2], "it has not ended yet");
    world.end(2, Outcome::Stopped);
    assert_eq!(world.ends.get(&2), Some(&End::Cancelled));
    world.done(3);
    world.done(4);
    assert!(world.machine.chains.is_empty());
}

#[test]
fn a_job_is_cancelled_wherever_it_is() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    for number in 0..6 {
        world.submit(from, job(number, None));
    }
    let cancel = |world: &mut World, number| {
        world.machine.cancel(world.now, &id(number));
        world.settle();
    };
    cancel(&mut world, 5); // not accepted
    cancel(&mut world, 0); // waiting
    world.worker(1);
    world.end(1, failed(true));
    cancel(&mut world, 1); // resting
    cancel(&mut world, 2); // running
    assert!(!world.ends.contains_key(&2));
    // The result was under way.
    world.done(2);
    for number in [0, 1, 5] {
        assert_eq!(world.ends.get(&number), Some(&End::Cancelled), "{number}");
    }
    assert!(matches!(world.ends.get(&2), Some(End::Done(_))));
    assert_eq!(world.running(), [3]);
}

#[test]
fn a_job_that_takes_too_long_is_tried_again_after_its_end() {
    let limited = Policy {
        time_limit: Some(100 * MS),
        ..policy()
    };
    let mut world = World::new(limited);
    let from = world.machine.submitter();
    world.worker(2);
    world.submit(from, job(1, None));
    world.wait();
    assert_eq!(world.now, 100 * MS);
    assert_eq!(world.cancelled.len(), 1);
    assert_eq!(world.machine.deadline(), None, "its end is not known yet");
    world.end(1, Outcome::Stopped);
    world.wait();
    assert_eq!(world.begun[&1], [1, 2]);
    world.done(1);
    assert_eq!(world.machine.deadline(), None);
}

#[test]
fn a_job_that_is_submitted_again_is_the_same() {
    let mut world = World::new(policy());
    let first = world.machine.submitter();
    world.submit(first, job(1, None));
    world.worker(1);
    world.machine.submitter_lost(world.now, first);
    let again = world.machine.submitter();
    let before = 1;
    let repeated = NewJob {
        before,
        ..job(1, None)
    };
    world.submit(again, repeated.clone());
    assert_eq!(world.begun[&1], [1]);
    world.done(1);
    assert!(matches!(world.ends.get(&1), Some(End::Done(_))));
    // If it is no longer known, it is a new one, with the mark.
    world.ends.clear();
    world.submit(again, repeated);
    assert_eq!(world.begun[&1], [1, 2]);
}

#[test]
fn a_lost_submitter_takes_only_jobs_that_were_not_accepted() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    for number in 0..5 {
        world.submit(from, job(number, None));
    }
    world.machine.submitter_lost(world.now, from);
    world.settle();
    let stats = world.machine.stats();
    assert_eq!((stats.waiting, stats.unaccepted), (3, 0));
    world.worker(3);
    for number in 0..3 {
        world.done(number);
    }
    assert!(world.ends.is_empty(), "there is no submitter to tell");
    assert_eq!(world.machine.stats().done, 3);
}

#[test]
fn a_worker_leaves_after_its_attempts_and_a_dispatcher_drains() {
    let mut world = World::new(policy());
    let from = world.machine.submitter();
    let worker = world.worker(1);
    for number in 0..5 {
        world.submit(from, job(number, None));
    }
    world.machine.leave(worker);
    world.settle();
    assert!(world.left.is_empty());
    world.done(0);
    assert_eq!(world.left, [worker]);
    assert!(world.runs.is_empty());
    world.machine.drain(world.now);
    world.settle();
    assert_eq!(world.ends.get(&4), Some(&End::Refused(Refusal::Draining)));
    world.submit(from, job(9, None));
    assert_eq!(world.ends.get(&9), Some(&End::Refused(Refusal::Draining)));
    world.worker(3);
    assert!(!world.drained);
    for number in 1..4 {
        world.done(number);
    }
    assert!(world.drained);
}

mod random {
    use super::*;

    /// A schedule of everything that can happen, in any order.
    fn schedule(seed: u64) {
        let mut chance = Chance::new(seed);
        let mut below = |n: u64| ((chance.fraction() * n as f64) as u64).min(n - 1);
        let chosen = Policy {
            capacity: 1 + below(8) as usize,
            max_bytes: [50, 1000][below(2) as usize],
            when_full: [WhenFull::Wait, WhenFull::Refuse, WhenFull::DropOldest][below(3) as usize],
            time_limit: [None, Some(80 * MS)][below(2) as usize],
            ..policy()
        };
        let (capacity, attempts) = (chosen.capacity, chosen.attempts);
        let mut world = World::new(chosen);
        let mut from = world.machine.submitter();
        let mut workers: BTreeMap<Member, u32> = BTreeMap::new();
        let mut keys: BTreeMap<u64, Option<&str>> = BTreeMap::new();
        let mut forgotten = BTreeSet::new();
        for step in 0..120 {
            match below(12) {
                0..4 => {
                    let key = [None, None, Some("a"), Some("b")][below(4) as usize];
                    keys.insert(step, key);
                    world.submit(from, job(step, key));
                }
                4 => {
                    let room = below(4) as u32;
                    let worker = world.worker(room);
                    workers.insert(worker, room);
                }
                5 => {
                    let (number, choice) = (below(step + 1), below(2));
                    if choice == 0 {
                        world.machine.cancel(world.now, &id(number));
                    }
                }
                6 if !workers.is_empty() => {
                    let nth = below(workers.len() as u64) as usize;
                    let worker = *workers.keys().nth(nth).unwrap();
                    workers.remove(&worker);
                    world.runs.retain(|_, (at, _)| *at != worker);
                    world.machine.worker_lost(world.now, worker, "boom");
                }
                7 => {
                    world.now += Duration::from_millis(below(60));
                    world.machine.timeout(world.now);
                }
                8 if below(4) == 0 => {
                    world.machine.submitter_lost(world.now, from);
                    let ended: BTreeSet<u64> = world.ends.keys().copied().collect();
                    forgotten.extend(keys.keys().filter(|job| !ended.contains(job)));
                    from = world.machine.submitter();
                }
                _ if !world.runs.is_empty() => {
                    let nth = below(world.runs.len() as u64) as usize;
                    let run = *world.runs.keys().nth(nth).unwrap();
                    let number = world.runs[&run].1;
                    let outcome = match below(6) {
                        0 => failed(true),
                        1 => failed(false),
                        2 => Outcome::Stopped,
                        _ => Outcome::Done(number.into()),
                    };
                    world.runs.remove(&run);
                    world.machine.ended(world.now, run, outcome);
                }
                _ => {}
            }
            world.settle();
            check(&world, &keys, &workers, capacity, attempts);
        }
        finish(&mut world, &keys, &forgotten);
    }

    fn check(
        world: &World,
        keys: &BTreeMap<u64, Option<&str>>,
        workers: &BTreeMap<Member, u32>,
        capacity: usize,
        attempts: u32,
    ) {
        let machine = &world.machine;
        // Jobs that failed return to the queue even if it is full.
        let most = capacity + workers.values().sum::<u32>() as usize + 120;
        assert!(machine.waiting.len() <= most);
        assert_eq!(machine.runs.len(), world.runs.len());
        let mut busy = BTreeMap::<Member, u32>::new();
        let mut running = BTreeSet::new();
        for (worker, number) in world.runs.values() {
            *busy.entry(*worker).or_default() += 1;
            if let Some(key) = keys[number] {
                assert!(running.insert(key), "two jobs of {key} run at once");
            }
        }
        for (worker, count) in busy {
            assert!(count <= workers[&worker], "a worker has no room");
        }
        for begun in world.begun.values() {
            let marks: Vec<u32> = (1..=begun.len() as u32).collect();
            assert_eq!(*begun, marks, "each repetition is marked");
            assert!(begun.len() as u32 <= attempts);
        }
        let weight: usize = machine
            .waiting
            .iter()
            .map(|key| machine.jobs.get(*key).unwrap().weight)
            .sum();
        assert_eq!(machine.bytes, weight);
        assert!(machine.ready.is_subset(&machine.waiting));
        let free = machine.ready.is_empty() || machine.workers.is_busy();
        assert!(free, "a job is ready, and a worker has room");
    }

    /// A worker comes that does everything.
    fn finish(world: &mut World, keys: &BTreeMap<u64, Option<&str>>, forgotten: &BTreeSet<u64>) {
        world.worker(9);
        loop {
            if let Some((&run, &(_, number))) = world.runs.first_key_value() {
                world.runs.remove(&run);
                let done = Outcome::Done(number.into());
                world.machine.ended(world.now, run, done);
                world.settle();
            } else if world.machine.deadline().is_some() {
                world.wait();
            } else {
                break;
            }
        }
        for number in keys.keys().filter(|number| !forgotten.contains(number)) {
            assert!(world.ends.contains_key(number), "job {number} is lost");
        }
        assert!(world.machine.jobs.is_empty() && world.machine.ids.is_empty());
        assert!(world.machine.chains.is_empty() && world.machine.timers.is_empty());
        world.machine.drain(world.now);
        world.settle();
        assert!(world.drained);
    }

    #[test]
    fn no_job_is_lost_and_each_repetition_is_marked() {
        let count = std::env::var("AEMP_SCHEDULES").ok();
        let count = count.and_then(|count| count.parse().ok()).unwrap_or(2000);
        for seed in 0..count {
            if let Err(panic) = std::panic::catch_unwind(|| schedule(seed)) {
                eprintln!("schedule {seed} failed");
                std::panic::resume_unwind(panic);
            }
        }
    }
}

#[test]
fn the_room_of_one_worker_has_a_limit() {
    let mut world = World::new(Policy {
        capacity: 10,
        ..policy()
    });
    let from = world.machine.submitter();
    world.worker(u32::MAX);
    let most = u64::from(MOST_ROOM);
    for number in 0..most + 20 {
        world.submit(from, job(number, None));
    }
    let stats = world.machine.stats();
    assert_eq!(
        (stats.running, stats.waiting, stats.unaccepted),
        (most, 10, 10)
    );
}

#[test]
fn times_that_never_come_are_no_limits() {
    let mut world = World::new(Policy {
        time_limit: Some(Duration::MAX),
        backoff: Backoff {
            first: Duration::MAX,
            most: Duration::MAX,
            ..Backoff::default()
        },
        ..policy()
    });
    world.now = MS;
    let from = world.machine.submitter();
    world.worker(1);
    world.submit(from, job(1, None));
    assert_eq!(world.machine.deadline(), None);
    world.end(1, failed(true));
    assert!(world.machine.deadline() > Some(Duration::MAX / 4));
}
