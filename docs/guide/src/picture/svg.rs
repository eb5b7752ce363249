//! The few elements of SVG that the pictures consist of.

use std::fmt::Write;

use super::Stroke;

/// The estimated width of a character.
const CHARACTER: f64 = 7.6;
const MARGIN: f64 = 16.0;

/// A picture that grows with its elements.
#[derive(Default)]
pub(super) struct Svg {
    body: String,
    width: f64,
    height: f64,
}

/// The look of a box.
#[derive(Clone, Copy)]
pub(super) enum Look {
    Node,
    Port,
    Note,
}

pub(super) fn width_of(text: &str) -> f64 {
    text.chars().map(|_| CHARACTER).sum()
}

impl Svg {
    /// A box around a middle, with a text at its top.
    pub(super) fn bordered(
        &mut self,
        middle: (f64, f64),
        size: (f64, f64),
        text: &str,
        look: Look,
    ) {
        let (left, top) = (middle.0 - size.0 / 2.0, middle.1 - size.1 / 2.0);
        let (fill, stroke, radius) = match look {
            Look::Node => ("#eef3fa", "#3b5b85", 8),
            Look::Port => ("#ffffff", "#6b8cb8", 6),
            Look::Note => ("#fff6d8", "#b89b3a", 4),
        };
        self.add(format_args!(
            r#"<rect x="{left:.1}" y="{top:.1}" width="{:.1}" height="{:.1}" rx="{radius}" fill="{fill}" stroke="{stroke}"/>"#,
            size.0, size.1
        ));
        self.reach(left + size.0, top + size.1);
        self.text((middle.0, top + 19.0), text);
    }

    /// A text around a middle.
    pub(super) fn text(&mut self, at: (f64, f64), text: &str) {
        let text = text.replace('&', "&amp;").replace('<', "&lt;");
        self.add(format_args!(
            r#"<text x="{:.1}" y="{:.1}" text-anchor="middle">{text}</text>"#,
            at.0, at.1
        ));
        self.reach(at.0 + width_of(&text) / 2.0, at.1);
    }

    /// A text on a white ground, so that lines do not cross it.
    pub(super) fn label(&mut self, at: (f64, f64), text: &str) {
        if text.is_empty() {
            return;
        }
        let (width, left) = (width_of(text), at.0 - width_of(text) / 2.0);
        self.add(format_args!(
            r##"<rect x="{left:.1}" y="{:.1}" width="{width:.1}" height="18" fill="#ffffff"/>"##,
            at.1 - 13.0
        ));
        self.text(at, text);
    }

    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Stroke) {
        let end = |there, name| {
            if there {
                format!(r#" marker-{name}="url(#arrow)""#)
            } else {
                String::new()
            }
        };
        let (start, end) = (end(stroke.from, "start"), end(stroke.to, "end"));
        let dashed = if stroke.dashed {
            r#" stroke-dasharray="5 4""#
        } else {
            ""
        };
        self.add(format_args!(
            r##"<line x1="{:.1}" y1="{:.1}" x2="{:.1}" y2="{:.1}" stroke="#444444"{dashed}{start}{end}/>"##,
            from.0, from.1, to.0, to.1
        ));
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        let _ = writeln!(self.body, "{element}");
    }

    fn reach(&mut self, x: f64, y: f64) {
        self.width = self.width.max(x);
        self.height = self.height.max(y);
    }

    pub(super) fn finish(self) -> String {
        let (width, height) = (self.width + MARGIN, self.height + MARGIN);
        format!(
            r##"<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0}" height="{height:.0}" viewBox="0 0 {width:.0} {height:.0}" font-family="sans-serif" font-size="14" fill="#1c2733">
<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#444444"/></marker></defs>
<rect width="100%" height="100%" rx="8" fill="#ffffff"/>
{}</svg>
"##,
            self.body
        )
    }
}
