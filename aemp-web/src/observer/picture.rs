//! The picture of the topology: nodes by their roles, connections by their traffic.

use std::collections::BTreeMap;

use aemp::Shown;
use maud::{Markup, html};

use super::page::Page;
use crate::{
    network::{Link, Network, Rate},
    text::{count, short},
    topology::{
        graph::{Graph, Tie, Vertex},
        layout::{BOX, DOT, Layout, Spot, box_width},
    },
};

/// The margin around the picture.
const MARGIN: f64 = 12.0;
/// The numbers of nodes and of connections that are drawn at most. More could not be told apart, and the page would be heavy.
const NODES: usize = 250;
const CONNECTIONS: usize = 400;
/// The least width of the picture, at which a network of one node is not enlarged.
const LEAST: f64 = 240.0;

/// A drawn node.
#[derive(Clone, Debug)]
struct Dot {
    id: String,
    at: Spot,
    is_global: bool,
    is_lost: bool,
    hint: String,
}

/// A drawn connection.
#[derive(Clone, Debug)]
struct Line {
    from: Spot,
    to: Spot,
    tie: Tie,
    /// The class of the traffic, from 0 to 3.
    traffic: u8,
    hint: String,
}

/// The rectangle around the picture.
#[derive(Clone, Copy, Debug)]
struct Frame {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

/// The topology at one time.
#[derive(Clone, Debug)]
pub(crate) struct Picture {
    dots: Vec<Dot>,
    lines: Vec<Line>,
    frame: Frame,
    spokes: bool,
    /// The number of all nodes, also of those that are not drawn.
    all: usize,
}

/// The part of a large network that is drawn: global nodes first, then lost ones, then others.
fn drawn(graph: &Graph) -> Graph {
    let rank = |vertex: &Vertex| match (vertex.global, &vertex.failure) {
        (Some(true), _) => 0,
        (_, Some(_)) => 1,
        _ => 2,
    };
    let mut nodes: Vec<_> = graph.nodes.iter().collect();
    nodes.sort_by_key(|(_, vertex)| rank(vertex));
    nodes.truncate(NODES);
    let nodes: BTreeMap<_, _> = nodes
        .into_iter()
        .map(|(id, vertex)| (id.clone(), vertex.clone()))
        .collect();
    let are_drawn = |(a, b): &&(String, String)| nodes.contains_key(a) && nodes.contains_key(b);
    let connections = graph.connections.iter().filter(are_drawn);
    let mut connections: Vec<_> = connections.collect();
    connections.sort_by_key(|(a, b)| graph.tie(a, b) == Tie::Other);
    Graph {
        connections: connections.into_iter().take(CONNECTIONS).cloned().collect(),
        nodes,
    }
}

impl Picture {
    pub(crate) fn new(graph: &Graph, network: &Network) -> Self {
        let all = graph.nodes.len();
        let part = (all > NODES || graph.connections.len() > CONNECTIONS).then(|| drawn(graph));
        let graph = part.as_ref().unwrap_or(graph);
        let layout = Layout::of(graph);
        let links = Links::of(network);
        let dots = graph.nodes.iter().filter_map(|(id, vertex)| {
            Some(Dot {
                id: id.clone(),
                at: *layout.spots.get(id.as_str())?,
                is_global: vertex.global == Some(true),
                is_lost: vertex.failure.is_some(),
                hint: hint(id, vertex),
            })
        });
        let lines = graph.connections.iter().filter_map(|(a, b)| {
            let (from, to) = (*layout.spots.get(&**a)?, *layout.spots.get(&**b)?);
            let (rate, hint) = links.between(a, b);
            Some(Line {
                from,
                to,
                tie: graph.tie(a, b),
                traffic: class(rate),
                hint,
            })
        });
        Self {
            dots: dots.collect(),
            lines: lines.collect(),
            frame: Frame::around(&layout, graph),
            spokes: layout.spokes,
            all,
        }
    }

    pub(crate) fn render(&self) -> Markup {
        let Frame {
            left,
            top,
            right,
            bottom,
        } = self.frame;
        let (width, height) = (right - left, bottom - top);
        let label = format!(
            "The network: {} nodes and {} connections. The table below lists the nodes.",
            self.dots.len(),
            self.lines.len()
        );
        let view = format!("{left:.0} {top:.0} {width:.0} {height:.0}");
        html! {
            svg.topology viewBox=(view) width=(format!("{width:.0}")) role="group" aria-label=(label) {
                @for line in &self.lines { (self::line(line)) }
                @for dot in &self.dots { (self.dot(dot)) }
            }
            (legend())
            @if self.all > self.dots.len() {
                p.dim {
                    "Drawn are " (self.dots.len()) " of " (count(self.all as u64)) " nodes: global nodes first, and lost ones. The table has all."
                }
            }
        }
    }

