//! Requests that a member might try to have performed in another node's name.

use serde_json::{Value, json};

use super::Seeds;

/// Requests that only a node itself should bring about.
fn requests() -> Vec<(&'static str, Vec<Value>)> {
    let request = |words: Value| words.as_array().cloned().unwrap_or_default();
    vec![
        (
            "spawn",
            request(json!(["AnyEvent::MP::_spawn", "p", "Fuzz::spawn", 1])),
        ),
        ("call", request(json!(["Fuzz::call", 1]))),
        (
            "death",
            request(json!(["kil0", "%a", "transport_error", "a", "forged"])),
        ),
        (
            "deaths",
            request(json!(["kil0", "%b", "transport_error", "b", "forged"])),
        ),
        (
            "update",
            request(json!(["g_upd", "family", {"evil": 1}, ["a", "b", "c"]])),
        ),
        (
            "change",
            request(json!(["g_chg2", "family", {"evil": 1}, ["a"]])),
        ),
        ("global", request(json!(["g_global", 0]))),
        ("eval", request(json!(["eval", "1", "$m"]))),
        ("inspect", request(json!(["inspect", "ports", "$m"]))),
        ("nothing", request(json!([]))),
    ]
}

/// Ways that a request might take.
fn ways(request: &[Value]) -> Vec<Vec<Value>> {
    let behind = |words: Value| {
        let words = words.as_array().cloned().unwrap_or_default();
        [words, request.to_vec()].concat()
    };
    let before = |words: Value, last: Value| {
        let words = words.as_array().cloned().unwrap_or_default();
        [words, request.to_vec(), vec![last]].concat()
    };
    vec![
        // directly
        behind(json!([""])),
        // relayed
        behind(json!(["", "snd", "b"])),
        // relayed to itself
        behind(json!(["", "snd", "a#"])),
        // twice
        behind(json!(["", "snd", "b", "snd", "c"])),
        // can
        behind(json!(["", "can", "snd", "b"])),
        // time
        behind(json!(["", "time", "c"])),
        // answered
        before(json!(["%a"]), json!("b")),
        // passed on
        behind(json!(["%A", "b"])),
        // relayed and passed on
        behind(json!(["", "snd", "$B", "a"])),
    ]
}

pub(super) fn scripts() -> Seeds {
    let mut seeds = Seeds::new();
    for (name, request) in requests() {
        let mut script = Vec::new();
        for packet in ways(&request) {
            for which in [b'0', b'1'] {
                script.push(which);
                script.extend(Value::from(packet.clone()).to_string().bytes());
                script.push(b'\n');
            }
        }
        seeds.insert(name.to_owned(), script);
    }
    seeds
}
