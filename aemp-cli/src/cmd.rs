//! The commands.

mod cal;
mod completions;
mod db;
mod eval;
mod gencert;
mod keys;
mod logs;
mod mon;
mod nodes;
mod ports;
mod profiles;
mod run;
mod settings;
mod shell;
mod snd;
mod spawn;
mod tap;
mod top;
mod trace;

use clap::{Arg, ArgMatches, Command};

use crate::{failure::Outcome, session::Session};

/// The purpose of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Section {
    Run,
    Messages,
    Network,
    Settings,
    Profiles,
    Shell,
}

impl Section {
    pub(crate) const ALL: [Self; 6] = [
        Self::Run,
        Self::Messages,
        Self::Network,
        Self::Settings,
        Self::Profiles,
        Self::Shell,
    ];

    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Run => "Run a node",
            Self::Messages => "Talk to ports and nodes",
            Self::Network => "Look at the network",
            Self::Settings => {
                "Configure (X is short for setX; delX resets X to the inherited or default value)"
            }
            Self::Profiles => "Profiles",
            Self::Shell => "Shell integration",
        }
    }
}

type Run = Box<dyn Fn(&mut Session, &ArgMatches) -> Outcome>;

/// One command: its syntax and its function.
pub(crate) struct Entry {
    pub(crate) section: Section,
    pub(crate) command: Command,
    /// True if another command may follow in a chain.
    pub(crate) chains: bool,
    /// True if it is in the list of commands by itself. Otherwise one line of the list explains all commands of its
    /// kind.
    pub(crate) listed: bool,
    pub(crate) run: Run,
}

impl Entry {
    pub(crate) fn new(
        section: Section,
        command: Command,
        run: impl Fn(&mut Session, &ArgMatches) -> Outcome + 'static,
    ) -> Self {
        Self {
            section,
            command,
            chains: false,
            listed: true,
            run: Box::new(run),
        }
    }

    pub(crate) fn chaining(mut self) -> Self {
        self.chains = true;
        self
    }

    pub(crate) fn unlisted(mut self) -> Self {
        self.listed = false;
        self
    }
}

/// All commands, in the order of the help.
pub(crate) fn entries() -> Vec<Entry> {
    let mut entries = vec![
        Entry::new(Section::Run, run::command(), run::run),
        Entry::new(Section::Messages, snd::command(), snd::run),
        Entry::new(Section::Messages, cal::command(), cal::run),
        Entry::new(Section::Messages, mon::command(), mon::run),
        Entry::new(Section::Messages, spawn::command(), spawn::run),
        Entry::new(Section::Messages, eval::command(), eval::run),
        Entry::new(Section::Messages, eval::restart_command(), eval::restart),
        Entry::new(Section::Network, nodes::command(), nodes::run).chaining(),
        Entry::new(Section::Network, ports::command(), ports::run).chaining(),
        Entry::new(Section::Network, trace::command(), trace::run),
        Entry::new(Section::Network, db::command(), db::run),
        Entry::new(Section::Network, logs::command(), logs::run),
        Entry::new(Section::Network, tap::command(), tap::run),
        Entry::new(Section::Network, top::command(), top::run),
        Entry::new(Section::Network, shell::command(), shell::run),
    ];
    entries.extend(settings::entries());
    let chained = [
        Entry::new(Section::Settings, keys::secret_command(), keys::gensecret),
        Entry::new(Section::Settings, gencert::command(), gencert::run),
        Entry::new(
            Section::Profiles,
            profiles::profile_command(),
            profiles::profile,
        ),
        Entry::new(
            Section::Profiles,
            profiles::delete_command(),
            profiles::delete,
        ),
        Entry::new(Section::Profiles, profiles::show_command(), profiles::show),
    ];
    entries.extend(chained.map(Entry::chaining));
    entries.push(Entry::new(
        Section::Profiles,
        profiles::config_command(),
        profiles::config,
    ));
    entries.push(Entry::new(
        Section::Shell,
        completions::command(),
        completions::run,
    ));
    entries
}

/// A positional argument of one word.
pub(crate) fn one(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name).required(true).help(help)
}

/// A positional argument that takes all further words, even if they look like options.
pub(crate) fn many(name: &'static str, help: &'static str) -> Arg {
    Arg::new(name)
        .num_args(0..)
        .trailing_var_arg(true)
        .allow_hyphen_values(true)
        .help(help)
}
