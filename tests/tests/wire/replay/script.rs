//! The actions of the recorded nodes: the recordings have texts for some of them, and only times for the rest.

use aemp_proto::global as db;
use serde_json::{Value as Json, json};

use super::story::{self, What};
use aemp_tests::transcript::Transcript;

/// The time of an action.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum When {
    /// Before the first connection of the node.
    Start,
    /// Where the recorded node sends a packet that begins like that, if only times are recorded.
    Before(String),
    /// Where the recording has that text.
    Step(&'static str),
}

/// An action of a recorded node.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Set(&'static str, String, Json),
    Del(&'static str, String),
    /// Watch a family; the label is the one that the recorded callback had.
    Watch(&'static str, &'static str),
    Unwatch(&'static str),
    Query(db::Query, &'static str),
    Send(String, String, Json),
    Monitor(String, String),
}

fn set(family: &'static str, key: &str, value: Json) -> Act {
    Act::Set(family, key.into(), value)
}

fn del(family: &'static str, key: &str) -> Act {
    Act::Del(family, key.into())
}

fn send(node: &str, port: &str, message: Json) -> Act {
    Act::Send(node.into(), port.into(), message)
}

fn monitor_port(node: &str, port: &str) -> Act {
    Act::Monitor(node.into(), port.into())
}

pub(crate) struct Line {
    pub(crate) when: When,
    pub(crate) node: String,
    pub(crate) act: Act,
}

fn line(when: When, node: &str, act: Act) -> Line {
    let node = node.into();
    Line { when, node, act }
}

/// The actions in a scenario, in any recorded format.
pub(crate) fn of(transcript: &Transcript) -> Vec<Line> {
    let name = transcript.name.as_str();
    match name.strip_suffix("_cbor").unwrap_or(name) {
        "db_slave_sync" => slave_sync(&registered(transcript)),
        "db_conflict" => conflict(),
        "db_leaked_monitor" => leaked_monitor(),
        "db_monitor" => monitor(),
        "db_queries" => queries(),
        "db_two_globals" => two_globals(),
        "db_two_globals_conflict" => two_globals_conflict(),
        "find_node" => find_node(&monitored(transcript)),
        "global_down" => global_down(),
        "master_failover" => master_failover(),
        "mon_unreachable" => unreachable(),
        _ => Vec::new(),
    }
}

/// The packets of a transcript.
fn packets(transcript: &Transcript) -> impl Iterator<Item = Json> {
    let story = story::of(transcript).into_iter();
    story.filter_map(|happening| match happening.what {
        What::Packet { packet, .. } => Some(packet),
        _ => None,
    })
}

/// The port that a node has registered.
fn registered(transcript: &Transcript) -> String {
    let mut sets = packets(transcript).filter(|packet| packet[2] == "workers");
    let set = sets.next().unwrap();
    set[3].as_object().unwrap().keys().next().unwrap().clone()
}

/// The port that a node has monitored.
fn monitored(transcript: &Transcript) -> String {
    let mut monitors = packets(transcript).filter(|packet| packet[1] == "mon1");
    let monitor = monitors.next().unwrap();
    monitor[2].as_str().unwrap().into()
}

fn before(packet: &str) -> When {
    When::Before(packet.into())
}

use Act::{Query, Unwatch, Watch};
use When::{Start, Step};

fn slave_sync(port: &str) -> Vec<Line> {
    let acts = [
        (Start, set("early", "k1", json!("before connection"))),
        (Step("db_set fam key 1"), set("fam", "key", json!(1))),
        (
            Step("same value again: nothing is sent"),
            set("fam", "key", json!(1)),
        ),
        (Step("changed value"), set("fam", "key", json!("2"))),
        (Step("no value"), set("fam", "novalue", Json::Null)),
        (
            Step("structured value"),
            set("fam", "struct", json!({"a": [1, null]})),
        ),
        (
            Step("utf-8 key and value"),
            set("fam", "\u{20ac}", json!("\u{e4}\u{20ac}")),
        ),
        (
            Step("port registered with db_reg"),
            set("workers", port, json!("v")),
        ),
        (Step("the port dies: entry deleted"), del("workers", port)),
        (Step("two keys deleted"), del("fam", "key")),
        (Step("two keys deleted"), del("fam", "novalue")),
        (
            Step("delete of a missing key: nothing is sent"),
            del("fam", "key"),
        ),
        (Step("guard form"), set("guarded", "x", json!(1))),
        (Step("guard dropped"), del("guarded", "x")),
    ];
    acts.map(|(when, act)| line(when, "s", act)).into()
}

fn conflict() -> Vec<Line> {
    vec![
        line(Step("m monitors"), "m", Watch("mon", "fam")),
        line(Step("s1 sets k=one"), "s1", set("fam", "k", json!("one"))),
        line(Step("s2 sets k=two"), "s2", set("fam", "k", json!("two"))),
        line(
            Step("s2 deletes k: one appears again"),
            "s2",
            del("fam", "k"),
        ),
        line(
            Step("s2 sets k=two again"),
            "s2",
            set("fam", "k", json!("two")),
        ),
        line(Step("s1 deletes k: value stays two"), "s1", del("fam", "k")),
        line(Step("s2 deletes k: gone"), "s2", del("fam", "k")),
    ]
}

fn leaked_monitor() -> Vec<Line> {
    let first = "g sets a key, then a new process takes the node id m";
    vec![
        line(before(r#"["","g_mon1""#), "m", Watch("mon", "fam")),
        line(Step(first), "g", set("fam", "k1", json!("v1"))),
        line(
            Step("g sets another key"),
            "g",
            set("fam", "k2", json!("v2")),
        ),
    ]
}

fn monitor() -> Vec<Line> {
    vec![
        line(
            Step("m monitors the empty family"),
            "m",
            Watch("mon", "fam"),
        ),
        line(Step("s sets k=1"), "s", set("fam", "k", json!(1))),
        line(Step("s changes k"), "s", set("fam", "k", json!([2]))),
        line(
            Step("s sets k2 without value"),
            "s",
            set("fam", "k2", Json::Null),
        ),
        line(
            Step("second monitor on m: nothing is sent"),
            "m",
            Watch("mon2", "fam"),
        ),
        line(Step("s deletes k"), "s", del("fam", "k")),
        line(Step("s deletes k2"), "s", del("fam", "k2")),
        line(
            Step("first guard dropped: nothing is sent"),
            "m",
            Unwatch("mon"),
        ),
        line(Step("second guard dropped"), "m", Unwatch("mon2")),
        line(
            Step("s sets k=9: m is not told"),
            "s",
            set("fam", "k", json!(9)),
        ),
        line(
            Step("m monitors the filled family"),
            "m",
            Watch("mon3", "fam"),
        ),
    ]
}

fn queries() -> Vec<Line> {
    let mut lines = vec![
        line(Start, "g", set("fam", "gk", json!(["on g"]))),
        line(
            before(r#"["","g_upd","fam""#),
            "s",
            set("fam", "k", json!(1)),
        ),
    ];
    let queries = [
        ("db_family fam", db::Query::Family, "fam"),
        ("db_family emptyfam", db::Query::Family, "emptyfam"),
        ("db_keys fam", db::Query::Keys, "fam"),
        ("db_keys emptyfam", db::Query::Keys, "emptyfam"),
        ("db_values fam", db::Query::Values, "fam"),
        ("db_values emptyfam", db::Query::Values, "emptyfam"),
    ];
    lines.extend(queries.map(|(step, what, family)| line(Step(step), "s", Query(what, family))));
    lines
}

fn two_globals() -> Vec<Line> {
    vec![
        line(
            before(r#"["","g_upd","fam""#),
            "s1",
            set("fam", "old", json!("set before g2 came")),
        ),
        line(Step("s2 monitors"), "s2", Watch("mon", "fam")),
        line(Step("s1 sets k"), "s1", set("fam", "k", json!(1))),
        line(Step("s1 changes k"), "s1", set("fam", "k", json!("2"))),
        line(Step("s1 deletes k"), "s1", del("fam", "k")),
        line(Step("s2 sets own"), "s2", set("fam", "own", json!("of s2"))),
    ]
}

fn two_globals_conflict() -> Vec<Line> {
    vec![
        line(Step("s1 monitors"), "s1", Watch("mon", "fam")),
        line(Step("s2 monitors"), "s2", Watch("mon", "fam")),
        line(Step("s1 sets k=one"), "s1", set("fam", "k", json!("one"))),
        line(Step("s2 sets k=two"), "s2", set("fam", "k", json!("two"))),
        line(Step("s2 deletes k"), "s2", del("fam", "k")),
        line(Step("s1 deletes k"), "s1", del("fam", "k")),
    ]
}

fn find_node(port: &str) -> Vec<Line> {
    let known = Step("s1 sends two messages to a port on s2 and monitors it");
    let unknown = Step("s1 sends to and monitors a port on an unknown node");
    vec![
        line(known.clone(), "s1", send("s2", port, json!(["first"]))),
        line(known.clone(), "s1", send("s2", port, json!(["second"]))),
        line(known, "s1", monitor_port("s2", port)),
        line(
            unknown.clone(),
            "s1",
            send("nobody", "port", json!(["lost"])),
        ),
        line(unknown, "s1", monitor_port("nobody", "port")),
    ]
}

fn global_down() -> Vec<Line> {
    vec![
        line(
            before(r#"["","g_upd","f1",{"a""#),
            "s",
            set("f1", "a", json!(1)),
        ),
        line(
            before(r#"["","g_upd","f1",{"b""#),
            "s",
            set("f1", "b", json!(1)),
        ),
        line(
            before(r#"["","g_upd","f2""#),
            "s",
            set("f2", "c", json!([2])),
        ),
        line(before(r#"["","g_mon1","f1""#), "m", Watch("f1", "f1")),
        line(before(r#"["","g_mon1","f2""#), "m", Watch("f2", "f2")),
        line(before(r#"["","g_mon1","'l""#), "m", Watch("l", "'l")),
    ]
}

fn master_failover() -> Vec<Line> {
    vec![
        line(
            before(r#"["","g_upd","fam""#),
            "s",
            set("fam", "mine", json!(1)),
        ),
        line(before(r#"["","g_mon1""#), "s", Watch("mon", "fam")),
    ]
}

fn unreachable() -> Vec<Line> {
    let unknown = Step("mon of a port on an unknown node");
    let dead = Step("mon of a port on a node with a dead address");
    vec![
        line(Start, "g", set("'l", "dead", json!(["127.0.0.1:1"]))),
        line(unknown, "a", monitor_port("unknown", "port")),
        line(dead, "a", monitor_port("dead", "port")),
    ]
}
