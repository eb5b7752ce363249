//! Ports whose handlers wait, or work.

mod contenders;
mod framework;
mod workloads;

use std::process::ExitCode;

use crate::bench;
use crate::schedule;
use crate::waiting::contenders::CONTENDERS;
use crate::waiting::workloads::WORKLOADS;

/// The bench of waiting handlers: reads the command line, measures, prints.
pub fn main() -> ExitCode {
    bench::run(|_| None, parent)
}

fn parent(arguments: &[String]) -> Result<(), String> {
    schedule::bench(
        arguments,
        &WORKLOADS,
        CONTENDERS,
        |options, workload, contender| {
            let workload = if options.smoke {
                workload.small()
            } else {
                workload
            };
            Some((contender.measure)(workload))
        },
    )
}
