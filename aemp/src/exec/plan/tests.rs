//! A model of the executor: workers with the rules of tokio, tasks, ports and the stall detector, in random order. The
//! real [`Plan`] makes the decisions about drainers.

mod model;

use model::{Act, FOREVER, Job, Model};

use super::*;

/// The number of looks of the stall detector for which a ready port may wait while a worker is free.
const LOOKS: u32 = 2;
const SCHEDULES: u64 = 10_000;

/// Pseudo-random numbers from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % most as u64).unwrap_or(0)
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

fn job(dice: &mut Dice, ports: usize, depth: usize) -> Job {
    let mut acts = Vec::new();
    for _ in 0..dice.below(4) {
        acts.push(match dice.below(8) {
            7 => Act::Write,
            6 if dice.one_in(2) => Act::InPlace(1 + u32::try_from(dice.below(6)).unwrap_or(0)),
            0 => Act::Block(1 + u32::try_from(dice.below(6)).unwrap_or(0)),
            1 if dice.one_in(3) => Act::Block(FOREVER),
            _ if depth > 0 => Act::Send(dice.below(ports), job(dice, ports, depth - 1)),
            _ => continue,
        });
    }
    acts
}

/// Handlers and tasks may do anything: while a worker is free, ready ports run after some looks at most, and links
/// run at once.
fn anything_goes(seed: u64) {
    let mut dice = Dice(seed);
    let (workers, ports) = (1 + dice.below(4), 1 + dice.below(8));
    let mut model = Model::new(workers, ports, &mut dice);
    for _ in 0..8 {
        for _ in 0..dice.below(4) {
            match dice.below(4) {
                0 => model.link(dice.below(3)),
                1 => {
                    let (to, job) = (dice.below(ports), job(&mut dice, ports, 2));
                    model.post_from_outside(to, job);
                }
                _ => {
                    let task = job(&mut dice, ports, 3);
                    model.task(task);
                }
            }
        }
        model.run_workers(&mut dice);
        model.watch();
        assert!(
            model.stalled <= LOOKS,
            "a port waits in schedule {seed}: {model:?}"
        );
        assert!(
            model.worst_link() <= 1,
            "a link waits in schedule {seed}: {model:?}"
        );
    }
    // Blocked jobs end: then everything runs, and every drainer leaves.
    for _ in 0..400 {
        model.release();
        model.run_workers(&mut dice);
        if model.is_done() {
            return;
        }
        model.watch();
    }
    panic!("something is left in schedule {seed}: {model:?}");
}

#[test]
fn a_ready_port_runs_as_long_as_a_worker_is_free() {
    (0..SCHEDULES).for_each(anything_goes);
}

/// A handler, a task, or another thread sends jobs that block. As many run at once as there are workers, and then the
/// others. The stall detector has to help only if a drainer yields in between.
#[test]
fn messages_of_a_handler_are_shared_among_workers() {
    for seed in 0..SCHEDULES {
        let mut dice = Dice(seed);
        let (workers, jobs) = (1 + dice.below(5), 1 + dice.below(12));
        let mut model = Model::untrusted(workers, jobs + 1);
        let mut blocked = jobs;
        let blocks = || vec![Act::Block(FOREVER)];
        let mut all: Job = (1..=jobs).map(|to| Act::Send(to, blocks())).collect();
        if dice.one_in(2) {
            all.extend(blocks());
        }
        model.is_rough = dice.one_in(2);
        match dice.below(3) {
            0 => (1..=jobs).for_each(|to| model.post_from_outside(to, blocks())),
            from => {
                blocked = all.len();
                match from {
                    1 => model.task(all),
                    _ => model.post_from_outside(0, all),
                }
            }
        }
        model.run_workers(&mut dice);
        for _ in 0..if model.is_rough { LOOKS } else { 0 } {
            model.watch();
            model.run_workers(&mut dice);
        }
        assert_eq!(
            model.blocked(),
            blocked.min(workers),
            "schedule {seed}: {model:?}"
        );
        for _ in 0..=jobs * 4 {
            model.release();
            model.run_workers(&mut dice);
            if model.is_rough && model.blocked() == 0 {
                model.watch();
            }
        }
        assert!(
            model.is_done(),
            "something is left in schedule {seed}: {model:?}"
        );
    }
}

#[test]
fn a_drainer_that_was_lost_does_not_end_the_search_of_another() {
    let mut plan = Plan::new(2);
    let mut lost = plan.start(By::Task).expect("the first is wanted");
    assert!(plan.start(By::Task).is_none() && !plan.report(0, true) && plan.report(0, true));
    let mut other = plan.start(By::StallDetector).expect("the first is lost");
    for _ in 0..10 {
        assert!(!plan.report(0, true));
    }
    assert!(plan.share(0, &mut lost) == 0 && plan.leave(0, &mut lost) && !plan.wants());
    assert!(plan.share(1, &mut other) == 1 && plan.leave(0, &mut other) && plan.wants());
    assert!(plan.drainers == 0 && plan.away == [0; 3]);
}

#[test]
fn a_drainer_that_is_too_many_leaves() {
    let mut plan = Plan::new(1);
    let mut stuck = plan.start(By::Task).expect("the first is wanted");
    assert_eq!(plan.share(1, &mut stuck), 1);
    assert!(!plan.wants() && plan.report(1, true));
    let mut other = plan.start(By::StallDetector).expect("the first is stuck");
    assert_eq!(plan.share(5, &mut other), 5);
    assert!(!plan.report(0, true));
    assert!(plan.share(5, &mut stuck) == 0 && plan.leave(5, &mut stuck));
    assert!(
        plan.share(5, &mut other) == 5 && !plan.leave(1, &mut other) && plan.leave(0, &mut other)
    );
}
