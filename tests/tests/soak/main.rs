//! A node under attack, in short: `aemp-soak` does the same for as long as one likes, and measures it (BENCHMARKS.md).
#![cfg(target_os = "linux")]

mod fairness;
mod logs;

use std::{path::PathBuf, time::Duration};

use aemp_tests::soak::{Plan, SCENARIOS, conduct, raise_descriptor_limit};

/// The number of scenarios that are played at once. Most of their time is spent waiting.
const AT_ONCE: usize = 3;

#[test]
fn honest_peers_are_served_during_attacks() {
    raise_descriptor_limit();
    let directory = tempfile::tempdir().expect("a place for logs");
    let plan = Plan {
        program: PathBuf::from(env!("CARGO_BIN_EXE_aemp-soak")),
        directory: directory.path().into(),
        rounds: 1,
        calm: Duration::from_millis(100),
        attack: Duration::from_millis(800),
    };
    let plan = &plan;
    let scenarios: Vec<_> = SCENARIOS.iter().collect();
    let mut wrong = Vec::new();
    for some in scenarios.chunks(AT_ONCE) {
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let play = |scenario| scope.spawn(move || conduct(plan, scenario));
            let playing: Vec<_> = some.iter().map(|scenario| play(*scenario)).collect();
            playing
                .into_iter()
                .map(|one| one.join().expect("no panic"))
                .collect()
        });
        for outcome in outcomes {
            let outcome = outcome.expect("the processes follow their plan");
            println!("{outcome}");
            wrong.extend(
                outcome
                    .faults
                    .iter()
                    .map(|fault| format!("{}: {fault}", outcome.scenario.name)),
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
