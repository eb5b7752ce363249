//! The fuzz targets without a fuzzer: their seeds and earlier findings are tried again (`fuzz/README.md`).

use std::{fs, panic::catch_unwind, path::PathBuf, time::Instant};

use aemp::sim::Chance;
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

/// Runs a target. A panic names the input.
fn run(target: &str, name: &str, input: &[u8]) -> usize {
    catch_unwind(|| fuzz::run(target, input)).unwrap_or_else(|_| panic!("{target} fails on {name}"))
}

/// The least work that the seeds of each target cause together, and the largest number of seeds that cause none.
#[test]
fn seeds_of_the_fuzzers_reach_their_targets() {
    for (target, least, most_idle) in [
        ("config", 20, 0),
        ("dataconn", 30, 0),
        ("framing", 300, 0),
        ("greeting", 100, 5),
        ("node", 150, 0),
        ("relay", 100, 0),
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
fn findings_of_the_fuzzers_stay_fixed() {
    for target in TARGETS {
        for (name, input) in inputs("regressions", target.name) {
            run(target.name, &name, &input);
        }
    }
}

/// Every seed cut short, with octets changed, put in and taken out, and with another in it: `AEMP_MUTATIONS` says how often.
///
/// It finds less than a fuzzer, but needs none.
#[test]
fn seeds_that_are_damaged_do_no_harm() {
    let mutations = std::env::var("AEMP_MUTATIONS").ok();
    let mutations = mutations.map_or(3, |text| text.parse().expect("AEMP_MUTATIONS is a number"));
    let only = std::env::var("AEMP_TARGET").ok();
    let mut chance = Chance::new(1);
    for target in TARGETS {
        if only.as_ref().is_some_and(|only| only != target.name) {
            continue;
        }
        let seeds = inputs("seeds", target.name);
        for (name, seed) in &seeds {
            for _ in 0..mutations {
                let other = &seeds[chance.index(seeds.len())].1;
                let mutated = mutated(seed, other, &mut chance);
                run(
                    target.name,
                    &format!("{name}, mutated: {mutated:?}"),
                    &mutated,
                );
            }
        }
    }
}

fn mutated(seed: &[u8], other: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut input = seed.to_vec();
    for _ in 0..=chance.below(4) {
        let place = chance.index(input.len() + 1);
        let len = chance.index(8);
        let end = (place + len).min(input.len());
        match chance.below(6) {
            0 => input.truncate(place),
            1 => drop(input.drain(place..end)),
            2 => input.insert(place, chance.below(256) as u8),
            3 => {
                let from = chance.index(other.len() + 1);
                let piece = &other[from..(from + 4 * len).min(other.len())];
                drop(input.splice(place..end, piece.iter().copied()));
            }
            4 => {
                let copy = input[place..end].to_vec();
                let to = chance.index(input.len() + 1);
                drop(input.splice(to..to, copy));
            }
            _ => {
                if let Some(octet) = input.get_mut(place) {
                    *octet ^= 1 << chance.below(8);
                }
            }
        }
    }
    input
}
