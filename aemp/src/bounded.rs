//! Texts that take only so many bytes, however much is written to them.

use std::fmt::{self, Write};

/// The end of a text that was cut.
const MORE: &str = "...";

/// A text with a limit. Writing fails beyond it, so that a value with a long text is not formatted to its end.
pub(crate) struct Bounded {
    text: String,
    most: usize,
    /// True if the text is longer than the limit.
    cut: bool,
}

impl Bounded {
    /// An empty text of at most this number of bytes, which is at least three.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            text: String::new(),
            most,
            cut: false,
        }
    }

    /// The text. If it was cut, it ends in `...`.
    pub(crate) fn into_text(self) -> String {
        self.text
    }
}

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.cut {
            return Err(fmt::Error);
        }
        if self.text.len() + text.len() <= self.most {
            self.text.push_str(text);
            return Ok(());
        }
        self.cut = true;
        let room = self.most - MORE.len();
        self.text.push_str(beginning(
            text,
            (room + MORE.len()).saturating_sub(self.text.len()),
        ));
        let end = beginning(&self.text, room).len();
        self.text.truncate(end);
        self.text.push_str(MORE);
        Err(fmt::Error)
    }
}

/// The text, or its beginning and `...` if it is longer than `most` bytes.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let mut bounded = Bounded::new(most);
    let _ = bounded.write_str(text);
    bounded.into_text()
}

/// As many characters as fit into these bytes.
fn beginning(text: &str, most: usize) -> &str {
    let mut end = most.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        for (text, most, shown) in [
            ("", 3, ""),
            ("abc", 3, "abc"),
            ("abcd", 3, "..."),
            ("abcdef", 5, "ab..."),
            ("\u{e4}\u{e4}\u{e4}", 5, "\u{e4}..."),
            ("\u{e4}\u{e4}\u{e4}", 6, "\u{e4}\u{e4}\u{e4}"),
        ] {
            assert_eq!(cut(text, most), shown);
        }
    }

    #[test]
    fn nothing_is_added_behind_the_end() {
        let mut text = Bounded::new(8);
        assert!(write!(text, "abcdef").is_ok());
        assert!(write!(text, "ghi").is_err());
        assert!(write!(text, "j").is_err());
        assert_eq!(text.into_text(), "abcde...");
    }
}
