//! Asking one node after the other whom it is connected to.

use std::collections::BTreeSet;

use aemp::{CallError, NodeId, Reason, Value};
use tokio::task::JoinSet;

use super::graph::Graph;
use crate::{client::Client, failure::Failure};

/// The request that nodes of any kind answer (REFERENCE.md, "The `aemp` command").
const UP_NODES: &str = "AnyEvent::MP::Kernel::up_nodes";

/// The network, from one node on, or from those that this one is connected to.
pub(super) async fn gather(client: &Client<'_>, begin: Option<NodeId>) -> Result<Graph, Failure> {
    let mut found: BTreeSet<NodeId> = match begin {
        Some(node) => BTreeSet::from([node]),
        None => client.node.up_nodes().into_iter().collect(),
    };
    let mut graph = Graph::default();
    let mut asking = JoinSet::new();
    for node in &found {
        ask(client, &mut asking, node);
    }
    while let Some(answer) = asking.join_next().await {
        let (node, answer) = answer.map_err(Failure::failed)?;
        let vertex = graph.node(node.as_str());
        let neighbours = match answer {
            Ok(neighbours) => neighbours,
            Err(failure) => {
                vertex.failure = Some(failure);
                continue;
            }
        };
        for neighbour in neighbours {
            if &neighbour == client.node.id() {
                continue;
            }
            graph.connect(node.as_str(), neighbour.as_str());
            graph.node(neighbour.as_str());
            if found.insert(neighbour.clone()) {
                ask(client, &mut asking, &neighbour);
            }
        }
    }
    Ok(graph)
}

type Answer = (NodeId, Result<Vec<NodeId>, String>);

fn ask(client: &Client<'_>, asking: &mut JoinSet<Answer>, node: &NodeId) {
    let death = client.death(&node.clone().into());
    let (from, node, left) = (client.node.clone(), node.clone(), client.left());
    let seconds = client.seconds();
    asking.spawn(async move {
        let answer = tokio::select! {
            answer = from.eval_on(node.as_str(), UP_NODES, left) => answer,
            reason = death => Err(CallError::Died(reason)),
        };
        let answer = match answer {
            Ok(answer) => read(&answer),
            Err(CallError::Timeout) => Err(format!("no answer within {seconds}")),
            Err(CallError::Died(reason)) => Err(lost(&reason)),
            Err(error) => Err(error.to_string()),
        };
        (node, answer)
    });
}

/// Why a node is not there. Its ID, which stands in the reason of a lost connection, is known.
fn lost(reason: &Reason) -> String {
    match (reason.kind(), &reason[..]) {
        ("transport_error", [_, _, text]) => text.text().unwrap_or_default().into_owned(),
        _ => reason.to_string(),
    }
}

/// The error text, empty if there is none, then the nodes.
fn read(answer: &[Value]) -> Result<Vec<NodeId>, String> {
    let Some((error, nodes)) = answer.split_first() else {
        return Ok(Vec::new());
    };
    match error.text() {
        Some(text) if text.is_empty() => {}
        Some(text) => return Err(text.trim_end().to_owned()),
        None => return Err(error.to_string()),
    }
    let nodes = nodes.iter().map(|node| {
        let id = node.text().and_then(|text| NodeId::new(text).ok());
        id.ok_or_else(|| format!("it is connected to {node}, which is no node ID"))
    });
    nodes.collect()
}
