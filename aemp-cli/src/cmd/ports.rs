//! `aemp ports`: the ports of a node.

use aemp::inspect::{InspectError, Ports};
use clap::{Arg, ArgMatches, Command, value_parser};

use super::trace::failed;
use crate::{
    Exit,
    args::{one, word},
    failure::{Failure, Outcome},
    output::{self, Output, Text},
    session::Session,
    table::{Table, count},
    words,
};

/// The number of ports that are listed by default.
const MOST: usize = 20;

pub(crate) fn command() -> Command {
    Command::new("ports")
        .about("List the ports of a node")
        .long_about(
            "Prints the number of a node's ports of each type, and the ports with the longest queues: ID, number of \
             waiting messages, and number of monitors. Ports of running calls have the type `reply`.\n\nPerl nodes do \
             not know the request; for them the command fails. With --json: one document with `total`, `queued`, \
             `types` and `ports`.",
        )
        .after_help("Example: the hundred busiest ports\n  aemp ports --most 100 green/1")
        .arg(
            Arg::new("most")
                .long("most")
                .value_name("N")
                .value_parser(value_parser!(usize))
                .help("The maximum number of listed ports [default: 20]"),
        )
        .arg(one("NODE", "The node"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let node = words::node_or_name(word(matches, "NODE"))?;
    let most = matches.get_one::<usize>("most").copied().unwrap_or(MOST);
    session.with_client(async |client| {
        let node = client.node_of(&node).await?;
        let inspect = client.node.inspect(&node).at_most(most);
        let missing = format!("no answer of {node}");
        let ports = client.within(&missing, inspect.ports()).await?;
        let ports = ports.map_err(|error| match error {
            InspectError::Call { .. } => {
                Failure::failed(format_args!("{node}: {}", failed(&error)))
            }
            error => Failure::failed(error),
        })?;
        print(client.output, &ports)?;
        Ok(Exit::Done)
    })
}

fn print(output: &Output, ports: &Ports) -> Result<(), Failure> {
    if output.is_json() {
        return output::document(ports);
    }
    let total = count(ports.total, "port");
    let queued = count(ports.queued, "message");
    output::line(&Text::of(format_args!("{total}, {queued} queued")))?;
    output::line(&Text::default())?;
    let mut types = Table::new(&["TYPE", "PORTS", "QUEUED"]);
    for kind in &ports.types {
        types.row(vec![
            kind.kind.clone(),
            kind.count.to_string(),
            kind.queued.to_string(),
        ]);
    }
    types.print(output)?;
    output::line(&Text::default())?;
    let mut each = Table::new(&["PORT", "TYPE", "QUEUED", "MONITORS"]);
    for port in &ports.ports {
        each.row(vec![
            port.id.clone(),
            port.kind.clone(),
            port.queued.to_string(),
            port.monitors.to_string(),
        ]);
    }
    each.print(output)
}
