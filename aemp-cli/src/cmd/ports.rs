//! `aemp ports`: the ports of a node.

use clap::{ArgMatches, Command};

use super::one;
use crate::{failure::Outcome, session::Session};

pub(crate) fn command() -> Command {
    Command::new("ports")
        .about("List the ports of a node")
        .arg(one("NODE", "Which"))
}

pub(crate) fn run(_session: &mut Session, _matches: &ArgMatches) -> Outcome {
    Err(crate::failure::Failure::failed("not yet"))
}
