//! The data of the pages as JSON.

use std::collections::BTreeMap;

use aemp::logs::LogLevel;
use axum::{
    extract::{Path, Query, State as StateOf},
    http::{HeaderMap, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{demand::Thing, door::is_led_here, server::Shared, watch::State};
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
    /// One port.
    port: Option<String>,
}

impl About {
    /// The things that must be collected for a document, besides the nodes.
    fn things(&self, subject: &str) -> Vec<Thing> {
        let port = || self.port.clone().into_iter();
        match subject {
            "supervision" => vec![Thing::Trees],
            "waits" => vec![Thing::Waits],
            "traces" => vec![Thing::Traces],
            "logs" => vec![Thing::Logs(LogLevel::Info)],
            "database" => self.family.iter().cloned().map(Thing::Family).collect(),
            "deaths" => self.node.iter().cloned().map(Thing::Deaths).collect(),
            "port" => port().map(Thing::Port).chain([Thing::Trees]).collect(),
            "messages" => port()
                .map(Thing::Port)
                .chain(port().map(Thing::Messages))
                .collect(),
            _ => Vec::new(),
        }
    }
}

/// The answer to `/api/WHAT`.
pub(super) async fn answer(
    StateOf(shared): StateOf<Shared>,
    Path(subject): Path<String>,
    headers: HeaderMap,
    Query(about): Query<About>,
) -> Response {
    let mut things = vec![Thing::Nodes];
    if !(subject == "messages" && is_led_here(&headers)) {
        things.extend(about.things(&subject));
    }
    let _look = shared.watch.viewer(things.clone());
    shared.watch.refreshed(&things).await;
    let Some(document) = find(&subject, &about, &shared.watch.state()) else {
        let text = "There is no such document, node, family, trace or port. There are network, nodes, connections, ports, types, handlers, \
                    counts, running, waits, traces, supervision, database, logs, changes, totals, top; with ?node=ID, deaths; with ?port=ID, port and \
                    messages.\n";
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
        "running" => document::running(network, node),
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
        "deaths" => match network.nodes.get(node?)?.deaths.as_ref()? {
            Ok((deaths, _)) => json!(deaths),
            Err(error) => json!({ "error": error }),
        },
        "port" => document::port(network, about.port.as_deref()?, state.now),
        "messages" => json!(
            network
                .looked
                .get(about.port.as_deref()?)?
                .tapped
                .as_ref()?
        ),
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
