//! The distributed database between processes on loopback, beside the project's targets.

mod member;
mod network;
mod process;

use std::env;
use std::process::ExitCode;

use crate::database::network::Network;
use crate::noise::{Figures, figure, median};
use crate::options::Options;

/// The database bench: reads the command line, measures, prints.
pub fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    if process::child(&arguments).is_some() {
        return ExitCode::SUCCESS;
    }
    match parent(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

/// A measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Workload {
    Start,
    Spread,
    Join,
}

const WORKLOADS: [Workload; 3] = [Workload::Start, Workload::Spread, Workload::Join];

impl Workload {
    fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Spread => "spread",
            Self::Join => "join",
        }
    }
}

/// All measurements of one row.
struct Row {
    title: String,
    unit: &'static str,
    /// The target, if there is one.
    limit: Option<f64>,
    figures: Figures,
}

impl Row {
    fn new(title: impl Into<String>, unit: &'static str, limit: Option<f64>) -> Self {
        Self {
            title: title.into(),
            unit,
            limit,
            figures: Figures::default(),
        }
    }

    fn line(&self, markdown: bool) -> String {
        let limit = self.limit.map_or_else(|| "-".to_owned(), figure);
        let (title, unit, figures) = (&self.title, self.unit, &self.figures);
        if markdown {
            return format!("| {title}, {unit} | {figures} | {limit} |");
        }
        format!("{title:<64} {unit:<5} {figures:<26} at most {limit}")
    }
}

fn parent(arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    if !options.contenders.is_empty() {
        return Err("there are no other contenders here".to_owned());
    }
    let workloads = Options::choose(&options.only, &WORKLOADS, |workload| workload.name())?;
    if options.markdown {
        println!("| figure | measured | at most |\n| --- | ---: | ---: |");
    }
    for workload in workloads {
        let rows = match workload {
            Workload::Start => start(&options)?,
            Workload::Spread => spread(&options)?,
            Workload::Join => join(&options)?,
        };
        for row in rows {
            println!("{}", row.line(options.markdown));
        }
    }
    Ok(())
}

/// The number of keys.
fn keys(options: &Options) -> usize {
    if options.smoke { 1_000 } else { 100_000 }
}

fn start(options: &Options) -> Result<Vec<Row>, String> {
    let title = "start of process to first callback, one key";
    let mut row = Row::new(title, "ms", Some(10.0));
    let mut network = Network::start(1)?;
    network.set(1)?;
    network.wait_for(1)?;
    let starts = if options.smoke { 2 } else { 20 };
    for _ in 0..options.reps {
        let times: Result<Vec<_>, _> = (0..starts).map(|_| network.join(1, false)).collect();
        row.figures.extend(median(&times?));
    }
    Ok(vec![row])
}

fn spread(options: &Options) -> Result<Vec<Row>, String> {
    let keys = keys(options);
    let mut rows = [
        Row::new(format!("{keys} keys set one by one"), "ms", None),
        Row::new(
            "  ... and held by 3 global nodes, and seen by a watcher",
            "ms",
            Some(1000.0),
        ),
        Row::new(
            "  memory per key, the node that has set them",
            "bytes",
            None,
        ),
        Row::new("  memory per key, a global node", "bytes", None),
        Row::new("  memory per key, a watcher", "bytes", None),
    ];
    for _ in 0..options.reps {
        let spread = Network::start(3)?.spread(keys)?;
        let times = [spread.calls, spread.everywhere];
        for (row, figure) in rows.iter_mut().zip(times.into_iter().chain(spread.memory)) {
            row.figures.push(figure);
        }
    }
    Ok(Vec::from(rows))
}

fn join(options: &Options) -> Result<Vec<Row>, String> {
    let keys = keys(options);
    let title = |starter: &str| format!("start of {starter} until it has seen {keys} keys");
    let mut rows = [
        Row::new(title("a process"), "ms", Some(500.0)),
        Row::new(title("a global node's process"), "ms", Some(500.0)),
    ];
    let mut network = Network::start(1)?;
    network.set(keys)?;
    network.wait_for(keys)?;
    for _ in 0..options.reps {
        for (row, global) in rows.iter_mut().zip([false, true]) {
            row.figures.push(network.join(keys, global)?);
        }
    }
    Ok(Vec::from(rows))
}
