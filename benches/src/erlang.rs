//! Erlang as a contender: `erlang/bench.erl`, run by the virtual machine if there is one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The name in reports and for `--contender`.
pub(crate) const NAME: &str = "erlang";

/// True if Erlang is there. Otherwise a line says that it is skipped.
pub(crate) fn is_there() -> bool {
    let found = Command::new("escript")
        .arg(script())
        .arg("there")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let is_there = found.is_ok_and(|status| status.success());
    if !is_there {
        eprintln!("erlang: skipped, because there is no escript (Debian: erlang-base)");
    }
    is_there
}

/// The script in a virtual machine with as many schedulers as the other contenders have workers.
pub(crate) fn command(workers: usize, flags: &str) -> Command {
    let mut command = Command::new("escript");
    command
        .env(
            "ERL_FLAGS",
            format!("+S {workers}:{workers} +P 4000000 {flags}"),
        )
        .arg(script());
    command
}

/// The figure that the script prints.
pub(crate) fn figure(mut command: Command) -> Option<f64> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().parse().ok()
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("erlang/bench.erl")
}
