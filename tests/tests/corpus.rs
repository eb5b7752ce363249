//! The fuzz targets without a fuzzer: their seeds and what has been found once are tried again (`fuzz/README.md`).

use std::{fs, panic::catch_unwind, path::PathBuf, time::Instant};

use aemp_tests::fuzz::{self, TARGETS};

/// The files of a folder in `fuzz/`, by their names.
fn inputs(folder: &str, target: &str) -> Vec<(String, Vec<u8>)> {
    let folder =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../fuzz/{folder}/{target}"));
    let mut inputs = Vec::new();
    for file in fs::read_dir(&folder).into_iter().flatten() {
        let path = file.expect("a file").path();
        let input = fs::read(&path).expect("it can be read");
        inputs.push((path.display().to_string(), input));
    }
    inputs.sort();
    inputs
}

/// Runs a target; the name of the input is in what it panics with.
fn run(target: &str, name: &str, input: &[u8]) -> usize {
    catch_unwind(|| fuzz::run(target, input)).unwrap_or_else(|_| panic!("{target} fails on {name}"))
}

/// How much the seeds of each target get done at the least, all of them together and each of so many of them.
#[test]
fn seeds_reach_what_they_are_for() {
    for (target, least, most_idle) in [
        ("config", 20, 0),
        ("framing", 300, 0),
        ("greeting", 100, 5),
        ("node", 200, 0),
        ("typed", 3000, 0),
    ] {
        let seeds = inputs("seeds", target);
        let start = Instant::now();
        let done: Vec<_> = seeds
            .iter()
            .map(|(name, seed)| (run(target, name, seed), name))
            .collect();
        let all: usize = done.iter().map(|(done, _)| done).sum();
        let idle: Vec<_> = done.iter().filter(|(done, _)| *done == 0).collect();
        println!(
            "{target}: {} seeds, {all} done, {:?}",
            seeds.len(),
            start.elapsed()
        );
        assert!(all >= least, "{target}: no more than {all}");
        assert!(
            idle.len() <= most_idle,
            "{target}: nothing comes of {idle:?}"
        );
    }
}

#[test]
fn what_was_found_stays_fixed() {
    for target in TARGETS {
        for (name, input) in inputs("regressions", target.name) {
            run(target.name, &name, &input);
        }
    }
}

/// Every seed also cut short at some places, and with some octets changed: cheap mutations, the same every time.
#[test]
fn seeds_that_are_damaged_do_no_harm() {
    for target in TARGETS {
        for (name, seed) in inputs("seeds", target.name).iter().step_by(5) {
            for place in (1..seed.len()).step_by(1 + seed.len() / 4) {
                run(target.name, name, &seed[..place]);
                let mut changed = seed.clone();
                changed[place] ^= 1 << (place % 8);
                run(target.name, name, &changed);
            }
        }
    }
}
