//! The picture of the network.

use std::fmt::Write;

use aemp::Shown;

use super::{
    graph::{End, Graph, Tie, Vertex},
    layout::{BOX, DOT, Layout, Spot, box_width},
};
use crate::table::count;

/// The margin around the picture.
const MARGIN: f64 = 24.0;
/// The height of the title and of the legend.
const TITLE: f64 = 44.0;
const LEGEND: f64 = 56.0;
/// The least width of the picture, which the legend needs.
const LEAST_WIDTH: f64 = 740.0;

const STYLE: &str = "\
text{font-family:Verdana,'DejaVu Sans',sans-serif;font-size:12px;fill:#1f2937}\
.title{font-size:16px;font-weight:600}\
.note{fill:#4b5563}\
.link{stroke:#cbd5e1;stroke-width:1.2;fill:none}\
.mesh{stroke:#64748b;stroke-width:2;fill:none}\
.slave{stroke:#2563eb;stroke-width:1.4;stroke-dasharray:5 3;fill:none}\
.node{fill:#fff;stroke:#2563eb;stroke-width:2}\
.global{fill:#1d4ed8;stroke:#1e3a8a;stroke-width:1.5}\
.name{fill:#fff;font-weight:600}\
.lost{fill:#fee2e2;stroke:#dc2626;stroke-dasharray:3 2}\
.lostname{fill:#b91c1c}";

/// The network as an SVG document. The same network gives the same picture.
pub(super) fn draw(graph: &Graph) -> String {
    let layout = Layout::of(graph);
    let (x, y) = layout.reach(graph);
    let width = (2.0 * x + 2.0 * MARGIN).max(LEAST_WIDTH);
    let height = 2.0 * y + 2.0 * MARGIN + TITLE + LEGEND;
    let (left, top) = (-width / 2.0, -y - MARGIN - TITLE);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"{left:.1} {top:.1} {width:.1} {height:.1}\">\n<style>{STYLE}</style>\n\
         <defs><marker id=\"arrow\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" \
         markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#2563eb\"/></marker></defs>\n\
         <rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    title(&mut svg, graph, left + MARGIN, top + MARGIN + 6.0);
    for (a, b) in &graph.connections {
        connection(&mut svg, graph, &layout, a, b);
    }
    for (id, node) in &graph.nodes {
        if let Some(spot) = layout.spots.get(id.as_str()) {
            if node.global == Some(true) {
                global(&mut svg, id, node, *spot);
            } else {
                other(&mut svg, id, node, *spot, layout.spokes);
            }
        }
    }
    legend(&mut svg, left + MARGIN, top + height - MARGIN - 6.0);
    svg.push_str("</svg>\n");
    svg
}

fn title(svg: &mut String, graph: &Graph, x: f64, y: f64) {
    let globals = graph.nodes.keys().filter(|id| graph.is_global(id)).count();
    let lost = graph.nodes.values().filter(|node| node.failure.is_some());
    let lost = match lost.count() {
        0 => String::new(),
        n => format!(", {n} without an answer"),
    };
    let text = format!(
        "{}, {globals} global, {}{lost}",
        count(graph.nodes.len() as u64, "node"),
        count(graph.connections.len() as u64, "connection"),
    );
    put(
        svg,
        format_args!("<text class=\"title\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>\n"),
    );
}

fn connection(svg: &mut String, graph: &Graph, layout: &Layout<'_>, a: &str, b: &str) {
    let (Some(from), Some(to)) = (layout.spots.get(a), layout.spots.get(b)) else {
        return;
    };
    match graph.tie(a, b) {
        Tie::Master(End::Second) => slave(svg, *from, *to, b),
        Tie::Master(End::First) => slave(svg, *to, *from, a),
        Tie::Mesh => line(svg, "mesh", *from, *to, ""),
        Tie::Other => bow(svg, *from, *to),
    }
}

/// The line from a slave to the edge of its master's box.
fn slave(svg: &mut String, from: Spot, to: Spot, master: &str) {
    let (dx, dy) = (from.x - to.x, from.y - to.y);
    let (w, h) = (box_width(master) / 2.0 + 2.0, BOX + 2.0);
    let part = (w / dx.abs()).min(h / dy.abs()).min(1.0);
    let edge = Spot {
        x: to.x + dx * part,
        y: to.y + dy * part,
        ..to
    };
    line(svg, "slave", from, edge, " marker-end=\"url(#arrow)\"");
}

