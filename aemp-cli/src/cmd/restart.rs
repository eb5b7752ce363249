//! `aemp restart`: a new process for a node.
//!
//! A node of this project has an init function for it, and a Perl node evaluates code. The answer to an inspection tells
//! them apart, also if it is a refusal: a Perl node does not know the request.

use aemp::inspect::InspectError;
use clap::{ArgMatches, Command};
use serde_json::json;

use super::eval::evaluate;
use crate::{
    Exit,
    args::{one, word},
    failure::{Failure, Outcome},
    services,
    session::Session,
    words,
};

/// Perl code that restarts the process after the answer has been sent.
const RESTART: &str = "require AnyEvent::Watchdog::Util; \
    my $timer; $timer = AnyEvent->timer (after => 0.1, cb => sub { undef $timer; AnyEvent::Watchdog::Util::restart () }); ()";

pub(crate) fn command() -> Command {
    Command::new("restart")
        .about("Restart a node that runs under a watchdog")
        .long_about(
            "Restarts the process of a node. It stops in order, and its watchdog starts it again, with the present file of \
             the program. A Rust node must have been started with `aemp run --restart`, or by a service manager that sets \
             AEMP_WATCHDOG=service and starts it again after status 75. A Perl node must run under AnyEvent::Watchdog, as \
             those of the Perl command `aemp run` do. Fails for all other nodes, and where the node's `secure` or `allow` \
             refuses it.",
        )
        .after_help("Example:\n  aemp restart green/1")
        .arg(one("NODE", "The node"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let node = words::node_or_name(word(matches, "NODE"))?;
    session.with_client(async |client| {
        let node = client.node_of(&node).await?;
        let missing = format!("no answer of {node}");
        let info = client
            .within(&missing, client.node.inspect(&node).node())
            .await?;
        match info {
            Ok(_) | Err(InspectError::Refused { .. }) => {
                client.run_on(&node, services::RESTART, Vec::new()).await?;
            }
            Err(InspectError::Unknown { .. }) => {
                evaluate(client, node.as_str(), RESTART).await?;
            }
            Err(error) => return Err(Failure::failed(error)),
        }
        client.output.result(
            &json!({ "restarts": node.as_str() }),
            &format!("{node} restarts"),
        )?;
        Ok(Exit::Done)
    })
}
