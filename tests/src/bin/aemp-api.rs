//! Prints the public API of a crate, of the file that rustdoc has written as JSON: see `.ci/api`.

use std::{fs, process::ExitCode};

fn main() -> ExitCode {
    let Some(file) = std::env::args().nth(1) else {
        eprintln!("usage: aemp-api FILE.json");
        return ExitCode::FAILURE;
    };
    let json = fs::read_to_string(&file).map_err(|error| error.to_string());
    match json.and_then(|json| aemp_tests::api::list(&json)) {
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::SUCCESS
        }
        Err(problem) => {
            eprintln!("{file}: {problem}");
            ExitCode::FAILURE
        }
    }
}
