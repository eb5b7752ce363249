//! Ports within one process.

mod contenders;
pub(crate) mod framework;
mod memory;
mod workloads;

use std::process::ExitCode;

use crate::bench;
use crate::erlang;
use crate::local::contenders::{CONTENDERS, Contender};
use crate::local::workloads::{Sizes, Workload};
use crate::options::Options;
use crate::report::Row;
use crate::schedule::{self, Entrant};

/// The local bench: reads the command line, measures, prints.
pub fn main() -> ExitCode {
    bench::run(memory::child, parent)
}

fn parent(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let workloads = Options::choose(&options.only, &workloads::all(), |workload| workload.name())?;
    let mut contenders =
        Options::choose(&options.contenders, CONTENDERS, |contender| contender.name)?;
    contenders.retain(|contender| contender.name != erlang::NAME || erlang::is_there());
    let sizes = if options.smoke {
        Sizes::SMOKE
    } else {
        Sizes::FULL
    };
    let rows = workloads.into_iter();
    let rows = rows.map(|workload| Ok(measure(workload, &contenders, &sizes, options.reps)));
    schedule::print(&options, rows)
}

fn measure(workload: Workload, contenders: &[Contender], sizes: &Sizes, reps: usize) -> Row {
    let entrants: Vec<_> = contenders.iter().map(Contender::entrant).collect();
    let unit = workload.unit();
    if workload == Workload::Memory {
        let actors = memory::affordable(sizes.idle_actors);
        let title = format!("{} of {actors}", workload.title());
        // Only once: a million actors of each contender take minutes, and the number of bytes hardly varies.
        return schedule::interleave(title, unit, &entrants, 1, |index| {
            memory::measure(&contenders[index], actors)
        });
    }
    let title = workload.title().to_owned();
    let row = schedule::interleave(title, unit, &entrants, reps, |index| {
        (contenders[index].measure)(workload, *sizes)
    });
    Row {
        ideal: workload.ideal(sizes),
        ..row
    }
}

impl Contender {
    fn entrant(&self) -> Entrant {
        Entrant {
            name: self.name,
            role: self.role,
        }
    }
}
