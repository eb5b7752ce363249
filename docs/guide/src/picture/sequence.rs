//! Participants, and the messages between them from top to bottom.
//!
//! ```text
//! a: the client          a participant
//! a -> b: hello          a message; with dots, one that does not arrive
//! a *: thinks            a note
//! a x: is killed         an end; the participant's line ends
//! a +: starts again      a new life
//! ```

use super::{
    Stroke, labelled,
    svg::{Look, Svg, width_of},
};

const COLUMN: f64 = 300.0;
const STEP: f64 = 44.0;
const HEAD: f64 = 28.0;

struct Participant<'a> {
    name: &'a str,
    x: f64,
    /// The beginning of the line that is not drawn yet.
    alive: Option<f64>,
}

pub(super) fn draw<'a>(lines: impl Iterator<Item = &'a str>) -> Result<String, String> {
    let (mut svg, mut participants, mut y) = (Svg::default(), Vec::<Participant<'_>>::new(), 78.0);
    // Lines of life lie below everything else.
    let mut above = Vec::new();
    for line in lines {
        let (words, text) = labelled(line);
        let find = |name: &str| participants.iter().position(|one| one.name == name);
        let missing = || line.to_owned();
        match words.as_slice() {
            [name] => {
                let x = 90.0 + participants.len() as f64 * COLUMN;
                svg.bordered((x, 30.0), (width_of(text) + 28.0, HEAD), text, Look::Node);
                let alive = Some(30.0 + HEAD / 2.0);
                participants.push(Participant { name, x, alive });
                continue;
            }
            [name, kind @ ("*" | "x" | "+")] => {
                let index = find(name).ok_or_else(missing)?;
                let one = &mut participants[index];
                if let ("x", Some(begun)) = (*kind, one.alive) {
                    life(&mut svg, one.x, begun, y);
                    one.alive = None;
                }
                if *kind == "+" {
                    one.alive = Some(y);
                }
                above.push(Above::Note((one.x, y), text));
            }
            [from, stroke, to] => {
                let (from, to) = (
                    find(from).ok_or_else(missing)?,
                    find(to).ok_or_else(missing)?,
                );
                let stroke = Stroke::read(stroke).ok_or_else(missing)?;
                above.push(Above::Message(
                    participants[from].x,
                    participants[to].x,
                    y,
                    stroke,
                    text,
                ));
            }
            _ => return Err(missing()),
        }
        y += STEP;
    }
    for one in &participants {
        if let Some(begun) = one.alive {
            life(&mut svg, one.x, begun, y);
        }
    }
    above.into_iter().for_each(|element| element.draw(&mut svg));
    Ok(svg.finish())
}

fn life(svg: &mut Svg, x: f64, from: f64, to: f64) {
    svg.line((x, from), (x, to), Stroke::PLAIN);
}

enum Above<'a> {
    Note((f64, f64), &'a str),
    Message(f64, f64, f64, Stroke, &'a str),
}

impl Above<'_> {
    fn draw(self, svg: &mut Svg) {
        match self {
            Self::Note(at, text) => {
                svg.bordered(at, (width_of(text) + 24.0, HEAD), text, Look::Note)
            }
            Self::Message(from, to, y, stroke, text) => {
                svg.line((from, y), (to, y), stroke);
                svg.label(((from + to) / 2.0, y - 7.0), text);
            }
        }
    }
}
