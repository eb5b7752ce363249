//! Ports whose handlers wait, or work.

mod contenders;
mod framework;
mod workloads;

use std::env;
use std::process::ExitCode;

use crate::options::Options;
use crate::report::{self, Row};
use crate::schedule::{self, Entrant};
use crate::waiting::contenders::CONTENDERS;
use crate::waiting::workloads::WORKLOADS;

/// The bench of waiting handlers: reads the command line, measures, prints.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match measure(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    let workloads = Options::choose(&options.only, &WORKLOADS, |workload| workload.name)?;
    let contenders = Options::choose(&options.contenders, CONTENDERS, |contender| contender.name)?;
    let entrants: Vec<_> = contenders
        .iter()
        .map(|contender| Entrant {
            name: contender.name,
            role: contender.role,
        })
        .collect();
    let mut rows = Vec::new();
    for workload in workloads {
        let workload = if options.smoke {
            workload.small()
        } else {
            workload
        };
        let title = workload.title.to_owned();
        let row = schedule::interleave(title, workload.unit(), &entrants, options.reps, |index| {
            Some((contenders[index].measure)(workload))
        });
        let row = Row {
            ideal: workload.ideal(),
            ..row
        };
        if !options.markdown {
            println!("{}", row.text());
        }
        rows.push(row);
    }
    report::finish(&rows, options.markdown);
    Ok(())
}
