//! The node of `aemp run`, from its start to the end of the process.

use std::{pin::pin, time::Duration};

use aemp::{Node, NodeBuilder, Shown};
use serde_json::json;

use crate::{
    Exit,
    failure::{Failure, Outcome},
    notify::{self, Notify},
    output::{self, Output},
    signals::Signals,
    watchdog::Watched,
};

/// The time that the ports of a node have to handle their queues when the process is to end.
const DRAIN: Duration = Duration::from_secs(10);

/// Runs a node. `watched` is the state at the start of the process: the watchdog may have ended since. `tells` is true if
/// the addresses are to be printed for a user.
pub(super) async fn run(
    output: &Output,
    builder: NodeBuilder,
    watched: Watched,
    tells: bool,
) -> Outcome {
    // Caught from the start, so that an early signal is not lost.
    let mut signals = Signals::new().map_err(Failure::failed)?;
    let notify = Notify::of_process();
    if let Some(notify) = notify.clone() {
        tokio::spawn(notify.beats());
    }
    let node = tokio::select! {
        started = builder.start() => started.map_err(Failure::config)?,
        () = signals.next() => return Ok(Exit::Done),
    };
    tell(output, &node, tells)?;
    say(notify.as_ref(), notify::READY);
    let exit = until_end(&node, watched, &mut signals).await;
    say(notify.as_ref(), notify::STOPPING);
    tracing::info!("{} stops", Shown(node.id()));
    tokio::select! {
        () = node.stop_within(DRAIN) => Ok(exit),
        () = signals.next() => Err(Failure::failed("a second signal ended the node before it had stopped")),
    }
}

fn say(notify: Option<&Notify>, text: &str) {
    if let Some(notify) = notify {
        notify.say(text);
    }
}

/// Prints or logs where the node listens.
fn tell(output: &Output, node: &Node, tells: bool) -> Result<(), Failure> {
    let listeners = node.listeners();
    if output.is_json() {
        let document = json!({ "node": node.id(), "listeners": listeners });
        output::document(&document)?;
    }
    let line = match listeners.as_slice() {
        [] => format!("{} listens nowhere", node.id()),
        all => format!("{} listens on {}", node.id(), all.join(", ")),
    };
    if tells {
        output.note(&line);
    }
    tracing::info!("{}", Shown(line));
    Ok(())
}

/// Waits until the node is to stop. Returns the exit status for that case.
async fn until_end(node: &Node, watched: Watched, signals: &mut Signals) -> Exit {
    // Made once: a request that has come to a future which is dropped would be lost.
    let mut requested = pin!(watched.requested());
    let mut deserted = pin!(watched.deserted());
    loop {
        tokio::select! {
            reload = signals.reload_or_end() => match reload {
                true => reload_tls(node),
                false => return Exit::Done,
            },
            () = &mut requested => {
                tracing::info!("{} was asked to restart", Shown(node.id()));
                return Exit::Restart;
            }
            () = &mut deserted => {
                tracing::warn!("the watchdog has ended");
                return Exit::Failed;
            }
        }
    }
}

fn reload_tls(node: &Node) {
    match node.reload_tls() {
        Ok(()) => {
            tracing::info!("new connections use the certificates of the present configuration")
        }
        Err(error) => {
            let error = Shown(error);
            tracing::warn!("the certificates stay as they are: {error}");
        }
    }
}
