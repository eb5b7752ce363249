//! The soak test's program: `aemp-soak --help`.

use std::process::ExitCode;

#[cfg(target_os = "linux")]
fn main() -> ExitCode {
    use aemp_tests::soak::options;

    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match options::run(&arguments) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    eprintln!("aemp-soak reads the data of Linux about processes");
    ExitCode::FAILURE
}
