//! The words of the command line, and their values.
//!
//! As in the reference, a word that begins with `[`, `{` or `"` is JSON, and any other word is text. A single word
//! that begins with `[` is a whole command line.

use std::ffi::OsString;

use aemp::{NodeId, PortId, Value};

use crate::failure::Failure;

/// The first character of a word that was an element of a whole command line, and is neither text nor a structure. A
/// word from the operating system cannot contain it.
const LITERAL: char = '\0';

/// The words after the program's name.
pub(crate) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Vec<String>, Failure> {
    let mut words = Vec::new();
    for (position, arg) in args.into_iter().enumerate() {
        let word = arg.into_string().map_err(|arg| {
            let shown = arg.to_string_lossy();
            Failure::usage(format_args!(
                "argument {} ({shown:?}) is not UTF-8",
                position + 1
            ))
        })?;
        words.push(word);
    }
    match words.as_slice() {
        [whole] if whole.starts_with('[') => whole_line(whole),
        _ => Ok(words),
    }
}

fn whole_line(text: &str) -> Result<Vec<String>, Failure> {
    let elements: Vec<Value> = serde_json::from_str(text).map_err(|error| {
        Failure::usage(format_args!(
            "the command line is not a JSON array: {error}"
        ))
    })?;
    Ok(elements.into_iter().map(into_word).collect())
}

/// The word that stands for a value.
fn into_word(value: Value) -> String {
    match value {
        Value::Str(text) if is_json(&text) => Value::Str(text).to_string(),
        Value::Str(text) => text,
        Value::Array(_) | Value::Map(_) => value.to_string(),
        other => format!("{LITERAL}{other}"),
    }
}

fn is_json(word: &str) -> bool {
    word.starts_with(['[', '{', '"', LITERAL])
}

/// The value of a word. `title` names it in errors.
pub(crate) fn value(title: &str, word: &str) -> Result<Value, Failure> {
    if !is_json(word) {
        return Ok(word.into());
    }
    let json = word.strip_prefix(LITERAL).unwrap_or(word);
    serde_json::from_str(json).map_err(|error| {
        Failure::usage(format_args!(
            "{title} begins like JSON, but is not valid JSON: {error}: {json}"
        ))
    })
}

/// As [`value`], for secrets: errors do not show the word.
pub(crate) fn hidden(title: &str, word: &str) -> Result<Value, Failure> {
    let read = value(title, word);
    read.map_err(|_| {
        Failure::usage(format_args!(
            "{title} begins like JSON, but is not valid JSON"
        ))
    })
}

/// The values of several words. Errors count from `first`.
pub(crate) fn values<'a>(
    title: &str,
    words: impl IntoIterator<Item = &'a String>,
) -> Result<Vec<Value>, Failure> {
    let words = words.into_iter().enumerate();
    words
        .map(|(n, word)| value(&format!("{title} {}", n + 1), word))
        .collect()
}

/// A word that must be text.
pub(crate) fn text(title: &str, word: &str) -> Result<String, Failure> {
    let value = value(title, word)?;
    let text = value.text().map(std::borrow::Cow::into_owned);
    text.ok_or_else(|| Failure::usage(format_args!("{title} must be a text, not {value}")))
}

/// A port, or a node, as a command line gives it. The [client](crate::client::Client::port) finds the port of a name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Target<T> {
    Id(T),
    /// `@NAME`: the port that has this name in the network.
    Name(String),
}

/// The name in a word of the form `@NAME`. A word with a `#` is a port ID, even if it begins with `@`.
fn name(word: &str) -> Option<String> {
    let name = word.strip_prefix('@').filter(|_| !word.contains('#'))?;
    Some(name.into())
}

/// A word that must be a port ID, or `@NAME`. A bare node ID is the ID of the node port.
pub(crate) fn port(word: &str) -> Result<Target<PortId>, Failure> {
    let word = text("PORT", word)?;
    if let Some(name) = name(&word) {
        return Ok(Target::Name(name));
    }
    let parsed = PortId::parse(&word);
    let port = parsed.map_err(|error| Failure::usage(format_args!("PORT {word:?}: {error}")))?;
    if port.node().is_empty() {
        let text = format!("PORT {word:?}: names no node: a port ID is NODE#NAME");
        return Err(Failure::usage(text));
    }
    Ok(Target::Id(port))
}

/// A word that must be a node ID. A port ID stands for its node.
pub(crate) fn node(word: &str) -> Result<NodeId, Failure> {
    let word = text("NODE", word)?;
    let node = word.split_once('#').map_or(&*word, |(node, _)| node);
    NodeId::new(node).map_err(|error| Failure::usage(format_args!("NODE {word:?}: {error}")))
}

/// As [`node`]. `@NAME` stands for the node of the port.
pub(crate) fn node_or_name(word: &str) -> Result<Target<NodeId>, Failure> {
    match name(&text("NODE", word)?) {
        Some(name) => Ok(Target::Name(name)),
        None => node(word).map(Target::Id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(args: &[&str]) -> Result<Vec<String>, Failure> {
        read(args.iter().map(OsString::from))
    }

    #[test]
    fn plain_words_are_text() {
        assert_eq!(value("ARG", "5").unwrap(), Value::from("5"));
        assert_eq!(value("ARG", "").unwrap(), Value::from(""));
        assert_eq!(value("ARG", "-x[").unwrap(), Value::from("-x["));
    }

    #[test]
    fn json_words_are_json_values() {
        assert_eq!(value("ARG", "\"5\"").unwrap(), Value::from("5"));
        assert_eq!(value("ARG", "[1,null]").unwrap().to_string(), "[1,null]");
        assert_eq!(
            value("ARG", "{\"b\":1,\"a\":2}").unwrap().to_string(),
            "{\"b\":1,\"a\":2}"
        );
    }

    #[test]
    fn an_error_names_the_argument() {
        let list = vec!["a".to_owned(), "[1".to_owned()];
        let failure = values("argument", &list).unwrap_err();
        assert!(
            failure
                .text
                .starts_with("argument 2 begins like JSON, but is not valid JSON: "),
            "{}",
            failure.text
        );
    }

    #[test]
    fn a_whole_command_line_keeps_its_types() {
        let line = words(&[r#"["snd", "a#b", 5, null, "[x", [1, "2"]]"#]).unwrap();
        let read: Vec<_> = line
            .iter()
            .map(|word| value("ARG", word).unwrap())
            .collect();
        let shown: Vec<_> = read.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["\"snd\"", "\"a#b\"", "5", "null", "\"[x\"", "[1,\"2\"]"]
        );
    }

    #[test]
    fn several_words_are_not_a_whole_command_line() {
        assert_eq!(words(&["[1]", "x"]).unwrap(), ["[1]", "x"]);
        assert!(
            words(&["[1"])
                .unwrap_err()
                .text
                .contains("not a JSON array")
        );
    }

    #[test]
    fn ids_are_checked() {
        let id = |text: &str| Target::Id(PortId::parse(text).unwrap());
        assert_eq!(port("a/b#c").unwrap(), id("a/b#c"));
        assert_eq!(port("@a#c").unwrap(), id("@a#c"));
        assert_eq!(port("@log").unwrap(), Target::Name("log".into()));
        assert_eq!(node_or_name("@log").unwrap(), Target::Name("log".into()));
        assert!(port("#c").unwrap_err().text.contains("names no node"));
        assert!(port("").is_err());
        assert_eq!(node("a/b#c").unwrap().as_str(), "a/b");
        assert!(node("a b").is_err());
    }
}
