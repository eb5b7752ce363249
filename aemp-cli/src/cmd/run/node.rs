//! The node of `aemp run`, from its start to the end of the process.

use std::{fmt::Write as _, pin::pin, time::Duration};

use aemp::{Node, NodeBuilder, Shown, metrics::MetricsServer};
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

/// The way in which a node is run.
pub(super) struct Ways {
    /// The state at the start of the process: the watchdog may have ended since.
    pub(super) watched: Watched,
    /// True if the addresses are to be printed for a user.
    pub(super) tells: bool,
    /// The address for metrics.
    pub(super) metrics: Option<String>,
}

/// Runs a node.
pub(super) async fn run(output: &Output, builder: NodeBuilder, ways: Ways) -> Outcome {
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
    let server = match &ways.metrics {
        Some(address) => Some(serve(&node, address).await?),
        None => None,
    };
    print_listeners(output, &node, ways.tells, server.as_ref())?;
    report(notify.as_ref(), notify::READY);
    let exit = until_end(&node, ways.watched, &mut signals).await;
    report(notify.as_ref(), notify::STOPPING);
    tracing::info!("{} stops", Shown(node.id()));
    tokio::select! {
        () = node.stop_within(DRAIN) => Ok(exit),
        () = signals.next() => Err(Failure::failed("a second signal ended the node before it had stopped")),
    }
}

/// Serves metrics until the result is dropped.
async fn serve(node: &Node, address: &str) -> Result<MetricsServer, Failure> {
    let server = node.serve_metrics(address).await;
    server.map_err(|error| Failure::config(format_args!("--metrics {address}: {error}")))
}

fn report(notify: Option<&Notify>, text: &str) {
    if let Some(notify) = notify {
        notify.send(text);
    }
}

/// Prints or logs where the node listens.
fn print_listeners(
    output: &Output,
    node: &Node,
    tells: bool,
    server: Option<&MetricsServer>,
) -> Result<(), Failure> {
    let listeners = node.listeners();
    let metrics = server.map(|server| server.local_addr().to_string());
    if output.is_json() {
        let mut document = json!({ "node": node.id(), "listeners": listeners });
        if let Some(address) = &metrics {
            document["metrics"] = address.as_str().into();
        }
        output::document(&document)?;
    }
    let mut line = match listeners.as_slice() {
        [] => format!("{} listens nowhere", node.id()),
        all => format!("{} listens on {}", node.id(), all.join(", ")),
    };
    if let Some(address) = metrics {
        let _ = write!(line, ", metrics: http://{address}/metrics");
    }
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
            _ = node.ended() => return Exit::Done,
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
