//! The data of the pages as JSON.

use std::collections::BTreeMap;

use aemp::logs::LogLevel;
use axum::{
    extract::{Path, Query, State as StateOf},
    http::{StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{demand::Thing, server::Shared, watch::State};
use crate::{document, network::Seen, topology::graph::Graph};

/// The parameters of a question.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct About {
    /// One node.
    node: Option<String>,
    /// One family of the database.
    family: Option<String>,
    /// One trace.
    trace: Option<String>,
}

/// The answer to `/api/WHAT`.
pub(super) async fn answer(
    StateOf(shared): StateOf<Shared>,
    Path(subject): Path<String>,
    Query(about): Query<About>,
) -> Response {
    let mut things = vec![Thing::Nodes];
    match (subject.as_str(), &about.family) {
        ("supervision", _) => things.push(Thing::Trees),
        ("waits", _) => things.push(Thing::Waits),
        ("traces", _) => things.push(Thing::Traces),
        ("logs", _) => things.push(Thing::Logs(LogLevel::Info)),
        ("database", Some(family)) => things.push(Thing::Family(family.clone())),
        _ => {}
    }
    let _look = shared.watch.viewer(things.clone());
    shared.watch.refreshed(&things).await;
    let Some(document) = find(&subject, &about, &shared.watch.state()) else {
        let text = "There is no such document, node, family or trace. There are network, nodes, connections, ports, types, handlers, \
                    counts, waits, traces, supervision, database, logs, changes, totals, top.\n";
        return (StatusCode::NOT_FOUND, text).into_response();
    };
    let kind = [(CONTENT_TYPE, "application/json")];
    (kind, format!("{document}\n")).into_response()
}

fn find(subject: &str, about: &About, state: &State) -> Option<Value> {
    let network = &state.network;
    let node = about.node.as_deref();
    if node.is_some_and(|node| !network.nodes.contains_key(node)) {
        return None;
    }
    let nodes = || {
        let nodes = network.nodes.iter();
        nodes.filter(move |(id, _)| node.is_none_or(|node| node == *id))
    };
    /// One part of the report of each node, by its ID.
    fn each<'a, T: serde::Serialize>(
        nodes: impl Iterator<Item = (&'a String, &'a Seen)>,
        of: impl Fn(&'a Seen) -> T,
    ) -> Value {
        json!(
            nodes
                .map(|(id, seen)| (id, of(seen)))
                .collect::<BTreeMap<_, _>>()
        )
    }
    Some(match subject {
        "network" => Graph::of(network).document(),
        // The same documents as those of `aemp nodes --long --json`.
        "nodes" => nodes().map(|(id, seen)| self::node(id, seen)).collect(),
        "connections" => each(nodes(), |seen| {
            let links = seen.connections.iter();
            links.map(|link| &link.info).collect::<Vec<_>>()
        }),
        "ports" => each(nodes(), |seen| seen.ports.as_ref()),
        "types" => document::types(network, node),
        "handlers" => document::handlers(network, node),
        "counts" => each(nodes(), |seen| match &seen.activity.failure {
            None => json!(seen.activity.last()),
            Some(error) => json!({ "error": error }),
        }),
        "waits" => document::waits(network),
        "top" => document::top(network),
        "traces" => document::traces(&network.traces, about.trace.as_deref())?,
        "supervision" => each(nodes(), |seen| {
            let of = |one: &crate::network::Supervised| json!({ "id": one.id, "total": one.total, "children": one.children });
            seen.supervisors.iter().map(of).collect::<Vec<_>>()
        }),
        "database" => match &about.family {
            None => each(nodes(), |seen| &seen.families),
            Some(family) => match &network.opened.get(family)?.entries {
                Ok(entries) => json!(
                    entries
                        .iter()
                        .map(|(key, entry)| (key, &entry.value))
                        .collect::<BTreeMap<_, _>>()
                ),
                Err(error) => json!({ "error": error }),
            },
        },
        "logs" => network
            .logs
            .lines
            .iter()
            .map(|(_, line)| json!(line))
            .collect(),
        "changes" => json!(state.history.changes().collect::<Vec<_>>()),
        "totals" => json!(state.history.totals().collect::<Vec<_>>()),
        _ => return None,
    })
}

fn node(id: &str, seen: &Seen) -> Value {
    match (&seen.info, &seen.failure) {
        (Some(info), None) => json!(info),
        (_, failure) => json!({
            "id": id,
            "provider": seen.provider,
            "role": seen.part.global.filter(|global| *global).map(|_| "global"),
            "error": failure.as_deref().unwrap_or("does not know this request"),
        }),
    }
}
