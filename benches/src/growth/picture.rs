//! The picture of a curve: both axes logarithmic, the spread of each point, and n log n from the first point on.
//!
//! Its colours and its font are those of `aemp trace --svg`. A reader with a dark ground gets dark ones.

use std::fmt::Write;

use super::{
    data::Measured,
    fit::{Point, log_cost},
};
use crate::noise::figure;

const WIDTH: f64 = 820.0;
const HEIGHT: f64 = 400.0;
/// The place of the curve: left, top, right, bottom.
const FRAME: [f64; 4] = [78.0, 56.0, WIDTH - 28.0, HEIGHT - 62.0];

const STYLE: &str = "\
text{font-family:Verdana,'DejaVu Sans',sans-serif;font-size:12px;fill:#1f2937}\
.ground{fill:#fff}\
.title{font-size:14px;font-weight:600}\
.note{fill:#4b5563}\
.grid{stroke:#cbd5e1;stroke-width:1}\
.limit{stroke:#64748b;stroke-width:1.4;stroke-dasharray:5 3;fill:none}\
.curve{stroke:#2563eb;stroke-width:2;fill:none}\
.spread{stroke:#2563eb;stroke-width:1.2}\
.point{fill:#1d4ed8}\
@media(prefers-color-scheme:dark){\
text{fill:#e5e7eb}\
.ground{fill:#111827}\
.note{fill:#9ca3af}\
.grid{stroke:#374151}\
.limit{stroke:#94a3b8}\
.curve,.spread{stroke:#60a5fa}\
.point{fill:#93c5fd}}";

/// The curve as an SVG document. The same data give the same picture.
pub(super) fn draw(measured: &Measured) -> String {
    let scale = Scale::of(&measured.points);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{HEIGHT:.0}\" \
         viewBox=\"0 0 {WIDTH:.0} {HEIGHT:.0}\">\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"8\"/>\n"
    );
    let [left, top, right, bottom] = FRAME;
    text(&mut svg, "title", (left, 30.0), "start", &measured.title);
    text(
        &mut svg,
        "note",
        (left, top - 8.0),
        "start",
        &format!("{}; dashed: n log n", measured.unit),
    );
    for cost in scale.costs() {
        let y = scale.y(cost);
        line(&mut svg, "grid", (left, y), (right, y));
        text(&mut svg, "note", (left - 8.0, y + 4.0), "end", &short(cost));
    }
    for Point { size, .. } in &measured.points {
        let x = scale.x(*size);
        line(&mut svg, "grid", (x, top), (x, bottom));
        text(
            &mut svg,
            "note",
            (x, bottom + 18.0),
            "middle",
            &count(*size),
        );
    }
    text(
        &mut svg,
        "note",
        (right, bottom + 36.0),
        "end",
        &measured.axis,
    );
    let fit = measured.fit().to_string();
    text(
        &mut svg,
        "note",
        (left - 60.0, HEIGHT - 12.0),
        "start",
        &fit,
    );
    curves(&mut svg, measured, &scale);
    svg.push_str("</svg>\n");
    svg
}

/// The curve, the spread of its points, and n log n.
fn curves(svg: &mut String, measured: &Measured, scale: &Scale) {
    let medians = measured
        .points
        .iter()
        .filter_map(|point| Some((point.size, point.figures.median()?)));
    if let Some((first, cost)) = medians.clone().next() {
        let limit = measured.points.iter().map(|point| {
            let cost = cost / log_cost(first) * log_cost(point.size);
            (scale.x(point.size), scale.y(cost.min(scale.highest)))
        });
        path(svg, "limit", limit);
    }
    path(
        svg,
        "curve",
        medians
            .clone()
            .map(|(size, cost)| (scale.x(size), scale.y(cost))),
    );
    for (size, cost) in medians {
        let x = scale.x(size);
        let point = measured.points.iter().find(|point| point.size == size);
        if let Some((lowest, highest)) = point.and_then(|point| point.figures.spread()) {
            line(svg, "spread", (x, scale.y(lowest)), (x, scale.y(highest)));
            let hint = format!(
                "{}: {} ({} .. {})",
                count(size),
                figure(cost),
                figure(lowest),
                figure(highest)
            );
            put(
                svg,
                format_args!(
                    "<circle class=\"point\" cx=\"{x:.1}\" cy=\"{:.1}\" r=\"4\"><title>{hint}</title></circle>\n",
                    scale.y(cost)
                ),
            );
        }
    }
}

