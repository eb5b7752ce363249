//! `aemp nodes`: the nodes of the network.

use clap::{ArgMatches, Command};

use crate::{Exit, client, failure::Outcome, output, session::Session};

pub(crate) fn command() -> Command {
    Command::new("nodes").about("List the nodes of the network")
}

pub(crate) fn run(session: &mut Session, _matches: &ArgMatches) -> Outcome {
    client::with(session, async |client| {
        for node in client.node.up_nodes() {
            output::line(node.as_str())?;
        }
        Ok(Exit::Done)
    })
}
