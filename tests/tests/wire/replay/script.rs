//! What the recorded nodes were told to do: the recordings have texts for some of it, and only times for the rest.

use aemp::proto::global as db;
use serde_json::{Value as Json, json};

/// When something was done.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum When {
    /// Before the node connected to anybody.
    Start,
    /// At that time, in milliseconds.
    At(f64),
    /// Where the recording has that text.
    Step(&'static str),
}

/// What was done.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Set(&'static str, &'static str, Json),
    Del(&'static str, &'static str),
    /// Watch a family; the label is the one that the recorded callback had.
    Watch(&'static str, &'static str),
    Unwatch(&'static str),
    Query(db::Query, &'static str),
    Send(&'static str, &'static str, Json),
    Monitor(&'static str, &'static str),
}

pub(crate) struct Line {
    pub(crate) when: When,
    pub(crate) node: &'static str,
    pub(crate) act: Act,
}

fn line(when: When, node: &'static str, act: Act) -> Line {
    Line { when, node, act }
}

/// What was done in the scenario of that name.
pub(crate) fn of(scenario: &str) -> Vec<Line> {
    match scenario {
        "db_slave_sync" => slave_sync(),
        "db_conflict" => conflict(),
        "db_leaked_monitor" => leaked_monitor(),
        "db_monitor" => monitor(),
        "db_queries" => queries(),
        "db_two_globals" => two_globals(),
        "db_two_globals_conflict" => two_globals_conflict(),
        "find_node" => find_node(),
        "global_down" => global_down(),
        "master_failover" => master_failover(),
        _ => Vec::new(),
    }
}

use Act::{Del, Monitor, Query, Send, Set, Unwatch, Watch};
use When::{At, Start, Step};

fn slave_sync() -> Vec<Line> {
    let port = "s#GDdN48aLnb";
    let acts = [
        (Start, Set("early", "k1", json!("before connection"))),
        (Step("db_set fam key 1"), Set("fam", "key", json!(1))),
        (
            Step("same value again: nothing is sent"),
            Set("fam", "key", json!(1)),
        ),
        (Step("changed value"), Set("fam", "key", json!("2"))),
        (Step("no value"), Set("fam", "novalue", Json::Null)),
        (
            Step("structured value"),
            Set("fam", "struct", json!({"a": [1, null]})),
        ),
        (
            Step("utf-8 key and value"),
            Set("fam", "\u{20ac}", json!("\u{e4}\u{20ac}")),
        ),
        (
            Step("port registered with db_reg"),
            Set("workers", port, json!("v")),
        ),
        (Step("the port dies: entry deleted"), Del("workers", port)),
        (Step("two keys deleted"), Del("fam", "key")),
        (Step("two keys deleted"), Del("fam", "novalue")),
        (
            Step("delete of a missing key: nothing is sent"),
            Del("fam", "key"),
        ),
        (Step("guard form"), Set("guarded", "x", json!(1))),
        (Step("guard dropped"), Del("guarded", "x")),
    ];
    acts.map(|(when, act)| line(when, "s", act)).into()
}

fn conflict() -> Vec<Line> {
    vec![
        line(Step("m monitors"), "m", Watch("mon", "fam")),
        line(Step("s1 sets k=one"), "s1", Set("fam", "k", json!("one"))),
        line(Step("s2 sets k=two"), "s2", Set("fam", "k", json!("two"))),
        line(
            Step("s2 deletes k: one appears again"),
            "s2",
            Del("fam", "k"),
        ),
        line(
            Step("s2 sets k=two again"),
            "s2",
            Set("fam", "k", json!("two")),
        ),
        line(Step("s1 deletes k: value stays two"), "s1", Del("fam", "k")),
        line(Step("s2 deletes k: gone"), "s2", Del("fam", "k")),
    ]
}

fn leaked_monitor() -> Vec<Line> {
    let first = "g sets a key, then a new process takes the node id m";
    vec![
        line(At(431.0), "m", Watch("mon", "fam")),
        line(Step(first), "g", Set("fam", "k1", json!("v1"))),
        line(
            Step("g sets another key"),
            "g",
            Set("fam", "k2", json!("v2")),
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
        line(Step("s sets k=1"), "s", Set("fam", "k", json!(1))),
        line(Step("s changes k"), "s", Set("fam", "k", json!([2]))),
        line(
            Step("s sets k2 without value"),
            "s",
            Set("fam", "k2", Json::Null),
        ),
        line(
            Step("second monitor on m: nothing is sent"),
            "m",
            Watch("mon2", "fam"),
        ),
        line(Step("s deletes k"), "s", Del("fam", "k")),
        line(Step("s deletes k2"), "s", Del("fam", "k2")),
        line(
            Step("first guard dropped: nothing is sent"),
            "m",
            Unwatch("mon"),
        ),
        line(Step("second guard dropped"), "m", Unwatch("mon2")),
        line(
            Step("s sets k=9: m is not told"),
            "s",
            Set("fam", "k", json!(9)),
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
        line(Start, "g", Set("fam", "gk", json!(["on g"]))),
        line(At(429.0), "s", Set("fam", "k", json!(1))),
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
            At(388.0),
            "s1",
            Set("fam", "old", json!("set before g2 came")),
        ),
        line(Step("s2 monitors"), "s2", Watch("mon", "fam")),
        line(Step("s1 sets k"), "s1", Set("fam", "k", json!(1))),
        line(Step("s1 changes k"), "s1", Set("fam", "k", json!("2"))),
        line(Step("s1 deletes k"), "s1", Del("fam", "k")),
        line(Step("s2 sets own"), "s2", Set("fam", "own", json!("of s2"))),
    ]
}

fn two_globals_conflict() -> Vec<Line> {
    vec![
        line(Step("s1 monitors"), "s1", Watch("mon", "fam")),
        line(Step("s2 monitors"), "s2", Watch("mon", "fam")),
        line(Step("s1 sets k=one"), "s1", Set("fam", "k", json!("one"))),
        line(Step("s2 sets k=two"), "s2", Set("fam", "k", json!("two"))),
        line(Step("s2 deletes k"), "s2", Del("fam", "k")),
        line(Step("s1 deletes k"), "s1", Del("fam", "k")),
    ]
}

fn find_node() -> Vec<Line> {
    let known = Step("s1 sends two messages to a port on s2 and monitors it");
    let unknown = Step("s1 sends to and monitors a port on an unknown node");
    let port = "SN8G03jq8b";
    vec![
        line(known, "s1", Send("s2", port, json!(["first"]))),
        line(known, "s1", Send("s2", port, json!(["second"]))),
        line(known, "s1", Monitor("s2", port)),
        line(unknown, "s1", Send("nobody", "port", json!(["lost"]))),
        line(unknown, "s1", Monitor("nobody", "port")),
    ]
}

fn global_down() -> Vec<Line> {
    vec![
        line(At(575.2), "s", Set("f1", "a", json!(1))),
        line(At(576.0), "m", Watch("f1", "f1")),
        line(At(576.0), "m", Watch("f2", "f2")),
        line(At(576.0), "m", Watch("l", "'l")),
        line(At(576.6), "s", Set("f1", "b", json!(1))),
        line(At(576.7), "s", Set("f2", "c", json!([2]))),
    ]
}

fn master_failover() -> Vec<Line> {
    vec![
        line(At(973.3), "s", Set("fam", "mine", json!(1))),
        line(At(973.4), "s", Watch("mon", "fam")),
    ]
}
