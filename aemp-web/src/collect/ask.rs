//! The questions to one node.

use std::{collections::BTreeMap, time::Duration};

use aemp::{
    Map, Node, NodeId, PortId, Value,
    inspect::{
        Connections, Counts, Deaths, FamilyInfo, Inspect, InspectError, MOST, NodeInfo, PortFate,
        Ports, Traces, Waits,
    },
    supervisor::{Supervisor, SupervisorRef},
};
use tokio::{task::JoinSet, time::timeout};

use super::PATIENCE;
use crate::{
    network::{Entry, Sight, Supervised, Tree},
    reference,
};

/// The request that nodes of any kind answer (`aemp_proto::protocol::behaviour`, "The `aemp` command as a client").
const UP_NODES: &str = "AnyEvent::MP::Kernel::up_nodes";
/// The time limit of one supervisor's answer, and of one about owners, which is shorter: one that is late does not hold up the others of its node.
const SUPERVISOR_PATIENCE: Duration = Duration::from_secs(2);
/// The number of keys that are listed for a family, and the shown length of each value.
const KEYS: usize = 10_000;
const LONGEST_VALUE: usize = 200;
/// The number of supervisors that are listed for each node, and of children for each supervisor.
const SUPERVISORS: usize = 500;
const CHILDREN: u32 = 100;
/// The number of waiting handlers that are listed for each node, and of the calls of each.
const WAITS: usize = 200;
const CALLS: usize = 20;
/// The number of spans that are taken from one answer.
const SPANS: usize = 300;
/// The number of deaths that are listed for a node.
const DEATHS: usize = 50;
/// The number of global nodes that are asked for the owners of keys.
pub(super) const GLOBALS: usize = 8;

/// The supervisors of a node, with the first of their children; `None` if the node does not answer.
pub(super) async fn supervisors(from: &Node, node: &str) -> Option<Vec<Tree>> {
    let of = from.inspect(node).at_most(SUPERVISORS);
    let kind = std::any::type_name::<Supervisor>();
    let found = timeout(PATIENCE, of.of_kind(kind).ports())
        .await
        .ok()?
        .ok()?;
    let mut asking = JoinSet::new();
    // An older node lists ports of all types.
    for port in found.ports.into_iter().filter(|port| port.kind == kind) {
        let Ok(id) = PortId::parse(&port.id) else {
            continue;
        };
        let supervisor: SupervisorRef = from.handle(&id);
        asking.spawn(async move {
            let children = supervisor.first_children(CHILDREN);
            let id = port.id;
            match timeout(SUPERVISOR_PATIENCE, children).await {
                Ok(Ok((total, children))) => Some(Tree::Known(Supervised {
                    id,
                    total,
                    children,
                })),
                // It has ended meanwhile.
                Ok(Err(_)) => None,
                Err(_) => Some(Tree::Late(id)),
            }
        });
    }
    Some(asking.join_all().await.into_iter().flatten().collect())
}

/// Asks one node.
pub(super) async fn node(from: &Node, node: &str, listed: usize) -> Result<Sight, String> {
    let of = from.inspect(node);
    let few = from.inspect(node).at_most(listed);
    let asked = async {
        tokio::try_join!(
            of.node(),
            of.connections(),
            few.ports(),
            families(&of),
            counts(&few)
        )
    };
    let Ok(answer) = timeout(PATIENCE, asked).await else {
        return Err("no answer".into());
    };
    match answer {
        Ok((info, connections, ports, families, counts)) => {
            let sight = bounded(info, connections, ports, families, listed);
            Ok(sight.with(counts))
        }
        Err(InspectError::Unknown { provider, .. }) => {
            // A node in secure mode does not report its connections either.
            let answer = from.eval_on(node, UP_NODES, PATIENCE);
            let (answer, part) = tokio::join!(answer, reference::part(from, node, PATIENCE));
            Ok(Sight::Foreign {
                provider,
                neighbours: neighbours(&answer.unwrap_or_default()),
                part,
            })
        }
        Err(InspectError::Call { error, .. }) => Err(match error.reason() {
            Some(reason) => lost(reason),
            None => error.to_string(),
        }),
        Err(error) => Err(error.to_string()),
    }
}

/// An answer, without the surplus: a node may list more than it was asked for.
fn bounded(
    mut info: NodeInfo,
    mut connections: Connections,
    mut ports: Ports,
    mut families: Vec<FamilyInfo>,
    listed: usize,
) -> Sight {
    info.seeds.truncate(MOST);
    info.listeners.truncate(MOST);
    connections.connections.truncate(MOST);
    ports.ports.truncate(listed);
    ports.types.truncate(MOST);
    families.truncate(MOST);
    Sight::Full {
        info: Box::new(info),
        connections: connections.connections,
        ports,
        families,
        counts: Err("not asked".into()),
    }
}

