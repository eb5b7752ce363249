//! The `aemp` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    eprintln!(
        "aemp {}: the command has no subcommands yet; the library is in the crate `aemp`",
        env!("CARGO_PKG_VERSION")
    );
    ExitCode::from(2)
}