fn line(svg: &mut String, class: &str, from: Spot, to: Spot, more: &str) {
    put(
        svg,
        format_args!(
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"{more}/>\n",
            from.x, from.y, to.x, to.y
        ),
    );
}

/// A connection that is neither within the mesh nor to a master. It is bent towards the centre, to avoid the nodes of
/// its ring.
fn bow(svg: &mut String, from: Spot, to: Spot) {
    let (x, y) = from.bow(to);
    put(
        svg,
        format_args!(
            "<path class=\"link\" d=\"M{:.1} {:.1}Q{x:.1} {y:.1} {:.1} {:.1}\"/>\n",
            from.x, from.y, to.x, to.y
        ),
    );
}

fn global(svg: &mut String, id: &str, node: &Vertex, spot: Spot) {
    let width = box_width(id);
    let lost = if node.failure.is_some() { " lost" } else { "" };
    let name = if node.failure.is_some() {
        "lostname"
    } else {
        "name"
    };
    put(
        svg,
        format_args!(
            "<g>{}<rect class=\"global{lost}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" rx=\"{BOX}\"/>\
             <text class=\"{name}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text></g>\n",
            hint(id, node),
            spot.x - width / 2.0,
            spot.y - BOX,
            2.0 * BOX,
            spot.x,
            spot.y + 4.0,
            escaped(id)
        ),
    );
}

fn other(svg: &mut String, id: &str, node: &Vertex, spot: Spot, spokes: bool) {
    let lost = if node.failure.is_some() { " lost" } else { "" };
    let name = if node.failure.is_some() {
        " class=\"lostname\""
    } else {
        ""
    };
    put(
        svg,
        format_args!(
            "<g>{}<circle class=\"node{lost}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"{DOT}\"/><text{name} {}>{}</text></g>\n",
            hint(id, node),
            spot.x,
            spot.y,
            if spokes { spoke(spot) } else { beside(spot) },
            escaped(id)
        ),
    );
}

/// The text that is shown when the pointer rests on a node.
fn hint(id: &str, node: &Vertex) -> String {
    let mut text = id.to_owned();
    match (&node.master, node.global) {
        (Some(master), _) => text.push_str(&format!(", slave of {master}")),
        (None, Some(true)) => text.push_str(", global"),
        (None, None) if node.failure.is_none() => text.push_str(", role unknown"),
        (None, _) => {}
    }
    if let Some(failure) = &node.failure {
        text.push_str(&format!(": {failure}"));
    }
    format!("<title>{}</title>", escaped(&text))
}

/// A name outside of the ring, horizontal.
fn beside(spot: Spot) -> String {
    let (x, y, anchor) = spot.beside();
    format!("x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\"")
}

/// A name outside of the ring, along the ray from the centre.
fn spoke(spot: Spot) -> String {
    let (transform, anchor) = spot.spoke();
    format!("transform=\"{transform}\" dy=\"4\" text-anchor=\"{anchor}\"")
}

fn legend(svg: &mut String, x: f64, y: f64) {
    let middle = y - 4.0;
    let arrow = " marker-end=\"url(#arrow)\"";
    let pill = "<rect class=\"global\" y=\"-6\" width=\"26\" height=\"12\" rx=\"6\"/>".to_owned();
    let dot = |class: &str| format!("<circle class=\"node{class}\" cx=\"{DOT}\" r=\"{DOT}\"/>");
    let stroke = |class: &str, more: &str| format!("<line class=\"{class}\" x2=\"30\"{more}/>");
    let entries = [
        (pill, 26.0, "global node"),
        (dot(""), 2.0 * DOT, "node"),
        (dot(" lost"), 2.0 * DOT, "no answer"),
        (stroke("slave", arrow), 30.0, "to its master"),
        (stroke("mesh", ""), 30.0, "between globals"),
        (stroke("link", ""), 30.0, "connection"),
    ];
    let mut x = x;
    for (sign, width, text) in entries {
        let at = width + 6.0;
        put(
            svg,
            format_args!(
                "<g transform=\"translate({x:.1} {middle:.1})\">{sign}\
                 <text class=\"note\" x=\"{at:.1}\" y=\"4\">{text}</text></g>\n"
            ),
        );
        x += at + 6.6 * text.len() as f64 + 16.0;
    }
}

fn put(svg: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = svg.write_fmt(args);
}

/// Escapes a text for the document, because node IDs are foreign text.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in Shown(text).to_string().chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '"' => safe.push_str("&quot;"),
            c => safe.push(c),
        }
    }
    safe
}
