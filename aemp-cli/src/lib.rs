//! The `aemp` command as a library: it runs nodes, configures them, talks to their ports, and shows the network.
//!
//! The binary of this package only calls [`main`]. A program of yours that calls it is the same command, with one
//! difference: the init functions that are linked into the program can be spawned on the nodes that it runs, and
//! named as services in their configuration. So your nodes run your code, and your program needs no line about
//! configuration, signals or logs:
//!
//! ```no_run
//! use aemp::{port, spawnable};
//!
//! struct Counter { n: i64 }
//!
//! #[port]
//! impl Counter {
//!     #[rcv] fn inc(&mut self, by: i64) { self.n += by }
//!     #[rcv] fn get(&self) -> i64 { self.n }
//! }
//!
//! #[spawnable(name = "My::Counter::start")]
//! fn start(n: i64) -> Counter { Counter { n } }
//!
//! fn main() {
//!     aemp_cli::main()
//! }
//! ```
//!
//! Suppose that it is called `mine`. `mine run nodeid green binds '*:4040'` runs a node, and `aemp spawn green
//! My::Counter::start 5` makes a port on it from anywhere in the network. `mine help` lists all commands, and `mine
//! help run` explains one.
//!
//! A node of `mine run --restart on-failure` is started again when it has crashed or hangs. [`service`] is about that,
//! and about nodes under systemd and in containers.
//!
//! Results go to standard output, everything else to standard error; [`Exit`] lists the exit statuses. With `--json`
//! results are JSON documents, one a line, and errors are `{"error":TEXT,"status":N}`.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod args;
mod cli;
mod client;
mod cmd;
mod entry;
mod exit;
mod failure;
mod input;
mod logs;
mod network;
mod notify;
mod options;
mod output;
mod services;
mod session;
mod signals;
mod table;
mod terminal;
mod watchdog;
mod words;

/// Nodes as services: the watchdog of `aemp run --restart`, systemd, containers, restarts from afar.
pub mod service {
    #![doc = include_str!("docs/service.md")]
}

use std::ffi::OsString;

pub use exit::Exit;

/// Runs the command with the arguments of this process, and ends the process.
///
/// Call it outside of any tokio runtime: commands that need a runtime make one.
///
/// ```no_run
/// aemp_cli::main();
/// ```
pub fn main() -> ! {
    let exit = run(std::env::args_os().skip(1));
    std::process::exit(exit.code().into())
}

/// Runs the command with these arguments, without the program's name. It prints to the standard output and standard
/// error of the process.
///
/// ```
/// use aemp_cli::Exit;
///
/// assert_eq!(aemp_cli::run(["completions", "bash"]), Exit::Done);
/// assert_eq!(aemp_cli::run(["no-such-command"]), Exit::Usage);
/// ```
///
/// # Panics
///
/// Panics within a tokio runtime.
pub fn run<I>(args: I) -> Exit
where
    I: IntoIterator,
    I::Item: Into<OsString>,
{
    match words::read(args.into_iter().map(Into::into)) {
        Ok(words) => cli::run(&cmd::entries(), words),
        Err(failure) => {
            output::Output::new(false, output::Color::Auto).failure(&failure);
            failure.exit
        }
    }
}
