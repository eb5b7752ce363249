//! Memory per idle actor: the growth of a fresh process.

use std::env;
use std::process::Command;

use crate::local::contenders::{CONTENDERS, Contender};
use crate::local::framework::Framework;
use crate::local::workloads;
use crate::resident::{kilobytes, resident};
use crate::runtime;

const CHILD: &str = "--memory-child";

/// A little more than an actor of the heaviest contender needs.
const BYTES_PER_ACTOR: u64 = 9_000;

/// `wanted`, or a tenth of it if there is not enough memory.
pub(crate) fn affordable(wanted: u64) -> u64 {
    let Some(available) = kilobytes("/proc/meminfo", "MemAvailable:") else {
        return wanted;
    };
    if available * 1024 >= wanted * BYTES_PER_ACTOR {
        wanted
    } else {
        wanted / 10
    }
}

/// Measures in a separate process. `None` if the system does not report memory.
pub(crate) fn measure(contender: &Contender, actors: u64) -> Option<f64> {
    let program = env::current_exe().ok()?;
    let actors = actors.to_string();
    let child = Command::new(program)
        .args([CHILD, contender.name, &actors])
        .output()
        .ok()?;
    String::from_utf8(child.stdout).ok()?.trim().parse().ok()
}

/// Runs the child's part, if the arguments are those of a child.
pub(crate) fn child(arguments: &[String]) -> Option<Result<(), String>> {
    let [flag, name, actors] = arguments else {
        return None;
    };
    if flag != CHILD {
        return None;
    }
    let contender = CONTENDERS.iter().find(|contender| contender.name == name)?;
    let actors = actors.parse().ok()?;
    let growth = (contender.idle)(actors);
    Some(
        growth
            .map(|bytes| println!("{bytes}"))
            .ok_or_else(|| "no /proc/self/status".to_owned()),
    )
}

/// The bytes for each actor, including the handle that keeps it.
pub(crate) fn idle<F: Framework>(actors: u64) -> Option<f64> {
    F::run(runtime::usual_workers(), move |framework| async move {
        // Before the count begins, the runtime's threads and the allocator's arenas must exist.
        workloads::visit_all(&workloads::counters(&framework, 100).await).await;
        let before = resident()?;
        let counters = workloads::counters(&framework, actors).await;
        workloads::visit_all(&counters).await;
        Some((resident()? - before) / actors as f64)
    })
}
