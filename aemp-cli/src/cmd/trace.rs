//! `aemp trace`: all connections of the network.

mod dot;
mod gather;
mod svg;
#[cfg(test)]
mod tests;

use std::{fs, path::Path};

use aemp_web::topology::{
    graph::{self, Graph},
    layout,
};
use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

pub(crate) use self::gather::{failed, up_nodes};
use crate::{
    Exit,
    failure::{Failure, Outcome},
    output::{self, Output, Paint, Text},
    session::Session,
    table::count,
    words,
};

pub(crate) fn command() -> Command {
    Command::new("trace")
        .about("Show the connections of the whole network")
        .long_about(
            "Asks a node for its connections, then the nodes at their other ends, until all nodes have been asked. \
             Prints one line for each node:\n\n    NODE (global) -> NODE NODE ...\n    NODE (slave of NODE) -> NODE \
             ...\n\n`not global` is a node with an unknown master. `role unknown` is a node that does not report its \
             role and has no entry in the database. The status is 1 if a node gives no answer; the line of that node \
             then says so. Without NODE, the search begins at the seeds. The command's own node is left out.\n\nWith \
             --json: \
             {\"nodes\":[{\"node\":ID,\"global\":BOOL,\"master\":ID,\"failure\":TEXT}],\"connections\":[[ID,ID],..]}, \
             where null stands for unknown values.",
        )
        .after_help("Examples:\n  aemp trace\n  aemp trace green/1 --svg network.svg\n  aemp trace --dot | dot -Tpdf > network.pdf")
        .arg(Arg::new("NODE").help("The node to begin with"))
        .arg(
            Arg::new("svg")
                .long("svg")
                .value_name("FILE")
                .value_parser(value_parser!(std::path::PathBuf))
                .help("Write a picture of the network into this file, as SVG, instead"),
        )
        .arg(
            Arg::new("dot")
                .long("dot")
                .action(ArgAction::SetTrue)
                .conflicts_with("svg")
                .help("Print the network in the language of Graphviz instead"),
        )
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let begin = matches.get_one::<String>("NODE");
    let begin = begin.map(|node| words::node(node)).transpose()?;
    let svg = matches.get_one::<std::path::PathBuf>("svg");
    session.with_client(async |client| {
        let graph = gather::gather(client, begin).await?;
        match svg {
            Some(file) => write(client.output, file, &graph)?,
            None if matches.get_flag("dot") => {
                output::line(&Text::lines(dot::write(&graph).trim_end()))?;
            }
            None if client.output.is_json() => output::document(&graph.document())?,
            None => print(client.output, &graph)?,
        }
        let complete = graph.nodes.values().all(|node| node.failure.is_none());
        Ok(if complete { Exit::Done } else { Exit::Failed })
    })
}

fn print(output: &Output, graph: &Graph) -> Result<(), Failure> {
    for (id, node) in &graph.nodes {
        let mut line = output.paint(Paint::Bold, Text::of(id));
        match &node.master {
            _ if node.global == Some(true) => {
                line.push(&output.paint(Paint::Green, Text::of(" (global)")));
            }
            Some(master) => line.push(&Text::of(format_args!(" (slave of {master})"))),
            None if node.failure.is_some() => {}
            None if node.global == Some(false) => line.push(&Text::of(" (not global)")),
            None => line.push(&Text::of(" (role unknown)")),
        }
        if let Some(failure) = &node.failure {
            let failure = Text::of(format_args!(" ({failure})"));
            line.push(&output.paint(Paint::Red, failure));
        } else {
            let neighbours: Vec<_> = graph.neighbours(id).collect();
            line.push(&Text::of(format_args!(" -> {}", neighbours.join(" "))));
        }
        line.trim_end();
        output::line(&line)?;
    }
    Ok(())
}

fn write(output: &Output, file: &Path, graph: &Graph) -> Result<(), Failure> {
    fs::write(file, svg::draw(graph)).map_err(|error| {
        Failure::failed(format_args!("cannot write {}: {error}", file.display()))
    })?;
    let nodes = count(graph.nodes.len() as u64, "node");
    let connections = count(graph.connections.len() as u64, "connection");
    output.note(&format!("{}: {nodes}, {connections}", file.display()));
    Ok(())
}
