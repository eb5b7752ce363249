//! `aemp profile`, `delprofile`, `showprofile` and `showconfig`.

use std::borrow::Cow;

use aemp::{
    Map, Value,
    codec::Format,
    config::{Environment, Key, Kind, Origin, Settings, Sources, effective, origins},
};
use clap::{Arg, ArgAction, ArgMatches, Command};
use serde::Serialize;

use crate::{
    Exit,
    args::{many, one, rest, text},
    failure::{Failure, Outcome},
    output::{self, Output, Text},
    session::Session,
    table::Table,
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
             settings, and built-in defaults. KEY VALUE pairs are the arguments that a program gives its node; `norc 1` \
             and `force 1` among them work as for `aemp run`. The default PROFILE is the host's name, as for a node that is \
             started without a profile. Secrets and private keys are shown with --reveal only.\n\nWith --origin: a line \
             for each key, with its value and its source: the position in the file and the profile, the environment \
             variable, the arguments, or the default.",
        )
        .after_help("Examples:\n  aemp showconfig seed binds '*:4041'\n  aemp showconfig --origin seed")
        .arg(reveal())
        .arg(
            Arg::new("origin")
                .long("origin")
                .action(ArgAction::SetTrue)
                .help("Show the source of each value"),
        )
        .arg(many("ARG", "PROFILE, then KEY VALUE pairs"))
}

pub(crate) fn config(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let mut words = rest(matches, "ARG");
    // As the last word, it can only be the option.
    let last = words.pop_if(|word| *word == "--reveal").is_some();
    let reveal = last || matches.get_flag(REVEAL);
    let words = Configure::parse(&words)?;
    let profile = words.profile.or_else(|| session.profile());
    let file = session.file()?;
    let sources = Sources {
        file: (!words.norc).then_some(file),
        profile: profile.as_deref(),
        arguments: Cow::Owned(words.arguments),
        force: words.force,
        environment: Environment::process(),
    };
    let map = of_a_node(&sources)?;
    if matches.get_flag("origin") {
        let origins = origins(&sources)?;
        print_origins(&session.output, &map, &origins, reveal)?;
    } else {
        print(&session.output, &map, reveal)?;
    }
    Ok(Exit::Done)
}

/// The effective configuration, with the defaults of a node that this program runs.
fn of_a_node(sources: &Sources<'_>) -> Result<Map, Failure> {
    let mut map = effective(sources)?;
    let formats = Format::built_in();
    let formats = formats.iter().map(|format| Value::from(format.name()));
    let defaults: [(&str, Value); 4] = [
        ("nodeid", Settings::resolve(sources)?.node_id.into()),
        ("binds", vec![Value::from("*")].into()),
        ("framing_format", formats.collect()),
        ("nodelay", 1.into()),
    ];
    for (key, value) in defaults {
        if map.get(key).is_none() {
            map.insert(key, value);
        }
    }
    Ok(map)
}

fn print_origins(
    output: &Output,
    map: &Map,
    origins: &[(String, Value, Origin)],
    reveal: bool,
) -> Result<(), Failure> {
    let origin = |key: &str| {
        let found = origins.iter().find(|(name, ..)| name == key);
        found.map_or(&Origin::Default, |(.., origin)| origin)
    };
    let mut document = Map::new();
    let mut table = Table::new(&["KEY", "VALUE", "ORIGIN"]);
    for (key, value) in map {
        let value = if reveal {
            value.clone()
        } else {
            shown(key, value)
        };
        let origin = origin(key).to_string();
        table.row(vec![key.into(), value.to_string(), origin.clone()]);
        let entry: Map = [("value", value), ("origin", origin.into())]
            .into_iter()
            .collect();
        document.insert(key, entry);
    }
    match output.is_json() {
        true => output::document(&document),
        false => table.print(output),
    }
}

/// The words that `configure` of the reference takes.
#[derive(Debug, Default)]
pub(super) struct Configure {
    pub(super) profile: Option<String>,
    pub(super) arguments: Map,
    /// True if the file and the environment do not count.
    pub(super) norc: bool,
    /// True if the arguments win over the file and the environment.
    pub(super) force: bool,
}

impl Configure {
    /// Parses a profile, if the number of words is odd, and keys with values. Among them may be `profile NAME`, `norc
    /// FLAG` and `force FLAG`.
    pub(super) fn parse(words: &[&String]) -> Result<Self, Failure> {
        let (profile, mut arguments) = profile_and_pairs(words)?;
        let named = arguments.remove("profile");
        let named = named.and_then(|name| Some(name.text()?.into_owned()));
        Ok(Self {
            profile: profile.or(named),
            norc: flag(&mut arguments, "norc")?,
            force: flag(&mut arguments, "force")?,
            arguments,
        })
    }
}

/// Takes a flag that is an argument of `configure`, and not a key of the file.
fn flag(arguments: &mut Map, name: &str) -> Result<bool, Failure> {
    let Some(value) = arguments.remove(name) else {
        return Ok(false);
    };
    match value.text().as_deref() {
        Some("1" | "true") => Ok(true),
        Some("0" | "" | "false") => Ok(false),
        _ => Err(Failure::usage(format_args!(
            "{name}: expected 1 or 0, found {value}"
        ))),
    }
}

/// Parses a profile, if the number of words is odd, and keys with values.
fn profile_and_pairs(words: &[&String]) -> Result<(Option<String>, Map), Failure> {
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
        && !["profile", "norc", "force"].contains(&first.as_str())
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
        let title = format!("the value of {key}");
        let value = match Key::named(&key).map(|key| key.kind) {
            Some(Kind::Secret) => words::hidden(&title, value)?,
            _ => words::value(&title, value)?,
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