/// The counts of a node, or the reason why there are none. The rest of its answers is of interest all the same.
async fn counts(of: &Inspect) -> Result<Result<Counts, String>, InspectError> {
    match of.counts().await {
        Ok(counts) => Ok(Ok(counts)),
        Err(InspectError::Refused { .. }) => Ok(Err("is of a version that counts nothing".into())),
        Err(error @ InspectError::Answer { .. }) => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// The waiting handlers of a node; `None` if it does not answer, or knows no such question.
pub(super) async fn waits(from: &Node, node: &str) -> Option<Waits> {
    let of = from.inspect(node).at_most(WAITS);
    let mut waits = timeout(PATIENCE, of.waits()).await.ok()?.ok()?;
    waits.waits.truncate(WAITS);
    for wait in &mut waits.waits {
        wait.calls.truncate(CALLS);
    }
    Some(waits)
}

/// The spans of a node from this number on, or the reason why it tells none.
pub(super) async fn traces(from: &Node, node: &str, since: u64) -> Result<Traces, String> {
    let of = from.inspect(node).at_most(SPANS);
    let mut traces = answered(of.traces(since), "is of a version without samples").await?;
    traces.spans.truncate(SPANS);
    Ok(traces)
}

/// The last deaths of a node, or the reason why it tells none.
pub(super) async fn deaths(from: &Node, node: &str) -> Result<Deaths, String> {
    let of = from.inspect(node).at_most(DEATHS);
    let old = "is of a version that remembers no deaths";
    let mut deaths = answered(of.deaths(), old).await?;
    deaths.deaths.truncate(DEATHS);
    Ok(deaths)
}

/// A port, alive or dead, or the reason why its node tells nothing of it.
pub(super) async fn port(from: &Node, port: &PortId) -> Result<PortFate, String> {
    let of = from.inspect(port.node());
    let old = "is of a version that tells of ports with long queues alone";
    answered(of.port(port.name()), old).await
}

/// An answer, or the reason why there is none: for a node that does not know the question, this one.
async fn answered<T>(
    question: impl Future<Output = Result<T, InspectError>>,
    old: &str,
) -> Result<T, String> {
    match timeout(PATIENCE, question).await {
        Err(_) => Err("no answer".into()),
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(InspectError::Refused { text, .. })) if text.starts_with("cannot inspect") => {
            Err(old.into())
        }
        Ok(Err(InspectError::Refused { text, .. })) => Err(text),
        Ok(Err(error)) => Err(error.to_string()),
    }
}

/// The entries of a family, with their owners as far as these global nodes know them.
pub(super) async fn family(
    from: &Node,
    family: &str,
    globals: Vec<String>,
) -> Result<BTreeMap<String, Entry>, String> {
    let entries = from.db_family(family).timeout(PATIENCE);
    let (entries, owners) = tokio::join!(entries, owners(from, family, globals));
    let entries = entries.map_err(|error| error.to_string())?;
    let entry = |(key, value): (String, String)| {
        let owner = owners.get(&key).cloned();
        (key, Entry { value, owner })
    };
    Ok(shown(&entries).into_iter().map(entry).collect())
}

/// The owners of the keys of a family. A global node knows its slaves' keys; those of other global nodes it ascribes to these.
async fn owners(from: &Node, family: &str, globals: Vec<String>) -> BTreeMap<String, String> {
    let mut asking = JoinSet::new();
    for node in &globals {
        let of = from.inspect(node).at_most(KEYS);
        let (node, family) = (node.clone(), family.to_owned());
        asking.spawn(async move {
            let answer = timeout(SUPERVISOR_PATIENCE, of.owners(&family)).await;
            (node, answer.ok().and_then(Result::ok).unwrap_or_default())
        });
    }
    let mut known = BTreeMap::new();
    let mut guessed = BTreeMap::new();
    for (teller, answer) in asking.join_all().await {
        for (owner, keys) in answer.owners.into_iter().take(KEYS) {
            let is_other = owner != teller && globals.contains(&owner);
            let into = if is_other { &mut guessed } else { &mut known };
            into.extend(keys.into_iter().take(KEYS).map(|key| (key, owner.clone())));
        }
    }
    guessed.extend(known);
    guessed
}

async fn families(of: &Inspect) -> Result<Vec<FamilyInfo>, InspectError> {
    match of.families().await {
        Ok(families) => Ok(families.families),
        // A node of another version still reports the rest.
        Err(InspectError::Refused { .. }) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The keys and values of a family, shortened for the screen.
fn shown(entries: &Map) -> Vec<(String, String)> {
    let value = |value: &Value| {
        let text = value.to_string();
        text.chars().take(LONGEST_VALUE).collect::<String>()
    };
    let entries = entries.iter().take(KEYS);
    entries
        .map(|(key, entry)| (key.into(), value(entry)))
        .collect()
}

/// The nodes in an answer, after an empty error text.
fn neighbours(answer: &[Value]) -> Vec<String> {
    let Some((error, nodes)) = answer.split_first() else {
        return Vec::new();
    };
    if !error.text().is_some_and(|text| text.is_empty()) {
        return Vec::new();
    }
    let id = |node: &Value| Some(NodeId::new(node.text()?).ok()?.as_str().to_owned());
    nodes.iter().filter_map(id).collect()
}

/// The reason why a node is unreachable, without its name.
fn lost(reason: &aemp::Reason) -> String {
    match (reason.kind(), &reason[..]) {
        ("transport_error", [_, _, text]) => text.text().unwrap_or_default().into_owned(),
        _ => reason.to_string(),
    }
}
