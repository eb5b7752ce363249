//! A thousand random schedules.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Instant,
};

use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use crate::{
    plan::{Plan, plan, private_plan},
    run::run,
};

/// Schedules that once failed, or that fail when the code that they are for is taken out.
const REGRESSIONS: &[u64] = &[
    // A message that was sent between the loss of others and the firing of its monitor was kept, and arrived.
    8,
    // A queue that overflowed while monitors fired was taken for the loss that they fired for.
    319,
    // A monitor was set during a loss, and messages behind it were dropped, though the monitor stood.
    176, // A monitor that a callback had set anew fired at once for the same loss.
    0,
];

pub(crate) fn number(variable: &str, default: u64) -> u64 {
    let text = std::env::var(variable);
    text.map_or(default, |text| {
        text.parse()
            .unwrap_or_else(|_| panic!("{variable} must be a number: {text:?}"))
    })
}

/// Runs the schedule of that number; if it fails, the smallest one found that fails as well.
fn check(seed: u64, plans: impl Strategy<Value = Plan>) -> Result<(), String> {
    let mut octets = [0; 32];
    octets[..8].copy_from_slice(&seed.to_le_bytes());
    let config = Config {
        failure_persistence: None,
        max_shrink_iters: number("AEMP_SHRINK", 2000) as u32,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &octets);
    let mut runner = TestRunner::new_with_rng(config, random);
    let tree = plans.new_tree(&mut runner).map_err(|why| why.to_string())?;
    let whole = tree.current().steps.len();
    match runner.run_one(tree, |plan| run(&plan, false).map_err(TestCaseError::fail)) {
        Ok(_) => Ok(()),
        Err(TestError::Fail(why, plan)) => {
            if number("AEMP_TRACE", 0) > 0 {
                drop(run(&plan, true));
            }
            Err(format!(
                "schedule {seed} fails: {why}\nof its {whole} steps these are enough: {plan:?}"
            ))
        }
        Err(TestError::Abort(why)) => Err(format!("schedule {seed}: {why}")),
    }
}

#[test]
fn schedules_that_once_failed() {
    for seed in REGRESSIONS {
        check(*seed, plan()).unwrap_or_else(|why| panic!("{why}"));
    }
}

/// `AEMP_SCHEDULES` says how many, `AEMP_SCHEDULE` which is the first; `AEMP_SHRINK=0` leaves a failing one as it is; with `AEMP_TRACE=1` all that happens in the one that
/// fails is printed.
#[test]
fn random_schedules() {
    check_many(1000, |seed| check(seed, plan()));
}

/// The same, with nodes that are reached by way of relays.
#[test]
fn random_schedules_with_private_nodes() {
    check_many(120, |seed| check(seed, private_plan()));
}

fn check_many(count: u64, check: impl Fn(u64) -> Result<(), String> + Sync) {
    let count = number("AEMP_SCHEDULES", count);
    let first = number("AEMP_SCHEDULE", 0);
    let next = AtomicU64::new(first);
    let failed = Mutex::new(Vec::new());
    let start = Instant::now();
    let threads = thread::available_parallelism().map_or(1, |threads| threads.get());
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while failed.lock().unwrap().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + count {
                        break;
                    }
                    if let Err(why) = check(seed) {
                        failed.lock().unwrap().push(why);
                    }
                }
            });
        }
    });
    let seconds = start.elapsed().as_secs_f64();
    println!("{count} schedules in {seconds:.1} s");
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}
