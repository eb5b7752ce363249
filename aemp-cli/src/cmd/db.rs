//! `aemp db`: the network's distributed database.

mod change;
mod query;
mod watch;

use clap::{ArgMatches, Command};

use crate::{failure::Outcome, session::Session};

pub(crate) fn command() -> Command {
    Command::new("db")
        .about("Read, watch and change the network's database")
        .long_about(
            "The network's database consists of families of keys and values. An entry belongs to the node that has set \
             it, and disappears with that node. If several nodes set the same key, one of the values shows; when its \
             owner deletes it, another value shows.\n\nThe families 'l (nodes and their addresses) and 'g (global \
             nodes) belong to the network. They can be read, but not changed.",
        )
        .after_help(
            "Examples:\n  aemp db list my_services\n  aemp db watch my_services\n  aemp db set --on green/1 --for 60 lights kitchen on",
        )
        .subcommand_required(true)
        .subcommands([
            query::list_command(),
            query::get_command(),
            query::keys_command(),
            query::values_command(),
            watch::command(),
            change::set_command(),
            change::delete_command(),
        ])
}

pub(crate) fn run(session: &mut Session, matches: &ArgMatches) -> Outcome {
    match matches.subcommand() {
        Some(("list", matches)) => query::list(session, matches),
        Some(("get", matches)) => query::get(session, matches),
        Some(("keys", matches)) => query::keys(session, matches),
        Some(("values", matches)) => query::values(session, matches),
        Some(("watch", matches)) => watch::run(session, matches),
        Some(("set", matches)) => change::set(session, matches),
        Some(("del", matches)) => change::delete(session, matches),
        // clap accepts no other subcommand.
        _ => Ok(crate::Exit::Usage),
    }
}
