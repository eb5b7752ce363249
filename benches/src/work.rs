//! Jobs, pools, topics and names within one process.

mod aemp;
mod contender;
mod kameo;
mod ractor;

use std::process::ExitCode;

use self::contender::Works;
use crate::{
    bench,
    options::Options,
    report::{self, Role, Row, Unit},
    runtime,
    schedule::{self, Entrant},
};

/// The subscribers of a topic.
const SUBSCRIBERS: u64 = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workload {
    Jobs,
    Calls,
    FanOut,
    LookUps,
}

const WORKLOADS: [Workload; 4] = [
    Workload::Jobs,
    Workload::Calls,
    Workload::FanOut,
    Workload::LookUps,
];

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::Jobs => "dispatch",
            Self::Calls => "pool-calls",
            Self::FanOut => "fan-out",
            Self::LookUps => "look-ups",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Jobs => "jobs of a dispatcher with 4 workers, 64 under way",
            Self::Calls => "calls of the least loaded of 4 members of a pool, 64 under way",
            Self::FanOut => "messages of a topic that 1,000 subscribers handle",
            Self::LookUps => "look-ups of 1,000 names of the process",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Jobs | Self::Calls => Unit::rate("k/s"),
            Self::FanOut | Self::LookUps => Unit::rate("M/s"),
        }
    }

    /// The number of operations that are timed, in units of the figure.
    fn scaled(self, operations: u64) -> f64 {
        match self {
            Self::Jobs | Self::Calls => operations as f64 / 1e3,
            Self::FanOut | Self::LookUps => operations as f64 / 1e6,
        }
    }
}

#[derive(Clone, Copy)]
struct Contender {
    name: &'static str,
    role: Role,
    measure: fn(Workload, bool) -> Option<f64>,
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
    bench::run(|_| None, parent)
}

fn parent(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let workloads = Options::choose(&options.only, &WORKLOADS, |workload| workload.name())?;
    let contenders = Options::choose(&options.contenders, &CONTENDERS, |one| one.name)?;
    let entrants: Vec<_> = contenders
        .iter()
        .map(|one| Entrant {
            name: one.name,
            role: one.role,
        })
        .collect();
    let mut rows: Vec<Row> = Vec::new();
    for workload in workloads {
        let measure = |index: usize| (contenders[index].measure)(workload, options.smoke);
        let title = workload.title().to_owned();
        let row = schedule::interleave(title, workload.unit(), &entrants, options.reps, measure);
        if !options.markdown {
            println!("{}", row.text());
        }
        rows.push(row);
    }
    report::finish(&rows, options.markdown);
    Ok(())
}

/// Measures on a runtime of its own, on one of its workers.
fn measure<W: Works>(workload: Workload, smoke: bool) -> Option<f64> {
    let many = move |count: u64| if smoke { 200 } else { count };
    let runtime = runtime::multi_thread();
    let task = runtime.spawn(async move {
        let (operations, took) = match workload {
            Workload::Jobs => (many(100_000), W::jobs(many(100_000)).await),
            Workload::Calls => (many(500_000), W::calls(many(500_000)).await),
            Workload::FanOut => {
                let messages = many(1000);
                let subscribers = if smoke { 10 } else { SUBSCRIBERS };
                (
                    messages * subscribers,
                    W::fan_out(subscribers, messages).await,
                )
            }
            Workload::LookUps => (many(2_000_000), W::look_ups(many(2_000_000)).await),
        };
        Some(workload.scaled(operations) / took?.as_secs_f64())
    });
    runtime.block_on(task).expect("no workload panics")
}
