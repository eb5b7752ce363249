//! `aemp db set` and `del`: entries of this command's node, or of a node that sets them on its behalf.

use std::time::Duration;

use aemp::{Value, db::DbEntry};
use clap::{Arg, ArgMatches, Command};
use serde_json::json;

use super::query::failed;
use crate::{
    Exit,
    args::{many, one, rest, text},
    failure::{Failure, Outcome},
    options,
    services::{DB_DEL, DB_SET},
    session::Session,
    signals::Signals,
    words,
};

pub(super) fn set_command() -> Command {
    Command::new("set")
        .about("Set a key of a family")
        .long_about(
            "Sets a key. An entry disappears with the node that it belongs to. Without --on, it belongs to the \
             command's own node. The command then runs until SIGINT or SIGTERM, or for the time of --for; in the \
             shell, the entry exists until the shell ends. With --on, the entry belongs to another node, which must be \
             run by `aemp run` or by a program that is an `aemp` command. That node keeps the entry for as long as \
             this command runs, or until `db del`. A permanent entry has to be set by the node itself: `aemp run \
             services '[[\"Aemp::db_set\",\"lights\",\"kitchen\",\"on\"]]'`.",
        )
        .after_help(
            "Examples:\n  aemp db set --on green/1 --for 60 lights kitchen on\n  aemp db set --for 60 lights kitchen '{\"on\":true}'",
        )
        .arg(on("The node that the entry belongs to"))
        .arg(
            Arg::new("for")
                .long("for")
                .value_name("SECONDS")
                .value_parser(options::seconds)
                .help("End after this time"),
        )
        .arg(one("FAMILY", "The family's name"))
        .arg(one("KEY", "The key"))
        .arg(Arg::new("VALUE").allow_hyphen_values(true).help("The value; without it, the entry has no value"))
}

pub(super) fn delete_command() -> Command {
    Command::new("del")
        .about("Delete keys that a node has set")
        .long_about(
            "Deletes keys of a family on the node that has set them. Keys that the node has not set are ignored.",
        )
        .after_help("Example:\n  aemp db del --on green/1 lights kitchen")
        .arg(on("The node that has set the entries").required(true))
        .arg(one("FAMILY", "The family's name"))
        .arg(many("KEY", "The keys").required(true))
}

fn on(help: &'static str) -> Arg {
    Arg::new("on").long("on").value_name("NODE").help(help)
}

pub(super) fn set(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let (family, key) = (text(matches, "FAMILY")?, text(matches, "KEY")?);
    let value = matches.get_one::<String>("VALUE");
    let value = value
        .map(|value| words::value("VALUE", value))
        .transpose()?;
    let value = value.unwrap_or_default();
    let on = matches.get_one::<String>("on");
    let on = on.map(|node| words::node(node)).transpose()?;
    let time = matches.get_one::<Duration>("for").copied();
    session.with_client(async |client| {
        let mut signals = Signals::new().map_err(Failure::failed)?;
        let (node, entry) = match &on {
            Some(node) => {
                let args = vec![family.as_str().into(), key.as_str().into(), value];
                client.run_on(node, DB_SET, args).await?;
                (node, None)
            }
            None => {
                let set = client.node.db_set(&family, &key, value).map_err(failed)?;
                (client.node.id(), Some(set))
            }
        };
        let document = json!({ "family": family, "key": key, "node": node });
        client
            .output
            .result(&document, &format!("{family} {key} is set"))?;
        if client.stays && time.is_none() {
            return Ok(Exit::Done);
        }
        // An entry of another node is deleted when this node leaves.
        let _entry = entry.map(DbEntry::guard);
        tokio::select! {
            () = tokio::time::sleep(time.unwrap_or_default()), if time.is_some() => {}
            () = signals.next() => {}
        }
        Ok(Exit::Done)
    })
}

pub(super) fn delete(session: &mut Session, matches: &ArgMatches) -> Outcome {
    let node = words::node(matches.get_one::<String>("on").map_or("", String::as_str))?;
    let mut args = vec![Value::from(text(matches, "FAMILY")?)];
    for key in rest(matches, "KEY") {
        args.push(words::text("KEY", key)?.into());
    }
    session.with_client(async |client| {
        client.run_on(&node, DB_DEL, args).await?;
        client
            .output
            .result(&json!({ "node": node, "done": true }), "")?;
        Ok(Exit::Done)
    })
}