/// The places of sizes and costs.
struct Scale {
    first: f64,
    last: f64,
    lowest: f64,
    highest: f64,
}

impl Scale {
    /// Costs from a tenth to ten times the middle at least, so that noise does not look like growth.
    fn of(points: &[Point]) -> Self {
        let sizes = points.iter().map(|point| point.size as f64);
        let spreads = points.iter().filter_map(|point| point.figures.spread());
        let (lowest, highest) = spreads.fold(
            (f64::INFINITY, 0.0_f64),
            |(low, high), (lowest, highest)| (low.min(lowest), high.max(highest)),
        );
        let (lowest, highest) = if lowest <= highest && lowest > 0.0 {
            (lowest, highest)
        } else {
            (1.0, 1.0)
        };
        let middle = (lowest * highest).sqrt();
        Self {
            first: sizes.clone().fold(f64::INFINITY, f64::min).ln(),
            last: sizes.fold(1.0, f64::max).ln(),
            lowest: (middle / 10.0).min(lowest / 1.5),
            highest: (middle * 10.0).max(highest * 1.5),
        }
    }

    fn x(&self, size: u64) -> f64 {
        let [left, _, right, _] = FRAME;
        let width = (self.last - self.first).max(f64::MIN_POSITIVE);
        left + 16.0 + (right - left - 32.0) * ((size as f64).ln() - self.first) / width
    }

    fn y(&self, cost: f64) -> f64 {
        let [_, top, _, bottom] = FRAME;
        bottom - (bottom - top) * (cost / self.lowest).ln() / (self.highest / self.lowest).ln()
    }

    /// The costs with a line: 1, 2 and 5 of each power of ten.
    fn costs(&self) -> impl Iterator<Item = f64> {
        let (lowest, highest) = (self.lowest, self.highest);
        let powers = -3..10;
        let steps = powers.flat_map(|power| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(power)));
        steps.filter(move |cost| (lowest..=highest).contains(cost))
    }
}

fn path(svg: &mut String, class: &str, points: impl Iterator<Item = (f64, f64)>) {
    let mut places = String::new();
    for (index, (x, y)) in points.enumerate() {
        let step = if index == 0 { 'M' } else { 'L' };
        put(&mut places, format_args!("{step}{x:.1} {y:.1}"));
    }
    put(
        svg,
        format_args!("<path class=\"{class}\" d=\"{places}\"/>\n"),
    );
}

fn line(svg: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    put(
        svg,
        format_args!(
            "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>\n",
            from.0, from.1, to.0, to.1
        ),
    );
}

/// A text of this program's, in which nothing needs to be escaped.
fn text(svg: &mut String, class: &str, at: (f64, f64), anchor: &str, text: &str) {
    put(
        svg,
        format_args!(
            "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{text}</text>\n",
            at.0, at.1
        ),
    );
}

/// A cost with a line, without superfluous digits.
fn short(cost: f64) -> String {
    if cost >= 1.0 {
        count(cost.round() as u64)
    } else {
        format!("{cost}")
    }
}

/// A number with commas between thousands.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

fn put(text: &mut String, args: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = text.write_fmt(args);
}

#[cfg(test)]
mod tests {
    use super::{FRAME, Scale, count, draw};
    use crate::growth::data::tests::example;

    #[test]
    fn all_points_are_within_the_frame() {
        let measured = example();
        let scale = Scale::of(&measured.points);
        let [left, top, right, bottom] = FRAME;
        for point in &measured.points {
            let x = scale.x(point.size);
            assert!(left < x && x < right);
            for figure in point.figures.iter() {
                let y = scale.y(figure);
                assert!(top < y && y < bottom);
            }
        }
        // More things are further to the right, and higher costs are further up.
        assert!(scale.x(1_000) < scale.x(4_000));
        assert!(scale.y(90.0) < scale.y(80.0));
    }

    #[test]
    fn the_picture_has_each_point_and_both_grounds() {
        let svg = draw(&example());
        assert_eq!(svg.matches("<circle").count(), 3);
        assert!(svg.contains("<title>16,000: 90.0 (89.0 .. 95.0)</title>"));
        assert!(svg.contains("prefers-color-scheme:dark"));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn thousands() {
        assert_eq!(count(1), "1");
        assert_eq!(count(1_000_000), "1,000,000");
    }
}
