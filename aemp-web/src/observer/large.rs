//! A network of 1,000 nodes with 1,000 ports each: the cost of a round of answers, and the size of the pages.
//!
//! `cargo test -p aemp-web --lib large -- --nocapture` prints the figures.

use std::time::Instant;

use aemp::inspect::{Connections, Counts, FamilyInfo, NodeInfo, Ports, Role, Waits};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{
    history::History,
    html::document,
    page::{Page, Query, Request},
    views::{Actions, view},
    watch::State,
};
use crate::network::{Network, Report, Sight};

const NODES: u64 = 1000;
/// The numbers of ports and handlers that a node lists in a network of this size.
const LISTED: u64 = 40;
/// The size of a page, without its files.
const LIGHT: usize = 250_000;

fn id(n: u64) -> String {
    format!("rack{}/host{}.example", n % 20, n % NODES)
}

fn of<T: DeserializeOwned>(answer: &Value) -> T {
    serde_json::from_value(answer.clone()).expect("an answer")
}

/// The answers of a node: its details, connections, ports, families, counts and waits.
fn answers(n: u64, second: u64) -> [Value; 6] {
    let node = json!({
        "id": id(n), "provider": "aemp-rs-0.1.0", "version": "0.1.0", "uptime": 1000 + second, "role": "slave", "master": id(n % 4),
        "ports": 1000, "memory": 123_456_789, "process": 4711, "os": "linux x86_64", "listeners": ["192.0.2.1:4040"],
    });
    let connections = (1..5).map(|step| {
        let bytes = second * 1000 * n;
        json!({
            "node": id(n + step * step), "provider": "aemp-rs-0.1.0", "address": "192.0.2.1:4040", "direction": "out", "up": 1000 + second,
            "format_in": "postcard/1", "format_out": "postcard/1", "tls": "TLSv1_3 AES256", "received": { "packets": bytes / 100, "bytes": bytes },
            "sent": { "packets": bytes / 100, "bytes": bytes }, "queued": n, "monitors": 3, "monitored": 2,
        })
    });
    let connections: Vec<_> = connections.collect();
    let kind = |at: u64| format!("shop::department{}::Worker{at}", at % 3);
    let types = (0..20).map(|at| json!({ "type": kind(at), "count": 50, "queued": at }));
    let ports = (0..LISTED).map(|at| {
        json!({ "id": format!("{}#aB3dE6gH{at}", id(n)), "type": kind(at % 20), "queued": LISTED - at, "monitors": 2 })
    });
    let (types, ports): (Vec<_>, Vec<_>) = (types.collect(), ports.collect());
    let ports = json!({ "total": 1000, "queued": 190, "types": types, "ports": ports });
    let counted = (0..20).map(|at| {
        let handlers = ["work", "rest"].map(|name| {
            let handled = second * (at + 1) * 100;
            json!({
                "name": name, "handled": handled, "times": { "sum": 1.5, "classes": vec![handled / 20; 20] },
                "calls": { "ended": { "answered": handled, "timeout": at }, "remote": 5, "times": { "classes": vec![handled / 20; 20] } },
            })
        });
        json!({ "type": kind(at), "died": { "normal": 100, "die": at }, "handlers": handlers })
    });
    let bounds = (0..25).map(|at| f64::from(1 << at) / 1e6);
    let (counted, bounds): (Vec<_>, Vec<_>) = (counted.collect(), bounds.collect());
    let counts = json!({
        "uptime": 1000 + second, "counting": true, "bounds": bounds, "total": 40, "types": counted, "restarts": 7,
        "limits": { "max_port_queue": 1 },
    });
    let waits = (0..5).map(|at| {
        json!({
            "port": format!("{}#aB3dE6gH{at}", id(n)), "type": kind(at), "handler": "work", "run": n, "calls": [format!("{}#aB3dE6gH{at}", id(n + 1))],
        })
    });
    let waits: Vec<_> = waits.collect();
    [
        node,
        json!({ "total": 4, "connections": connections }),
        ports,
        json!([{ "name": "stock", "keys": 1000 }]),
        counts,
        json!({ "total": 5, "waits": waits }),
    ]
}

/// The same answers as those of another node.
fn like(n: u64, template: &(Sight, Waits)) -> (Sight, Waits) {
    let (mut sight, mut waits) = template.clone();
    let renamed = |port: &str, to: u64| match port.split_once('#') {
        Some((_, name)) => format!("{}#{name}", id(to)),
        None => id(to),
    };
    for wait in &mut waits.waits {
        wait.port = renamed(&wait.port, n);
        wait.calls
            .iter_mut()
            .for_each(|port| *port = renamed(port, n + 1));
    }
    if let Sight::Full {
        info,
        connections,
        ports,
        ..
    } = &mut sight
    {
        info.id = id(n);
        info.role = Some(if n < 4 { Role::Global } else { Role::Slave });
        for (step, connection) in (1..).zip(connections) {
            connection.node = id(n + step * step);
        }
        ports
            .ports
            .iter_mut()
            .for_each(|port| port.id = renamed(&port.id, n));
    }
    (sight, waits)
}

/// Two rounds of answers.
fn state() -> State {
    let mut network = Network::new("observer");
    let mut history = History::default();
    for second in [1, 2] {
        let answers = answers(5, second);
        let bytes: usize = answers.iter().map(|answer| answer.to_string().len()).sum();
        let [node, connections, ports, families, counts, waits] = &answers;
        let sight = Sight::Full {
            info: Box::new(of::<NodeInfo>(node)),
            connections: of::<Connections>(connections).connections,
            ports: of::<Ports>(ports),
            families: of::<Vec<FamilyInfo>>(families),
            counts: Ok(Box::new(of::<Counts>(counts))),
        };
        let template = (sight, of::<Waits>(waits));
        let answers: Vec<_> = (0..NODES).map(|n| (id(n), like(n, &template))).collect();
        let (began, at) = (Instant::now(), second as f64);
        for (node, (sight, waits)) in answers {
            let result = Ok(sight);
            network.add_report(Report {
                node: node.clone(),
                at,
                result,
            });
            network.add_waits(&node, Some(waits));
        }
        history.sample(at, &network);
        println!(
            "round {second}: {bytes} bytes of each node as JSON, taken in {:?}",
            began.elapsed()
        );
    }
    State::new(network, history)
}

#[test]
fn pages_of_a_large_network_are_light() {
    let state = state();
    let node = id(5);
    let port = format!("{node}#aB3dE6gH1");
    let about = [Page::Node(node), Page::Port(port)];
    for page in Page::HEAD.into_iter().chain(about) {
        let query = page.id().map_or_else(Query::default, Query::about);
        let request = Request::new(page.name(), query).expect("a page");
        let began = Instant::now();
        let live = view(&request, &state, Actions::On);
        let page = document(&request, None, &live).into_string();
        println!(
            "{}: {} bytes in {:?}",
            request.page.name(),
            page.len(),
            began.elapsed()
        );
        assert!(
            page.len() < LIGHT,
            "{}: {}",
            request.page.name(),
            page.len()
        );
    }
    // All of them are in one circle of waits.
    assert_eq!(state.network.circles().len(), 5 * NODES as usize);
}
