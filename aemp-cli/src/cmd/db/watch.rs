//! `aemp db watch`: the changes of a family.

use std::fmt::Display;

use aemp::{Map, db::DbChange};
use clap::{Arg, ArgMatches, Command, value_parser};
use serde_json::json;
use tokio::sync::mpsc;

use super::query::failed;
use crate::{
    Exit,
    args::{one, text},
    failure::{Failure, Outcome},
    output::{self, Output, Paint, Text},
    session::Session,
    signals::Signals,
};

pub(super) fn command() -> Command {
    Command::new("watch")
        .about("Print a family's entries, and changes as they happen")
        .long_about(
            "Prints all entries of a family, `= KEY VALUE` each, then every change as it happens: `+ KEY VALUE` for a \
             new key, `~ KEY VALUE` for a new value, `- KEY` for a deleted key. Changes in quick succession may be \
             merged. Runs until SIGINT or SIGTERM, or for --count changes.\n\nWith --json: {\"all\":{KEY:VALUE,..}} \
             first, then {\"added\":{..},\"changed\":{..},\"deleted\":[KEY,..]} for each change.",
        )
        .after_help("Example: nodes that come and go\n  aemp db watch \"'l\"")
        .arg(one("FAMILY", "The family's name"))
        .arg(
            Arg::new("count")
                .long("count")
                .value_name("N")
                .value_parser(value_parser!(u64).range(1..))
                .help("End after this number of changes; the first list of entries counts as one"),
        )
}

/// Changes that happened together.
struct Change {
    added: Map,
    changed: Map,
    deleted: Vec<String>,
}

impl Change {
    fn of(change: &DbChange<'_>) -> Self {
        let mut deleted: Vec<_> = change.deleted.iter().map(ToString::to_string).collect();
        deleted.sort();
        let values = |keys: &[_]| {
            let mut keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
            keys.sort();
            let value = |key: String| Some((key.clone(), change.contents.get(&key)?.clone()));
            keys.into_iter().filter_map(value).collect()
        };
        Self {
            added: values(change.added),
            changed: values(change.changed),
            deleted,
        }
    }
}

pub(super) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let family = text(matches, "FAMILY")?;
    let count = matches.get_one::<u64>("count").copied();
    session.with_client(async |client| {
        let mut signals = Signals::new().map_err(Failure::failed)?;
        let (tell, mut changes) = mpsc::unbounded_channel();
        let tell = move |change: &DbChange<'_>| drop(tell.send(Change::of(change)));
        let _watching = client.node.db_mon(&family, tell).map_err(failed)?;
        let mut seen = 0;
        while count != Some(seen) {
            let change = tokio::select! {
                Some(change) = changes.recv() => change,
                () = signals.next() => break,
            };
            print(client.output, &change, seen == 0)?;
            seen += 1;
        }
        Ok(Exit::Done)
    })
}

fn print(output: &Output, change: &Change, first: bool) -> Result<(), Failure> {
    let Change {
        added,
        changed,
        deleted,
    } = change;
    if output.is_json() {
        return output::document(&match first {
            true => json!({ "all": added }),
            false => json!({ "added": added, "changed": changed, "deleted": deleted }),
        });
    }
    let (sign, paint) = match first {
        true => ("=", Paint::Bold),
        false => ("+", Paint::Green),
    };
    let line = |paint, sign: &str, rest: &dyn Display| {
        let mut line = output.paint(paint, Text::of(sign));
        line.push(&Text::of(rest));
        output::line(&line)
    };
    for (key, value) in added {
        line(paint, sign, &format_args!(" {key} {value}"))?;
    }
    for (key, value) in changed {
        line(Paint::Bold, "~", &format_args!(" {key} {value}"))?;
    }
    for key in deleted {
        line(Paint::Red, "-", &format_args!(" {key}"))?;
    }
    Ok(())
}
