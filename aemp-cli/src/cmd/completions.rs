//! `aemp completions`: completion scripts for shells.

use std::io::Write;

use clap::{Arg, ArgMatches, Command, value_parser};
use clap_complete::{Shell, generate};

use crate::{Exit, cli, entry::Entry, failure::Outcome, output::Color};

pub(crate) fn command() -> Command {
    Command::new("completions")
        .about("Print a script that completes command lines")
        .long_about("Prints a script for a shell. With it, the shell completes commands and options of `aemp`.")
        .after_help(
            "Examples:\n  aemp completions bash > ~/.local/share/bash-completion/completions/aemp\n  \
             aemp completions zsh > ~/.zfunc/_aemp\n  \
             aemp completions fish > ~/.config/fish/completions/aemp.fish",
        )
        .arg(
            Arg::new("SHELL")
                .required(true)
                .value_parser(value_parser!(Shell))
                .help("The shell"),
        )
}

pub(crate) fn run(matches: &ArgMatches, entries: &[Entry]) -> Outcome {
    let root = cli::root(entries, Color::Never).no_binary_name(false);
    let mut root = cli::with_chains(root);
    let mut script = Vec::new();
    if let Some(shell) = matches.get_one::<Shell>("SHELL") {
        generate(*shell, &mut root, "aemp", &mut script);
    }
    std::io::stdout().lock().write_all(&script)?;
    Ok(Exit::Done)
}
