//! `aemp profile`, `delprofile`, `showprofile` and `showconfig`.

use std::borrow::Cow;

use aemp::{
    Map, Value,
    config::{Environment, Key, Kind, Sources, effective},
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use crate::{
    Exit,
    args::{many, one, rest, text},
    failure::{Failure, Outcome},
    output::{self, Output, Text},
    session::Session,
    words,
};

pub(crate) fn profile_command() -> Command {
    Command::new("profile")
        .about("Apply the following commands to a profile")
        .long_about(
            "Applies the configuration commands that follow on the same command line to this profile only. Makes the \
             profile if it does not exist.",
        )
        .after_help(
            "Example:\n  aemp profile seed nodeid seed/%n seeds 10.0.0.1:4040 binds '*:4040' showprofile",
        )
        .arg(one("NAME", "The profile"))
}

pub(crate) fn profile(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let name = text(matches, "NAME")?;
    let created = session.change()?.create_profile(&name);
    created?;
    session.enter(name);
    Ok(Exit::Done)
}

pub(crate) fn delete_command() -> Command {
    Command::new("delprofile")
        .about("Delete a profile")
        .long_about(
            "Deletes a profile with all of its settings. A profile that does not exist is not an error.",
        )
        .arg(one("NAME", "The profile"))
}

pub(crate) fn delete(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let name = text(matches, "NAME")?;
    let deleted = session.change()?.delete_profile(&name);
    if !deleted? {
        session
            .output
            .note(&format!("there is no profile {name:?}"));
    }
    Ok(Exit::Done)
}

pub(crate) fn show_command() -> Command {
    Command::new("showprofile")
        .about("Show a profile, without inherited settings")
        .long_about(
            "Prints a profile's own settings as JSON, without inherited ones. Without NAME, it prints the profile of \
             `profile NAME` or --profile. Secrets and private keys are shown with --reveal only.",
        )
        .arg(reveal())
        .arg(Arg::new("NAME").help("The profile"))
}

pub(crate) fn show(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let name = matches.get_one::<String>("NAME");
    let name = name.map(|name| words::text("NAME", name)).transpose()?;
    let name = name.or_else(|| session.profile()).ok_or_else(|| {
        Failure::usage("showprofile: which profile? name it, or say `profile NAME` first")
    })?;
    let file = session.file()?;
    let profile = file.profile(&name)?.cloned();
    let names = file.profiles()?.join(", ");
    let profile = profile.ok_or_else(|| {
        let there_are = if names.is_empty() { "none" } else { &names };
        Failure::config(format_args!(
            "there is no profile {name:?} (there are: {there_are})"
        ))
    })?;
    print(&session.output, &profile, matches.get_flag(REVEAL))?;
    Ok(Exit::Done)
}

pub(crate) fn config_command() -> Command {
    Command::new("showconfig")
        .about("Show the effective configuration")
        .long_about(
            "Prints the effective configuration of a node with that profile as JSON: the profile's settings, inherited \
             settings, and built-in defaults, except those that depend on the program. KEY VALUE pairs are the \
             arguments that a program gives its node. The default PROFILE is the host's name, as for a node that is \
             started without a profile. Secrets and private keys are shown with --reveal only.",
        )
        .after_help("Example:\n  aemp showconfig seed binds '*:4041'")
        .arg(reveal())
        .arg(many("ARG", "PROFILE, then KEY VALUE pairs"))
}

pub(crate) fn config(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let mut words = rest(matches, "ARG");
    // As the last word, it can only be the option.
    let last = words.pop_if(|word| *word == "--reveal").is_some();
    let reveal = last || matches.get_flag(REVEAL);
    let (profile, arguments) = profile_and_pairs(&words)?;
    let profile = profile.or_else(|| session.profile());
    let environment = Environment::process();
    let file = session.file()?;
    let map = effective(&Sources {
        file: Some(file),
        profile: profile.as_deref(),
        arguments: Cow::Owned(arguments),
        force: false,
        environment,
    });
    print(&session.output, &map?, reveal)?;
    Ok(Exit::Done)
}

/// Parses a profile, if the number of words is odd, and keys with values.
pub(super) fn profile_and_pairs(words: &[&String]) -> Result<(Option<String>, Map), Failure> {
    let mut words = words.iter().copied();
    if let Some(option) = words.clone().take(2).find(|word| word.starts_with('-')) {
        return Err(Failure::usage(format_args!(
            "{option}: options stand before the first ARG"
        )));
    }
    let profile = match words.len() % 2 {
        1 => words.next(),
        _ => None,
    };
    if let (None, Some(first)) = (profile, words.clone().next())
        && Key::named(first).is_none()
        && first.as_str() != "profile"
    {
        return Err(Failure::usage(format_args!(
            "{first:?} is not a key, and not a profile followed by KEY VALUE pairs: the last key has no value"
        )));
    }
    let profile = profile
        .map(|word| words::text("PROFILE", word))
        .transpose()?;
    let mut map = Map::new();
    while let (Some(key), Some(value)) = (words.next(), words.next()) {
        let key = words::text("KEY", key)?;
        let what = format!("the value of {key}");
        let value = match Key::named(&key).map(|key| key.kind) {
            Some(Kind::Secret) => words::hidden(&what, value)?,
            _ => words::value(&what, value)?,
        };
        map.insert(key, value);
    }
    Ok((profile, map))
}

/// The replacement of a secret.
const HIDDEN: &str = "(hidden: --reveal shows it)";

const REVEAL: &str = "reveal";

fn reveal() -> Arg {
    Arg::new(REVEAL)
        .long(REVEAL)
        .action(ArgAction::SetTrue)
        .help("Show secrets and private keys")
}

/// The value of a key; hidden, if it is a secret. An empty text is not a secret.
fn shown(key: &str, value: &Value) -> Value {
    let is_secret = Key::named(key).is_some_and(|key| key.kind == Kind::Secret);
    match value {
        Value::Map(map) => {
            let entries = map.iter().map(|(key, value)| (key, shown(key, value)));
            Value::Map(entries.collect())
        }
        Value::Array(items) => items.iter().map(|item| shown(key, item)).collect(),
        Value::Null => Value::Null,
        Value::Str(text) if text.is_empty() => "".into(),
        _ if is_secret => HIDDEN.into(),
        Value::Str(text) if text.contains("PRIVATE KEY-----") => HIDDEN.into(),
        other => other.clone(),
    }
}

fn print(output: &Output, map: &Map, reveal: bool) -> Result<(), Failure> {
    let entries = map.iter().map(|(key, value)| match reveal {
        true => (key, value.clone()),
        false => (key, shown(key, value)),
    });
    let map: Map = entries.collect();
    let map = &map;
    if output.is_json() {
        return output::document(map);
    }
    let mut text = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"   ");
    let mut serializer = serde_json::Serializer::with_formatter(&mut text, format);
    map.serialize(&mut serializer).map_err(Failure::failed)?;
    output::line(&Text::lines(&String::from_utf8_lossy(&text)))
}
