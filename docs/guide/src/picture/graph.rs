//! Boxes on a grid, and lines between them.
//!
//! ```text
//! a 0 0: node a | port 1 | port 2     a box with smaller ones in it, at a column and a row
//! a.1 -> b.2: hello                   a line from the first small box of `a` to the second of `b`
//! a .. b                              a broken line between the boxes themselves
//! ```

use std::collections::BTreeMap;

use super::{
    Stroke, labelled,
    svg::{Look, Svg, width_of},
};

const COLUMN: f64 = 210.0;
const ROW: f64 = 90.0;
const TITLE: f64 = 28.0;
const SMALL: f64 = 28.0;
const GAP: f64 = 6.0;

#[derive(Clone, Copy)]
struct Area {
    middle: (f64, f64),
    size: (f64, f64),
}

pub(super) fn draw<'a>(lines: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let (mut svg, mut areas, mut edges) = (Svg::default(), BTreeMap::new(), Vec::new());
    for line in lines {
        let (words, text) = labelled(line);
        match words.as_slice() {
            [from, stroke, to] if Stroke::read(stroke).is_some() => {
                edges.extend(Stroke::read(stroke).map(|stroke| (*from, stroke, *to, text)));
            }
            [name, column, row] => {
                let number = |word: &str| word.parse::<f64>().map_err(|_| line.to_owned());
                place(
                    &mut svg,
                    &mut areas,
                    name,
                    (number(column)?, number(row)?),
                    text,
                );
            }
            _ => return Err(line.into()),
        }
    }
    for (from, stroke, to, text) in &edges {
        let find = |name: &str| {
            let area = areas.get(name).copied();
            area.ok_or_else(|| format!("there is no box `{name}`"))
        };
        let back = |other: &&(&str, Stroke, &str, &str)| (other.0, other.2) == (*to, *from);
        let aside = if edges.iter().any(|other| back(&other)) {
            6.0
        } else {
            0.0
        };
        connect(&mut svg, (find(from)?, find(to)?), *stroke, aside, text);
    }
    Ok(svg.finish())
}

/// Draws a box whose left upper corner is at a place of the grid.
fn place(
    svg: &mut Svg,
    areas: &mut BTreeMap<String, Area>,
    name: &str,
    at: (f64, f64),
    text: &str,
) {
    let texts: Vec<&str> = text.split('|').map(str::trim).collect();
    let widest = texts.iter().map(|text| width_of(text)).fold(60.0, f64::max);
    let inner = texts.len() - 1;
    let height = TITLE + inner as f64 * (SMALL + GAP) + if inner > 0 { GAP } else { 0.0 };
    let size = (widest + 36.0, height);
    let middle = (
        16.0 + at.0 * COLUMN + size.0 / 2.0,
        16.0 + at.1 * ROW + size.1 / 2.0,
    );
    areas.insert(name.into(), Area { middle, size });
    svg.bordered(middle, size, texts[0], Look::Node);
    for (index, text) in texts.iter().enumerate().skip(1) {
        let above = TITLE + (index - 1) as f64 * (SMALL + GAP);
        let middle = (middle.0, middle.1 - size.1 / 2.0 + above + SMALL / 2.0);
        let size = (size.0 - 16.0, SMALL);
        areas.insert(format!("{name}.{index}"), Area { middle, size });
        svg.bordered(middle, size, text, Look::Port);
    }
}

/// Draws a line from border to border. A line that has a counterpart is a little aside, and so is its text.
fn connect(svg: &mut Svg, (from, to): (Area, Area), stroke: Stroke, aside: f64, text: &str) {
    let way = (to.middle.0 - from.middle.0, to.middle.1 - from.middle.1);
    let length = way.0.hypot(way.1).max(1.0);
    let shift = (way.1 / length * aside, -way.0 / length * aside);
    let start = border(from, shift, way);
    let end = border(to, shift, (-way.0, -way.1));
    svg.line(start, end, stroke);
    let middle = ((start.0 + end.0) / 2.0, (start.1 + end.1) / 2.0);
    svg.label(
        (middle.0 + 2.0 * shift.0, middle.1 + 2.0 * shift.1 + 5.0),
        text,
    );
}

/// The point at which the way from a place of an area, given from its middle, leaves the area.
fn border(area: Area, place: (f64, f64), way: (f64, f64)) -> (f64, f64) {
    let part = |size: f64, place: f64, way: f64| {
        if way == 0.0 {
            return f64::INFINITY;
        }
        (way.signum() * size / 2.0 - place) / way
    };
    let part = part(area.size.0, place.0, way.0).min(part(area.size.1, place.1, way.1));
    let part = if part.is_finite() { part } else { 0.0 };
    (
        area.middle.0 + place.0 + way.0 * part,
        area.middle.1 + place.1 + way.1 * part,
    )
}
