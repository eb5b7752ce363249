//! The documents that the observer and `aemp top --json` give.

use std::collections::BTreeMap;

use aemp::{inspect::RunningInfo, supervisor::ChildInfo};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    activity::{Histogram, OfCalls},
    network::{Network, Seen, Supervised, node_of},
    rows,
    text::sum,
    traces::{Bar, Story, Tie, Traces},
};

/// The document of one type of ports.
#[derive(Serialize)]
struct Kind<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    ports: u64,
    queued: u64,
    nodes: u64,
    rate: f64,
    p50: Option<f64>,
    p99: Option<f64>,
    died: &'a BTreeMap<String, u64>,
}

/// The types of ports, with their rates (per second), the quantiles of their handlers' times (seconds), and the deaths by reason.
pub fn types(network: &Network, scope: Option<&str>) -> Value {
    let activity = network.activity(scope);
    let mut kinds = rows::kinds(network, scope);
    for name in activity.types.keys() {
        kinds.entry(name).or_default();
    }
    let nothing = BTreeMap::new();
    let document = |(kind, of): (&str, rows::Kind)| {
        let active = activity.types.get(kind);
        let (rate, times) = active.map(|active| active.messages()).unwrap_or_default();
        let document = Kind {
            kind,
            ports: of.ports,
            queued: of.queued,
            nodes: of.nodes,
            rate,
            p50: times.quantile(0.5),
            p99: times.quantile(0.99),
            died: active.map_or(&nothing, |active| &active.died),
        };
        json!(document)
    };
    kinds.into_iter().map(document).collect()
}

/// The sampled traces, the slowest first, and the nodes that tell none with the reasons; or one trace. Times are in seconds; `begin` is
/// that from the begin of the trace to the arrival of the message.
pub fn traces(traces: &Traces, trace: Option<&str>) -> Option<Value> {
    let tie = |tie: Tie<'_>| match tie {
        Tie::Root => "root",
        Tie::Called => "called",
        Tie::Linked(_) => "linked",
        Tie::Lost => "lost",
    };
    let bar = |bar: &Bar<'_>| {
        json!({
            "node": bar.node, "depth": bar.depth, "begin": bar.begin, "shift": bar.shift, "tie": tie(bar.tie), "span": bar.span,
        })
    };
    let story = |story: &Story<'_>| {
        json!({
            "trace": story.trace, "total": story.total, "nodes": story.nodes(), "failed": story.failed(), "more": story.more,
            "spans": story.bars.iter().map(bar).collect::<Vec<_>>(),
        })
    };
    if let Some(trace) = trace {
        return Some(story(&traces.story(trace)?));
    }
    let stories: Vec<_> = traces.stories().iter().map(story).collect();
    let without: BTreeMap<_, _> = traces.without().collect();
    Some(json!({ "traces": stories, "without": without }))
}

/// The handlers, with the messages that they have handled, their rates and times, and the calls of them by outcome.
pub fn handlers(network: &Network, scope: Option<&str>) -> Value {
    let quantiles = |times: &Histogram| [0.5, 0.99].map(|part| times.quantile(part));
    let mut documents = Vec::new();
    for (kind, of_type) in &network.activity(scope).types {
        for (name, of) in &of_type.handlers {
            let [p50, p99] = quantiles(&of.times);
            let OfCalls {
                ended,
                rate,
                failing,
                times,
            } = &of.calls;
            let [call_p50, call_p99] = quantiles(times);
            documents.push(json!({
                "type": kind, "handler": name, "handled": of.handled, "rate": of.rate, "p50": p50, "p99": p99,
                "calls": { "ended": ended, "rate": rate, "failing": failing, "p50": call_p50, "p99": call_p99 },
            }));
        }
    }
    documents.into()
}

/// The waiting handlers, with the numbers of their circles.
pub fn waits(network: &Network) -> Value {
    let circles = network.circles();
    let document = |wait: &crate::waits::Wait| {
        let mut document = json!(wait.info);
        document["circle"] = json!(circles.get(&*wait.info.port));
        document
    };
    network.waits().map(document).collect()
}

/// The handlers that keep a thread. Times are in seconds.
pub fn running(network: &Network, node: Option<&str>) -> Value {
    let running = network.running();
    let running = running.filter(|(on, _)| node.is_none_or(|node| node == *on));
    let document = |(on, of): (&str, &RunningInfo)| {
        let mut document = json!(of);
        document["node"] = json!(on);
        document
    };
    running.map(document).collect()
}

/// The supervisor of a port, and the port as its child.
pub(crate) fn supervisor<'a>(
    network: &'a Network,
    port: &str,
) -> Option<(&'a Supervised, &'a ChildInfo)> {
    let supervisors = network.nodes.values().flat_map(|seen| &seen.supervisors);
    let mut children = supervisors.flat_map(|supervisor| {
        let children = supervisor.children.iter();
        children.map(move |child| (supervisor, child))
    });
    children.find(|(_, child)| child.port.as_ref().is_some_and(|id| id.as_str() == port))
}

/// One port: alive, or dead with its reason; or the reason why that is unknown. Times are those since then, in seconds.
pub fn port(network: &Network, id: &str, now: f64) -> Value {
    let looked = network.looked.get(id);
    let unknown = || {
        let seen = network.nodes.get(node_of(id));
        match seen.map(|seen| &seen.failure) {
            None => "there is no such node",
            Some(None) => "its node tells nothing of it",
            Some(Some(failure)) => failure,
        }
    };
    let failure = match looked {
        Some(looked) if looked.told && network.answers(node_of(id)) => looked.failure.as_deref(),
        _ => Some(unknown()),
    };
    let died = looked.and_then(|looked| {
        let (ago, death) = looked.death(now)?;
        Some(json!({ "type": death.kind, "ago": ago, "reason": death.reason }))
    });
    json!({
        "id": id,
        "alive": looked.and_then(|looked| looked.alive.as_ref()),
        "died": died,
        "ended": looked.and_then(|looked| Some(now - looked.ended?)),
        "supervisor": supervisor(network, id).map(|(supervisor, child)| json!({ "id": supervisor.id, "child": child })),
        "error": failure,
    })
}

/// The whole network in one document.
pub fn top(network: &Network) -> Value {
    let nodes = network.nodes.iter();
    let nodes = nodes.map(|(id, seen)| (id.as_str(), node(seen)));
    json!({
        "nodes": nodes.collect::<BTreeMap<_, _>>(),
        "types": types(network, None),
        "handlers": handlers(network, None),
    })
}

fn node(seen: &Seen) -> Value {
    let counts = seen.activity.last();
    let ports = seen.ports.as_ref();
    json!({
        "role": seen.info.as_ref().and_then(|info| info.role),
        "provider": seen.provider,
        "ports": ports.map(|ports| ports.total),
        "queued": ports.map(|ports| ports.queued),
        "connections": seen.connections.len(),
        "rate": sum_of(seen.activity.types.values().map(|of| of.messages().0)),
        "died": counts.map(|_| seen.activity.died()),
        "restarts": counts.map(|counts| counts.restarts),
        "limits": counts.map(|counts| sum(counts.limits.values().copied())),
        "error": seen.failure,
        "uncounted": seen.activity.failure,
    })
}

fn sum_of(rates: impl Iterator<Item = f64>) -> f64 {
    rates.sum::<f64>() + 0.0
}
