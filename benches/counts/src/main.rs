//! Runs one hot path a given number of times: `aemp-counts PATH TIMES`. Without arguments, it lists the paths, each with
//! the smaller one of the two numbers for which it is counted.
//!
//! `.ci/counts` runs each path under callgrind with two numbers of times, and divides the difference of the counted
//! instructions by the difference of the numbers. So the start of the process and of the nodes is not counted. The
//! results are compared with those in `benches/counts/counts.txt`.
//!
//! The nodes are simulated: one thread, one order of events, and no clock. On a real node, the executor times handlers,
//! and callgrind is so slow that it would trust none of them. A simulated network stands for sockets and their tasks,
//! so the paths between nodes count everything but these.

mod local;
mod packets;
mod remote;
mod supervised;

use std::{env, process::ExitCode};

use aemp::{Format, Node, NodeBuilder, sim::Sim};

/// The messages that are sent before the sender waits for the port. Numbers of times are multiples of it.
const BATCH: u64 = 100;

/// Each path, and the smaller number of times to run it.
const PATHS: [(&str, u64); 17] = [
    ("send", 20_000),
    ("ping-pong", 10_000),
    ("call", 10_000),
    ("call-async", 10_000),
    ("call-waiting", 5_000),
    ("snd-untyped", 10_000),
    ("spawn-stop", 5_000),
    ("monitor-fires", 5_000),
    ("restart", 1_000),
    ("db-set", 2_000),
    ("packet-json", 10_000),
    ("packet-cbor", 10_000),
    ("packet-postcard", 10_000),
    ("remote-send-json", 10_000),
    ("remote-send-postcard", 10_000),
    ("remote-call-json", 2_000),
    ("remote-call-postcard", 2_000),
];

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [path, times] = &arguments[..] else {
        for (name, times) in PATHS {
            println!("{name} {times}");
        }
        return ExitCode::SUCCESS;
    };
    match times.parse() {
        Ok(times) if run(path, times) => ExitCode::SUCCESS,
        _ => {
            eprintln!("usage: aemp-counts PATH TIMES; without arguments, the paths are listed");
            ExitCode::from(2)
        }
    }
}

/// Returns false if there is no such path.
fn run(path: &str, times: u64) -> bool {
    match path {
        "packet-json" => packets::there_and_back(&Format::Json, times),
        "packet-cbor" => packets::there_and_back(&Format::Cbor, times),
        "packet-postcard" => packets::there_and_back(&Format::Postcard, times),
        "remote-send-json" => between(&Format::Json, |a, b| remote::send(a, b, times)),
        "remote-send-postcard" => between(&Format::Postcard, |a, b| remote::send(a, b, times)),
        "remote-call-json" => between(&Format::Json, |a, b| remote::call(a, b, times)),
        "remote-call-postcard" => between(&Format::Postcard, |a, b| remote::call(a, b, times)),
        "send" => alone(|node| local::send(node, times)),
        "ping-pong" => alone(|node| local::ping_pong(node, times)),
        "call" => alone(|node| local::call(node, times)),
        "call-async" => alone(|node| local::call_async(node, times)),
        "call-waiting" => alone(|node| local::call_waiting(node, times)),
        "snd-untyped" => alone(|node| local::snd_untyped(node, times)),
        "spawn-stop" => alone(|node| local::spawn_stop(node, times)),
        "monitor-fires" => alone(|node| local::monitor_fires(node, times)),
        "restart" => alone(|node| supervised::restart(node, times)),
        "db-set" => alone(|node| local::db_set(node, times)),
        _ => return false,
    }
    true
}

fn builder(name: &str) -> NodeBuilder {
    Node::builder().node_id(name).secret("counts")
}

fn alone<F: Future>(path: impl FnOnce(Node) -> F) {
    let mut sim = Sim::new(1);
    let node = sim.start(builder("a").bind("*:4040"));
    sim.block_on(path(node.expect("the settings are right")));
}

fn between<F: Future>(format: &Format, path: impl FnOnce(Node, Node) -> F) {
    let mut sim = Sim::new(1);
    let mut start = |builder: NodeBuilder| {
        let node = sim.start(builder.framing_format([format.name()]));
        node.expect("the settings are right")
    };
    let server = start(builder("a").bind("*:4040"));
    let client = start(builder("b").seed("a:4040"));
    sim.block_on(path(server, client));
}
