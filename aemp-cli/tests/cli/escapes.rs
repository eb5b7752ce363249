//! Texts of others do nothing to a terminal.

use aemp::{Node, Shown};

use crate::{
    SECRET,
    processes::{aemp, printed},
};

const EVIL: &str = "\u{1b}]0;x\u{7}\u{9b}2J\u{202e}";

async fn node() -> Node {
    let node = Node::builder().node_id("green\u{202e}");
    let node = node.secret(SECRET).bind("127.0.0.1:0").start().await;
    let node = node.expect("it starts");
    let value = serde_json::json!({ EVIL: [EVIL] });
    let family = node.family::<serde_json::Value>("lights").expect("a name");
    family.set(&format!("{EVIL}\nb"), &value).expect("a value");
    node
}

#[test]
fn names_and_values_of_others() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let green = runtime.block_on(node());
    let address = &green.listeners()[0];
    let ask = |args: &[&str]| {
        let output = aemp(&["-s", address]).args(args).output();
        output.expect("the command runs")
    };
    for args in [
        &["db", "list", "lights"][..],
        &["db", "keys", "lights"],
        &["db", "values", "lights"],
        &["db", "watch", "--count", "1", "lights"],
        &["--json", "db", "list", "lights"],
        &["nodes"],
        &["nodes", "--long"],
        &["nodes", "-c"],
        &["trace"],
        &["--json", "trace"],
    ] {
        let shown = printed(&ask(args));
        let acts = |line: &str| line.replace('\t', "").chars().any(Shown::escapes);
        assert!(!shown.is_empty() && !shown.lines().any(acts), "{shown:?}");
    }
    // Each entry is one line, and JSON keeps its meaning.
    assert_eq!(printed(&ask(&["db", "keys", "lights"])).lines().count(), 1);
    let listed = printed(&ask(&["--json", "db", "keys", "lights"]));
    let keys: Vec<String> = serde_json::from_str(&listed).expect("a document");
    assert_eq!(keys, [format!("{EVIL}\nb")]);
    // Errors too.
    let output = ask(&["cal", &format!("green\u{202e}#{EVIL}"), "x"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!error.trim_end().chars().any(Shown::escapes), "{error:?}");
}
