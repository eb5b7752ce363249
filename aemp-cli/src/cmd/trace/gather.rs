//! Asking the nodes for their connections, one after the other.

use std::{collections::BTreeSet, time::Duration};

use aemp::{
    CallError, Node, NodeId, Reason, Value,
    inspect::{InspectError, Role},
};
use aemp_web::reference;
use tokio::{
    task::JoinSet,
    time::{Instant, timeout_at},
};

use super::graph::{Graph, Vertex};
use crate::{client::Client, failure::Failure};

/// The request that reference nodes answer (`aemp_proto::protocol::behaviour`, "The `aemp` command as a client").
const UP_NODES: &str = "AnyEvent::MP::Kernel::up_nodes";

/// The greatest number of connections that one node reports.
const MOST: usize = 10_000;

/// A node's answer: itself, and the nodes that it is connected to.
struct Answer {
    node: NodeId,
    vertex: Vertex,
    neighbours: Vec<NodeId>,
}

/// Collects the network, starting at one node, or at the nodes that ours is connected to. Our own node is left out.
pub(super) async fn gather(client: &Client<'_>, begin: Option<NodeId>) -> Result<Graph, Failure> {
    let mut found: BTreeSet<NodeId> = match begin {
        Some(node) => BTreeSet::from([node]),
        None => client.node.up_nodes().into_iter().collect(),
    };
    let mut graph = Graph::default();
    let mut asking = JoinSet::new();
    for node in &found {
        asking.spawn(ask(client, node));
    }
    while let Some(answer) = asking.join_next().await {
        let answer = answer.map_err(Failure::failed)?;
        *graph.node(answer.node.as_str()) = answer.vertex;
        for neighbour in answer.neighbours {
            if &neighbour == client.node.id() {
                continue;
            }
            graph.connect(answer.node.as_str(), neighbour.as_str());
            if found.insert(neighbour.clone()) {
                asking.spawn(ask(client, &neighbour));
            }
        }
    }
    ask_for_globals(client, &mut graph).await;
    Ok(graph)
}

/// Completes the roles of reference nodes from the database, because they do not report them.
async fn ask_for_globals(client: &Client<'_>, graph: &mut Graph) {
    let known = |vertex: &Vertex| vertex.global.is_some();
    if graph.nodes.values().all(known) {
        return;
    }
    // Without an answer the roles stay unknown.
    let Some(globals) = reference::globals(&client.node, client.left()).await else {
        return;
    };
    let silent = |vertex: &Vertex| vertex.failure.is_some();
    for (id, vertex) in graph.nodes.iter_mut().filter(|(_, vertex)| !silent(vertex)) {
        vertex.global.get_or_insert_with(|| globals.contains(id));
        if vertex.global == Some(true) {
            vertex.master = None;
        }
    }
}

fn ask(client: &Client<'_>, node: &NodeId) -> impl Future<Output = Answer> + use<> {
    let (from, node, deadline) = (client.node.clone(), node.clone(), client.deadline());
    let limit = client.limit();
    async move {
        let mut vertex = Vertex::default();
        let left = deadline.saturating_duration_since(Instant::now());
        let asked = timeout_at(deadline, ask_node(&from, &node, left, &mut vertex)).await;
        let asked = asked.unwrap_or_else(|_| Err(format!("no answer within {limit}")));
        let neighbours = asked.unwrap_or_else(|failure| {
            vertex.failure = Some(failure);
            Vec::new()
        });
        Answer {
            node,
            vertex,
            neighbours,
        }
    }
}

async fn ask_node(
    from: &Node,
    node: &NodeId,
    time: Duration,
    vertex: &mut Vertex,
) -> Result<Vec<NodeId>, String> {
    let inspect = from.inspect(node).at_most(MOST);
    match inspect.connections().await {
        Ok(all) => {
            let info = inspect.node().await.map_err(|error| failed(&error))?;
            vertex.global = info.role.map(|role| role == Role::Global);
            vertex.master = info.master;
            let nodes = all.connections.iter();
            Ok(nodes
                .filter_map(|one| NodeId::new(&one.node).ok())
                .collect())
        }
        Err(InspectError::Unknown { .. }) => {
            // A node that answers one of the two requests answers both.
            let master = reference::master(from, node.as_str(), time);
            let (nodes, master) = tokio::join!(up_nodes(from, node), master);
            vertex.master = master;
            nodes
        }
        Err(error) => Err(failed(&error)),
    }
}

/// Asks a node by the request that reference nodes understand.
pub(crate) async fn up_nodes(from: &Node, node: &NodeId) -> Result<Vec<NodeId>, String> {
    let message = vec!["eval".into(), UP_NODES.into()];
    let answer = from.cal(&node.clone().into(), message).await;
    match answer {
        Ok(answer) => read(&answer),
        Err(CallError::Died(reason)) => Err(lost(&reason)),
        Err(error) => Err(error.to_string()),
    }
}

/// The text of a failed inspection.
pub(crate) fn failed(error: &InspectError) -> String {
    match error {
        InspectError::Call {
            error: CallError::Died(reason),
            ..
        } => lost(reason),
        error => error.to_string(),
    }
}

/// The reason why a node is unreachable. The node's ID, which a lost connection's reason contains, is removed.
fn lost(reason: &Reason) -> String {
    match (reason.kind(), &reason[..]) {
        ("transport_error", [_, _, text]) => text.text().unwrap_or_default().into_owned(),
        _ => reason.to_string(),
    }
}

/// Reads an answer: the error text, empty if there is no error, followed by the nodes.
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
        id.ok_or_else(|| format!("it is connected to {node}, which is not a node ID"))
    });
    nodes.collect()
}
