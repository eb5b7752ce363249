//! `aemp setX`, `delX`, `addX`: changes of the configuration file.

use std::fs;

use aemp::{
    Value,
    config::{KEYS, Key, Kind},
};
use clap::{ArgMatches, Command};

use crate::{
    Exit,
    args::{one, text, word},
    entry::{Entry, Section},
    failure::{Failure, Outcome},
    input::STANDARD,
    session::Session,
    words,
};

/// The commands for each key, in the order in which the help explains the keys.
pub(crate) fn entries() -> Vec<Entry> {
    KEYS.iter().flat_map(of_key).collect()
}

fn of_key(key: &'static Key) -> Vec<Entry> {
    let section = Section::Settings;
    let mut entries = vec![
        Entry::new(section, set_command(key), |session, matches| {
            set(session, matches, key)
        }),
        Entry::new(section, delete_command(key), |session, _| {
            let profile = session.profile();
            let deleted = session.change()?.delete(profile.as_deref(), key.name);
            deleted?;
            Ok(Exit::Done)
        })
        .unlisted(),
    ];
    // There is an `addX` for an element if the list has a name in the plural.
    if matches!(key.kind, Kind::Addresses | Kind::Services) && singular(key) != key.name {
        entries.push(Entry::new(section, add_command(key), |session, matches| {
            add(session, matches, key)
        }));
        entries.push(Entry::new(
            section,
            remove_command(key),
            |session, matches| remove(session, matches, key),
        ));
    }
    entries.into_iter().map(Entry::chaining).collect()
}

/// The argument of `setX`, and its explanation.
fn value_of(key: &Key) -> (&'static str, &'static str) {
    if key.name == "ca" {
        return (
            "FILE",
            "A PEM file with one or more certificates; `-` is standard input",
        );
    }
    if key.name == "cert" {
        return (
            "FILE",
            "A PEM file: the private key, the certificate, and any other certificates to trust; `-` is standard input",
        );
    }
    match key.kind {
        Kind::Secret => (
            "SECRET",
            "Any text (only ASCII, if there are Perl nodes); `-` reads the first line of standard input, which lists \
             of processes do not show",
        ),
        Kind::NodeId => (
            "NODEID",
            "%n becomes the host's name, %u a random text; a random text is appended to an ID that ends in `/`",
        ),
        Kind::Profile => ("NAME", "The name of another profile"),
        Kind::Addresses if key.name == "seeds" => (
            "ADDRESSES",
            "HOST:PORT,... or a JSON array; exec:COMMAND and srv:NAME (SRV records) stand for many",
        ),
        Kind::Addresses => (
            "ADDRESSES",
            "HOST:PORT,... or a JSON array; for binds `*` is any local address, or any free port",
        ),
        Kind::Services => (
            "FUNCTIONS",
            "Some::function,... or a JSON array; an array in it is a function and its arguments",
        ),
        Kind::Formats => (
            "NAMES",
            "Names separated by commas, or a JSON array; `storable` of Perl nodes is not among the formats here",
        ),
        Kind::Methods => ("NAMES", "Names separated by commas, or a JSON array"),
        Kind::Seconds => ("SECONDS", "More than 0; fractions are allowed"),
        Kind::Flag => ("FLAG", "1 or 0"),
        Kind::Encrypt => (
            "WHEN",
            "auto (except on loopback), always (refuse connections in clear text), or never",
        ),
        Kind::Permits => (
            "PERMITS",
            "NODES=FUNCTIONS,... or a JSON array; `*` and `?` are wildcards",
        ),
        Kind::Count => ("NUMBER", "A whole number, at least 1"),
        Kind::Bytes => ("BYTES", "A whole number, optionally with K, M or G"),
        _ => ("TEXT", "Any text"),
    }
}

fn set_command(key: &'static Key) -> Command {
    let (value, help) = value_of(key);
    let example = match key.kind {
        _ if key.name == "cert" => "setcert node.pem",
        _ if key.name == "ca" => "setca ca.pem",
        Kind::NodeId => "setnodeid green/%n",
        Kind::Profile => "profile big setparent worker",
        Kind::Services => "setservices '[[\"My::Counter::start\", 5], \"Aemp::echo\"]'",
        Kind::Addresses if key.name == "binds" => "setbinds '*:4040'",
        Kind::Addresses if key.name == "advertise" => "setadvertise nat.example:4040",
        Kind::Addresses => "setseeds 10.0.0.1:4040,10.0.0.2:4040",
        Kind::Seconds => "setmonitor_timeout 10",
        Kind::Flag if key.name == "require_tls" => "setrequire_tls 1",
        Kind::Flag if key.name == "verify_nodeid" => "setverify_nodeid 1",
        Kind::Flag if key.name == "relay" => "setrelay 0",
        Kind::Flag => "setsecure 1",
        Kind::Encrypt => "setencrypt always",
        Kind::Permits => "setallow 'worker/*=My::Worker::*,admin=*'",
        Kind::Count => "setmax_monitors 1000",
        Kind::Bytes => "setmax_packet_bytes 1M",
        Kind::Formats => "setframing_format json",
        Kind::Methods => "setauth_accept tls_sha3_512,hmac_sha3_512",
        _ => "",
    };
    let command = Command::new(format!("set{}", key.name))
        .about(capitalized(key.summary))
        .long_about(format!(
            "Sets `{}`: {}. The setting applies to all profiles, or to the profile of `profile NAME` or --profile.",
            key.name, key.summary
        ))
        .arg(one(value, help).allow_hyphen_values(matches!(key.kind, Kind::Secret) || matches!(key.name, "cert" | "ca")));
    let command = match example {
        "" => command,
        example => command.after_help(format!("Example:\n  aemp {example}")),
    };
    // `eval` is a command of its own.
    match key.name {
        "eval" => command,
        name => command.visible_alias(name),
    }
}

