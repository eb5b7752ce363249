//! Text of peers in a form that may be logged and printed.

use std::fmt::{self, Display, Write};

/// Displays text of other nodes (names, keys, reasons, errors) in a form that is safe for terminals and logs: on one
/// line, in writing order, with every character visible.
///
/// Control characters (those of terminal escapes, and line feeds), characters that change the direction of text, and
/// invisible characters are written as in JSON: `\n`, `\u001b`. So JSON stays JSON with the same meaning. All other
/// characters, including the backslash, are unchanged.
///
/// Every line that a node logs uses this type, and so does all output of the `aemp` command.
///
/// ```
/// use aemp::Shown;
///
/// let name = "\u{1b}[2Jworker\n\u{202e}";
/// assert_eq!(Shown(name).to_string(), r"\u001b[2Jworker\n\u202e");
/// assert_eq!(Shown("größer \\ 日本").to_string(), "größer \\ 日本");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shown<T>(pub T);

impl<T: Display> Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(Escaping(f), "{}", self.0)
    }
}

impl Shown<()> {
    /// True if a character is written as an escape.
    ///
    /// ```
    /// assert!(aemp::Shown::escapes('\u{9b}') && !aemp::Shown::escapes('a'));
    /// ```
    #[must_use]
    pub fn escapes(char: char) -> bool {
        is_unsafe(char)
    }
}

struct Escaping<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl Write for Escaping<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((at, char)) = rest.char_indices().find(|(_, char)| is_unsafe(*char)) {
            self.0.write_str(&rest[..at])?;
            escape(self.0, char)?;
            rest = &rest[at + char.len_utf8()..];
        }
        self.0.write_str(rest)
    }
}

fn escape(f: &mut fmt::Formatter<'_>, char: char) -> fmt::Result {
    match char {
        '\n' => f.write_str("\\n"),
        '\r' => f.write_str("\\r"),
        '\t' => f.write_str("\\t"),
        _ => {
            let units = &mut [0; 2];
            let mut units = char.encode_utf16(units).iter();
            units.try_for_each(|unit| write!(f, "\\u{unit:04x}"))
        }
    }
}

/// True if a character is invisible or acts on the text around it. The joiners U+200C and U+200D are allowed, because
/// languages and emoji need them.
fn is_unsafe(char: char) -> bool {
    // `is_control` is true for U+0000 to U+001F and U+007F to U+009F; some terminals take the latter for escapes as
    // well.
    char.is_control() || !char.is_ascii() && (is_invisible(char) || is_none(char))
}

/// Fillers, directions of text, separators of lines and paragraphs, invisible operators, annotations and tags.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{3164}'
            | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
    )
}

/// True if a code point will never be assigned to a character.
fn is_none(char: char) -> bool {
    u32::from(char) & 0xfffe == 0xfffe || matches!(char, '\u{fdd0}'..='\u{fdef}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_but_texts_is_left() {
        let all: String = (0..=0x10_ffff).filter_map(char::from_u32).collect();
        let shown = Shown(&all).to_string();
        assert!(!shown.chars().any(char::is_control));
        for char in [
            '\u{1b}', '\u{7f}', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{feff}',
        ] {
            assert!(!shown.contains(char), "{char:?}");
            assert!(Shown::escapes(char), "{char:?}");
        }
        for char in ['a', '\\', '"', 'ß', '\u{200d}', '日', '🦀', '\u{301}'] {
            assert_eq!(Shown(char).to_string(), char.to_string());
        }
    }

    #[test]
    fn it_is_written_as_in_json() {
        let text = "\u{1b}]0;x\u{7}\r\n\t\u{9b}\u{e0041}";
        let shown = Shown(text).to_string();
        assert_eq!(shown, r"\u001b]0;x\u0007\r\n\t\u009b\udb40\udc41");
        #[cfg(feature = "json")]
        {
            let read: String = serde_json::from_str(&format!("\"{shown}\"")).unwrap();
            assert_eq!(read, text);
        }
    }

    /// However it comes in.
    #[test]
    fn pieces_are_escaped_as_well() {
        let shown = Shown(format_args!("{}\n{:?}{}", "a\u{85}", "\u{1b}", '\u{202e}'));
        assert_eq!(shown.to_string(), r#"a\u0085\n"\u{1b}"\u202e"#);
    }
}
