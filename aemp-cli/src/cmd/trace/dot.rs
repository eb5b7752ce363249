//! The network in the language of Graphviz.

use std::fmt::Write;

use aemp::Shown;

use super::graph::{End, Graph, Tie};

/// The network as a graph: global nodes are boxes, nodes without an answer are dashed, and an arrow leads from a slave to
/// its master. The same network gives the same text.
pub(super) fn write(graph: &Graph) -> String {
    let mut text = String::from("digraph aemp {\n  edge [dir=none];\n");
    for (id, node) in &graph.nodes {
        let shape = if node.global == Some(true) {
            "box"
        } else {
            "ellipse"
        };
        let style = match &node.failure {
            Some(failure) => format!(", style=dashed, tooltip={}", quoted(failure)),
            None => String::new(),
        };
        let _ = writeln!(text, "  {} [shape={shape}{style}];", quoted(id));
    }
    for (a, b) in &graph.connections {
        let (from, to, arrow) = match graph.tie(a, b) {
            Tie::Master(End::First) => (b, a, " [dir=forward]"),
            Tie::Master(End::Second) => (a, b, " [dir=forward]"),
            Tie::Mesh | Tie::Other => (a, b, ""),
        };
        let _ = writeln!(text, "  {} -> {}{arrow};", quoted(from), quoted(to));
    }
    text.push_str("}\n");
    text
}

/// A name that cannot end its quotes. A backslash before another character would be an escape of Graphviz.
fn quoted(name: &str) -> String {
    let shown = Shown(name).to_string();
    format!("\"{}\"", shown.replace('\\', "\\\\").replace('"', "\\\""))
}
