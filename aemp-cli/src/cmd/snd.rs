//! `aemp snd`: a message to a port.

use std::time::Duration;

use aemp::{Args, Cx, Value};
use clap::{ArgMatches, Command};
use serde_json::json;
use tokio::{sync::mpsc, time::timeout};

use crate::{
    Exit,
    args::{many, one, rest, word},
    client::Client,
    failure::{Failure, Outcome},
    output,
    session::Session,
    words,
};

pub(crate) fn command() -> Command {
    Command::new("snd")
        .about("Send a message to a port, and check its arrival")
        .long_about(
            "Sends a message to a port, then waits until the message has arrived at the port's node and the port is \
             known to be alive.\n\nPrints `message sent successfully`. Fails with the reason if the port is dead or \
             cannot be reached.\nWith --json: {\"sent\":true} or {\"sent\":false,\"reason\":[..]}. Options stand \
             before the first ARG. Everything after the first ARG is part of the message.",
        )
        .after_help(
            "Examples:\n  aemp snd 'green/1#counter' inc 5\n  aemp snd green/1 Some::function '[\"a\", 1]'",
        )
        .arg(one("PORT", "The port ID, NODE#NAME, or @NAME; a bare NODE is the node's own port"))
        .arg(many("ARG", "The message: its tag, then its arguments"))
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let port = words::port(word(matches, "PORT"))?;
    let message = words::values("ARG", rest(matches, "ARG"))?;
    session.with_client(async |client| {
        let port = client.port(&port).await?;
        let sent = client.node.snd(&port, message);
        sent.check()
            .map_err(|error| Failure::usage(format_args!("the message {error}")))?;
        let arrived = arrived(client, &port, Duration::ZERO);
        let missing = format!("no answer of the node of {port}");
        match client.within(&missing, arrived).await? {
            Ok(()) => {
                client
                    .output
                    .result(&json!({ "sent": true }), "message sent successfully")?;
                Ok(Exit::Done)
            }
            Err(reason) => {
                if client.output.is_json() {
                    output::document(&json!({ "sent": false, "reason": &*reason }))?;
                    return Ok(Exit::Failed);
                }
                Err(Failure::failed(format_args!("{port}: {reason}")))
            }
        }
    })
}

/// Waits until everything sent to a port has arrived and the port has lived for a moment more. Otherwise returns the
/// reason of its death.
///
/// A node answers in order, so a missing port is reported before the echo, and so is a spawn that cannot begin. A port
/// whose init function returns an error dies when a worker of its node has been free to run it, beside the echo. Only
/// time shows that it has not.
pub(super) async fn arrived(
    client: &Client<'_>,
    port: &aemp::PortId,
    moment: Duration,
) -> Result<(), aemp::Reason> {
    let (tell, mut told) = mpsc::unbounded_channel();
    let died = tell.clone();
    let callback = move |reason: &aemp::Reason| drop(died.send(Some(reason.clone())));
    let _monitor = client.node.mon(port, callback);
    let echo = client
        .node
        .untyped(move |_: &mut Cx<'_>, _: Args| drop(tell.send(None)));
    let message = vec![Value::from("arrived")];
    // The request contains only texts, which can always be encoded.
    drop(client.node.snd_on(port.node(), &echo.id(), message));
    if let Some(reason) = told.recv().await.flatten() {
        return Err(reason);
    }
    match timeout(moment, told.recv()).await {
        Ok(Some(Some(reason))) => Err(reason),
        _ => Ok(()),
    }
}
