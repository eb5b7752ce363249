//! `aemp cal`: a call of a port.

use aemp::CallError;
use clap::{ArgMatches, Command};

use crate::{
    Exit,
    args::{many, one, rest, word},
    failure::{Failure, Outcome},
    output::{self, Output, Text},
    session::Session,
    words,
};

pub(crate) fn command() -> Command {
    Command::new("cal")
        .about("Call a port, and print its answer")
        .long_about(
            "Sends a message with a reply port as its last argument, and prints the answer: JSON values, separated by \
             commas.\n\nFails with the reason if the port is dead, and after --timeout seconds without an answer. With \
             --json: one JSON array. Options stand before the first ARG. Everything after the first ARG is part of the \
             message.",
        )
        .after_help("Examples:\n  aemp cal 'green/1#counter' get\n  aemp cal green/1 time")
        .arg(one("PORT", "The port ID, NODE#NAME, or @NAME; a bare NODE is the node's own port"))
        .arg(many("ARG", "The message: its tag, then its arguments"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let port = words::port(word(matches, "PORT"))?;
    let message = words::values("ARG", rest(matches, "ARG"))?;
    session.with_client(async |client| {
        let port = client.port(&port).await?;
        let missing = format!("no answer of {port}");
        let call = client.node.cal(&port, message);
        match client.within(&missing, call).await? {
            Ok(answer) => {
                print_values(client.output, &answer)?;
                Ok(Exit::Done)
            }
            Err(CallError::Died(reason)) => Err(Failure::failed(format_args!("{port}: {reason}"))),
            Err(CallError::Send(error)) => Err(Failure::usage(format_args!("the message {error}"))),
            Err(error) => Err(Failure::failed(format_args!("{port}: {error}"))),
        }
    })
}

/// Prints an answer: its values with commas between them, or as an array.
pub(super) fn print_values(output: &Output, values: &[aemp::Value]) -> Result<(), Failure> {
    let shown: Vec<_> = values.iter().map(ToString::to_string).collect();
    if output.is_json() {
        return output::document(&values);
    }
    output::line(&Text::of(shown.join(",")))
}
