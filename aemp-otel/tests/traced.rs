//! The spans of the example `traced`, as its processes have written them.

use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command};

use serde_json::Value;

/// Examples are in a directory beside that of the tests. `cargo test` builds them first.
fn example() -> PathBuf {
    let test = env::current_exe().expect("the test is a program");
    let profile = test.ancestors().nth(2).expect("it is in `deps`");
    let path = profile
        .join("examples")
        .join(format!("traced{}", env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{path:?} is not built");
    path
}

/// A span, and the process that has written it.
struct Span(String, Value);

impl Span {
    fn text(&self, key: &str) -> &str {
        self.1[key].as_str().expect(key)
    }

    fn attribute(&self, key: &str) -> Option<&Value> {
        let all = self.1["attributes"].as_array().expect("a list");
        let found = all.iter().find(|attribute| attribute["key"] == key)?;
        Some(&found["value"])
    }

    fn said(&self, key: &str) -> &str {
        let value = self.attribute(key).expect(key);
        value["stringValue"].as_str().expect(key)
    }

    fn is_child_of(&self, parent: &Self) -> bool {
        self.text("traceId") == parent.text("traceId")
            && self.text("parentSpanId") == parent.text("spanId")
    }

    fn is_linked_to(&self, other: &Self) -> bool {
        let links = self.1["links"].as_array().expect("a list");
        self.text("traceId") != other.text("traceId")
            && self.text("parentSpanId").is_empty()
            && links.len() == 1
            && links[0]["traceId"] == other.text("traceId")
            && links[0]["spanId"] == other.text("spanId")
    }
}

/// All spans by their names, which are different.
fn spans(directory: &std::path::Path) -> BTreeMap<String, Span> {
    let mut spans = BTreeMap::new();
    for name in ["counter", "shop", "store"] {
        let text = fs::read_to_string(directory.join(format!("traced-{name}.json"))).unwrap();
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let resource = &line["resourceSpans"][0];
            let service = &resource["resource"]["attributes"][0]["value"]["stringValue"];
            assert_eq!(service, name);
            for span in resource["scopeSpans"][0]["spans"].as_array().unwrap() {
                let span = Span(name.into(), span.clone());
                let named = span.text("name").to_owned();
                // Connections come and go as they like.
                if !named.starts_with("aemp.") {
                    assert!(spans.insert(named.clone(), span).is_none(), "{named} twice");
                }
            }
        }
    }
    spans
}

#[test]
fn a_request_is_one_trace_over_three_processes() {
    let directory = env::temp_dir().join(format!("aemp-traced-{}", std::process::id()));
    fs::create_dir_all(&directory).unwrap();
    let output = Command::new(example()).arg(&directory).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{printed}{errors}");
    assert!(printed.contains("2 books are left"), "{printed}");
    let spans = spans(&directory);
    fs::remove_dir_all(&directory).unwrap();
    let span = |name: &str| {
        let found = spans.get(name);
        found.unwrap_or_else(|| panic!("{name}: {:?}", spans.keys()))
    };
    let (visit, order) = (span("visit"), span("process Shop.order"));
    let (take, reorder) = (span("process Store.take"), span("process Store.reorder"));
    assert_eq!([&*visit.0, &*order.0], ["counter", "shop"]);
    assert_eq!([&*take.0, &*reorder.0], ["store", "store"]);
    assert_eq!(visit.text("parentSpanId"), "");
    assert!(order.is_child_of(visit) && take.is_child_of(order));
    assert!(reorder.is_linked_to(order));
    assert_eq!(spans.len(), 4, "{:?}", spans.keys());
    let kinds = [visit, order, take, reorder].map(|span| span.1["kind"].as_u64());
    assert_eq!(kinds, [Some(1), Some(2), Some(2), Some(5)]);
    for (handled, from, way) in [
        (order, "counter", "call"),
        (take, "shop", "call"),
        (reorder, "shop", "send"),
    ] {
        assert_eq!(handled.said("messaging.system"), "aemp");
        assert_eq!(handled.said("messaging.operation.type"), "process");
        assert_eq!(handled.said("aemp.sender.node"), from);
        assert_eq!(handled.said("aemp.message.way"), way);
        assert_eq!(handled.said("aemp.node"), handled.0);
        assert_eq!(handled.said("aemp.end"), "returned");
        let port = handled.said("messaging.destination.name");
        assert!(port.starts_with(&format!("{}#", handled.0)), "{port}");
        for time in ["aemp.queue.time", "aemp.handler.time"] {
            let seconds = handled.attribute(time).unwrap()["doubleValue"].as_f64();
            assert!(
                seconds.is_some_and(|seconds| (0.0..20.0).contains(&seconds)),
                "{time}"
            );
        }
    }
}
