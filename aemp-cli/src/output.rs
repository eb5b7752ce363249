//! What is printed: results for people or as JSON documents, and errors.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::Failure;

/// When to use colours.
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

/// How something is shown where there are colours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Paint {
    Bold,
    Green,
    Red,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Green => "32",
            Self::Red => "31",
        }
    }
}

/// Where results go.
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

    /// Whether results are JSON documents.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether results may be coloured.
    pub(crate) fn colors(&self) -> bool {
        self.color
    }

    /// Whether logs and errors may be coloured.
    pub(crate) fn colors_errors(&self) -> bool {
        self.color_errors
    }

    /// A text as it is shown.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        painted(self.color && !text.is_empty(), paint, text)
    }

    /// Prints a result: as a document, or as its text if there is one.
    pub(crate) fn result(&self, document: &impl Serialize, text: &str) -> Result<(), Failure> {
        if self.json {
            return self::document(document);
        }
        if text.is_empty() {
            return Ok(());
        }
        line(text)
    }

    /// Tells of a failure. Nobody is left to tell if that does not work.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.text.is_empty() {
            return;
        }
        let mut err = io::stderr().lock();
        if self.json {
            let document =
                serde_json::json!({ "error": failure.text, "status": failure.exit.code() });
            let _ = writeln!(err, "{document}");
            return;
        }
        let label = painted(self.color_errors, Paint::Red, "error:");
        let _ = writeln!(err, "{label} {}", failure.text);
    }

    /// Tells something to somebody who waits at a terminal.
    pub(crate) fn waiting(&self, text: &str) {
        if io::stderr().is_terminal() {
            self.note(text);
        }
    }

    /// Tells something that is no result.
    pub(crate) fn note(&self, text: &str) {
        if !self.json {
            let _ = writeln!(io::stderr(), "{text}");
        }
    }
}

/// Prints a JSON document of one line.
pub(crate) fn document(document: &impl Serialize) -> Result<(), Failure> {
    line(&serde_json::to_string(document).map_err(Failure::failed)?)
}

/// Prints a text and a line feed.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

fn painted(on: bool, paint: Paint, text: &str) -> String {
    if on {
        format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code())
    } else {
        text.to_owned()
    }
}
