//! `aemp mon`: waiting for the end of a port.

use aemp::Reason;
use clap::{ArgMatches, Command};
use serde_json::json;

use crate::{
    Exit,
    args::{one, word},
    failure::Outcome,
    output::{self, Output, Text},
    session::Session,
    words,
};

pub(crate) fn command() -> Command {
    Command::new("mon")
        .about("Wait until a port dies, and print the reason")
        .long_about(
            "Waits, without a time limit, until the port dies, is found not to exist, or its node is lost. Prints the \
             elements of the reason, separated by blanks. A normal end is an empty line.\n\nWith --json: \
             {\"port\":ID,\"reason\":[..]}.",
        )
        .after_help("Example: wait for the end of a node\n  aemp mon green/1")
        .arg(one("PORT", "The port ID, NODE#NAME, or @NAME; a bare NODE is the node itself"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let port = words::port(word(matches, "PORT"))?;
    session.with_client(async |client| {
        let port = client.port(&port).await?;
        let reason = client.death(&port).await;
        print_reason(client.output, port.as_str(), &reason)?;
        Ok(Exit::Done)
    })
}

pub(super) fn print_reason(
    output: &Output,
    port: &str,
    reason: &Reason,
) -> Result<(), crate::failure::Failure> {
    if output.is_json() {
        return output::document(&json!({ "port": port, "reason": &**reason }));
    }
    output::line(&Text::of(reason))
}
