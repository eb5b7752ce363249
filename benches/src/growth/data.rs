//! The data beside a picture: a few lines about it, and the figures of all repetitions.

use super::fit::{Fit, Point};

/// A curve that has been measured.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) unit: String,
    pub(super) axis: String,
    pub(super) reps: usize,
    pub(super) points: Vec<Point>,
}

impl Measured {
    pub(super) fn fit(&self) -> Fit {
        Fit::of(&self.points)
    }

    /// The file.
    pub(super) fn to_text(&self) -> String {
        let Self {
            name,
            title,
            unit,
            axis,
            reps,
            ..
        } = self;
        let mut text = format!(
            "# {title}\n\
             # $ cargo bench -p aemp-benches --bench growth -- --only {name} --reps {reps} --pictures\n\
             # {}\n\
             # {axis}: {unit}, one figure for each repetition\n",
            self.fit()
        );
        for Point { size, figures } in &self.points {
            text.push_str(&size.to_string());
            for figure in figures.iter() {
                text.push_str(&format!(" {figure:.2}"));
            }
            text.push('\n');
        }
        text
    }

    /// Reads a file that [`to_text`](Self::to_text) has made.
    #[cfg(test)]
    pub(super) fn parse(name: &str, text: &str) -> Option<Self> {
        let mut notes = text.lines().filter_map(|line| line.strip_prefix("# "));
        let title = notes.next()?.to_owned();
        let (axis, unit) = notes.nth(2)?.split_once(": ")?;
        let unit = unit.strip_suffix(", one figure for each repetition")?;
        let mut points = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (size, figures) = line.split_once(' ')?;
            let figures: Result<_, _> = figures.split(' ').map(str::parse).collect();
            let mut point = Point::new(size.parse().ok()?);
            point.figures = figures.ok()?;
            points.push(point);
        }
        Some(Self {
            name: name.to_owned(),
            title,
            unit: unit.to_owned(),
            axis: axis.to_owned(),
            reps: points.first()?.figures.iter().count(),
            points,
        })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::fs;

    use super::{Measured, Point};
    use crate::growth::{directory, picture};

    pub(in crate::growth) fn example() -> Measured {
        let point = |size, figures: [f64; 3]| Point {
            size,
            figures: figures.into_iter().collect(),
        };
        Measured {
            name: "ports".to_owned(),
            title: "a message to each of many ports".to_owned(),
            unit: "ns per message".to_owned(),
            axis: "ports".to_owned(),
            reps: 3,
            points: vec![
                point(1_000, [80.0, 81.5, 90.0]),
                point(4_000, [82.0, 80.25, 85.0]),
                point(16_000, [90.0, 95.0, 89.0]),
            ],
        }
    }

    #[test]
    fn a_written_file_is_read() {
        let example = example();
        let text = example.to_text();
        let read = Measured::parse("ports", &text).expect("it is a file of this program");
        assert_eq!(read.to_text(), text);
        assert!(text.contains("\n4000 82.00 80.25 85.00\n"));
    }

    #[test]
    fn each_picture_is_that_of_its_data() {
        let files = fs::read_dir(directory()).expect("there are pictures");
        for data in files.map(|file| file.expect("the directory is readable").path()) {
            if data.extension().is_none_or(|ending| ending != "txt") {
                continue;
            }
            let name = data
                .file_stem()
                .and_then(|name| name.to_str())
                .expect("names are ASCII");
            let text = fs::read_to_string(&data).expect("it is there");
            let measured = Measured::parse(name, &text).expect("it is a file of this program");
            let picture =
                fs::read_to_string(data.with_extension("svg")).expect("each has a picture");
            assert_eq!(picture, picture::draw(&measured), "{name}: draw it again");
        }
    }
}
