//! The main function of benches that run processes of their own program.

use std::{env, process::ExitCode};

type Outcome = Result<(), String>;

/// Runs the bench, or the part of a child if the arguments are those of one.
pub(crate) fn run(
    child: fn(&[String]) -> Option<Outcome>,
    bench: fn(&[String]) -> Outcome,
) -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match child(&arguments).unwrap_or_else(|| bench(&arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
