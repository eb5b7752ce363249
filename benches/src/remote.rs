//! Two processes over loopback TCP.

mod codec;
mod contender;
mod contenders;
mod flood;
mod peers;
mod processes;
mod workloads;

use std::process::ExitCode;

use crate::bench;
use crate::erlang;
use crate::options::Options;
use crate::remote::codec::{CODECS, Codec};
use crate::remote::contenders::{CONTENDERS, Contender};
pub(crate) use crate::remote::workloads::TEXT;
use crate::remote::workloads::{Sizes, WORKLOADS, Workload};
use crate::report::Row;
use crate::schedule::{self, Entrant};

/// The remote bench: reads the command line, measures, prints.
pub fn main() -> ExitCode {
    bench::run(processes::child, parent)
}

fn parent(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let workloads = Options::choose(&options.only, &WORKLOADS, |workload| workload.name())?;
    let codecs = Options::choose(&options.codecs, &CODECS, |codec| codec.name())?;
    let mut contenders =
        Options::choose(&options.contenders, CONTENDERS, |contender| contender.name)?;
    contenders.retain(|contender| contender.name != erlang::NAME || erlang::is_there());
    let each = workloads.iter();
    let each = each.flat_map(|workload| codecs.iter().map(|codec| (*workload, *codec)));
    let rows = each.map(|(workload, codec)| measure(workload, codec, &contenders, &options));
    schedule::print(&options, rows)
}

fn measure(
    workload: Workload,
    codec: Codec,
    contenders: &[Contender],
    options: &Options,
) -> Result<Row, String> {
    let entrants: Vec<_> = contenders.iter().map(Contender::entrant).collect();
    let pinned = workload.on_one_core() && processes::can_pin();
    let mut title = format!("{}, {}", workload.title(), codec.name());
    if workload.on_one_core() && !pinned {
        title.push_str(" (taskset is missing: on any core)");
    }
    let mut problem = None;
    let row = schedule::interleave(title, workload.unit(), &entrants, options.reps, |index| {
        let contender = &contenders[index];
        if !(contender.has)(codec, workload) {
            return None;
        }
        let measured = match workload {
            Workload::Start => {
                let starts = Sizes::choose(options.smoke).starts;
                (contender.start)(contender.name, codec, starts)
            }
            _ => processes::measure(contender.name, codec, workload, options.smoke, pinned),
        };
        measured
            .map_err(|text| problem = Some(format!("{}: {text}", contender.name)))
            .ok()
    });
    problem.map_or(Ok(row), Err)
}

impl Contender {
    fn entrant(&self) -> Entrant {
        Entrant {
            name: self.name,
            role: self.role,
        }
    }
}
