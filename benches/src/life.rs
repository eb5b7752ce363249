//! The life of actors within one process: restarts by a supervisor, a hundred thousand dynamic children, and hooks.
//!
//! Each measurement has a process of its own, because memory is measured as the growth of a fresh process.

mod aemp;
mod contender;
mod kameo;
mod ractor;

use std::{env, process::Command, process::ExitCode, time::Instant};

use self::contender::{Lives, Nursery};
use crate::{
    bench,
    local::framework::Latch,
    options::Options,
    report::{self, Role, Row, Unit},
    resident::resident,
    runtime,
    schedule::{self, Entrant},
};

const CHILD: &str = "--life-child";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workload {
    Restart,
    StartChildren,
    ChildBytes,
    StopChildren,
    Hooks,
}

const WORKLOADS: [Workload; 5] = [
    Workload::Restart,
    Workload::StartChildren,
    Workload::ChildBytes,
    Workload::StopChildren,
    Workload::Hooks,
];

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::StartChildren => "start-children",
            Self::ChildBytes => "child-bytes",
            Self::StopChildren => "stop-children",
            Self::Hooks => "hooks",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Restart => "restart: from a fatal message to the answer of the next incarnation",
            Self::StartChildren => "start of 100,000 dynamic children, one after the other",
            Self::ChildBytes => "memory of a dynamic child and its supervision",
            Self::StopChildren => "end of a supervisor with 100,000 children, until all have gone",
            Self::Hooks => "start and stop of an actor with hooks",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Restart => Unit::cost("us"),
            Self::StartChildren | Self::StopChildren => Unit::cost("ms"),
            Self::ChildBytes => Unit::cost("bytes"),
            Self::Hooks => Unit::rate("k/s"),
        }
    }
}

#[derive(Clone, Copy)]
struct Contender {
    name: &'static str,
    role: Role,
    measure: fn(Workload, u64) -> Option<f64>,
}

const CONTENDERS: [Contender; 3] = [
    Contender {
        name: "aemp",
        role: Role::Subject,
        measure: measure::<aemp::Aemp>,
    },
    Contender {
        name: "ractor",
        role: Role::Peer,
        measure: measure::<ractor::Ractor>,
    },
    Contender {
        name: "kameo",
        role: Role::Peer,
        measure: measure::<kameo::Kameo>,
    },
];

/// The bench: reads the command line, measures, prints.
pub fn main() -> ExitCode {
    bench::run(child, parent)
}

fn parent(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let workloads = Options::choose(&options.only, &WORKLOADS, |workload| workload.name())?;
    let contenders = Options::choose(&options.contenders, &CONTENDERS, |one| one.name)?;
    let count = if options.smoke { 100 } else { 100_000 };
    let entrants: Vec<_> = contenders
        .iter()
        .map(|one| Entrant {
            name: one.name,
            role: one.role,
        })
        .collect();
    let mut rows: Vec<Row> = Vec::new();
    for workload in workloads {
        let title = workload.title().to_owned();
        let measure = |index: usize| apart(workload, contenders[index].name, count);
        let row = schedule::interleave(title, workload.unit(), &entrants, options.reps, measure);
        if !options.markdown {
            println!("{}", row.text());
        }
        rows.push(row);
    }
    report::finish(&rows, options.markdown);
    Ok(())
}

/// Measures in a process of its own.
fn apart(workload: Workload, contender: &str, count: u64) -> Option<f64> {
    let program = env::current_exe().ok()?;
    let mut child = Command::new(program);
    child.args([CHILD, workload.name(), contender, &count.to_string()]);
    let output = child.output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}

/// Runs the child's part, if the arguments are those of a child.
fn child(arguments: &[String]) -> Option<Result<(), String>> {
    let [flag, workload, contender, count] = arguments else {
        return None;
    };
    if flag != CHILD {
        return None;
    }
    let workload = WORKLOADS.iter().find(|one| one.name() == workload)?;
    let contender = CONTENDERS.iter().find(|one| one.name == contender)?;
    let figure = (contender.measure)(*workload, count.parse().ok()?);
    Some(
        figure
            .map(|figure| println!("{figure}"))
            .ok_or_else(|| "no /proc/self/status".to_owned()),
    )
}

fn measure<L: Lives>(workload: Workload, count: u64) -> Option<f64> {
    let runtime = runtime::multi_thread();
    let task = runtime.spawn(async move {
        match workload {
            Workload::Restart => {
                let times = count / 100;
                let took = L::restarts(times).await;
                Some(took.as_secs_f64() * 1e6 / times as f64)
            }
            Workload::Hooks => {
                let (latch, all) = Latch::new();
                let begun = Instant::now();
                L::hooked(count, latch).await;
                let took = all.await - begun;
                Some(count as f64 / took.as_secs_f64() / 1e3)
            }
            Workload::StartChildren | Workload::ChildBytes | Workload::StopChildren => {
                children::<L>(workload, count).await
            }
        }
    });
    runtime.block_on(task).expect("no workload panics")
}

/// The life of all children of one supervisor, and the figure of it that the workload is about.
async fn children<L: Lives>(workload: Workload, count: u64) -> Option<f64> {
    // Before the count begins, the runtime's threads and the allocator's arenas must exist.
    let (latch, all) = Latch::new();
    let few = L::Nursery::open().await;
    few.start(100, latch).await;
    few.close().await;
    all.await;

    let before = resident()?;
    let (latch, all) = Latch::new();
    let nursery = L::Nursery::open().await;
    let begun = Instant::now();
    nursery.start(count, latch).await;
    let started = begun.elapsed();
    let bytes = (resident()? - before) / count as f64;
    let begun = Instant::now();
    nursery.close().await;
    let stopped = all.await - begun;
    Some(match workload {
        Workload::StartChildren => started.as_secs_f64() * 1e3,
        Workload::StopChildren => stopped.as_secs_f64() * 1e3,
        _ => bytes,
    })
}
