//! `aemp run`: a node.

use clap::{ArgMatches, Command};

use super::many;
use crate::{failure::Outcome, session::Session};

pub(crate) fn command() -> Command {
    Command::new("run")
        .about("Run a node")
        .arg(many("ARG", "PROFILE, then KEY VALUE pairs"))
}

pub(crate) fn run(_session: &mut Session, _matches: &ArgMatches) -> Outcome {
    Err(crate::failure::Failure::failed("not yet"))
}
