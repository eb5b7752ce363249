//! The weights of entries, against the memory that the allocator gives for them.

use std::{env, fs, process::Command};

use aemp_codec::{Format, Limits, Value};

use super::network::id;
use crate::global::shards::Shards;

/// The variable that tells a process of its own which shape to measure. One process would reuse memory that it has
/// freed.
const SHAPE: &str = "AEMP_MEASURED_SHAPE";
/// The number of bytes to set, as the quota counts them.
const BYTES: usize = 48 << 20;

/// Entries as peers may send them, in JSON.
const SHAPES: &[(&str, &str)] = &[
    ("number", "1"),
    ("short text", r#""up""#),
    (
        "long text",
        r#""0123456789012345678901234567890123456789012345678901234567890123456789""#,
    ),
    ("list of one", "[1]"),
    ("list of eight", "[1,2,3,4,5,6,7,8]"),
    ("list of nine", "[1,2,3,4,5,6,7,8,9]"),
    ("lists in lists", "[[],[[[1],[2]],[[3],[4]]]]"),
    ("texts", r#"["a","b","c","d","e","f"]"#),
    ("empty map", "{}"),
    ("map of one", r#"{"a":1}"#),
    ("map of four", r#"{"a":1,"b":2,"c":3,"d":4}"#),
    (
        "map of ten",
        r#"{"a":1,"b":2,"c":3,"d":4,"e":5,"f":6,"g":7,"h":8,"i":9,"j":0}"#,
    ),
    ("maps in maps", r#"{"a":{"b":{"c":{}}},"d":[{},{}]}"#),
    ("families", ""),
];

fn resident() -> usize {
    let statm = fs::read_to_string("/proc/self/statm").unwrap();
    let pages: usize = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn value(json: &str) -> Value {
    let packet = format!("[{json}]");
    let reader = Format::Json.reader(packet.as_bytes(), Limits::default());
    reader.unwrap().value().unwrap().unwrap()
}

/// The memory from the allocator, divided by the memory that the quota counts.
fn measure(json: &str) -> f64 {
    let mut shards = Shards::default();
    let owner = shards.owner(&id("owner"));
    let before = resident();
    let mut number = 0;
    while shards.held(owner).bytes < BYTES {
        let (family, json) = match json {
            "" => (format!("family{number}"), "1"),
            _ => ("family".into(), json),
        };
        let key = format!("node/{number}#port");
        shards.set(owner, &family.into(), &key.into(), value(json));
        number += 1;
    }
    (resident() - before) as f64 / shards.held(owner).bytes as f64
}

#[test]
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn the_counted_memory_is_close_to_the_allocators() {
    if let Ok(shape) = env::var(SHAPE) {
        let found = SHAPES.iter().find(|(name, _)| *name == shape);
        println!("ratio={}", measure(found.unwrap().1));
        return;
    }
    let name = "the_counted_memory_is_close_to_the_allocators";
    let mut odd = Vec::new();
    for (shape, _) in SHAPES {
        let mut command = Command::new(env::current_exe().unwrap());
        let command = command.env(SHAPE, shape).args(["--nocapture", name]);
        let out = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let ratio = out
            .split("ratio=")
            .nth(1)
            .and_then(|text| text.lines().next());
        let ratio: f64 = ratio.expect(&out).parse().unwrap();
        println!("{shape}: {ratio:.2}");
        if !(1.0 / 1.3..1.3).contains(&ratio) {
            odd.push(format!("{shape}: {ratio:.2}"));
        }
    }
    assert!(odd.is_empty(), "{odd:?}");
}
