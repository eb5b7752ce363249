//! Erlang, whose side of the workloads is `erlang/bench.erl`. It has those with handlers that do nothing: its scheduler
//! takes turns between processes by their instructions, so that no handler blocks another.

use crate::erlang::{command, figure};
use crate::local::workloads::{Sizes, Workload};
use crate::runtime;

pub(super) fn measure(workload: Workload, sizes: Sizes) -> Option<f64> {
    let counts = sizes.counts(workload)?;
    let mut command = command(runtime::usual_workers(), "");
    command.args(["local", workload.name()]);
    command.args(counts.iter().map(u64::to_string));
    figure(command)
}

/// The bytes of an idle process: the growth of the virtual machine.
pub(super) fn idle(actors: u64) -> Option<f64> {
    let mut command = command(runtime::usual_workers(), "");
    command.args(["local", "memory", &actors.to_string()]);
    figure(command)
}