    fn dot(&self, dot: &Dot) -> Markup {
        let lost = if dot.is_lost { " lost" } else { "" };
        let (Spot { x, y, .. }, name) = (dot.at, Shown(&dot.id).to_string());
        html! {
            a href=(Page::Node(dot.id.clone()).href()) {
                title { (dot.hint) }
                @if dot.is_global {
                    @let width = box_width(&dot.id);
                    rect class={ "global" (lost) } x=(at(x - width / 2.0)) y=(at(y - BOX)) width=(at(width))
                        height=(at(2.0 * BOX)) rx=(BOX) {}
                    text class={ "boxed" (lost) } x=(at(x)) y=(at(y + 4.0)) text-anchor="middle" { (name) }
                } @else {
                    circle class={ "dot" (lost) } cx=(at(x)) cy=(at(y)) r=(DOT) {}
                    @if self.spokes {
                        @let (transform, anchor) = dot.at.spoke();
                        text class={ "name" (lost) } transform=(transform) dy="4" text-anchor=(anchor) { (name) }
                    } @else {
                        @let (x, y, anchor) = dot.at.beside();
                        text class={ "name" (lost) } x=(at(x)) y=(at(y)) text-anchor=(anchor) { (name) }
                    }
                }
            }
        }
    }
}

impl Frame {
    /// Around all nodes and their names, and not too small.
    fn around(layout: &Layout<'_>, graph: &Graph) -> Self {
        let mut frame = Self {
            left: -LEAST / 2.0,
            top: 0.0,
            right: LEAST / 2.0,
            bottom: 0.0,
        };
        for (spot, x, y) in layout.extents(graph) {
            frame.left = frame.left.min(spot.x - x);
            frame.right = frame.right.max(spot.x + x);
            frame.top = frame.top.min(spot.y - y);
            frame.bottom = frame.bottom.max(spot.y + y);
        }
        Self {
            left: frame.left - MARGIN,
            top: frame.top - MARGIN,
            right: frame.right + MARGIN,
            bottom: frame.bottom + MARGIN,
        }
    }
}

/// The meaning of the colours and shapes.
fn legend() -> Markup {
    let line = |class: &str, text: &str| {
        html! {
            li {
                svg width="28" height="10" aria-hidden="true" { path class=(class) d="M1 5L27 5" {} }
                (text)
            }
        }
    };
    html! {
        ul.legend aria-label="Meaning of the picture" {
            li { svg width="22" height="12" aria-hidden="true" { rect.global x="1" y="1" width="20" height="10" rx="5" {} } "global node" }
            li { svg width="14" height="14" aria-hidden="true" { circle.dot cx="7" cy="7" r="5" {} } "other node" }
            li { svg width="14" height="14" aria-hidden="true" { circle class="dot lost" cx="7" cy="7" r="5" {} } "no answer" }
            (line("link slave t2", "to its master"))
            (line("link t0", "silent"))
            (line("link t1", "up to 1 kB/s"))
            (line("link t2", "up to 100 kB/s"))
            (line("link t3", "more"))
        }
    }
}

fn line(line: &Line) -> Markup {
    let Line { from, to, .. } = line;
    // A connection that is neither within the mesh nor to a master is bent towards the centre, to avoid the nodes of its
    // ring.
    let path = if line.tie == Tie::Other {
        let (x, y) = from.bow(*to);
        format!(
            "M{:.1} {:.1}Q{x:.1} {y:.1} {:.1} {:.1}",
            from.x, from.y, to.x, to.y
        )
    } else {
        format!("M{:.1} {:.1}L{:.1} {:.1}", from.x, from.y, to.x, to.y)
    };
    html! {
        path class={ "link " (class_of(line.tie)) " t" (line.traffic) } d=(path) { title { (line.hint) } }
    }
}

/// The connections of a network by their ends.
struct Links<'a>(BTreeMap<(&'a str, &'a str), &'a Link>);

impl<'a> Links<'a> {
    fn of(network: &'a Network) -> Self {
        let links = network.nodes.iter().flat_map(|(id, seen)| {
            let links = seen.connections.iter();
            links.map(move |link| ((id.as_str(), link.info.node.as_str()), link))
        });
        Self(links.collect())
    }

    /// The traffic between two nodes, in both directions, and the text about it.
    fn between(&self, a: &str, b: &str) -> (Rate, String) {
        let ends = [self.0.get(&(a, b)), self.0.get(&(b, a))];
        let told = ends.into_iter().flatten().find(|link| link.full);
        let mut text = format!("{} to {}", Shown(a), Shown(b));
        let Some(link) = told else {
            return (Rate::default(), text);
        };
        let rate: Rate = [link.received, link.sent].into_iter().sum();
        let format = |name: &Option<String>| name.clone().unwrap_or_else(|| "?".into());
        text.push_str(&format!(
            ": {}, {}, {} messages/s, {}B/s",
            Shown(format(&link.info.format_out)),
            match &link.info.tls {
                Some(tls) => Shown(tls).to_string(),
                None => "no TLS".into(),
            },
            short(rate.packets),
            short(rate.bytes)
        ));
        (rate, text)
    }
}

/// The class of a traffic: none, up to 1 kB/s, up to 100 kB/s, more.
fn class(rate: Rate) -> u8 {
    match rate.bytes {
        bytes if bytes >= 100_000.0 => 3,
        bytes if bytes >= 1000.0 => 2,
        bytes if bytes > 0.0 => 1,
        _ => 0,
    }
}

fn class_of(tie: Tie) -> &'static str {
    match tie {
        Tie::Master(_) => "slave",
        Tie::Mesh => "mesh",
        Tie::Other => "other",
    }
}

/// The text that is shown when the pointer rests on a node.
fn hint(id: &str, vertex: &Vertex) -> String {
    let state = match &vertex.failure {
        Some(failure) => Some(failure.clone()),
        None => vertex.role(),
    };
    let state = state.unwrap_or_else(|| "role unknown".into());
    format!("{}: {}", Shown(id), Shown(state))
}

fn at(place: f64) -> String {
    format!("{place:.1}")
}
