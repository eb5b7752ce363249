//! The soak test's program: `aemp-soak --help`.

use std::{env, process::ExitCode};

use aemp_tests::soak::options;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match options::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}
