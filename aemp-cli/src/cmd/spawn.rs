//! `aemp spawn`: a new port on a node.

use std::time::Duration;

use clap::{Arg, ArgAction, ArgMatches, Command};
use serde_json::json;

use super::{mon::print_reason, snd::arrived};
use crate::{
    Exit,
    args::{many, one, rest, text, word},
    failure::{Failure, Outcome},
    session::Session,
    words,
};

/// The time after which the failure of an init function has been reported, in addition to a round trip. A spawn that
/// cannot begin is reported within the round trip: an unknown function, or arguments of other types.
const MOMENT: Duration = Duration::from_millis(30);

pub(crate) fn command() -> Command {
    Command::new("spawn")
        .about("Spawn a port on a node, and print its ID")
        .long_about(
            "Runs an init function on a node, which makes a port, and prints the port's ID. Fails with the reason if \
             the function does not exist or fails at once.\n\nA Perl node runs any function that it can find or load. \
             With --json: {\"port\":ID}. Options stand before the first ARG. Everything after the first ARG is an \
             argument of the function.",
        )
        .after_help(
            "Examples:\n  aemp spawn green/1 My::Counter::start 5\n  aemp spawn --wait green/1 Aemp::echo",
        )
        .arg(one("NODE", "The node"))
        .arg(one("FUNCTION", "The full name of the init function, Some::name"))
        .arg(many("ARG", "Its arguments"))
        .arg(
            Arg::new("wait")
                .long("wait")
                .visible_alias("mon")
                .action(ArgAction::SetTrue)
                .help("Wait until the port dies, then print the reason"),
        )
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let node = words::node_or_name(word(matches, "NODE"))?;
    let function = text(matches, "FUNCTION")?;
    let args = words::values("ARG", rest(matches, "ARG"))?;
    let wait = matches.get_flag("wait");
    session.with_client(async |client| {
        let node = client.node_of(&node).await?;
        let port = client.node.spawn(node.as_str(), &function, args);
        let death = client.death(&port);
        let missing = format!("no answer of {node}");
        let arrived = arrived(client, &port, MOMENT);
        client
            .within(&missing, arrived)
            .await?
            .map_err(|reason| Failure::failed(format_args!("{function} on {node}: {reason}")))?;
        client
            .output
            .result(&json!({ "port": port.as_str() }), port.as_str())?;
        if wait {
            print_reason(client.output, port.as_str(), &death.await)?;
        }
        Ok(Exit::Done)
    })
}