/// A summary with a capital letter. Elsewhere summaries stand within sentences.
fn capitalized(summary: &str) -> String {
    let mut chars = summary.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

fn delete_command(key: &'static Key) -> Command {
    Command::new(format!("del{}", key.name))
        .about(format!("Unset `{}`, so that it is inherited again", key.name))
        .long_about(format!(
            "Removes `{}`. Then the value of the profile's parent, of the top level, or the built-in default applies \
             again.",
            key.name
        ))
}

/// The name of one element of a list.
fn singular(key: &Key) -> &'static str {
    key.name.strip_suffix('s').unwrap_or(key.name)
}

fn element_of(key: &Key) -> (&'static str, &'static str) {
    match key.kind {
        Kind::Services => (
            "FUNCTION",
            "Some::function, or a JSON array of its name and arguments",
        ),
        _ => ("ADDRESS", "HOST:PORT"),
    }
}

fn add_command(key: &'static Key) -> Command {
    let (element, help) = element_of(key);
    let name = singular(key);
    Command::new(format!("add{name}"))
        .about(format!("Add a {name}"))
        .long_about(format!(
            "Adds an element to the end of `{}`: {}.",
            key.name, key.summary
        ))
        .arg(one(element, help))
}

fn remove_command(key: &'static Key) -> Command {
    let (element, help) = element_of(key);
    let name = singular(key);
    Command::new(format!("del{name}"))
        .about(format!("Remove a {name}"))
        .long_about(format!(
            "Removes an element from `{}`: {}. An element that is not there is not an error.",
            key.name, key.summary
        ))
        .arg(one(element, help))
}

fn set(session: &mut Session, matches: &ArgMatches, key: &Key) -> Outcome {
    let (name, _) = value_of(key);
    let word = word(matches, name);
    let value = match (key.name, key.kind) {
        ("cert" | "ca", _) => certificate(&text(matches, name)?, session, key.name == "cert")?,
        (_, Kind::Secret) if word == STANDARD => standard(session)?.into(),
        (_, Kind::Secret) => words::hidden(name, word)?,
        _ => words::value(name, word)?,
    };
    let profile = session.profile();
    let set = session.change()?.set(profile.as_deref(), key.name, value);
    set?;
    Ok(Exit::Done)
}

/// The text that this command takes from standard input.
fn standard(session: &mut Session) -> Result<String, Failure> {
    let input = session.input.pop_front();
    let input = input.ok_or_else(|| Failure::failed("nothing was read from standard input"))?;
    Ok(input.text().to_owned())
}

/// The text of a PEM file, or the word itself if it is PEM text. Errors show none of the text.
fn certificate(file: &str, session: &mut Session, with_key: bool) -> Result<Value, Failure> {
    let (text, name) = if file == STANDARD {
        (standard(session)?, "standard input".to_owned())
    } else if file.trim_start().starts_with("-----BEGIN ") {
        (file.to_owned(), "FILE".to_owned())
    } else {
        let name = format!("FILE {file}");
        let read = fs::read_to_string(file);
        let text = read.map_err(|error| Failure::failed(format_args!("{name}: {error}")))?;
        (text, name)
    };
    let has_key = text.contains("PRIVATE KEY-----");
    if text.contains("-----BEGIN CERTIFICATE-----") && has_key == with_key {
        return Ok(text.into());
    }
    let text = match with_key {
        true => format!("{name}: must be PEM text with a private key and a certificate"),
        false if has_key => {
            format!("{name}: the text contains a private key, which must stay with its owner")
        }
        false => format!("{name}: must be PEM text with a certificate"),
    };
    Err(Failure::failed(text))
}

fn add(session: &mut Session, matches: &ArgMatches, key: &Key) -> Outcome {
    let item = element(matches, key)?;
    let profile = session.profile();
    let added = session.change()?.add(profile.as_deref(), key.name, item);
    added?;
    Ok(Exit::Done)
}

fn remove(session: &mut Session, matches: &ArgMatches, key: &Key) -> Outcome {
    let item = element(matches, key)?;
    let profile = session.profile();
    let shown = item.to_string();
    let removed = session.change()?.remove(profile.as_deref(), key.name, item);
    if !removed? {
        session
            .output
            .note(&format!("{} has no element {shown}", key.name));
    }
    Ok(Exit::Done)
}

fn element(matches: &ArgMatches, key: &Key) -> Result<Value, Failure> {
    let (name, _) = element_of(key);
    words::value(name, word(matches, name))
}
