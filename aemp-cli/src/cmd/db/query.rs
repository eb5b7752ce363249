//! `aemp db list`, `get`, `keys` and `values`: queries of the database.

use aemp::{Map, Value, db::DbError};
use clap::{ArgMatches, Command};

use crate::{
    Exit,
    args::{one, text},
    client::Client,
    failure::{Failure, Outcome},
    output::{self, Text},
    session::Session,
};

fn family() -> clap::Arg {
    one("FAMILY", "The family's name")
}

pub(super) fn list_command() -> Command {
    Command::new("list")
        .about("Print keys and values of a family")
        .long_about(
            "Prints a line for each entry of a family, in the order of the keys: the key, a tab, and the value as JSON. With --json: \
             one document, {KEY:VALUE,..}.",
        )
        .after_help("Example: nodes and their addresses\n  aemp db list \"'l\"")
        .arg(family())
}

pub(super) fn list(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let family = text(matches, "FAMILY")?;
    session.with_client(async |client| {
        let entries = entries(client, &family).await?;
        if client.output.is_json() {
            output::document(&entries)?;
            return Ok(Exit::Done);
        }
        for (key, value) in &entries {
            output::line(&entry(key, value))?;
        }
        Ok(Exit::Done)
    })
}

pub(super) fn get_command() -> Command {
    Command::new("get")
        .about("Print the value of a key")
        .long_about("Prints the value of a key as JSON. Fails if the family has no such key.")
        .after_help("Example:\n  aemp db get lights kitchen")
        .arg(family())
        .arg(one("KEY", "The key"))
}

pub(super) fn get(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let (family, key) = (text(matches, "FAMILY")?, text(matches, "KEY")?);
    session.with_client(async |client| {
        let entries = entries(client, &family).await?;
        let Some(value) = entries.get(&key) else {
            return Err(Failure::failed(format_args!("{family} has no key {key:?}")));
        };
        output::document(value)?;
        Ok(Exit::Done)
    })
}

pub(super) fn keys_command() -> Command {
    Command::new("keys")
        .about("Print the keys of a family")
        .long_about(
            "Prints the keys of a family in their order, one a line. With --json: one array.",
        )
        .after_help("Example: the global nodes\n  aemp db keys \"'g\"")
        .arg(family())
}

pub(super) fn keys(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let family = text(matches, "FAMILY")?;
    session.with_client(async |client| {
        let keys = client.node.db_keys(&family).timeout(client.left()).await;
        let keys = keys.map_err(failed)?;
        if client.output.is_json() {
            output::document(&keys)?;
            return Ok(Exit::Done);
        }
        keys.iter()
            .try_for_each(|key| output::line(&Text::of(key)))?;
        Ok(Exit::Done)
    })
}

pub(super) fn values_command() -> Command {
    Command::new("values")
        .about("Print the values of a family")
        .long_about("Prints the values of a family as JSON, one a line, in the order of their text. With --json: one array.")
        .after_help("Example:\n  aemp db values my_services")
        .arg(family())
}

pub(super) fn values(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let family = text(matches, "FAMILY")?;
    session.with_client(async |client| {
        let values = client.node.db_values(&family).timeout(client.left()).await;
        let mut values = values.map_err(failed)?;
        // Values arrive in any order. Sorted, so that the same family gives the same output.
        values.sort_by_cached_key(ToString::to_string);
        if client.output.is_json() {
            output::document(&values)?;
            return Ok(Exit::Done);
        }
        values.iter().try_for_each(output::document)?;
        Ok(Exit::Done)
    })
}

/// A line with a key, a tab and a value. A tab within the key is escaped.
fn entry(key: &str, value: &Value) -> Text {
    let mut line = Text::of(key);
    line.tab();
    line.push(&Text::of(value));
    line
}

/// The entries of a family, ordered by key.
async fn entries(client: &Client<'_>, family: &str) -> Result<Map, Failure> {
    let entries = client.node.db_family(family).timeout(client.left()).await;
    let entries = entries.map_err(failed)?.into_iter();
    let mut sorted: Vec<_> = entries.collect();
    sorted.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(sorted.into_iter().collect())
}

/// The failure of a query. An invalid name is an error of the command line.
pub(super) fn failed(error: DbError) -> Failure {
    match error {
        DbError::Name(_) | DbError::Value { .. } => Failure::usage(error),
        error => Failure::failed(error),
    }
}
