//! The guide's pictures: SVG made from short texts.
//!
//! A text is a file below `pictures`, and its picture the file of the same name below `chapters/pictures`. The pictures are
//! committed, and a test makes each anew and compares. No foreign tool takes part, so the same text is always the same
//! picture.
//!
//! The first line of a text is the kind of its picture:
//!
//! - `graph`: boxes on a grid, and lines between them (`picture/graph.rs`).
//! - `sequence`: participants, and the messages between them from top to bottom (`picture/sequence.rs`).
//!
//! Left out is any layout by itself: the text says where its boxes are. Widths of words are estimated, because the font of the
//! reader is not known.

mod graph;
mod sequence;
mod svg;

/// The picture of a text.
///
/// # Errors
///
/// The first line that cannot be read.
pub fn draw(text: &str) -> Result<String, String> {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    match lines.next() {
        Some("graph") => graph::draw(lines),
        Some("sequence") => sequence::draw(lines),
        other => Err(format!("{other:?} is no kind of picture")),
    }
}

/// The look of a line: its arrows, and true for `dashed` if it is broken.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stroke {
    from: bool,
    to: bool,
    dashed: bool,
}

impl Stroke {
    const PLAIN: Self = Self {
        from: false,
        to: false,
        dashed: false,
    };

    /// Reads `--`, `->`, `<->`, or with dots instead of the hyphens a broken line.
    fn read(word: &str) -> Option<Self> {
        let from = word.starts_with('<');
        let to = word.ends_with('>');
        let middle = word.trim_start_matches('<').trim_end_matches('>');
        let dashed = match middle {
            "-" | "--" => false,
            "." | ".." => true,
            _ => return None,
        };
        Some(Self { from, to, dashed })
    }
}

/// Splits a line `words: text`.
fn labelled(line: &str) -> (Vec<&str>, &str) {
    let (words, text) = line.split_once(':').unwrap_or((line, ""));
    (words.split_whitespace().collect(), text.trim())
}

#[test]
fn texts_are_read() {
    assert_eq!(
        labelled("a -> b: hello: you"),
        (vec!["a", "->", "b"], "hello: you")
    );
    let stroke = Stroke::read("<..").map(|stroke| (stroke.from, stroke.to, stroke.dashed));
    assert_eq!(stroke, Some((true, false, true)));
    assert!(
        draw("graph\na 0 0: A\nb 1 0: B\na -> b: hello").is_ok_and(|svg| svg.contains("hello"))
    );
    assert_eq!(draw("graph\na -> b").unwrap_err(), "there is no box `a`");
    assert!(draw("sequence\na: A\na ~ a").is_err());
    assert!(draw("poem").is_err());
}
