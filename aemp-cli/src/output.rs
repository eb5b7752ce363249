//! Output: results as text or as JSON documents, and errors.

use std::{
    fmt::{self, Display},
    io::{self, IsTerminal, Write},
};

use aemp::{Shown, config::ConfigFile};
use serde::Serialize;

use crate::failure::Failure;

/// The choice of colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    #[default]
    Auto,
    Always,
    Never,
}

impl Color {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "auto" => Some(Self::Auto),
            "always" => Some(Self::Always),
            "never" => Some(Self::Never),
            _ => None,
        }
    }

    /// <https://no-color.org>: any value that is not empty turns them off.
    fn is_on(self, terminal: bool) -> bool {
        let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                terminal
                    && set("NO_COLOR").is_none()
                    && set("TERM").is_none_or(|term| term != "dumb")
            }
        }
    }
}

/// A colour or a style.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    Bold,
    Red,
    Green,
    Yellow,
    Blue,
    Magenta,
    Cyan,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Magenta => "35",
            Self::Cyan => "36",
        }
    }
}

/// A text that is safe for a terminal: foreign names and values are escaped in it. All output uses this type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text(String);

impl Text {
    /// A text on one line. Line feeds in it are escaped.
    pub(crate) fn of(text: impl Display) -> Self {
        Self(Shown(text).to_string())
    }

    /// A text of several lines.
    pub(crate) fn lines(text: &str) -> Self {
        let mut lines = text.split('\n').map(Self::of);
        let mut text = lines.next().unwrap_or_default();
        for line in lines {
            text.feed();
            text.push(&line);
        }
        text
    }

    /// Appends another text.
    pub(crate) fn push(&mut self, text: &Self) {
        self.0.push_str(&text.0);
    }

    /// Starts a new line.
    pub(crate) fn feed(&mut self) {
        self.0.push('\n');
    }

    /// Appends a tab.
    pub(crate) fn tab(&mut self) {
        self.0.push('\t');
    }

    /// Appends blanks.
    pub(crate) fn pad(&mut self, blanks: usize) {
        self.0.extend(std::iter::repeat_n(' ', blanks));
    }

    /// The number of characters, without colours.
    pub(crate) fn width(&self) -> usize {
        self.0.chars().count()
    }

    /// Removes blanks at the end.
    pub(crate) fn trim_end(&mut self) {
        self.0.truncate(self.0.trim_end().len());
    }
}

impl Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The destination of results.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    color: bool,
    color_errors: bool,
}

impl Output {
    pub(crate) fn new(json: bool, color: Color) -> Self {
        Self {
            json,
            color: color.is_on(io::stdout().is_terminal()),
            color_errors: color.is_on(io::stderr().is_terminal()),
        }
    }

    /// True if results are JSON documents.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// True if results may be coloured.
    pub(crate) fn colors(&self) -> bool {
        self.color
    }

    /// True if logs and errors may be coloured.
    pub(crate) fn colors_errors(&self) -> bool {
        self.color_errors
    }

    /// The text in colour, if colours are on.
    pub(crate) fn paint(&self, paint: Paint, text: Text) -> Text {
        painted(self.color && !text.0.is_empty(), paint, text)
    }

    /// Prints a result: as a JSON document, or as text.
    pub(crate) fn result(&self, document: &impl Serialize, text: &str) -> Result<(), Failure> {
        if self.json {
            return self::document(document);
        }
        if text.is_empty() {
            return Ok(());
        }
        line(&Text::of(text))
    }

    /// Prints a failure. If that fails, there is no other way to report it.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.text.is_empty() {
            return;
        }
        let mut err = io::stderr().lock();
        if self.json {
            let document =
                serde_json::json!({ "error": failure.text, "status": failure.exit.code() });
            let _ = writeln!(err, "{}", Shown(document));
            return;
        }
        let label = painted(self.color_errors, Paint::Red, Text::of("error:"));
        let _ = writeln!(err, "{label} {}", Shown(&failure.text));
    }

    /// Prints a message for a user at a terminal.
    pub(crate) fn waiting(&self, text: &str) {
        if io::stderr().is_terminal() {
            self.note(text);
        }
    }

    /// Warns of a file with secrets that others can read, unless the library logs that.
    pub(crate) fn exposure(&self, file: &ConfigFile) {
        // A node that is started with the file logs it.
        if !self.json
            && let Some(exposure) = file.exposure()
        {
            self.note(&format!("warning: {exposure}"));
        }
    }

    /// Prints a message that is not a result.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{}", Shown(text));
        }
    }
}

/// Prints a JSON document on one line. Escapes do not change its meaning.
pub(crate) fn document(document: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(document).map_err(Failure::failed)?;
    line(&Text::of(text))
}

/// Prints a text and a line feed.
pub(crate) fn line(text: &Text) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

fn painted(on: bool, paint: Paint, text: Text) -> Text {
    if on {
        Text(format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code()))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_escapes_are_left() {
        let mut text = painted(true, Paint::Red, Text::of("a\u{1b}[0mb"));
        text.feed();
        text.push(&Text::lines("c\n\u{9b}d\n"));
        let shown = "\u{1b}[31ma\\u001b[0mb\u{1b}[0m\nc\n\\u009bd\n";
        assert_eq!(text.to_string(), shown);
    }
}
