//! Joining the network, or reporting the reason of a failure.

use std::{collections::BTreeMap, time::Duration};

use aemp::Node;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{interval, timeout, timeout_at},
};

use super::{limit::Limit, seeds::Failures};
use crate::{failure::Failure, network::Network, output::Output};

/// The time before the deadline at which a command starts to find out why it has not joined.
const LOOK: Duration = Duration::from_millis(200);

/// The interval at which the states of the seeds are read.
const AGAIN: Duration = Duration::from_millis(20);

/// Starts a node, and waits until it is connected to a seed.
pub(super) async fn join(network: Network, output: &Output, limit: Limit) -> Result<Node, Failure> {
    let (node, seeds) = network.start().await?;
    let (tell, up) = mpsc::unbounded_channel();
    let _observer = node.mon_nodes(move |_, is_up, _| {
        if is_up {
            let _ = tell.send(());
        }
    });
    // A node may have come up before the observer was set, if another thread runs our node.
    if !node.up_nodes().is_empty() {
        return Ok(node);
    }
    let look = limit.time.min(2 * LOOK) / 2;
    let joined = connected(output, limit, &node, seeds.len(), up);
    match timeout_at(limit.deadline - look, joined).await {
        Ok(true) => Ok(node),
        Ok(false) => Err(refused(&Failures::of(&node))),
        Err(_) => Err(unreached(&seeds, &Failures::of(&node), limit, look).await),
    }
}

/// Waits until a node is up. Returns false if all seeds have failed for good.
async fn connected(
    output: &Output,
    limit: Limit,
    node: &Node,
    seeds: usize,
    mut up: mpsc::UnboundedReceiver<()>,
) -> bool {
    let mut told = false;
    let mut again = interval(AGAIN);
    loop {
        tokio::select! {
            biased;
            _ = up.recv() => return true,
            _ = again.tick() => {}
        }
        let failures = Failures::of(node);
        if failures.hopeless() >= seeds {
            return false;
        }
        if !told && !failures.is_empty() {
            told = true;
            let failures = each(&failures.explained());
            output.waiting(&format!("{failures}; trying for {limit}"));
        }
    }
}

/// The failure after all seeds have failed for good.
fn refused(failures: &Failures) -> Failure {
    let each = each(&failures.explained());
    Failure::network(format_args!("cannot join the network: {each}"))
}

/// The failure at the deadline.
async fn unreached(seeds: &[String], failures: &Failures, limit: Limit, look: Duration) -> Failure {
    let mut failures = failures.explained();
    let look = look / u32::try_from(seeds.len()).unwrap_or(1).max(1);
    for seed in seeds {
        if !failures.contains_key(seed) {
            failures.insert(seed.clone(), silence(seed, look).await.into());
        }
    }
    let each = each(&failures);
    Failure::network(format_args!(
        "cannot join the network within {limit}: {each}"
    ))
}

/// The failure of each address, as text.
fn each(failures: &BTreeMap<String, String>) -> String {
    let each = failures.iter();
    let each: Vec<_> = each
        .map(|(address, text)| format!("{address}: {text}"))
        .collect();
    each.join("; ")
}

/// The reason why a seed does not answer.
async fn silence(seed: &str, time: Duration) -> &'static str {
    match timeout(time, TcpStream::connect(seed)).await {
        Ok(Ok(_)) => "it accepts connections, but sends nothing: is it an AnyEvent::MP node?",
        Ok(Err(_)) => "it accepts no connections",
        Err(_) => "no answer arrives from there",
    }
}
