//! Splitting a line of the shell into words.
//!
//! Words are as on the command line: `'...'` quotes blanks, and a backslash quotes one character. In addition, a word
//! that begins with `[`, `{` or `"` is JSON to its end.
//!
//! The crate `shlex` would not replace this code. It takes `#name`, the short name of a port, for a comment. It takes a
//! `"` for a quote, so it cannot stop in front of JSON, which its caller would have to find in the line by itself. Its
//! only error is "none": it does not name the quote that is not closed.

use serde::de::IgnoredAny;

/// Splits a line into words.
///
/// # Errors
///
/// A text for users that describes the error.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut rest = line.trim_start();
    if rest == "#" || rest.starts_with("# ") || rest.starts_with("#!") {
        return Ok(words);
    }
    while !rest.is_empty() {
        let (word, end) = if rest.starts_with(['[', '{', '"']) {
            json(rest).map_err(|error| {
                format!(
                    "word {} begins like JSON, but is not valid JSON: {error}: {rest}",
                    words.len() + 1
                )
            })?
        } else {
            plain(rest)?
        };
        words.push(word);
        rest = rest[end..].trim_start();
    }
    Ok(words)
}

/// A JSON text, and the offset of its end.
fn json(rest: &str) -> Result<(String, usize), String> {
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<IgnoredAny>();
    if let Some(Err(error)) = values.next() {
        return Err(error.to_string());
    }
    let end = values.byte_offset();
    match rest[end..].chars().next() {
        Some(next) if !next.is_whitespace() => Err(format!("{next:?} follows without a blank")),
        _ => Ok((rest[..end].into(), end)),
    }
}

/// Any other word, and the offset of its end.
fn plain(rest: &str) -> Result<(String, usize), String> {
    let mut word = String::new();
    let mut characters = rest.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '\'' => loop {
                match characters.next() {
                    Some((_, '\'')) => break,
                    Some((_, character)) => word.push(character),
                    None => return Err(format!("a ' is not closed: {}", &rest[at..])),
                }
            },
            '\\' => match characters.next() {
                Some((_, character)) => word.push(character),
                None => return Err("nothing follows the \\ at the end".into()),
            },
            character if character.is_whitespace() => return Ok((word, at)),
            character => word.push(character),
        }
    }
    Ok((word, rest.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_a_command_line() {
        for (line, words) in [
            ("", vec![]),
            ("   ", vec![]),
            ("# a comment", vec![]),
            ("#name x", vec!["#name", "x"]),
            ("  cal  green#x\tget ", vec!["cal", "green#x", "get"]),
            ("snd 'a b'c ''", vec!["snd", "a bc", ""]),
            (r"it\'s a\ b \\", vec!["it's", "a b", r"\"]),
            ("snd 'green#x' '[1, 2]'", vec!["snd", "green#x", "[1, 2]"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line}");
        }
    }

    #[test]
    fn json_goes_to_its_own_end() {
        let words = split(r#"snd x [1, "] [", {"a b": "'"}]  "a \" b" {"c": 1}"#).unwrap();
        let expected = [
            "snd",
            "x",
            r#"[1, "] [", {"a b": "'"}]"#,
            r#""a \" b""#,
            r#"{"c": 1}"#,
        ];
        assert_eq!(words, expected);
    }

    #[test]
    fn errors_name_the_problem_and_the_word() {
        for (line, text) in [
            ("snd 'a b", "a ' is not closed: 'a b"),
            ("snd x\\", "nothing follows the \\ at the end"),
            ("snd [1", "word 2 begins like JSON, but is not valid JSON: "),
            ("snd x [1]2", "'2' follows without a blank"),
            ("\"", "word 1 begins like JSON, but is not valid JSON: "),
        ] {
            let error = split(line).unwrap_err();
            assert!(error.contains(text), "{line}: {error}");
        }
    }
}
