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

/// An upper bound for the width of a name in the picture's font.
pub(super) fn text_width(text: &str) -> f64 {
    7.3 * text.chars().count() as f64
}

/// The width of the box of a global node.
pub(super) fn box_width(text: &str) -> f64 {
    text_width(text) + 20.0
}

/// The position of a node.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spot {
    pub(super) x: f64,
    pub(super) y: f64,
    /// The angle at the centre; 0 is to the right, and it grows clockwise.
    pub(super) angle: f64,
}

impl Spot {
    fn new(radius: f64, angle: f64) -> Self {
        let (x, y) = (radius * angle.cos(), radius * angle.sin());
        Self { x, y, angle }
    }
}

/// All positions, around the point (0, 0).
#[derive(Debug)]
pub(super) struct Layout<'a> {
    pub(super) spots: BTreeMap<&'a str, Spot>,
    /// True if there are so many nodes that their names must be drawn radially.
    pub(super) spokes: bool,
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
    pub(super) fn of(graph: &'a Graph) -> Self {
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
