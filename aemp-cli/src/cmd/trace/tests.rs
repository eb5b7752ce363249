//! Pictures of networks.

use super::{
    dot,
    graph::Graph,
    layout::{Layout, box_width},
    svg::draw,
};

/// A network of connected global nodes, and of other nodes that are distributed among them.
fn network(globals: usize, others: usize) -> Graph {
    let mut graph = Graph::default();
    let global = |n: usize| format!("global/{n}");
    for a in 0..globals {
        graph.node(&global(a)).global = Some(true);
        for b in 0..a {
            graph.connect(&global(a), &global(b));
        }
    }
    let other = |n: usize| format!("worker-{n:02}.example/{n}");
    for n in 0..others {
        graph.node(&other(n)).global = Some(false);
        if globals > 0 {
            graph.node(&other(n)).master = Some(global(n % globals));
            graph.connect(&other(n), &global(n % globals));
        }
        if n % 7 == 3 {
            graph.connect(&other(n), &other(n / 2));
        }
    }
    graph
}

#[test]
fn the_same_network_gives_the_same_picture() {
    assert_eq!(draw(&network(3, 20)), draw(&network(3, 20)));
}

#[test]
fn every_node_and_connection_is_drawn() {
    let mut graph = network(3, 17);
    graph.node("lost").failure = Some("no answer within 5 s".into());
    let svg = draw(&graph);
    let connections = graph.connections.len();
    // The legend has three lines and three nodes of its own.
    let lines = svg.matches("<line ").count() + svg.matches("class=\"link\" d=").count();
    assert_eq!(lines, connections + 3);
    assert_eq!(svg.matches("<g>").count(), graph.nodes.len());
    assert!(svg.contains("<title>lost: no answer within 5 s</title>"));
    assert!(svg.contains("<title>worker-01.example/1, slave of global/1</title>"));
    assert!(svg.contains(">21 nodes, 3 global, "), "{svg}");
}

#[test]
fn graphviz_gets_every_node_and_connection() {
    let mut graph = network(2, 2);
    graph.node("lost").failure = Some("no \"answer\"".into());
    graph.node(r#"a"b\n"#);
    let expected = r#"digraph aemp {
  edge [dir=none];
  "a\"b\\n" [shape=ellipse];
  "global/0" [shape=box];
  "global/1" [shape=box];
  "lost" [shape=ellipse, style=dashed, tooltip="no \"answer\""];
  "worker-00.example/0" [shape=ellipse];
  "worker-01.example/1" [shape=ellipse];
  "global/0" -> "global/1";
  "worker-00.example/0" -> "global/0" [dir=forward];
  "worker-01.example/1" -> "global/1" [dir=forward];
}
"#;
    assert_eq!(dot::write(&graph), expected);
}

#[test]
fn names_cannot_break_the_document() {
    let mut graph = Graph::default();
    graph.node("a<b>&\"c");
    let svg = draw(&graph);
    assert!(svg.contains("a&lt;b&gt;&amp;&quot;c"));
    assert!(!svg.contains("a<b>"));
}

#[test]
fn boxes_of_global_nodes_do_not_overlap() {
    for globals in 2..=24 {
        let graph = network(globals, 3 * globals);
        let layout = Layout::of(&graph);
        let boxes: Vec<_> = layout
            .spots
            .iter()
            .filter(|(id, _)| graph.is_global(id))
            .collect();
        for (n, (a, at)) in boxes.iter().enumerate() {
            for (b, bt) in &boxes[..n] {
                let wide = (at.x - bt.x).abs() - (box_width(a) + box_width(b)) / 2.0;
                let high = (at.y - bt.y).abs() - 26.0;
                assert!(wide > 0.0 || high > 0.0, "{globals}: {a} and {b}");
            }
        }
    }
}

#[test]
fn a_network_may_have_any_shape() {
    for globals in 0..4 {
        for others in 0..4 {
            let svg = draw(&network(globals, others));
            assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
        }
    }
}
