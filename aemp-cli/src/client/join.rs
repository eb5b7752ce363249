//! Joining the network, or reporting the reason of a failure.

use std::{collections::BTreeMap, time::Duration};

use aemp::Node;
use tokio::{
    net::TcpStream,
    sync::mpsc,
    time::{Instant, interval, timeout, timeout_at},
};

use super::{seconds, seeds::Failures};
use crate::{failure::Failure, network::Network, session::Session};

/// The time before the deadline at which a command starts to find out why it has not joined.
const LOOK: Duration = Duration::from_millis(200);

/// The interval at which the states of the seeds are read.
const AGAIN: Duration = Duration::from_millis(20);

/// Starts a node, and waits until it is connected to a seed.
pub(super) async fn join(session: &mut Session, deadline: Instant) -> Result<Node, Failure> {
    let (node, seeds) = Network::of(session)?.start().await?;
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
    let time = session.options.timeout();
    let look = time.min(2 * LOOK) / 2;
    let joined = connected(session, &node, seeds.len(), up);
    match timeout_at(deadline - look, joined).await {
        Ok(true) => Ok(node),
        Ok(false) => Err(refused(&Failures::of(&node))),
        Err(_) => Err(unreached(&seeds, &Failures::of(&node), time, look).await),
    }
}

/// Waits until a node is up. Returns false if all seeds have failed for good.
async fn connected(
    session: &Session,
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
            let time = seconds(session.options.timeout());
            let failures = each(&failures.explained());
            session
                .output
                .waiting(&format!("{failures}; trying for {time}"));
        }
    }
}

/// The failure after all seeds have failed for good.
fn refused(failures: &Failures) -> Failure {
    let each = each(&failures.explained());
    Failure::network(format_args!("cannot join the network: {each}"))
}

/// The failure at the deadline.
async fn unreached(
    seeds: &[String],
    failures: &Failures,
    time: Duration,
    look: Duration,
) -> Failure {
    let mut failures = failures.explained();
    let look = look / u32::try_from(seeds.len()).unwrap_or(1).max(1);
    for seed in seeds {
        if !failures.contains_key(seed) {
            failures.insert(seed.clone(), silence(seed, look).await.into());
        }
    }
    let (time, each) = (seconds(time), each(&failures));
    Failure::network(format_args!(
        "cannot join the network within {time}: {each}"
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
