//! Examples print the promised output, and end well.
//!
//! `cargo test` builds the examples first. With `--test printed` alone, they are those that were built last:
//! `cargo build -p aemp-examples --examples`.

use std::{env, path::PathBuf, process::Command};

/// The path of an example: examples are in a directory beside that of the tests.
fn example(name: &str) -> PathBuf {
    let test = env::current_exe().expect("the test is a program");
    let profile = test.ancestors().nth(2).expect("it is in `deps`");
    let name = format!("{name}{}", env::consts::EXE_SUFFIX);
    let path = profile.join("examples").join(name);
    assert!(path.exists(), "{path:?} is not built");
    path
}

/// The lines that an example prints.
fn run(name: &str, args: &[&str]) -> Vec<String> {
    let output = Command::new(example(name)).args(args).output();
    let output = output.expect("the example starts");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}{errors}");
    text.lines().map(str::to_owned).collect()
}

/// The line without the numbers in it.
fn shape(line: &str) -> String {
    line.chars().filter(|c| !c.is_ascii_digit()).collect()
}

fn numbers(line: &str) -> Vec<u64> {
    let words = line.split(' ');
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn sessions() {
    let lines = run("sessions", &["20000"]);
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert_eq!(lines[0], "20000 users have paid, 200000 cents in all");
    assert_eq!(lines[1], "all accounts have left the memory");
    let drained = "drained:  cents acknowledged,  cents in the database";
    assert_eq!(shape(&lines[2]), drained);
    let sums = numbers(&lines[2]);
    assert_eq!(sums[0], sums[1], "{lines:?}");
    assert!(sums[0] > 200_000, "there were payments while it drained");
}

/// One process is killed, and one subtree gives up.
#[cfg(unix)]
#[test]
fn supervised() {
    let lines = run("supervised", &[]);
    let shapes: Vec<String> = lines.iter().map(|line| shape(line)).collect();
    let expected = [
        "boss: started ant, process ",
        "boss: started bee, process ",
        "boss: the tree at first:",
        "  near on boss,  restarts",
        "  far on ant,  restarts",
        "  shop on bee,  restarts",
        "boss: (\"ant\", )",
        "boss: kill - ",
        "boss: (\"bee\", )",
        "boss: the tree without ant:",
        "  near on boss,  restarts",
        "  far on bee,  restarts, the last after transport_error",
        "  shop on bee,  restarts",
        "boss: the tree with a new shop:",
        "  near on boss,  restarts",
        "  far on bee,  restarts, the last after transport_error",
        "  shop on bee,  restarts, the last after restart_limit",
        "boss: everything has ended",
    ];
    assert_eq!(shapes, expected, "{lines:#?}");
}

/// A worker is killed: no job is lost, and those that it had begun are marked.
#[cfg(unix)]
#[test]
fn job_queue() {
    let lines = run("job_queue", &[]);
    let (accepted, ended) = lines.split_at(8);
    for (job, line) in accepted.iter().enumerate() {
        assert_eq!(*line, format!("boss: job {job} is accepted"));
    }
    assert_eq!(ended[0], "boss: kill -9 ant");
    // The primes below 160,000, in eight parts.
    let primes = [2262, 1941, 1854, 1780, 1755, 1709, 1709, 1673];
    let mut repeated = 0;
    for (job, (primes, line)) in primes.iter().zip(&ended[1..9]).enumerate() {
        let found = format!("boss: job {job} has found {primes} primes, at ");
        let rest = line
            .strip_prefix(&found)
            .unwrap_or_else(|| panic!("{lines:#?}"));
        repeated += u32::from(!rest.ends_with(", attempt 1"));
    }
    let end = format!("boss: 8 jobs are done, {repeated} of them repeated");
    assert_eq!(ended[9..], [end], "{lines:#?}");
    assert!(repeated > 0);
}
