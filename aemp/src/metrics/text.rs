//! The text for Prometheus, in the format 0.0.4 that every version understands.

use std::fmt::{self, Display, Formatter, Write};

use super::{Description, Metric, Reading, Sample};

/// The media type of the text.
#[cfg(feature = "net")]
pub(super) const MEDIA_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn write(f: &mut Formatter<'_>, metrics: &[Metric]) -> fmt::Result {
    for Metric {
        description,
        samples,
    } in metrics
    {
        let Description { name, help, .. } = description;
        writeln!(f, "# HELP {name} {help}.")?;
        writeln!(f, "# TYPE {name} {}", description.kind.name())?;
        for sample in samples {
            write_sample(f, description, sample)?;
        }
    }
    Ok(())
}

fn write_sample(f: &mut Formatter<'_>, of: &Description, sample: &Sample) -> fmt::Result {
    let labels = Labels { of, sample };
    let name = of.name;
    match &sample.reading {
        Reading::Count(count) => writeln!(f, "{name}{} {count}", labels.with(None)),
        Reading::Level(level) => writeln!(f, "{name}{} {level}", labels.with(None)),
        Reading::Classes {
            bounds,
            counts,
            sum,
        } => {
            let mut total = 0;
            for (at, count) in counts.iter().enumerate() {
                total += count;
                let bound = bounds.get(at).map(f64::to_string);
                let bound = bound.as_deref().unwrap_or("+Inf");
                writeln!(f, "{name}_bucket{} {total}", labels.with(Some(bound)))?;
            }
            writeln!(f, "{name}_sum{} {sum}", labels.with(None))?;
            writeln!(f, "{name}_count{} {total}", labels.with(None))
        }
    }
}

struct Labels<'a> {
    of: &'a Description,
    sample: &'a Sample,
}

/// The labels, with the bound of a class.
struct WithBound<'a>(&'a Labels<'a>, Option<&'a str>);

impl Labels<'_> {
    fn with<'a>(&'a self, bound: Option<&'a str>) -> WithBound<'a> {
        WithBound(self, bound)
    }
}

impl Display for WithBound<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let values = self.0.sample.labels.iter().map(String::as_str);
        let labels = self.0.of.labels.iter().copied().zip(values);
        let labels = labels.chain(self.1.map(|bound| ("le", bound)));
        let mut before = '{';
        for (name, value) in labels {
            write!(f, "{before}{name}=\"")?;
            escape(f, value)?;
            f.write_char('"')?;
            before = ',';
        }
        match before {
            '{' => Ok(()),
            _ => f.write_char('}'),
        }
    }
}

fn escape(f: &mut Formatter<'_>, value: &str) -> fmt::Result {
    value.chars().try_for_each(|character| match character {
        '\\' => f.write_str("\\\\"),
        '"' => f.write_str("\\\""),
        '\n' => f.write_str("\\n"),
        other => f.write_char(other),
    })
}
