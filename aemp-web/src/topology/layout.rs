//! The places of nodes in the picture: global nodes on an inner ring, the others on an outer one, each near its master.

use std::{
    collections::BTreeMap,
    f64::consts::{PI, TAU},
};

use super::graph::Graph;

/// The distance of two nodes along the outer ring.
const SPACING: f64 = 30.0;
/// The distance of two boxes of the inner ring.
const BOX_GAP: f64 = 26.0;
/// The least distance of the rings.
const RING_GAP: f64 = 110.0;
/// The least radius of the outer ring.
const LEAST_RADIUS: f64 = 150.0;

/// The radius of a node that is not global.
pub const DOT: f64 = 6.0;
/// Half the height of a global node's box.
pub const BOX: f64 = 13.0;

/// An upper bound for the width of a name in the picture's font.
pub fn text_width(text: &str) -> f64 {
    7.3 * text.chars().count() as f64
}

/// The width of the box of a global node.
pub fn box_width(text: &str) -> f64 {
    text_width(text) + 20.0
}

/// The position of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spot {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
    /// The angle at the centre; 0 is to the right, and it grows clockwise.
    pub angle: f64,
}

impl Spot {
    fn new(radius: f64, angle: f64) -> Self {
        let (x, y) = (radius * angle.cos(), radius * angle.sin());
        Self { x, y, angle }
    }

    /// The place of a name outside of the ring, horizontal, and the part of the text that is there (`text-anchor`).
    pub fn beside(self) -> (f64, f64, &'static str) {
        let (cos, sin) = (self.angle.cos(), self.angle.sin());
        let gap = DOT + 6.0;
        let anchor = match cos {
            c if c > 0.2 => "start",
            c if c < -0.2 => "end",
            _ => "middle",
        };
        // Above and below the ring, a line of text fits between the node and its name.
        (self.x + gap * cos, self.y + (gap + 4.0) * sin + 4.0, anchor)
    }

    /// The place of a name outside of the ring, along the ray from the centre, never upside down: a `transform` and a
    /// `text-anchor`.
    pub fn spoke(self) -> (String, &'static str) {
        let degrees = self.angle.to_degrees();
        let gap = DOT + 6.0;
        let (x, y) = (
            self.x + gap * self.angle.cos(),
            self.y + gap * self.angle.sin(),
        );
        let (turn, anchor) = if self.angle.cos() < -1e-9 {
            (degrees + 180.0, "end")
        } else {
            (degrees, "start")
        };
        (
            format!("translate({x:.1} {y:.1}) rotate({turn:.1})"),
            anchor,
        )
    }

    /// The control point of a line that is bent towards the centre, to avoid the nodes of its ring.
    pub fn bow(self, to: Self) -> (f64, f64) {
        let (dx, dy) = (to.x - self.x, to.y - self.y);
        // Turned a little, so that it does not cover the lines to a node in the centre.
        (
            0.3 * (self.x + to.x) - 0.15 * dy,
            0.3 * (self.y + to.y) + 0.15 * dx,
        )
    }
}

/// All positions, around the point (0, 0).
#[derive(Debug)]
pub struct Layout<'a> {
    /// The positions by node ID.
    pub spots: BTreeMap<&'a str, Spot>,
    /// True if there are so many nodes that their names must be drawn radially.
    pub spokes: bool,
}

/// A global node, if any, and the nodes that are drawn next to it.
struct Group<'a> {
    global: Option<&'a str>,
    others: Vec<&'a str>,
}

impl Group<'_> {
    /// The number of positions on the outer ring: at least one, so that global nodes keep their distance.
    fn slots(&self) -> usize {
        self.others.len().max(1)
    }
}

impl<'a> Layout<'a> {
    /// The layout of a graph. The same graph gives the same layout.
    pub fn of(graph: &'a Graph) -> Self {
        let groups = groups(graph);
        let slots: usize = groups.iter().map(Group::slots).sum();
        let others: usize = groups.iter().map(|group| group.others.len()).sum();
        let inner = inner_radius(&groups);
        let radius = match others {
            0 => inner,
            _ => LEAST_RADIUS
                .max(SPACING * slots as f64 / TAU)
                .max(inner + RING_GAP),
        };
        let step = TAU / slots.max(1) as f64;
        let mut spots = BTreeMap::new();
        // The middle of the first group is at the top.
        let first = groups.first().map_or(1, Group::slots) as f64;
        let mut angle = -PI / 2.0 - step * first / 2.0;
        for group in &groups {
            let share = step * group.slots() as f64;
            if let Some(global) = group.global {
                spots.insert(global, Spot::new(inner, angle + share / 2.0));
            }
            for (n, other) in group.others.iter().enumerate() {
                spots.insert(other, Spot::new(radius, angle + step * (n as f64 + 0.5)));
            }
            angle += share;
        }
        Self {
            spots,
            spokes: others > 16,
        }
    }
}

impl Layout<'_> {
    /// Half the width and half the height of all nodes and their names, around the centre.
    pub fn reach(&self, graph: &Graph) -> (f64, f64) {
        let mut reach = (0.0_f64, 0.0_f64);
        for (spot, x, y) in self.extents(graph) {
            reach.0 = reach.0.max(spot.x.abs() + x);
            reach.1 = reach.1.max(spot.y.abs() + y);
        }
        reach
    }

    /// The place of each node, and how far it and its name reach from there at most: to the sides, up and down.
    pub fn extents(&self, graph: &Graph) -> impl Iterator<Item = (Spot, f64, f64)> {
        self.spots.iter().map(|(id, spot)| {
            let (x, y) = if graph.is_global(id) {
                (box_width(id) / 2.0, BOX)
            } else if self.spokes {
                let length = text_width(id) + 2.0 * DOT;
                (
                    length * spot.angle.cos().abs() + DOT,
                    length * spot.angle.sin().abs() + DOT,
                )
            } else {
                (text_width(id) + 3.0 * DOT, 4.0 * DOT)
            };
            (*spot, x, y)
        })
    }
}

fn groups(graph: &Graph) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    for id in graph.nodes.keys() {
        if graph.is_global(id) {
            groups.entry(Some(id)).or_default();
        } else {
            groups.entry(graph.anchor(id)).or_default().push(id);
        }
    }
    let groups = groups.into_iter();
    groups
        .map(|(global, others)| Group { global, others })
        .collect()
}

/// A radius at which the boxes do not overlap, even side by side where the ring is horizontal.
fn inner_radius(groups: &[Group<'_>]) -> f64 {
    let widths = groups
        .iter()
        .filter_map(|group| group.global)
        .map(box_width);
    let widths: Vec<f64> = widths.collect();
    match widths.len() {
        0 | 1 => 0.0,
        many => {
            let widest = widths.iter().copied().fold(0.0, f64::max);
            // The distance of boxes is measured along chords, not arcs.
            let chord = widest + BOX_GAP;
            chord / 2.0 / (PI / many as f64).sin()
        }
    }
}
