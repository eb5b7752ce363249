//! `aemp nodes --connections`: the formats and encryption of each connection of the network.
//!
//! Either end reports a connection's formats. So for a Perl node, which does not know `inspect`, the command shows the
//! reports of its Rust neighbours. Two Perl nodes report only that they are connected.

use std::collections::{BTreeMap, BTreeSet};

use aemp::{
    Node, NodeId,
    inspect::{ConnectionInfo, InspectError},
};
use serde_json::{Value, json};
use tokio::{task::JoinSet, time::timeout_at};

use crate::{
    Exit,
    client::Client,
    cmd::trace::{failed, up_nodes},
    failure::{Failure, Outcome},
    output::{self, Output},
    table::{Table, duration},
};

/// The greatest number of connections that one node reports.
const MOST: usize = 10_000;

/// A connection, with its known details.
#[derive(Debug, Default, PartialEq)]
struct Connection {
    /// The format in which each end writes. The end with the lower ID comes first.
    sends: [Option<String>; 2],
    tls: Option<String>,
    /// Its age in seconds; `None` if neither end reports details.
    up: Option<f64>,
}

/// The connections by the IDs of their ends, the lower one first.
#[derive(Debug, Default)]
struct Connections(BTreeMap<[String; 2], Connection>);

impl Connections {
    /// Adds the report of one end.
    fn add(&mut self, own: &str, info: &ConnectionInfo) {
        let is_low = own < info.node.as_str();
        let connection = self.connection(own, &info.node);
        let (out, incoming) = (info.format_out.clone(), info.format_in.clone());
        connection.sends = if is_low {
            [out, incoming]
        } else {
            [incoming, out]
        };
        connection.tls.clone_from(&info.tls);
        connection.up = Some(info.up);
    }

    /// The connection between two nodes, which is added without details if necessary.
    fn connection(&mut self, own: &str, other: &str) -> &mut Connection {
        let mut ends = [own.to_owned(), other.to_owned()];
        ends.sort();
        self.0.entry(ends).or_default()
    }
}

/// A node's answer: the details of its connections, or only the nodes that it is connected to.
enum Answer {
    Full(Vec<ConnectionInfo>),
    Bare(Vec<NodeId>),
}

/// Asks the nodes, and prints their connections with each other. Connections of other nodes are left out, because
/// those are nodes of short-lived commands.
pub(super) async fn show(client: &Client<'_>, nodes: Vec<String>) -> Outcome {
    let known: BTreeSet<String> = nodes.iter().cloned().collect();
    let mut connections = Connections::default();
    let mut failures = BTreeMap::new();
    for (node, answer) in answers(client, nodes).await? {
        match answer {
            Ok(Answer::Full(infos)) => {
                let infos = infos.iter().filter(|info| known.contains(&info.node));
                infos.for_each(|info| connections.add(&node, info));
            }
            Ok(Answer::Bare(others)) => {
                let others = others.iter().map(NodeId::as_str);
                for other in others.filter(|other| known.contains(*other)) {
                    connections.connection(&node, other);
                }
            }
            Err(failure) => {
                failures.insert(node, failure);
            }
        }
    }
    match client.output.is_json() {
        true => connections.print_documents()?,
        false => connections.print_table(client.output)?,
    }
    for (node, failure) in &failures {
        client.output.note(&format!("{node}: {failure}"));
    }
    Ok(if failures.is_empty() {
        Exit::Done
    } else {
        Exit::Failed
    })
}

async fn answers(
    client: &Client<'_>,
    nodes: Vec<String>,
) -> Result<BTreeMap<String, Result<Answer, String>>, Failure> {
    let mut asking = JoinSet::new();
    for id in nodes {
        let (node, deadline) = (client.node.clone(), client.deadline());
        let late = format!("no answer within {}", client.limit());
        asking.spawn(async move {
            let answer = timeout_at(deadline, ask(&node, &id)).await;
            (id, answer.unwrap_or(Err(late)))
        });
    }
    let mut answers = BTreeMap::new();
    while let Some(answer) = asking.join_next().await {
        let (id, answer) = answer.map_err(Failure::failed)?;
        answers.insert(id, answer);
    }
    Ok(answers)
}

async fn ask(node: &Node, id: &str) -> Result<Answer, String> {
    match node.inspect(id).at_most(MOST).connections().await {
        Ok(all) => Ok(Answer::Full(all.connections)),
        Err(InspectError::Unknown { .. }) => {
            let id = NodeId::new(id).map_err(|error| error.to_string())?;
            up_nodes(node, &id).await.map(Answer::Bare)
        }
        Err(error) => Err(failed(&error)),
    }
}

impl Connections {
    fn print_documents(&self) -> Result<(), Failure> {
        self.0
            .iter()
            .try_for_each(|(ends, connection)| output::document(&document(ends, connection)))
    }

    fn print_table(&self, output: &Output) -> Result<(), Failure> {
        let mut table = Table::new(&["NODE", "OTHER END", "SENDS", "RECEIVES", "TLS", "UP"]);
        for ([low, high], connection) in &self.0 {
            let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "?".into());
            let [sends, receives] = connection.sends.each_ref().map(shown);
            let (tls, up) = match connection.up {
                Some(up) => (connection.tls.as_deref().unwrap_or("no"), duration(up)),
                None => ("?", "?".into()),
            };
            table.row(vec![
                low.clone(),
                high.clone(),
                sends,
                receives,
                tls.into(),
                up,
            ]);
        }
        table.print(output)
    }
}

fn document(ends: &[String; 2], connection: &Connection) -> Value {
    json!({
        "nodes": ends,
        "sends": connection.sends,
        "tls": connection.tls,
        "up": connection.up,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(node: &str, format_out: &str, format_in: &str) -> ConnectionInfo {
        let mut info = ConnectionInfo::default();
        info.node = node.into();
        (info.format_out, info.format_in) = (Some(format_out.into()), Some(format_in.into()));
        info.up = 7.5;
        info
    }

    #[test]
    fn both_ends_report_one_connection() {
        let sends = [Some("cbor".to_owned()), Some("json".to_owned())];
        for first in [true, false] {
            let mut connections = Connections::default();
            if first {
                connections.add("a", &info("b", "cbor", "json"));
                connections.connection("b", "a");
            } else {
                connections.connection("a", "b");
                connections.add("b", &info("a", "json", "cbor"));
            }
            let ends = ["a".to_owned(), "b".to_owned()];
            assert_eq!(connections.0.len(), 1);
            assert_eq!(connections.0[&ends].sends, sends);
            let shown = document(&ends, &connections.0[&ends]).to_string();
            let expected = r#"{"nodes":["a","b"],"sends":["cbor","json"],"tls":null,"up":7.5}"#;
            assert_eq!(shown, expected);
        }
    }
}
